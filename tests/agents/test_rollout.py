import asyncio
import itertools
from typing import Any

import pytest
from tinyworld import TASK, ByScript, FanOut, TinyBackend, call, jobs, what_happened

import wideseek_env
from agents.policy import EpisodeInfo
from agents.rollout import Job, rollout, run_episode
from agents.stepping import step_through
from wideseek_env.records import Decision, Episode, Limits
from wideseek_env.scoring import strict


async def gather(episodes: Any) -> list[Episode]:
    return [episode async for episode in episodes]


async def test_barrier_and_barrier_free_give_the_same_episode() -> None:
    uneven = TinyBackend(lambda q: 0.02 if "Alden" in q else 0.001)
    free = await run_episode(Job(TASK, uneven, 3), FanOut())
    env = wideseek_env.parallel_env(3, tasks=[TASK], backend=uneven)
    barrier = step_through(env, FanOut())
    assert what_happened(free) == what_happened(barrier)
    assert free.score == barrier.score
    assert free.critical_path_turns == barrier.critical_path_turns
    assert free.provenance == barrier.provenance


async def test_episode_info_has_no_gold() -> None:
    info = EpisodeInfo.of(TASK, 3, Limits(), 0)
    shown = repr(info)
    assert TASK.question in shown
    assert "Brook" not in shown


async def test_strict_scorer_with_a_defect_makes_the_episode_invalid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def defect(task: Any, answer: str | None) -> Any:
        raise RecursionError("a defect")

    monkeypatch.setattr(strict, "score_strict", defect)
    episode = await run_episode(Job(TASK, TinyBackend(), 3), FanOut())
    assert episode.end == "invalid"
    assert episode.score is None
    assert "a defect" in (episode.error or "")


async def test_scorer_that_raises_makes_its_episode_invalid_and_the_others_go_on() -> None:
    async def scorer(task: Any, answer: str | None) -> Any:
        return {}["no such judge"]

    played = await gather(rollout(jobs(2), FanOut(), scorer=scorer))
    assert [episode.end for episode in played] == ["invalid", "invalid"]
    assert all("KeyError: 'no such judge'" in (episode.error or "") for episode in played)
    assert all(episode.answer and episode.score is None for episode in played)


@pytest.mark.parametrize("who", ["lead", "subagents"])
async def test_policy_that_raises_makes_its_episode_invalid_with_the_reason(who: str) -> None:
    scripts: dict[str, list[Any]] = {"lead": [call("delegate", subtasks=["a"])]}
    scripts[who] = [ZeroDivisionError("at once")]
    episode = await run_episode(Job(TASK, TinyBackend(), 3), ByScript(**scripts))
    assert episode.end == "invalid"
    assert episode.score is None
    assert episode.error is not None
    assert episode.error.startswith("ZeroDivisionError: at once\nTraceback")


async def test_policy_that_returns_no_decision_is_named() -> None:
    episode = await run_episode(Job(TASK, TinyBackend(), 3), ByScript(lead=["text"]))
    assert episode.error is not None
    assert episode.error.startswith("TypeError: expected a Decision of lead, got 'text'")


async def test_bug_in_a_backend_makes_the_episode_invalid() -> None:
    class Buggy(TinyBackend):
        async def open(self, url: str, part: int = 1) -> Any:
            raise KeyError(url)

    policy = ByScript(lead=[call("open", url="/Alden")])
    episode = await run_episode(Job(TASK, Buggy(), 0), policy)
    assert episode.error is not None
    assert episode.error.startswith("KeyError: '/Alden'")


async def test_episode_that_takes_too_long_is_stopped_from_outside() -> None:
    class Slow:
        name = "slow"

        def begin(self, info: Any) -> Any:
            return self

        async def decide(self, agent: str, observation: Any) -> Decision:
            await asyncio.sleep(60)
            return Decision()

    limits = Limits(episode_timeout_s=0.05)
    episode = await run_episode(Job(TASK, TinyBackend(), 1, limits), Slow())
    assert episode.end == "time_budget"
    assert episode.score is not None


async def test_rollout_takes_jobs_one_by_one_and_bounds_what_runs_at_once() -> None:
    running, most = 0, 0

    class Counting(FanOut):
        def begin(self, info: Any) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            return self

    backend = TinyBackend(lambda _: 0.001)
    ended = 0
    endless = (Job(TASK, backend, 3, seed=seed) for seed in itertools.count())
    async for episode in rollout(endless, Counting(), max_concurrent=4):
        running -= 1
        ended += 1
        assert episode.valid
        if ended == 20:
            break
    assert most == 4


async def test_rollout_refuses_no_concurrency() -> None:
    with pytest.raises(ValueError, match="`max_concurrent` must be at least 1, got 0"):
        await gather(rollout([], FanOut(), max_concurrent=0))


async def test_thousand_episodes_at_once() -> None:
    backend = TinyBackend(lambda _: 0.01)
    episodes = await gather(rollout(jobs(1_000, backend), FanOut(), max_concurrent=1_000))
    assert len(episodes) == 1_000
    assert all(episode.score and episode.score.item_f1 == 1.0 for episode in episodes)


async def test_breaking_off_a_rollout_cancels_what_runs() -> None:
    backend = TinyBackend(lambda _: 0.01)
    episodes = rollout(jobs(20, backend), FanOut(), max_concurrent=20)
    async for _ in episodes:
        break
    await episodes.aclose()
    asked = len(backend.asked)
    await asyncio.sleep(0.05)
    assert len(backend.asked) == asked
    assert len(asyncio.all_tasks()) == 1


async def test_one_rollout_plays_jobs_of_many_backends() -> None:
    backends = [TinyBackend() for _ in range(3)]
    together = [Job(TASK, backend, 3, seed=n) for n in range(2) for backend in backends]
    episodes = await gather(rollout(together, FanOut()))
    assert len(episodes) == 6
    assert [len(backend.asked) for backend in backends] == [12, 12, 12]


class Other(TinyBackend):
    pass


def test_keys_tell_jobs_apart() -> None:
    here = TinyBackend()
    different = [
        Job(TASK, here, 3),
        Job(TASK, here, 4),
        Job(TASK, here, 3, seed=1),
        Job(TASK, here, 3, Limits(top_k=4)),
        Job(TASK, here, 3, metadata={"trial": 1}),
        Job(TASK, here, 3, source="mine"),
        Job(TASK, Other(), 3),
    ]
    keys = {job.key(policy) for job in different for policy in ("solo", "oracle")}
    assert len(keys) == 2 * len(different)
    assert Job(TASK, TinyBackend(), 3).key("solo") in keys  # in another process, too
