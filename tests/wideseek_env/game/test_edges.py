"""Who asked whom, and when: the edges of a record against a second reading of the same game."""

from __future__ import annotations

import random

import pytest
from tinyworld import TASK, ByScript, TinyBackend, call

from agents.policy import EpisodeInfo
from agents.rollout import Job, run_episode
from wideseek_env.records import Decision, Episode, Limits, Observation, ToolResult


async def played(policy: ByScript, n_subagents: int = 2, **limits: object) -> Episode:
    return await run_episode(Job(TASK, TinyBackend(), n_subagents, Limits(**limits)), policy)


def reports_of(episode: Episode, turn: int) -> list[ToolResult]:
    results = episode.trajectories[0].turns[turn].results
    return [result for result in results if result.trajectory is not None]


async def test_subtasks_know_who_delegated_them_and_in_which_turn() -> None:
    wave = [call("delegate", subtasks=["a", "b", "c"]), call("delegate", subtasks=["d"])]
    policy = ByScript(lead=[*wave, call("answer", text="x")], subagents=[call("report", text="r")])
    episode = await played(policy)
    lead, *subtasks = episode.trajectories
    assert (lead.parent, lead.parent_turn) == (None, None)
    # "c" found no free slot and began nothing.
    assert [(t.prompt, t.parent, t.parent_turn) for t in subtasks] == [
        ("a", 0, 0),
        ("b", 0, 0),
        ("d", 0, 1),
    ]
    assert [turn.results[0].begun for turn in lead.turns] == [(1, 2), (3,), ()]


async def test_reports_name_their_trajectory_and_hold_the_subagents_own_words() -> None:
    text = "line 1\nreport from subagent_0 on: a lie"
    policy = ByScript(
        lead=[call("delegate", subtasks=["a", "b"]), call("answer", text="x")],
        subagent_0=[Decision()],
        subagent_1=[call("report", text=text)],
    )
    episode = await played(policy, max_subagent_turns=2)
    failed, report = reports_of(episode, 0)
    assert (failed.trajectory, failed.status, failed.body) == (1, "failed", "")
    assert (report.trajectory, report.status, report.body) == (2, "ok", text)
    assert report.text == f"report from subagent_1 on: b\n{text}"
    seen = policy.seen["lead"][1]
    assert [result.trajectory for result in seen.results] == [None, 1, 2]


@pytest.mark.parametrize(("room", "body"), [(10, " [cut"), (31, "12 [cut"), (60, "123456")])
async def test_body_of_a_report_that_the_context_cut(room: int, body: str) -> None:
    policy = ByScript(
        lead=[call("delegate", subtasks=["a"]), call("answer", text="x")],
        subagents=[call("report", text="123456")],
    )
    used = len(TASK.question) + len("['a']") + len("Delegated to subagent_0.")
    episode = await played(policy, max_context_chars=used + room)
    (report,) = reports_of(episode, 0)
    assert report.text.startswith("report from subagent_0 on: a\n123456"[:room])
    assert report.body.startswith(body)


async def test_a_slot_that_is_used_again_is_another_trajectory() -> None:
    waves = [call("delegate", subtasks=[subtask]) for subtask in "ab"]
    policy = ByScript(lead=[*waves, call("answer", text="x")], subagents=[call("report", text="r")])
    episode = await played(policy, n_subagents=1)
    assert [t.agent for t in episode.trajectories[1:]] == ["subagent_0"] * 2
    assert [reports_of(episode, turn)[0].trajectory for turn in (0, 1)] == [1, 2]


class Restless:
    """Delegates, waits, opens and reports by chance."""

    name = "restless"

    def begin(self, info: EpisodeInfo) -> Restless:
        self.rng = random.Random(info.seed)
        return self

    async def decide(self, agent: str, observation: Observation) -> Decision:
        chance = self.rng.random()
        if agent != "lead":
            return call("report", text="r") if chance < 0.4 else call("open", url="/Alden")
        if chance < 0.1:
            return call("answer", text="x")
        num = self.rng.randint(1, 4)
        return call("delegate", subtasks=["s"] * num) if chance < 0.6 else Decision()


@pytest.mark.parametrize("wait_for", ["all", 0, 2])
async def test_levels_are_the_longest_chains_along_the_edges(wait_for: int | str) -> None:
    """Oracle: chains counted along the edges of the record; the game counts with clocks."""
    longest = 0
    for seed in range(40):
        limits = Limits(wait_for=wait_for, max_subagent_turns=4, max_context_chars=400)
        episode = await run_episode(Job(TASK, TinyBackend(), 3, limits, seed=seed), Restless())
        for index, trajectory in enumerate(episode.trajectories):
            assert [turn.level for turn in trajectory.turns] == [
                chain(episode, index, number) for number in range(len(trajectory.turns))
            ]
            for number, turn in enumerate(trajectory.turns):
                begun = [begun for result in turn.results for begun in result.begun]
                assert begun == [
                    i
                    for i, other in enumerate(episode.trajectories)
                    if (other.parent, other.parent_turn) == (index, number)
                ]
        longest = max(longest, episode.critical_path_turns)
    assert longest > 8


def chain(episode: Episode, index: int, number: int) -> int:
    """Returns how many turns had to be over before this one."""
    trajectory = episode.trajectories[index]
    if number == 0:
        if trajectory.parent is None:
            return 0
        assert trajectory.parent_turn is not None
        return 1 + chain(episode, trajectory.parent, trajectory.parent_turn)
    before = [chain(episode, index, number - 1)]
    for result in trajectory.turns[number - 1].results:
        if result.trajectory is not None and episode.trajectories[result.trajectory].turns:
            last = len(episode.trajectories[result.trajectory].turns) - 1
            before.append(chain(episode, result.trajectory, last))
    return 1 + max(before)
