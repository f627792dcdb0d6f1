"""The models that trainers begin from: one that is there, or a tiny one from scratch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from agents.llm.policy import LLMConfig
from agents.llm.tiny import make_tiny_model
from agents.llm.tokenizers import ByteTokenizer, HFTokenizer
from trainers.batch import rows_of
from trainers.checkpoint import folders
from trainers.collector import Collector
from trainers.config import SMOL_SFT, SMOLLM2, RunConfig
from trainers.policies import scripted
from trainers.teacher import TeacherPolicy
from wideseek_env.errors import DataError
from wideseek_env.plugins import require

torch: Any = require("torch", "train")
transformers: Any = require("transformers", "train")
ADAPTER, BASE = "adapter_config.json", "base_model_name_or_path"
"""File of a LoRA adapter, and its entry that names the weights below it."""
TRAIN_SFT = "make it with `wideseek train sft --preset tiny --out {}`"
HOW_TO_MAKE = {
    SMOLLM2: "make it with `wideseek smollm2 --out {}`",
    SMOL_SFT: "make it with `wideseek train sft --preset smol --out {}`",
}
"""What to do when a folder of the presets is missing; all others are taken to be the tiny one."""


def load_model(name: str) -> tuple[Any, HFTokenizer]:
    """Returns a model in float32 and its tokenizer; an adapter is added to the weights it is for.

    Args:
        name: a Hugging Face name, a folder, or the folder of a run: then its last checkpoint.

    Raises:
        DataError: it is the folder of a run without a checkpoint.
        MissingExtra: it is an adapter, and peft is not installed.
    """
    folder = folder_of(name)
    transformers.utils.logging.disable_progress_bar()  # it would break the live view
    if (folder / ADAPTER).exists():
        base, tokenizer = load_model(json.loads((folder / ADAPTER).read_text("utf-8"))[BASE])
        peft = require("peft", "train")
        lm = peft.PeftModel.from_pretrained(base, folder).merge_and_unload()
        lm.name_or_path = str(folder)  # an adapter that is trained on it names it as its base
        return lm.eval(), tokenizer
    lm = transformers.AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    return lm.eval(), HFTokenizer(str(folder))


def folder_of(name: str) -> Path:
    """Returns the folder of a model: that of the last checkpoint, if `name` is a run.

    Raises:
        DataError: it is the folder of a run without a checkpoint.
    """
    source = Path(name)
    if source.is_dir() and not any((source / file).exists() for file in ("config.json", ADAPTER)):
        checkpoints = folders(source / "checkpoints")
        if not checkpoints:
            raise DataError(f"expected a model or a run with checkpoints in {name}, found neither")
        return checkpoints[-1]
    if name.startswith("runs/") and not source.exists():
        raise DataError(f"{name} is not there; {HOW_TO_MAKE.get(name, TRAIN_SFT).format(name)}")
    return source


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
