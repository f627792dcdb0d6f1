import asyncio
from dataclasses import replace

import pytest
from made_episodes import made_episode, made_task

from agents.evaluate import Exam, evaluate
from agents.scripted import POLICIES
from benchmarks.compare.waiting import Latency, waiting_s
from wideseek_env import TaskSource
from wideseek_env.records import Decision, Episode, ToolCall, ToolResult, Trajectory, Turn

TURNS_ALONE = Latency(turn_s=1.0, read_chars_per_s=1e12, written_chars_per_s=1e12, call_s=0.0)


def played(policy: str, width: int, max_folds: int = 0) -> list[Episode]:
    source = TaskSource.world("starter", split="test", num_tasks=3)
    exam = Exam(source, width=width, max_folds=max_folds)
    return list(asyncio.run(evaluate(exam, POLICIES[policy]([job.task for job in exam]))).episodes)


@pytest.mark.parametrize(
    ("policy", "width", "folds"),
    [("solo", 0, 0), ("solo_fold", 0, 9), ("fanout", 3, 0), ("random", 2, 2)],
)
def test_with_turns_alone_it_is_the_critical_path(policy: str, width: int, folds: int) -> None:
    for episode in played(policy, width, folds):
        assert waiting_s(episode, TURNS_ALONE) == pytest.approx(episode.critical_path_turns)


def turn(level: int, text: str, *results: ToolResult) -> Turn:
    return Turn(Decision(text=text), results, 0.0, 0.0, 0.0, level)


def test_a_turn_takes_what_it_reads_writes_and_asks_and_agents_share_no_time() -> None:
    search = ToolCall("search", {"query": "x"})
    found = ToolResult("r" * 200, call=search)
    reports = (ToolResult("a" * 30, trajectory=1), ToolResult("b" * 10, trajectory=2))
    lead = (turn(0, "w" * 50, *reports), turn(3, "w" * 20))
    one = (turn(1, "w" * 10, found), turn(2, "w" * 10))
    two = (turn(1, "w" * 70),)
    episode = replace(
        made_episode(made_task(0), n_subagents=2),
        trajectories=(
            Trajectory("lead", "lead", "p" * 100, lead, "answered"),
            Trajectory("subagent_0", "subagent", "p" * 40, one, "reported", 0, 0),
            Trajectory("subagent_1", "subagent", "p" * 40, two, "reported", 0, 0),
        ),
    )
    latency = Latency(turn_s=1.0, read_chars_per_s=100.0, written_chars_per_s=10.0, call_s=5.0)
    begins = 1 + 1.0 + 5.0
    first = begins + (1 + 0.4 + 1.0 + 5.0) + (1 + 2.0 + 1.0)
    second = begins + (1 + 0.4 + 7.0)
    assert first > second
    assert waiting_s(episode, latency) == pytest.approx(first + 1 + 0.4 + 2.0)


def test_after_a_fold_the_whole_context_is_read_again() -> None:
    fold = ToolResult("f" * 60, call=ToolCall("fold", {"text": "f"}))
    lead = Trajectory("lead", "lead", "p" * 100, (turn(0, "", fold), turn(1, "")), "answered")
    episode = replace(made_episode(made_task(0), n_subagents=0), trajectories=(lead,))
    latency = Latency(turn_s=0.0, read_chars_per_s=10.0, call_s=9.0)
    assert waiting_s(episode, latency) == pytest.approx(10 + 16)
