"""Checkpoints from which a killed run goes on to the very same numbers.

A checkpoint is a folder with the weights (as `from_pretrained` reads them), the optimisers, the
generators of torch, and the next iteration. Tasks and seeds of an iteration follow from its number,
so the data position needs no more. A folder appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainers.config import RunConfig
from trainers.model import Learner
from wideseek_env.errors import DataError
from wideseek_env.plugins import late

torch = late("torch", "train")

MAY_CHANGE = {"num_iterations", "out", "checkpoint_every", "keep_checkpoints", "max_concurrent"}
"""Settings that another call of the same run may have changed."""


SETTINGS = "settings.json"
"""File of a checkpoint with the settings of its run; who plays with the model reads it."""


def settings_of(folder: Path) -> dict[str, Any]:
    """Returns the settings of the run that a model is from; none for a model of no run."""
    file = folder / SETTINGS
    settings: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return settings


def due(config: RunConfig, num_done: int) -> bool:
    """Tells whether a checkpoint comes after so many iterations; the last one always has one."""
    return num_done % config.checkpoint_every == 0 or num_done == config.num_iterations


def save(learner: Learner, config: RunConfig, next_iteration: int) -> Path:
    """Writes a checkpoint, deletes the oldest ones, and returns its folder."""
    root = Path(config.out) / "checkpoints"
    folder = root / f"iteration_{next_iteration:06d}"
    part = root / f".{folder.name}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    learner.save(part)
    (part / SETTINGS).write_text(json.dumps(asdict(config), indent=2), "utf-8")
    state = {
        "next_iteration": next_iteration,
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
    """Lists the whole checkpoints under a folder, oldest first.

    Raises:
        DataError: they are those of a version that counted in steps.
    """
    found = sorted(root.glob("iteration_*"))
    if not found and (older := sorted(root.glob("step_*"))):
        raise DataError(
            f"expected checkpoints that are called iteration_…, got {older[-1]}, which an older "
            "version wrote; go on with that version, choose another folder for the run, or start "
            f"from its weights with --model {older[-1]}"
        )
    return found


def check_settings(
    out: Path | str, before: Mapping[str, Any], now: Mapping[str, Any], may_change: Collection[str]
) -> None:
    """Looks whether a run may go on under these settings.

    Args:
        out: folder of the run.
        before: the settings that it was begun with; one that an older version had not is no matter.
        now: those that are given.
        may_change: names of those that may differ.

    Raises:
        DataError: they differ in another one.
    """
    for name, was in before.items():
        if name not in may_change and now.get(name) != was:
            raise DataError(
                f"{out} holds a run with `{name}` {was!r}, got {now.get(name)!r}; set it as it "
                "was, or choose another `out`"
            )


def resume(learner: Learner, config: RunConfig) -> int:
    """Puts the last checkpoint of a run into the learner and gives the next iteration, else 0.

    Raises:
        DataError: the checkpoint is of a run with other settings, or of an older version.
    """
    found = folders(Path(config.out) / "checkpoints")
    if not found:
        return 0
    state: dict[str, Any] = torch.load(found[-1] / "trainer.pt", weights_only=True)
    check_settings(config.out, state["config"], asdict(config), MAY_CHANGE)
    learner.load(found[-1])
    for optimizer, saved in zip(learner.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    if learner.head is not None:
        learner.head.load_state_dict(state["head"])
    torch.set_rng_state(state["generator"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_generators"])
    return int(state["next_iteration"])
