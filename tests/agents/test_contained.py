"""What ends a task or a process, raised by others' code: a failure of that one episode."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from tinyworld import GOLD_ANSWER, TASK, ByScript, FanOut, TinyBackend, call

from agents.policy import EpisodeInfo
from agents.rollout import Job, rollout, run_episode
from wideseek_env.errors import BackendError, contained
from wideseek_env.records import Decision, Episode, Limits, Observation, Score, Task


class Own(BaseException):
    pass


ENDS = [asyncio.CancelledError, SystemExit, GeneratorExit, Own]


class Raising(FanOut):
    """Raises where it is told to: in `begin`, or in the turn of an agent."""

    def __init__(self, error: type[BaseException], where: str) -> None:
        self.error, self.where = error, where

    def begin(self, info: Any) -> Raising:
        if self.where == "begin":
            raise self.error("x")
        return self

    async def decide(self, agent: str, observation: Observation) -> Decision:
        await asyncio.sleep(0)
        if agent == self.where:
            raise self.error("x")
        return await super().decide(agent, observation)


async def ended(policy: Any, backend: Any = None, n_subagents: int = 3, **settings: Any) -> Episode:
    async with asyncio.timeout(5):
        return await run_episode(
            Job(TASK, backend or TinyBackend(), n_subagents), policy, **settings
        )


@pytest.mark.parametrize("error", ENDS)
@pytest.mark.parametrize("where", ["begin", "lead", "subagent_1"])
async def test_policy_that_raises_what_ends_a_run_ends_its_episode_alone(
    error: type[BaseException], where: str
) -> None:
    episode = await ended(Raising(error, where))
    assert episode.end == "invalid"
    assert episode.error.startswith("PolicyError: the policy")
    assert f"raised {error.__name__}" in episode.error


@pytest.mark.parametrize("error", ENDS)
@pytest.mark.parametrize("num_calls", [1, 2])
async def test_backend_that_raises_what_ends_a_run_ends_its_episode_alone(
    error: type[BaseException], num_calls: int
) -> None:
    class Backend(TinyBackend):
        async def search(self, query: str, top_k: int) -> Any:
            raise error("x")

    searches = Decision(tuple(call("search", query="a").calls * num_calls))
    episode = await ended(ByScript(lead=[searches]), Backend(), n_subagents=0)
    assert episode.end == "invalid"
    assert episode.error.startswith("BackendError: the backend, asked to `search`, raised")


@pytest.mark.parametrize("error", ENDS)
async def test_scorer_that_raises_what_ends_a_run_ends_its_episode_alone(
    error: type[BaseException],
) -> None:
    async def scorer(task: Task, answer: str | None) -> Score:
        raise error("x")

    episode = await ended(FanOut(), scorer=scorer)
    assert (episode.end, episode.score) == ("invalid", None)
    assert "ScoringError: the scorer raised" in episode.error


async def test_other_episodes_of_the_run_are_played() -> None:
    class Sometimes(FanOut):
        def begin(self, info: EpisodeInfo) -> Any:
            return Raising(asyncio.CancelledError, "subagent_0" if info.seed % 2 else "")

    jobs = [Job(TASK, TinyBackend(), 3, seed=seed) for seed in range(6)]
    episodes = [e async for e in rollout(jobs, Sometimes(), max_concurrent=3)]
    assert sorted(e.seed for e in episodes if e.valid) == [0, 2, 4]
    assert len(episodes) == 6


async def test_an_awaited_task_that_somebody_cancelled_is_a_failure_of_the_policy() -> None:
    """As an engine whose own task was cancelled: nobody cancelled the agent."""

    class Engine(FanOut):
        async def decide(self, agent: str, observation: Observation) -> Decision:
            inner = asyncio.ensure_future(asyncio.sleep(10))
            inner.cancel()
            await inner
            raise AssertionError

    episode = await ended(Engine())
    assert "PolicyError: the policy, asked for lead, raised CancelledError" in episode.error


async def test_cancellation_that_was_asked_for_still_ends_the_episode() -> None:
    class Endless(FanOut):
        async def decide(self, agent: str, observation: Observation) -> Decision:
            began.set()
            await asyncio.sleep(60)
            raise AssertionError

    began = asyncio.Event()
    task = asyncio.create_task(run_episode(Job(TASK, TinyBackend(), 3), Endless()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_ctrl_c_in_a_policy_still_ends_the_run() -> None:
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run_episode(Job(TASK, TinyBackend(), 3), Raising(KeyboardInterrupt, "lead")))


async def test_deadlines_still_pass_through() -> None:
    class Slow(TinyBackend):
        async def open(self, url: str, part: int = 1) -> Any:
            await asyncio.sleep(60)

    policy = ByScript(lead=[call("open", url="/Alden"), call("answer", text=GOLD_ANSWER)])
    job = Job(TASK, Slow(), 0, Limits(tool_timeout_s=0.01))
    assert (await run_episode(job, policy)).valid
    job = Job(TASK, Slow(), 0, Limits(episode_timeout_s=0.01))
    assert (await run_episode(job, policy)).end == "time_budget"


def test_contained_outside_of_a_loop_lets_a_coroutine_be_closed() -> None:
    @contextlib.contextmanager
    def nothing() -> Any:
        yield

    async def work() -> None:
        with contained(BackendError, "x"), nothing():
            await asyncio.sleep(0)

    coroutine = work()
    coroutine.send(None)
    coroutine.close()
