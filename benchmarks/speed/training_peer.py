"""TRL's `GRPOTrainer` as a peer to be timed; `benchmarks.speed.training` runs it beside ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from trainers.batch import TokenRow
from trainers.models import load_model


class Turns(TrainerCallback):  # type: ignore[misc]  # untyped
    """Times each optimiser step, and lets somebody else take one before it.

    Args:
        before: called with the number of the step.
        around: entered around the last step, for a profiler.
    """

    def __init__(self, before: Callable[[int], None], around: Any) -> None:
        self._before, self._around, self._now = before, around, nullcontext()
        self.seconds: list[float] = []
        self._begun_s = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begins to count."""
        self._before(state.global_step)
        if state.global_step == args.max_steps - 1:
            self._now = self._around
        self._now.__enter__()
        self._begun_s = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ends to count."""
        self.seconds.append(time.process_time() - self._begun_s)
        self._now.__exit__(None, None, None)


def settings(folder: Path, num_steps: int, group: int, rows: int, micro_rows: int) -> GRPOConfig:
    """Returns TRL's settings: as ours, and nothing that costs time and does not learn."""
    return GRPOConfig(
        output_dir=str(folder / "trl"),
        num_generations=group,
        per_device_train_batch_size=micro_rows,
        gradient_accumulation_steps=rows // micro_rows,
        max_steps=num_steps,
        loss_type="grpo",
        epsilon_high=0.28,
        warmup_steps=0,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        logging_strategy="no",
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        shuffle_dataset=False,
    )


def learn(
    start: Path,
    rows: Sequence[TokenRow],
    rewards: Sequence[float],
    *,
    config: Any,
    turns: Turns,
    micro_rows: int,
    num_steps: int,
) -> None:
    """Takes optimiser steps on given rows; `turns` gets their times.

    Args:
        start: folder of the model.
        rows: what is learnt from, all of one group.
        rewards: of the rows.
        config: our settings.
        turns: the clock.
        micro_rows: rows of a forward pass; divides their number.
        num_steps: optimiser steps.
    """
    parts = [np.split(row.ids, [np.flatnonzero(row.sampled)[0]]) for row in rows]
    trains = [row.trains[len(shown) :] for row, (shown, _) in zip(rows, parts, strict=True)]
    given = {
        "prompt_ids": [shown.tolist() for shown, _ in parts],
        "completion_ids": [rest.tolist() for _, rest in parts],
        "env_mask": [part.astype(int).tolist() for part in trains],
        "logprobs": [[0.0] * len(part) for part in trains],  # read with vLLM alone
    }
    lm, tokenizer = load_model(str(start))
    args = settings(start, num_steps, len(rows), len(rows), micro_rows)
    args.learning_rate, args.beta = config.lr, config.kl_weight
    GRPOTrainer(
        model=lm,
        reward_funcs=lambda completion_ids, **_: list(rewards),
        args=args,
        train_dataset=Dataset.from_list([{"prompt": "the rows are given"}] * num_steps),
        processing_class=tokenizer.hf,
        rollout_func=lambda prompts, trainer: {name: list(part) for name, part in given.items()},
        callbacks=[turns],
    ).train()


def sample_and_learn(
    start: Path,
    prompts: Sequence[str],
    reward: Callable[[Sequence[int]], float],
    *,
    config: Any,
    turns: Turns,
    num_steps: int,
) -> list[int]:
    """Samples a group of answers to each prompt and takes an optimiser step, again and again.

    Returns:
        Tokens that were sampled in each step.
    """
    counts: list[int] = []

    def rewards(completion_ids: list[list[int]], **_: Any) -> list[float]:
        counts.append(sum(len(ids) for ids in completion_ids))
        return [reward(ids) for ids in completion_ids]

    lm, tokenizer = load_model(str(start))
    num_rows = len(prompts) * config.group_size
    args = settings(start, num_steps, config.group_size, num_rows, num_rows)
    args.learning_rate, args.beta = config.lr, config.kl_weight
    args.max_completion_length = config.max_new_tokens
    GRPOTrainer(
        model=lm,
        reward_funcs=rewards,
        args=args,
        train_dataset=Dataset.from_list([{"prompt": text} for text in prompts] * num_steps),
        processing_class=tokenizer.hf,
        callbacks=[turns],
    ).train()
    return counts
