"""Playing the grid: complete, resumable, one writer, nothing lost, nothing invalid averaged in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from agents.episode_file import EpisodeFile, read_episodes
from agents.scripted import SoloPolicy
from benchmarks.__main__ import main
from benchmarks.compare import policies, run_folder, runner
from benchmarks.compare.llm import LLMSettings
from benchmarks.compare.policies import Entry
from benchmarks.compare.run_folder import RunInfo
from benchmarks.compare.runner import exam_of, play, source_of
from benchmarks.compare.settings import Settings
from benchmarks.compare.summary import cell_of, read_results, summarise
from benchmarks.report.page import describe
from tests.smallcorpus import write_corpus
from wideseek_env.errors import DataError

SMALL = Settings(
    policies=("random", "oracle"), widths=(0, 2), depths=(), sources=("starter",),
    num_tasks=2, num_trials=2,
)  # fmt: skip


def run(folder, settings=SMALL, **options):
    play(settings, folder, command="test", **options)
    return list(read_episodes(folder / "episodes.jsonl"))


def signature(episode):
    return (cell_of(episode), episode.task.id, episode.metadata["trial"], episode.answer,
            episode.score, episode.num_turns)  # fmt: skip


def test_play_plays_every_cell_task_and_trial_once(tmp_path):
    starts = []
    episodes = run(tmp_path / "r", on_start=lambda *counts: starts.append(counts))
    assert starts == [(16, 0)]
    played = [(cell_of(e), e.task.id, e.metadata["trial"]) for e in episodes]
    tasks = [chosen.task.id for chosen in source_of(SMALL, "starter")]
    assert sorted(played, key=str) == sorted(
        ((cell, task, trial) for cell in SMALL.cells() for task in tasks for trial in (0, 1)),
        key=str,
    )
    assert all(e.score.item_f1 == 1.0 for e in episodes if e.policy == "oracle")


def test_play_trials_of_a_task_differ_and_a_second_run_is_equal(tmp_path):
    first, second = (sorted(map(signature, run(tmp_path / name)), key=str) for name in "ab")
    assert first == second
    trials = {(s[0], s[1], s[2]): s[3:] for s in first if s[0].policy == "random"}
    assert any(trials[cell, task, 0] != trials[cell, task, 1] for cell, task, _ in trials)


def test_play_goes_on_where_a_killed_run_stopped(tmp_path):
    whole = run(tmp_path / "r")
    path = tmp_path / "r" / "episodes.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + lines[5][:100])
    starts, played = [], []
    again = run(
        tmp_path / "r",
        on_start=lambda *counts: starts.append(counts),
        on_episode=played.append,
    )
    assert starts == [(16, 5)]
    assert len(played) == 11
    assert path.read_bytes().startswith(b"".join(lines[:5]))
    assert sorted(map(signature, again), key=str) == sorted(map(signature, whole), key=str)


def test_play_other_settings_are_refused_and_nothing_is_touched(tmp_path):
    run(tmp_path / "r")
    before = (tmp_path / "r" / "episodes.jsonl").read_bytes()
    with pytest.raises(DataError, match="`budget` was 240 and is now 9; ask for the same"):
        run(tmp_path / "r", replace(SMALL, budget=9))
    assert (tmp_path / "r" / "episodes.jsonl").read_bytes() == before


def test_play_other_versions_are_refused(tmp_path, monkeypatch):
    run(tmp_path / "r")
    now = {**run_folder.versions(), "tantivy": "0.1"}
    monkeypatch.setattr(run_folder, "versions", lambda salt: now)
    with pytest.raises(DataError, match=r"the version of tantivy was .* and is now 0\.1"):
        run(tmp_path / "r")


def test_play_on_salted_worlds_asks_other_things_and_tells_no_salt(tmp_path):
    salt = tmp_path / "salt.txt"
    salt.write_text("a secret\n")
    settings = replace(SMALL, salt=str(salt))
    plain, salted = run(tmp_path / "plain"), run(tmp_path / "salted", settings)
    assert not {e.task.gold for e in plain} & {e.task.gold for e in salted}
    for path in (tmp_path / "salted").iterdir():
        assert b"a secret" not in path.read_bytes()
    assert "secret salt" in describe(RunInfo.read(tmp_path / "salted"))
    assert "salt" not in describe(RunInfo.read(tmp_path / "plain"))
    salt.write_text("another")
    with pytest.raises(DataError, match=r"the version of worlds was 1\+.* and is now 1\+"):
        run(tmp_path / "salted", settings)


def test_play_second_run_at_once_is_refused(tmp_path):
    run(tmp_path / "r")
    with (
        EpisodeFile(tmp_path / "r" / "episodes.jsonl"),
        pytest.raises(DataError, match="another run writes"),
    ):
        run(tmp_path / "r")


def test_play_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "episodes.jsonl").write_text("mine")
    with pytest.raises(DataError, match=r"episodes\.jsonl but no run\.json"):
        run(tmp_path)
    assert (tmp_path / "episodes.jsonl").read_text() == "mine"


def test_play_goes_on_under_the_name_of_a_run_that_failed_before_its_record(tmp_path):
    (tmp_path / "episodes.jsonl").touch()
    assert len(run(tmp_path)) == 16


def test_play_with_other_settings_takes_the_name_of_a_run_that_played_nothing(tmp_path):
    settings = replace(SMALL, policies=("llm",), llm=LLMSettings("transformers", "/no/model"))
    with pytest.raises((OSError, ImportError)):
        run(tmp_path, settings)
    assert len(run(tmp_path)) == 16
    assert json.loads((tmp_path / "run.json").read_text())["settings"]["policies"] != ["llm"]


def test_play_that_has_nothing_to_ask_makes_no_folder(tmp_path):
    (tmp_path / "pages").mkdir()
    with pytest.raises(DataError, match="what to ask"):
        run(tmp_path / "r", replace(SMALL, sources=(f"corpus:{tmp_path / 'pages'}",)))
    assert not (tmp_path / "r").exists()


def test_play_interrupt_keeps_what_has_ended(tmp_path):
    played = []

    def interrupt(episode):
        played.append(episode)
        if len(played) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "r", on_episode=interrupt)
    assert list(read_episodes(tmp_path / "r" / "episodes.jsonl")) == played
    assert len(run(tmp_path / "r")) == 16


class Broken:
    name = "broken"

    def begin(self, info):
        raise RuntimeError("no weights")


def test_play_policy_that_raises_makes_invalid_episodes_and_the_run_goes_on(tmp_path, monkeypatch):
    entries = {**policies.POLICIES, "broken": Entry(lambda tasks: Broken(), "", "any")}
    for module in ("policies", "settings"):
        monkeypatch.setattr(f"benchmarks.compare.{module}.POLICIES", entries)
    episodes = run(tmp_path / "r", replace(SMALL, policies=("broken", "oracle")))
    broken = [e for e in episodes if e.metadata["policy"] == "broken"]
    assert len(broken) == 8
    assert all(not e.valid and "no weights" in e.error for e in broken)
    assert sum(e.valid for e in episodes) == 8


class Mine(SoloPolicy):
    name = "mine"


def test_own_policy_plays_own_pages_named_on_the_command_line(tmp_path):
    """A folder of pages with its tasks, twice: as a corpus, and as a file with a backend."""
    folder = write_corpus(tmp_path / "pages", tasks=True)
    sources = (f"corpus:{folder}", f"file:{folder / 'tasks.jsonl'}")
    arguments = ["--policies", f"{__name__}:Mine,oracle", "--sources", ",".join(sources)]
    arguments += ["--backend", str(folder), "--widths", "0,2", "--depths", "", "--num-tasks", "3"]
    arguments += ["--num-workers", "2", "--name", "r", "--out", str(tmp_path)]
    assert main(arguments) == 0
    rows = summarise(read_results(tmp_path / "r" / "episodes.jsonl"))
    assert {row.cell.source for row in rows} == set(sources)
    assert {row.cell.policy for row in rows} == {f"{__name__}:Mine", "oracle"}
    assert [(row.num_tasks, row.num_invalid) for row in rows] == [(3, 0)] * 8
    assert all(row.item_f1.mean == 1.0 for row in rows)  # tables are copied by `solo`, too


def test_a_policy_that_can_read_no_question_of_a_source_is_named(tmp_path, capsys):
    arguments = ["--policies", "solo,fanout,oracle", "--sources", "examples.task_source:trees"]
    arguments += ["--widths", "0,2", "--depths", "", "--num-workers", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert told.count("can read no question") == 1
    assert "solo, fanout: can read no question of examples.task_source:trees" in told
    readable = write_corpus(tmp_path / "pages", tasks=True)
    arguments[3] = f"corpus:{readable}"
    assert main(arguments) == 0
    assert "can read no question" not in capsys.readouterr().out


def test_runs_begun_in_one_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda _: "20261126-121725")
    arguments = ["--policies", "solo", "--sources", "starter", "--widths", "0", "--depths", ""]
    arguments += ["--num-tasks", "1", "--num-workers", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--seed", "1"]) == main([*arguments, "--seed", "2"]) == 0
    runs = sorted(path.name for path in tmp_path.iterdir())
    assert runs == ["20261126-121725", "20261126-121725-2"]
    assert all(len(list(read_results(tmp_path / run / "episodes.jsonl"))) == 1 for run in runs)


def test_jobs_of_never_exceed_the_budget_in_play(tmp_path):
    settings = replace(SMALL, policies=("random",), budget=3, num_tasks=4)
    episodes = run(tmp_path / "r", settings)
    exam = exam_of(settings, settings.cells()[0], source_of(settings, "starter"))
    assert max(e.num_tool_calls for e in episodes) == 3
    assert {job.limits.max_tool_calls for job in exam} == {3}


def test_tasks_of_worlds_are_held_out_from_training():
    assert {chosen.task.metadata["split"] for chosen in source_of(SMALL, "starter")} == {"test"}


@pytest.mark.slow
def test_play_with_workers_gives_the_same_episodes(tmp_path):
    here = sorted(map(signature, run(tmp_path / "here")), key=str)
    there = sorted(map(signature, run(tmp_path / "there", num_workers=2)), key=str)
    assert here == there


def start(folder):
    """Begins a long run with two workers in a process group of its own."""
    command = [sys.executable, "-m", "benchmarks", "--sources", "default", "--num-tasks", "150",
               "--num-workers", "2", "--name", "r", "--out", str(folder)]  # fmt: skip
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run_once(folder):
    words = ["--sources", "starter", "--num-tasks", "1", "--num-workers", "1", "--widths", "1"]
    return main([*words, "--name", "r", "--out", str(folder)])


def test_ctrl_c_before_the_first_episode_leaves_no_folder(tmp_path, monkeypatch, capsys):
    def interrupt(*arguments):
        assert (tmp_path / "out" / "r" / "episodes.jsonl").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "play_here", interrupt)
    assert run_once(tmp_path / "out") == 130
    assert "nothing is kept" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_start_that_fails_leaves_the_folder_of_a_run_that_has_just_begun(tmp_path, capsys):
    with EpisodeFile(tmp_path / "r" / "episodes.jsonl"):
        assert run_once(tmp_path) == 1
        assert "another run writes to" in capsys.readouterr().err
        assert (tmp_path / "r" / "episodes.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("num_bytes", [0, 1])
def test_ctrl_c_to_all_processes_keeps_what_has_ended(tmp_path, num_bytes):
    """As a terminal sends it: to the one that writes and to its workers, early and late."""
    process, path = start(tmp_path), tmp_path / "r" / "episodes.jsonl"
    wait_until(lambda: path.exists() and path.stat().st_size >= num_bytes)
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted: " in error
    assert b"Traceback" not in error
    if b"nothing is kept" in error:  # before the first episode had ended
        assert num_bytes == 0
        assert not path.exists()
    else:
        assert b"Partial" in out
        assert path.read_bytes().endswith(b"\n")


@pytest.mark.slow
def test_kill_leaves_no_worker_behind_and_the_run_can_go_on(tmp_path):
    process, path = start(tmp_path), tmp_path / "r" / "episodes.jsonl"
    wait_until(lambda: path.exists() and path.stat().st_size > 0)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: not group_is_alive(process.pid))
    with EpisodeFile(path) as file:
        assert file.keys


@pytest.mark.slow
def test_worker_that_is_killed_is_an_error_and_the_run_can_go_on(tmp_path):
    process, path = start(tmp_path), tmp_path / "r" / "episodes.jsonl"
    wait_until(lambda: path.exists() and path.stat().st_size > 0)
    group = subprocess.run(
        ["pgrep", "-g", str(process.pid), "-f", "spawn_main"], capture_output=True, check=True
    )
    os.kill(int(group.stdout.split()[0]), signal.SIGKILL)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"a worker process died" in error
    assert b"with --name r goes on" in out
    with EpisodeFile(path) as file:
        assert file.keys


def wait_until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError("the condition did not come true within a minute")


def group_is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
