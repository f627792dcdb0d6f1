"""The gauntlet: one command that fails when strict mode pays a cheater or a case changes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from benchmarks.scorers import gauntlet
from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.cli.commands import run_command
from wideseek_env.errors import BackendError

SMALL = ["--presets", "starter", "--num-tasks", "1"]


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
