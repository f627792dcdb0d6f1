"""The models that trainers begin from: one that is there, or a tiny one from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from agents.llm.policy import LLMConfig
from agents.llm.tiny import make_tiny_model
from agents.llm.tokenizers import ByteTokenizer, HFTokenizer
from trainers.batch import rows_of
from trainers.checkpoint import folders
from trainers.collector import Collector
from trainers.config import RunConfig
from trainers.policies import scripted
from trainers.teacher import TeacherPolicy
from wideseek_env.errors import DataError


def load_model(name: str) -> tuple[Any, HFTokenizer]:
    """Returns a model in float32 and its tokenizer.

    Args:
        name: a Hugging Face name, a folder, or the folder of a run: then its last checkpoint.

    Raises:
        DataError: it is the folder of a run without a checkpoint.
    """
    source = Path(name)
    if source.is_dir() and not (source / "config.json").exists():
        checkpoints = folders(source / "checkpoints")
        if not checkpoints:
            raise DataError(f"expected a model or a run with checkpoints in {name}, found neither")
        name = str(checkpoints[-1])
    elif name.startswith("runs/") and not source.exists():
        raise DataError(
            f"{name} is not there; make it with `wideseek train sft --preset tiny --out {name}`"
        )
    disable_progress_bar()  # it would break the live view, at each checkpoint
    lm = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    return lm.eval(), HFTokenizer(name)


def make_tiny(config: RunConfig, teacher: str) -> Path:
    """Makes a tiny untrained model, its tokenizer trained on what the teacher reads and writes.

    Returns:
        Its folder, `start` in that of the run; a model that is there already is kept.
    """
    folder = Path(config.out) / "start"
    if not (folder / "config.json").exists():
        letters, make = ByteTokenizer(), scripted(teacher)
        how = LLMConfig(
            format=config.format,
            prompts=config.prompts,
            max_tokens=100_000,
            max_context_tokens=1_000_000,
        )
        collector = Collector(config, lambda tasks: TeacherPolicy(make(tasks), letters, how))
        texts = [
            letters.decode(ids[ids < 256].tolist())
            for iteration in range(16)
            for row in rows_of(collector.collect(iteration))
            for ids in np.split(row.ids, np.flatnonzero(row.ids >= 256))
        ]
        # Two wide heads: attention is half of the time on a CPU, and four cost 1.5 times as much.
        make_tiny_model(folder, texts, vocab_size=768, num_heads=2, num_kv_heads=2)
    return folder
