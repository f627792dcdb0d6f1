"""The evaluation: equal terms for all, episodes in order, invalid ones counted and in no mean."""

from __future__ import annotations

import pickle
import zlib

import pytest
from tinyworld import TASK, FanOut, TinyBackend

from agents.evaluate import ALONE_TURNS, Evaluation, Exam, evaluate, held_out, limits_for
from agents.rollout import Job
from agents.scripted import OraclePolicy, RandomPolicy
from tests.smallcorpus import NUM_TASKS, write_corpus
from wideseek_env.errors import WideSeekError
from wideseek_env.records import Limits
from wideseek_env.tasks.source import TaskSource
from wideseek_env.worlds import World

SOURCE = TaskSource.worlds("starter", range(3), tasks_each=2)


def test_exam_gives_every_width_the_same_tasks_and_seeds() -> None:
    exams = [Exam(SOURCE, width, num_trials=3, budget=9, seed=4) for width in (0, 2)]
    alone, team = (list(exam) for exam in exams)
    assert len(alone) == len(exams[0]) == 18
    assert [(j.task.id, j.seed) for j in alone] == [(j.task.id, j.seed) for j in team]
    ids = [a.task.id for a in SOURCE]
    assert [j.task.id for j in team] == [task_id for task_id in ids for _ in range(3)]
    assert team[4].seed == zlib.crc32(f"4/{ids[1]}/1".encode())
    assert team[4].metadata == {"trial": 1, "budget": 9, "depth": None}
    assert {j.limits.max_tool_calls for j in (*alone, *team)} == {9}
    assert [j.seed for j in exams[0][3:6]] == [j.seed for j in alone[3:6]]


def test_one_alone_gets_turns_that_a_lead_of_a_team_does_not_need() -> None:
    given = Limits(max_lead_turns=4, max_tool_calls=7)
    assert limits_for(2, given) == given
    assert limits_for(0, given).max_lead_turns == ALONE_TURNS
    assert limits_for(0, given, depth=5).max_lead_turns == 5
    assert limits_for(2, given, depth=5).max_lead_turns == 4
    assert [limits_for(2, given, budget=b).max_tool_calls for b in (None, 3)] == [7, 3]


def test_exam_is_sent_as_how_it_is_made() -> None:
    exam = Exam(SOURCE, 2, metadata={"policy": "solo"})
    sent = pickle.dumps(exam)
    assert len(sent) < 20_000
    again = pickle.loads(sent)
    assert [j.key("solo") for j in again] == [j.key("solo") for j in exam]


async def test_episodes_come_in_the_order_of_the_jobs() -> None:
    exam = Exam(SOURCE, 1)
    played = await evaluate(exam, OraclePolicy([a.task for a in SOURCE]), max_concurrent=3)
    assert [e.task.id for e in played.episodes] == [j.task.id for j in exam]
    assert (played.num_invalid, played.item_f1.mean, played.item_f1.low) == (0, 1.0, 1.0)
    assert played.checked() is played


async def test_invalid_episodes_are_counted_and_in_no_mean() -> None:
    class Half(FanOut):
        def begin(self, info):
            if info.seed:
                raise KeyError("no such weights")
            return super().begin(info)

    backend = TinyBackend()
    played = await evaluate([Job(TASK, backend, 3, seed=n) for n in (0, 1)], Half())
    assert [e.valid for e in played.episodes] == [True, False]
    assert (played.num_invalid, played.item_f1.mean) == (1, 1.0)
    with pytest.raises(WideSeekError, match=r"got none of 1 in 2 episodes of .*KeyError"):
        played.checked()
    none = Evaluation("half", [played.episodes[1]])
    with pytest.raises(WideSeekError, match=r"no episode of half has a score: .*KeyError"):
        _ = none.item_f1


async def test_mean_is_over_tasks_and_not_over_episodes() -> None:
    right = await evaluate([Job(TASK, TinyBackend(), 3, seed=n) for n in range(3)], FanOut())
    wrong = await evaluate(Exam(SOURCE, 1)[:1], RandomPolicy())
    assert (wrong.num_invalid, wrong.item_f1.mean) == (0, 0.0)
    both = Evaluation("both", [*right.episodes, *wrong.episodes])
    assert both.item_f1.mean == 0.5


def test_held_out_worlds_give_their_first_task_and_other_sources_a_draw(tmp_path) -> None:
    for text in ("starter", "worlds:starter:0-399"):
        tasks = [a.task for a in held_out(text, 3)]
        assert tasks == [next(World("starter", n, split="test").tasks(1)) for n in range(3)]
    corpus = f"corpus:{write_corpus(tmp_path / 'pages')}"
    assert [len(held_out(corpus, num)) for num in (2, 99)] == [2, NUM_TASKS]
