"""The gauntlet: one command that fails when strict mode pays a cheater or a case changes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scorers import gauntlet
from tests.smallcorpus import write_corpus
from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.cli.commands import run_command
from wideseek_env.errors import BackendError

SMALL = ["--sources", "starter", "--num-tasks", "1"]


def test_gauntlet_prints_every_case_and_cheater_and_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command("gauntlet", SMALL) == 0
    shown = capsys.readouterr().out
    assert "0 not as stated" in shown
    assert all(case.name in shown for case in gauntlet.TABLE_CASES)
    assert all(name in shown for name in gauntlet.CHEATERS)


def test_gauntlet_fails_when_a_case_does_not_get_what_is_stated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = gauntlet.TABLE_CASES[0]
    monkeypatch.setattr(gauntlet, "TABLE_CASES", (replace(first, strict=first.official),))
    monkeypatch.setattr(gauntlet, "CELL_CASES", ())
    assert run_command("gauntlet", SMALL) == 1
    assert "1 not as stated" in capsys.readouterr().out


def test_gauntlet_takes_no_invalid_episode_for_a_score_of_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> None:
        raise BackendError("the index is gone")

    monkeypatch.setattr(PagesBackend, "search", broken)
    assert run_command("gauntlet", SMALL) == 1
    assert re.search(r"episodes of solo: .*the index is gone", capsys.readouterr().err)


def test_gauntlet_plays_any_source_that_solo_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = write_corpus(tmp_path / "pages", tasks=True)
    file = [f"file:{pages / 'tasks.jsonl'}", "--backend", str(pages)]
    assert run_command("gauntlet", ["--sources", *file, "--num-tasks", "2"]) == 0
    assert "Agents on 2 tasks" in capsys.readouterr().out
    assert run_command("gauntlet", ["--sources", "examples.task_source:trees"]) == 2
    assert "expected questions that solo can read" in capsys.readouterr().err
