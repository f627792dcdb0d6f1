"""Runs on a Ray cluster. Most of this needs none; the slow tests start a small one of their own."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents import ray_run
from agents.evaluate import Exam
from agents.policy import EpisodeInfo, Player
from agents.ray_actor import Failure, at_once
from agents.ray_actor import Player as Actor
from agents.ray_run import own_modules, play_on_ray
from agents.run import Part, play_here, slices_of
from agents.scripted import FanoutPolicy, RandomPolicy
from wideseek_env.errors import WideSeekError
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import Episode
from wideseek_env.tasks.source import TaskSource


def exam(width: int = 2) -> Exam:
    return Exam(TaskSource.worlds("starter", range(3), tasks_each=4), width, num_trials=2)


PARTS = [Part([exam(1), exam(3)], RandomPolicy), Part([exam()], FanoutPolicy, max_concurrent=20)]


def here(parts: list[Part], done: frozenset[str] = frozenset()) -> list[Episode]:
    episodes: list[Episode] = []
    asyncio.run(play_here(parts, done, episodes.append))
    return episodes


def untimed(value: Any) -> Any:
    """Strips the times of a record as JSON."""
    if isinstance(value, dict):
        times = ("seconds", "started_s", "decided_s", "ended_s")
        return {k: untimed(v) for k, v in value.items() if k not in times}
    return [untimed(item) for item in value] if isinstance(value, list) else value


def records(episodes: list[Episode]) -> list[Any]:
    """Gives whole records but for their times, in the order of their keys."""
    ordered = sorted(episodes, key=lambda episode: str(episode.metadata["key"]))
    return [untimed(json.loads(encode(episode))) for episode in ordered]


class DiesOnce(FanoutPolicy):
    """Ends its process in the middle of a slice, once."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self._mark, self._num = mark, 0

    def begin(self, info: EpisodeInfo) -> Player:
        self._num += 1
        if self._num == 4 and not self._mark.exists():
            self._mark.touch()
            os._exit(3)
        return super().begin(info)


class Dies(FanoutPolicy):
    def begin(self, info: EpisodeInfo) -> Player:
        os._exit(3)


class Waits(FanoutPolicy):
    """Plays the first four episodes and waits in all others."""

    num = 0

    def begin(self, info: EpisodeInfo) -> Player:
        Waits.num += 1
        player = super().begin(info)
        if Waits.num > 4:
            player.decide = self._wait  # type: ignore[method-assign]
        return player

    async def _wait(self, *arguments: Any) -> Any:
        await asyncio.sleep(1000)


# Without Ray.


async def loaded(parts: list[Part], done: frozenset[str] = frozenset()) -> Actor:
    actor = Actor()
    assert await actor.load(pickle.dumps((parts, done)), os.getcwd(), sys.path) is None
    return actor


def test_an_actor_plays_its_slices_as_one_process_does_and_leaves_out_what_is_done() -> None:
    whole = here(PARTS)
    done = frozenset(str(episode.metadata["key"]) for episode in whole[::5])

    async def play() -> list[Episode]:
        actor = await loaded(PARTS, done)
        answers = await asyncio.gather(*(actor.play(which) for which in slices_of(PARTS)))
        return [decode_episode(line) for lines in answers for line in lines]

    played = asyncio.run(play())
    assert not done & {str(episode.metadata["key"]) for episode in played}
    assert records([*whole[::5], *played]) == records(whole)


def test_an_actor_that_is_stopped_gives_what_has_ended() -> None:
    async def play() -> tuple[Any, Any, Any]:
        actor = await loaded([Part([exam()], Waits, max_concurrent=1)])
        first = asyncio.create_task(actor.play((0, 0, 0)))
        second = asyncio.create_task(actor.play((0, 0, 6)))
        while Waits.num < 5:
            await asyncio.sleep(0.01)
        await actor.stop()
        return await first, await second, await actor.play((0, 0, 12))

    first, second, third = asyncio.run(play())
    assert len(first) == 4
    assert (second, third) == ([], [])


def test_what_an_actor_raises_is_told_with_its_place() -> None:
    pytest.importorskip("ray")

    async def play() -> Any:
        return await (await loaded([Part([exam()], partial(divmod, 1, 0))])).play((0, 0, 0))

    failure = asyncio.run(play())
    assert isinstance(failure, Failure)
    assert "on the Ray node" in failure.text
    assert "ZeroDivisionError" in failure.text
    assert "agents/ray_actor.py" in failure.error().__notes__[0]


@pytest.mark.parametrize(("max_concurrent", "num"), [(1, 1), (6, 1), (11, 1), (64, 10)])
def test_slices_at_once_never_exceed_the_episodes_at_once(max_concurrent: int, num: int) -> None:
    assert at_once(Part([], RandomPolicy, max_concurrent)) == num


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_at_which_nobody_listens_is_told_at_once(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # bound, and not listened at
        taken.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{taken.getsockname()[1]}"
        ray = SimpleNamespace(is_initialized=lambda: False)  # what is not there cannot be asked
        monkeypatch.setattr(ray_run, "require", lambda module, extra: ray)
        with pytest.raises(WideSeekError, match=rf"joined at {address}.*refused"):
            play_on_ray(PARTS, frozenset(), lambda episode: None, address)


def test_own_modules_are_those_of_the_current_folder_that_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_script.py").write_text("")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("from my_package import part")
    (tmp_path / "my_package" / "part.py").write_text("")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "installed.py").write_text("")
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path / "venv"):
        monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    for name in ("my_script", "my_package", "installed"):
        monkeypatch.setitem(sys.modules, name, __import__(name))
    expected = [str(tmp_path / "my_package"), str(tmp_path / "my_script.py")]
    assert sorted(own_modules()) == expected


# With it.


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two CPUs; a busy machine may need a second try, as Ray gives up after 30 s."""
    pytest.importorskip("ray", reason="needs the extra `ray`")
    for _ in range(2):
        connection = ray_run.joined(num_cpus=2)
        try:
            ray = connection.__enter__()
        except WideSeekError as error:
            if "timed out during startup" not in str(error):
                raise
            continue
        yield ray
        connection.__exit__(None, None, None)
        return
    raise TimeoutError("Ray did not start within two times 30 s")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_plays_what_one_process_plays_whoever_dies(cluster: Any, tmp_path: Path) -> None:
    whole = here(PARTS)
    done = frozenset(str(episode.metadata["key"]) for episode in whole[::7])
    played: list[Episode] = []
    play_on_ray(PARTS, done, played.append)
    assert records([*whole[::7], *played]) == records(whole)

    mark = tmp_path / "mark"
    again: list[Episode] = []
    play_on_ray([Part([exam()], partial(DiesOnce, mark), 1)], frozenset(), again.append)
    assert mark.exists()
    assert records(again) == records(here([Part([exam()], FanoutPolicy)]))

    died = r"died each of the 3 times that the policy played starter-train-0-wide-0-0"
    with pytest.raises(WideSeekError, match=died):
        play_on_ray([Part([exam()], Dies)], frozenset(), again.append)
    with pytest.raises(WideSeekError, match=r"on the Ray node .*ZeroDivisionError") as raised:
        play_on_ray([Part([exam()], partial(divmod, 1, 0))], frozenset(), again.append)
    assert "in a Ray actor" in raised.value.__notes__[0]
    assert len(again) == len(exam())


def processes_of(mark: str) -> list[str]:
    """Lists the processes that have inherited the environment of a run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"RUN_OF_THIS_TEST={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
    return found


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_ended_leaves_nobody_behind_and_the_run_goes_on_without_ray(
    tmp_path: Path,
) -> None:
    """As a terminal sends it, to all processes; with a policy of a module in the current folder."""
    pytest.importorskip("ray", reason="needs the extra `ray`")
    (tmp_path / "mine.py").write_text(
        "import time\nfrom agents.scripted import FanoutPolicy\n"
        "class Slow(FanoutPolicy):\n"
        "    def begin(self, info):\n        time.sleep(0.3)\n        return super().begin(info)\n"
    )
    words = ["--policies", "mine:Slow", "--sources", "starter", "--widths", "2", "--depths", ""]
    words += ["--num-tasks", "24", "--num-workers", "2", "--name", "r"]
    path = tmp_path / "runs" / "r" / "episodes.jsonl"
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root, "RUN_OF_THIS_TEST": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words, "--ray"],
        cwd=tmp_path,
        env=env,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline_s = time.monotonic() + 150
    while time.monotonic() < deadline_s and not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    assert any("raylet" in words for words in processes_of(str(tmp_path)))
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert b"Partial" in out
    assert b"Traceback" not in error
    deadline_s = time.monotonic() + 20
    while (left := processes_of(str(tmp_path))) and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert left == []
    kept = path.read_bytes()
    assert kept.endswith(b"\n")
    again = [sys.executable, "-m", "benchmarks", *words]
    subprocess.run(again, cwd=tmp_path, env=env, check=True)
    lines = path.read_bytes().splitlines(keepends=True)
    assert b"".join(lines).startswith(kept)
    assert len({decode_episode(line).metadata["key"] for line in lines}) == len(lines) == 24
