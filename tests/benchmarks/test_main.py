"""The command line: what it writes, what it says of mistakes, how it ends."""

from __future__ import annotations

import json
import sys

import pytest

import benchmarks.__main__ as cli
from agents.episode_file import EpisodeFile, read_episodes
from benchmarks.compare.command import BenchmarkOptions
from wideseek_env.cli.options import read_options

SMALL = ["--policies", "oracle,random", "--sources", "starter", "--widths", "0,2",
         "--num-tasks", "2", "--depths", "", "--num-workers", "1"]  # fmt: skip


pytestmark = pytest.mark.usefixtures("quick_figures")


def run(tmp_path, *arguments):
    return cli.main([*SMALL, "--out", str(tmp_path), "--name", "r", *arguments])


def test_main_writes_a_run_and_says_where(tmp_path, capsys):
    assert run(tmp_path) == 0
    out = capsys.readouterr().out
    assert "report.html" in out
    assert "oracle" in out
    assert "at most 240 search and open calls" in " ".join(out.split())
    assert (tmp_path / "r" / "report.html").exists()
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert summary["command"].startswith("wideseek benchmark")


def test_main_without_ray_names_the_extra_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(tmp_path / "runs", "--ray") == 2
    assert "pip install 'wideseek[ray]' (see docs/cluster.md)" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ([], None),
        (["--ray"], ""),
        (["--ray", "--seed", "1"], ""),
        (["--ray", "auto"], "auto"),
        (["--ray", "ray://10.0.0.1:10001"], "ray://10.0.0.1:10001"),
    ],
)
def test_main_ray_is_a_flag_with_or_without_an_address(words, address):
    assert read_options(BenchmarkOptions, words, prog="x").ray == address


def test_main_report_makes_it_again_from_the_folder(tmp_path, capsys):
    run(tmp_path)
    before = (tmp_path / "r" / "report.html").read_bytes()
    (tmp_path / "r" / "report.html").unlink()
    (tmp_path / "r" / "summary.json").unlink()
    assert cli.main(["report", str(tmp_path / "r")]) == 0
    assert (tmp_path / "r" / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policies", "oracel"], "did you mean oracle?"),
        (["--sources", "medium"], "expected one of starter, "),
        (["--sources", "corpus:/no/such"], "corpus: expected a folder of pages"),
        (["--sources", "file:README.md"], "give a backend"),
        (["--num-tasks", "0"], "--num-tasks: expected at least 1"),
        (["--num-workers", "0"], "--num-workers: expected at least 1, got 0"),
        (["--name", "../../evil"], "--name: expected a name without folders in it"),
    ],
)
def test_main_mistake_is_one_line_and_exit_2(tmp_path, capsys, arguments, message):
    assert run(tmp_path, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("arguments", [["--widths", "1,two"], ["--budget", "-3"]])
def test_main_numbers_that_are_none_are_refused(tmp_path, capsys, arguments):
    assert run(tmp_path, *arguments) == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--sources", "corpus:/no/such"], ["--policies", "os:sep"]])
def test_main_failed_start_leaves_no_folder(tmp_path, arguments):
    out = tmp_path / "made" / "here"
    assert cli.main([*SMALL, "--out", str(out), *arguments]) in (1, 2)
    assert not out.exists()


def test_main_other_settings_under_the_same_name_is_exit_1(tmp_path, capsys):
    run(tmp_path)
    assert run(tmp_path, "--num-tasks", "3") == 1
    assert "give this run another --name" in capsys.readouterr().err


def test_main_second_run_of_the_same_name_is_exit_1(tmp_path, capsys):
    run(tmp_path)
    with EpisodeFile(tmp_path / "r" / "episodes.jsonl"):
        assert run(tmp_path) == 1
    assert "another run writes" in capsys.readouterr().err


def test_main_folder_that_cannot_be_made_is_exit_1(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file") == 1
    assert "--out:" in capsys.readouterr().err


def test_main_full_disk_is_exit_1_and_keeps_what_is_whole(tmp_path, capsys, monkeypatch):
    append, count = EpisodeFile.append, [0]

    def full(self, episode):
        count[0] += 1
        if count[0] > 3:
            raise OSError(28, "No space left on device")
        append(self, episode)

    monkeypatch.setattr(EpisodeFile, "append", full)
    assert run(tmp_path) == 1
    out, error = capsys.readouterr()
    assert "No space left on device" in error
    assert "What has ended is kept: the same command with --name r goes on." in out
    assert len(list(read_episodes(tmp_path / "r" / "episodes.jsonl"))) == 3


def test_main_interrupt_reports_what_there_is_as_partial_and_goes_on(tmp_path, capsys, monkeypatch):
    append, count = EpisodeFile.append, [0]

    def interrupted(self, episode):
        append(self, episode)
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpisodeFile, "append", interrupted)
    assert run(tmp_path) == 130
    assert "3 of 8 episodes" in capsys.readouterr().out
    assert "Partial: 3 of 8" in (tmp_path / "r" / "report.html").read_text()
    assert run(tmp_path) == 0
    assert "has 3 of 8 episodes; going on" in " ".join(capsys.readouterr().out.split())
    assert "Partial" not in (tmp_path / "r" / "report.html").read_text()


def test_main_budget_none_is_said(tmp_path, capsys):
    assert run(tmp_path, "--budget", "none") == 0
    assert "No bound on search and open calls" in capsys.readouterr().out


def test_main_list_names_every_policy(capsys):
    assert cli.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("random", "solo", "fanout", "oracle"))
