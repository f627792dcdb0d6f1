"""What the discrete trainer notes of an episode, and that workers change nothing."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.learned import LearnedPolicy
from agents.rollout import Job, run_episode
from trainers.discrete.options import DiscreteOptions
from trainers.discrete.play import Crew, Draw, Recorder, draw, make_player, sources_of
from wideseek_env.discrete.features import LEAD_FEATURES, SUBAGENT_FEATURES
from wideseek_env.errors import WideSeekError
from wideseek_env.worlds import World

OPTIONS = DiscreteOptions(out=Path("unused"), sources=("worlds:starter:0", "easy"), num_tasks=3)


def test_recording_changes_nothing_and_notes_every_choice_in_order() -> None:
    world = World("starter", seed=0)
    (task,) = world.tasks(1, seed=0)
    job = Job(task, world.backend(), 2, world.preset.limits, seed=7)
    recorder = Recorder(LearnedPolicy())
    plain = asyncio.run(run_episode(job, LearnedPolicy()))
    noted = asyncio.run(run_episode(job, recorder))
    assert [t.turns[0].decision for t in noted.trajectories] == [
        t.turns[0].decision for t in plain.trajectories
    ]
    assert noted.answer == plain.answer
    choices = recorder.choices()
    turns = dict.fromkeys(choices, 0)
    for trajectory in noted.trajectories:
        turns[trajectory.agent] += len(trajectory.turns)
    for agent, chosen in choices.items():
        size = len(LEAD_FEATURES if agent == "lead" else SUBAGENT_FEATURES)
        assert chosen.features.shape == (len(chosen.moves), size)
        assert 0 < len(chosen.moves) <= turns[agent]
        assert (chosen.masks.sum(1) > 1).all()
        assert chosen.masks[np.arange(len(chosen.moves)), chosen.moves].all()


def test_draws_are_of_what_was_asked_and_the_sources_are_their_train_split() -> None:
    rng = np.random.default_rng(0)
    sizes = [len(source) for source in sources_of(OPTIONS)]
    drawn = [draw(OPTIONS, sizes, rng) for _ in range(300)]
    assert sizes == [3, 3]
    assert {d.source for d in drawn} == {0, 1}
    assert {d.task for d in drawn} == {0, 1, 2}
    assert {d.budget for d in drawn} == set(OPTIONS.budgets)
    assert {d.width for d in drawn} == set(OPTIONS.widths)
    train = {task.id for task in World("starter", seed=0, split="train").tasks(3, seed=0)}
    assert {sources_of(OPTIONS)[0][n].task.id for n in range(3)} == train


def test_two_workers_give_what_one_process_gives_in_the_same_order() -> None:
    draws = [Draw(n % 2, n % 3, 12, 2, n) for n in range(5)]
    alone = make_player(OPTIONS)(("verify", draws))
    with Crew(replace(OPTIONS, num_workers=2)) as crew:
        together = crew.play("verify", draws)
    assert [p.draw for p in together] == draws
    assert [p.item_f1 for p in together] == [p.item_f1 for p in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.choices.keys() == other.choices.keys()
        for agent, chosen in one.choices.items():
            assert (chosen.moves == other.choices[agent].moves).all()


def test_no_scored_episode_ends_the_run_with_the_reason() -> None:
    nobody = [Draw(0, 0, 12, 0, 0)]  # width 0 has no lead's moves
    with Crew(replace(OPTIONS, num_workers=1)) as crew, pytest.raises(WideSeekError, match="none"):
        crew.play("verify", nobody)
