"""What a policy may know of an episode, and what not."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from tinyworld import TASK

from agents.policy import EpisodeInfo, public_id
from wideseek_env import World
from wideseek_env.records import Column, Limits


def test_info_holds_nothing_from_which_the_gold_could_be_made_again() -> None:
    [task] = World("starter", seed=1234567).tasks(1)
    told = str(astuple(EpisodeInfo.of(task, 2, Limits(), seed=0)))
    assert task.id not in told
    assert "1234567" not in told
    assert not any(cell in told for row in task.gold for cell in row[1:])
    page = replace(TASK, id="https://example.org/gold", sources=(), metadata={"url": "/gold"})
    assert "gold" not in str(astuple(EpisodeInfo.of(page, 2, Limits(), seed=0)))


def test_public_id_is_the_same_everywhere_and_follows_from_what_is_told_alone() -> None:
    assert public_id(TASK) == "4e358383a357aed85c0f8132"
    secret = replace(TASK, id="other", gold=(), sources=(), metadata={"seed": 7}, aliases={})
    assert public_id(secret) == public_id(TASK)


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "List all rivers."},
        {"columns": (TASK.columns[0], Column("Width"))},
        {"key_columns": ()},
        {"kind": "deep"},
        {"language": "zh"},
    ],
)
def test_public_id_tells_tasks_apart(changes: dict[str, object]) -> None:
    assert public_id(replace(TASK, **changes)) != public_id(TASK)


def test_tasks_of_worlds_have_ids_of_their_own() -> None:
    tasks = [task for seed in range(3) for task in World("default", seed=seed).tasks(30)]
    assert len({public_id(task) for task in tasks}) == len(tasks)
