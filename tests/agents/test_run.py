"""Runs into a file: stopped, broken off, gone on with, spread over processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tinyworld import ByScript, FanOut, TinyBackend, jobs

from agents.episode_file import EpisodeFile, read_episodes
from agents.evaluate import Exam
from agents.run import Part, play_in_workers, run
from agents.scripted import FanoutPolicy, RandomPolicy
from wideseek_env.errors import DataError, WideSeekError
from wideseek_env.jsonlines import encode
from wideseek_env.records import Episode
from wideseek_env.tasks.source import TaskSource


def test_run_writes_a_line_for_each_episode_and_resumes(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "episodes.jsonl"
    first = run(path, jobs(3), FanOut())
    backend = TinyBackend()
    both = run(path, jobs(5, backend), FanOut())
    assert len(backend.asked) == 2 * 6
    assert both[:3] == first
    assert {episode.seed for episode in both} == set(range(5))
    assert len(path.read_bytes().splitlines()) == 5


def test_invalid_episodes_are_played_again_on_resume(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    broken = ByScript(lead=[RuntimeError("server down")])
    assert [e.valid for e in run(path, jobs(2), broken)] == [False, False]
    assert [e.valid for e in run(path, jobs(2), FanOut())] == [True, True]


def test_why_episodes_are_invalid_is_told_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "episodes.jsonl", jobs(3), ByScript(lead=[RuntimeError("server [down]")]))
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "server" in line]
    assert told.startswith("3 invalid: ")
    assert told.endswith("server [down]")


def test_line_that_was_cut_off_is_played_again(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    run(path, jobs(2), FanOut())
    path.write_bytes(path.read_bytes()[:-50])
    assert len(list(read_episodes(path))) == 1
    assert len(run(path, jobs(2), FanOut())) == 2


def test_file_of_something_else_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(DataError, match=r"notes.txt, line 1: expected one line of JSON"):
        run(path, jobs(1), FanOut())
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
        from agents.rollout import Job
        from agents.run import run
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        jobs = [Job(TASK, TinyBackend(), 3, seed=s) for s in range(50)]
        run(Path(sys.argv[1]), jobs, FanOut())
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
        from agents.rollout import Job
        from agents.run import run
        backend = TinyBackend(lambda _: 0.02)
        jobs = [Job(TASK, backend, 3, seed=s) for s in range(10_000)]
        run(Path(sys.argv[1]), jobs, FanOut(), max_concurrent=8)
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


def test_another_policy_on_the_same_file_plays_all_again(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    run(path, jobs(2), FanOut())
    both = run(path, jobs(2), RandomPolicy())
    assert [episode.policy for episode in both] == [FanOut.name] * 2 + ["random"] * 2


def exam(width: int = 1) -> Exam:
    return Exam(TaskSource.worlds("starter", range(4), tasks_each=2), width, num_trials=2)


def bare(episodes: list[Episode]) -> list[Any]:
    told = [(e.metadata["key"], e.answer, e.num_turns, e.score) for e in episodes]
    return sorted(told, key=str)


def test_workers_play_what_one_process_plays(tmp_path: Path) -> None:
    here = run(tmp_path / "here.jsonl", exam(), RandomPolicy())
    there: list[Episode] = []
    done = frozenset({here[0].metadata["key"]})
    play_in_workers([Part([exam()], RandomPolicy)], done, there.append, num_workers=2)
    assert len(there) == 15
    assert bare([here[0], *there]) == bare(here)


def test_worker_that_is_killed_while_it_hands_over_ends_the_run_with_the_reason() -> None:
    """Its message is longer than a pipe holds, and half of it is written when it dies."""
    source = TaskSource.worlds("default", range(2), tasks_each=20)
    others = set(multiprocessing.active_children())

    def kill(episode: Episode) -> None:
        time.sleep(1.0)  # both have played on meanwhile, and nobody reads
        for process in set(multiprocessing.active_children()) - others:
            process.kill()

    with pytest.raises(WideSeekError, match="a worker process died"):
        play_in_workers([Part([Exam(source, 4)], FanoutPolicy)], frozenset(), kill, num_workers=2)
    assert set(multiprocessing.active_children()) == others


def test_what_a_worker_raises_is_raised_here_and_says_where() -> None:
    part = Part([exam()], partial(divmod, 1, 0))
    with pytest.raises(ZeroDivisionError) as raised:
        play_in_workers([part], frozenset(), lambda episode: None, num_workers=2)
    assert "in a worker process" in raised.value.__notes__[0]


def test_worker_that_dies_ends_the_run_with_the_reason() -> None:
    part = Part([exam()], partial(os._exit, 3))
    with pytest.raises(WideSeekError, match="a worker process died"):
        play_in_workers([part], frozenset(), lambda episode: None, num_workers=1)
