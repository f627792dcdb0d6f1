"""The teacher of tiny models: what it answers is right, and how much of it is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.policy import EpisodeInfo
from agents.rollout import Job, run_episode
from agents.scripted import HastyPolicy, PartialPolicy
from agents.scripted.partial import NOTHING
from wideseek_env.worlds import World

WORLD = World("starter", 3)
TASKS = list(WORLD.tasks(6))


async def episode(task, width, seed=0, policy=PartialPolicy):
    job = Job(task, WORLD.backend(), width, WORLD.preset.limits, seed=seed)
    return await run_episode(job, policy())


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


@pytest.mark.parametrize(("slots", "most"), [(1, 2), (2, 4), (3, 4), (8, 4)])
async def test_hasty_hands_out_few_pages_in_up_to_two_waves(slots, most):
    played = [await episode(TASKS[0], slots, seed, HastyPolicy) for seed in range(40)]
    pages = [[t.prompt.split(" | ")[0] for t in e.trajectories[1:]] for e in played]
    what = pages[0][0].removesuffix(" 1")
    assert all(of == [f"{what} {n}" for n in range(1, len(of) + 1)] for of in pages)
    counts = [len(of) for of in pages]
    assert set(counts) == set(range(1, most + 1))
    assert sum(counts) / 40 < (1 + most) / 2  # fewer than an even draw
    for of, e in zip(pages, played, strict=True):
        lead = e.trajectories[0]
        assert lead.end == "answered"
        assert len(lead.turns) == 1 + -(-len(of) // slots)
        assert e.width == min(len(of), slots)


async def test_hasty_that_hands_out_all_it_may_answers_right(monkeypatch):
    monkeypatch.setattr(HastyPolicy, "num_pages", lambda self, info: 4)
    scores = [(await episode(task, 2, 0, HastyPolicy)).score.item_f1 for task in TASKS]
    assert scores.count(1.0) >= len(TASKS) - 1  # a search may miss a page


async def test_deep_questions_are_followed_by_two_subagents_one_after_the_other():
    for number, task in enumerate(WORLD.tasks(6, kind="deep")):
        played = await episode(task, 1, seed=number)
        assert played.score.item_f1 == 1.0
        assert [t.end for t in played.trajectories] == ["answered", "reported", "reported"]
        # A question has three relations and facts; its name is known, that of the next is not.
        first, second = (t.prompt.split(" | ") for t in played.trajectories[1:])
        assert (len(first), len(second)) == (3, 2)
        assert first[0].split()[0] in task.question
        assert second[0].split()[0] not in task.question


async def test_deep_question_about_a_page_that_is_not_there_is_answered_all_the_same():
    task = next(WORLD.tasks(1, kind="deep"))
    name = task.question.split(" in ")[0].split()[-1]
    lost = replace(task, question=task.question.replace(f"{name} in", "Nowhere in"))
    played = await episode(lost, 1)
    assert (played.answer, played.score.item_f1) == (NOTHING, 0.0)


def test_it_refuses_what_it_cannot_play():
    task = replace(TASKS[0], question="Which river is longest?")
    with pytest.raises(ValueError, match="at least 1 subagent, got `n_subagents` 0"):
        PartialPolicy().begin(info(TASKS[0], 0))
    with pytest.raises(ValueError, match="Which river is longest"):
        PartialPolicy().begin(info(task, 4))


def info(task, width):
    return EpisodeInfo.of(task, width, WORLD.preset.limits, 0)
