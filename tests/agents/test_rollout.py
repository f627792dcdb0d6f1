import asyncio
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from tinyworld import TASK, ByScript, FanOut, TinyBackend, call

import wideseek_env
from agents.episode_file import EpisodeFile, read_episodes
from agents.policy import EpisodeInfo
from agents.rollout import Job, rollout, rollout_to_file, run, run_episode
from agents.stepping import step_through
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode
from wideseek_env.records import Decision, Episode, Limits
from wideseek_env.scoring import strict


def jobs(number: int, **metadata: Any) -> list[Job]:
    return [Job(TASK, 3, seed=seed, metadata=metadata) for seed in range(number)]


async def gather(episodes: Any) -> list[Episode]:
    return [episode async for episode in episodes]


def what_happened(episode: Episode) -> list[Any]:
    return [
        (t.agent, t.prompt, t.end, [(u.decision, [r.text for r in u.results]) for u in t.turns])
        for t in episode.trajectories
    ]


async def test_barrier_and_barrier_free_give_the_same_episode() -> None:
    uneven = TinyBackend(lambda q: 0.02 if "Alden" in q else 0.001)
    free = await run_episode(Job(TASK, 3), FanOut(), uneven)
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
    episode = await run_episode(Job(TASK, 3), FanOut(), TinyBackend())
    assert episode.end == "invalid"
    assert episode.score is None
    assert "a defect" in (episode.error or "")


async def test_scorer_that_raises_makes_its_episode_invalid_and_the_others_go_on() -> None:
    async def scorer(task: Any, answer: str | None) -> Any:
        return {}["no such judge"]

    played = await gather(rollout(jobs(2), FanOut(), TinyBackend(), scorer=scorer))
    assert [episode.end for episode in played] == ["invalid", "invalid"]
    assert all("KeyError: 'no such judge'" in (episode.error or "") for episode in played)
    assert all(episode.answer and episode.score is None for episode in played)


@pytest.mark.parametrize("who", ["lead", "subagents"])
async def test_policy_that_raises_makes_its_episode_invalid_with_the_reason(who: str) -> None:
    scripts: dict[str, list[Any]] = {"lead": [call("delegate", subtasks=["a"])]}
    scripts[who] = [ZeroDivisionError("at once")]
    episode = await run_episode(Job(TASK, 3), ByScript(**scripts), TinyBackend())
    assert episode.end == "invalid"
    assert episode.score is None
    assert episode.error is not None
    assert episode.error.startswith("ZeroDivisionError: at once\nTraceback")


async def test_policy_that_returns_no_decision_is_named() -> None:
    episode = await run_episode(Job(TASK, 3), ByScript(lead=["text"]), TinyBackend())
    assert episode.error is not None
    assert episode.error.startswith("TypeError: expected a Decision of lead, got 'text'")


async def test_bug_in_a_backend_makes_the_episode_invalid() -> None:
    class Buggy(TinyBackend):
        async def open(self, url: str, part: int = 1) -> Any:
            raise KeyError(url)

    policy = ByScript(lead=[call("open", url="/Alden")])
    episode = await run_episode(Job(TASK, 0), policy, Buggy())
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
    episode = await run_episode(Job(TASK, 1, limits), Slow(), TinyBackend())
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
    endless = (Job(TASK, 3, seed=seed) for seed in itertools.count())
    async for episode in rollout(endless, Counting(), backend, max_concurrent=4):
        running -= 1
        ended += 1
        assert episode.valid
        if ended == 20:
            break
    assert most == 4


async def test_rollout_refuses_no_concurrency() -> None:
    with pytest.raises(ValueError, match="`max_concurrent` must be at least 1, got 0"):
        await gather(rollout([], FanOut(), TinyBackend(), max_concurrent=0))


async def test_thousand_episodes_at_once() -> None:
    backend = TinyBackend(lambda _: 0.01)
    episodes = await gather(rollout(jobs(1_000), FanOut(), backend, max_concurrent=1_000))
    assert len(episodes) == 1_000
    assert all(episode.score and episode.score.item_f1 == 1.0 for episode in episodes)


def test_run_writes_a_line_for_each_episode_and_resumes(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "episodes.jsonl"
    first = run(path, jobs(3), FanOut(), TinyBackend())
    backend = TinyBackend()
    both = run(path, jobs(5), FanOut(), backend)
    assert len(backend.asked) == 2 * 6
    assert both[:3] == first
    assert {episode.seed for episode in both} == set(range(5))
    assert len(path.read_bytes().splitlines()) == 5


def test_invalid_episodes_are_played_again_on_resume(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    broken = ByScript(lead=[RuntimeError("server down")])
    assert [e.valid for e in run(path, jobs(2), broken, TinyBackend())] == [False, False]
    assert [e.valid for e in run(path, jobs(2), FanOut(), TinyBackend())] == [True, True]


def test_line_that_was_cut_off_is_played_again(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    run(path, jobs(2), FanOut(), TinyBackend())
    path.write_bytes(path.read_bytes()[:-50])
    assert len(list(read_episodes(path))) == 1
    assert len(run(path, jobs(2), FanOut(), TinyBackend())) == 2


def test_file_of_something_else_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(DataError, match=r"notes.txt, line 1: expected one line of JSON"):
        run(path, jobs(1), FanOut(), TinyBackend())
    assert path.read_text() == "hello\n"


def test_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    with EpisodeFile(path), pytest.raises(DataError, match="another run writes to"):
        EpisodeFile(path)
    with EpisodeFile(path):
        pass


def test_full_disk_leaves_whole_lines_and_a_clear_error(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import asyncio, resource, signal, sys
        from pathlib import Path
        from tinyworld import TASK, FanOut, TinyBackend
        from agents.rollout import Job, run
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        run(Path(sys.argv[1]), [Job(TASK, 3, seed=s) for s in range(50)], FanOut(), TinyBackend())
        """
    )
    path = tmp_path / "episodes.jsonl"
    tests = str(Path(__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "OSError" in result.stderr
    kept = list(read_episodes(path))
    assert kept
    assert path.read_bytes() == b"".join(encode(episode) + b"\n" for episode in kept)


def test_ctrl_c_keeps_what_has_ended(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tinyworld import TASK, FanOut, TinyBackend
        from agents.rollout import Job, run
        backend = TinyBackend(lambda _: 0.02)
        jobs = [Job(TASK, 3, seed=s) for s in range(10_000)]
        run(Path(sys.argv[1]), jobs, FanOut(), backend, max_concurrent=8)
        """
    )
    path = tmp_path / "episodes.jsonl"
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONPATH": tests},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (not path.exists() or path.stat().st_size < 20_000):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    kept = list(read_episodes(path))
    assert kept
    assert all(episode.valid for episode in kept)


async def test_breaking_off_a_rollout_cancels_what_runs(tmp_path: Path) -> None:
    backend = TinyBackend(lambda _: 0.01)
    path = tmp_path / "episodes.jsonl"
    episodes = rollout_to_file(path, jobs(20), FanOut(), backend, max_concurrent=20)
    async for _ in episodes:
        break
    await episodes.aclose()
    asked = len(backend.asked)
    await asyncio.sleep(0.05)
    assert len(backend.asked) == asked
    assert len(asyncio.all_tasks()) == 1


def test_keys_tell_jobs_apart() -> None:
    different = [
        Job(TASK, 3),
        Job(TASK, 4),
        Job(TASK, 3, seed=1),
        Job(TASK, 3, Limits(top_k=4)),
        Job(TASK, 3, metadata={"trial": 1}),
    ]
    assert len({job.key for job in different}) == len(different)
