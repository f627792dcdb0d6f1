"""The teacher of tiny models: what it answers is right, and how much of it is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.policy import EpisodeInfo
from agents.rollout import Job, run_episode
from agents.scripted import PartialPolicy
from wideseek_env.worlds import World

WORLD = World("starter", 3)
TASKS = list(WORLD.tasks(6))


async def episode(task, width, seed=0):
    job = Job(task, width, WORLD.preset.limits, seed=seed)
    return await run_episode(job, PartialPolicy(), WORLD.backend())


async def test_it_answers_right_rows_of_the_pages_it_handed_out():
    scores = []
    for number, task in enumerate(TASKS):
        played = await episode(task, 4, seed=number)
        rows = len(played.answer.splitlines()) - 2
        # A list has 3 things on a page; a search that misses the page costs its rows.
        handed_out = len(played.trajectories) - 1
        assert rows <= min(handed_out * WORLD.preset.list_size, len(task.gold))
        assert played.score.item_f1 == pytest.approx(2 * rows / (rows + len(task.gold)))
        turns = [turn for t in played.trajectories for turn in t.turns]
        assert {result.status for turn in turns for result in turn.results} <= {"ok", "notice"}
        scores.append(played.score.item_f1)
    assert max(scores) == 1.0
    assert min(scores) < 1.0


async def test_width_is_drawn_from_the_seed_up_to_the_slots():
    drawn = {len((await episode(TASKS[0], 8, seed)).trajectories) - 1 for seed in range(12)}
    assert drawn == {1, 2, 3, 4}
    assert len((await episode(TASKS[0], 1, 5)).trajectories) == 2


def test_it_refuses_what_it_cannot_play():
    task = replace(TASKS[0], question="Which river is longest?")
    with pytest.raises(ValueError, match="at least 1 subagent, got `n_subagents` 0"):
        PartialPolicy().begin(info(TASKS[0], 0))
    with pytest.raises(ValueError, match="Which river is longest"):
        PartialPolicy().begin(info(task, 4))


def info(task, width):
    return EpisodeInfo.of(task, width, WORLD.preset.limits, 0)
