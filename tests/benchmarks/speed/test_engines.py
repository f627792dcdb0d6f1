from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agents.llm.engines.echo import EchoEngine
from benchmarks.speed import engines
from wideseek_env.cli.commands import run_command
from wideseek_env.errors import WideSeekError


@pytest.fixture(scope="module")
def stage() -> engines.Scene:
    return engines.Scene()


async def test_stage_plays_the_round_that_is_measured(stage: engines.Scene) -> None:
    (episode,) = await stage.play(EchoEngine(stage.reply), 1, engines.NUM_SUBAGENTS)
    assert episode.end == "answered"
    assert episode.width == engines.NUM_SUBAGENTS
    opened = [result.status for result in episode.tool_results()]
    assert opened == ["ok"] * engines.NUM_PAGES * engines.NUM_SUBAGENTS


def test_stage_refuses_to_measure_what_failed(stage: engines.Scene) -> None:
    def broken(prompt: str) -> str:
        raise ZeroDivisionError

    with pytest.raises(WideSeekError, match="ZeroDivisionError"):
        asyncio.run(stage.play(EchoEngine(broken), 1, 0))


def test_main_prints_a_table(
    stage: engines.Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "Scene", lambda: stage)
    monkeypatch.setattr(engines, "NUM_EPISODES", 2)
    monkeypatch.setattr(engines, "LATENCY_S", 0.001)
    assert run_command("speed engines", ["driver"]) in (0, 1)  # this machine may be busy
    assert "CPU of a turn, 2 episodes of width 8" in capsys.readouterr().out


def test_a_missed_target_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = engines.Measurement("ratio", "3.6", ">= 5", False)
    monkeypatch.setitem(engines.MEASURES, "driver", lambda: [figure])
    assert run_command("speed engines", ["driver"]) == 1
    monkeypatch.setitem(engines.MEASURES, "driver", lambda: [replace(figure, reached=True)])
    assert run_command("speed engines", ["driver"]) == 0
    assert "no" in capsys.readouterr().out
