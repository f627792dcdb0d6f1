"""Glue of third-party trainers: an episode that could not be scored is no 0 and no NaN to them."""

from __future__ import annotations

import math
from typing import Any

import pytest

import wideseek_env
from wideseek_env import World
from wideseek_env.errors import ScoringError
from wideseek_env.records import Score, Task

pytestmark = pytest.mark.filterwarnings("default")  # TorchRL warns about itself


async def broken(task: Task, answer: str | None) -> Score:
    raise ScoringError("the judge is down")


def test_torchrl_batch_has_no_nan_to_learn_from_and_tells_invalid_from_terminated() -> None:
    pytest.importorskip("torchrl")
    import torch

    from trainers.third_party.torchrl_env import GROUPS, BatchedWideSeek

    world = World("starter")
    backend, tasks = world.backend(), list(world.tasks(4))
    envs = [
        wideseek_env.parallel_env(2, interface="discrete", tasks=tasks, backend=backend,
                                  limits=world.preset.limits, scorer=scorer)
        for scorer in (None, broken)
    ]  # fmt: skip
    env = BatchedWideSeek(envs, seed=0)
    data = env.reset()
    ended: dict[int, Any] = {}
    while len(ended) < 2:
        for group in GROUPS:
            data[group, "action"] = data[group, "action_mask"].int().argmax(-1)
        data = env.step(data)["next"]
        for group in GROUPS:
            assert torch.isfinite(data[group, "reward"]).all()
        for index in data["done"].squeeze(-1).nonzero().flatten().tolist():
            ended.setdefault(index, data[index].clone())
        data["_reset"] = data["done"].clone()
        data = env.reset(data) if data["done"].any() else data.exclude("_reset")
    assert ended[0]["terminated"].item()
    assert not ended[1]["terminated"].item()
    assert ended[1]["done"].item()
    assert ended[1]["lead", "reward"].sum() == 0
    assert math.isnan(ended[1]["item_f1"].item())


def test_row_of_the_curve_counts_invalid_episodes_apart() -> None:
    pytest.importorskip("torchrl")
    import torch

    from trainers.third_party.torchrl_mappo import counts

    row = counts(torch.tensor([0.5, math.nan, 0.25]))
    assert row == {"item_f1": 0.375, "num_episodes": 2.0, "num_invalid": 1.0}
    assert math.isnan(counts(torch.tensor([math.nan]))["item_f1"])
