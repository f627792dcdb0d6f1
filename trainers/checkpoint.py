"""Checkpoints from which a killed run goes on to the very same numbers.

A checkpoint is a folder with the weights (as `from_pretrained` reads them), the optimisers, the
generators of torch, and the next step. Tasks and seeds of a step follow from the step alone, so the
data position needs no more. A folder appears whole or not at all.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainers.config import RunConfig
from trainers.model import Learner
from wideseek_env.errors import DataError
from wideseek_env.plugins import late

torch = late("torch", "train")

MAY_CHANGE = {"num_steps", "out", "checkpoint_every", "keep_checkpoints", "max_concurrent"}
"""Settings that another call of the same run may have changed."""


def due(config: RunConfig, num_done: int) -> bool:
    """Tells whether a checkpoint comes after so many steps; the last step always has one."""
    return num_done % config.checkpoint_every == 0 or num_done == config.num_steps


def save(learner: Learner, config: RunConfig, next_step: int) -> Path:
    """Writes a checkpoint, deletes the oldest ones, and returns its folder."""
    root = Path(config.out) / "checkpoints"
    folder = root / f"step_{next_step:06d}"
    part = root / f".{folder.name}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    learner.save(part)
    state = {
        "next_step": next_step,
        "config": asdict(config),
        "optimizers": [optimizer.state_dict() for optimizer in learner.optimizers],
        "head": learner.head.state_dict() if learner.head is not None else None,
        "generator": torch.get_rng_state(),
        "cuda_generators": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    with open(part / "trainer.pt", "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    for old in folders(root)[: -config.keep_checkpoints]:
        shutil.rmtree(old)
    return folder


def folders(root: Path) -> list[Path]:
    """Returns the whole checkpoints under a folder, oldest first."""
    return sorted(root.glob("step_*"))


def resume(learner: Learner, config: RunConfig) -> int:
    """Puts the last checkpoint of a run into the learner; returns the next step, 0 without one.

    Raises:
        DataError: the checkpoint is of a run with other settings.
    """
    found = folders(Path(config.out) / "checkpoints")
    if not found:
        return 0
    state: dict[str, Any] = torch.load(found[-1] / "trainer.pt", weights_only=True)
    now = asdict(config)
    for name, before in state["config"].items():
        if name not in MAY_CHANGE and now.get(name) != before:
            raise DataError(
                f"{config.out} holds a run with `{name}` {before!r}, got {now.get(name)!r}; set it "
                "as it was, or choose another `out`"
            )
    learner.load(found[-1])
    for optimizer, saved in zip(learner.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    if learner.head is not None:
        learner.head.load_state_dict(state["head"])
    torch.set_rng_state(state["generator"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_generators"])
    return int(state["next_step"])
