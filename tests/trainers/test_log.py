"""What a run says: numbers of episodes, lines that survive a restart, and the live view."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from made_episodes import made_episode, made_task
from rich.console import Console

from trainers.log import RunLog, Timer, episode_metrics, sparkline
from wideseek_env.records import ToolResult


def test_episode_metrics_are_means_over_valid_episodes():
    task = made_task(0, rows=6)
    one = made_episode(task, n_subagents=2, found=6)
    two = made_episode(task, n_subagents=0, found=3)
    metrics = episode_metrics([one, two, made_episode(task, invalid=True)])
    assert metrics["episodes/invalid"] == 1
    assert metrics["episodes/item_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["episodes/width"] == 1.0
    assert metrics["episodes/subtasks"] == 1.0
    assert metrics["episodes/tool_calls"] == (one.num_tool_calls + two.num_tool_calls) / 2
    assert metrics["reward/total"] == pytest.approx((one.reward + two.reward) / 2)
    assert metrics["turns/wrong"] == 0.0


def test_turns_that_went_wrong_are_those_with_an_error_or_a_refused_call():
    episode = made_episode(made_task(0, rows=6), n_subagents=0, found=3)
    (lead,) = episode.trajectories
    first, second, *others = lead.turns
    unread = replace(first, decision=replace(first.decision, error="no calls"))
    refused = replace(second, results=(ToolResult("Not allowed.", "wrong"), *second.results))
    away = replace(second, results=(ToolResult("No page.", "failed"),))
    for turns, wrong in (([unread, refused], 2), ([first, away], 0)):
        played = replace(episode, trajectories=(replace(lead, turns=(*turns, *others)),))
        assert episode_metrics([played])["turns/wrong"] == pytest.approx(wrong / len(lead.turns))


def test_episode_metrics_without_a_valid_episode_say_only_that():
    assert episode_metrics([made_episode(made_task(0), invalid=True)]) == {"episodes/invalid": 1.0}


def iterations_of(path):
    return [json.loads(line)["iteration"] for line in path.read_text().splitlines()]


def test_run_log_drops_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with RunLog(tmp_path, 0, ["a/b"], 9) as log:
        for iteration in range(4):
            log.write(iteration, {"a/b": iteration})
    with path.open("a") as file:
        file.write('{"iteration": 4, "a/b"')  # killed while it wrote
    with RunLog(tmp_path, 2, ["a/b"], 9) as log:
        assert iterations_of(path) == [0, 1]
        log.write(2, {"a/b": 0.123456789123})
    assert iterations_of(path) == [0, 1, 2]
    assert list((tmp_path / "tensorboard").iterdir())


def test_run_log_of_an_iteration_that_trained_nothing_shows_the_rest(tmp_path, capsys):
    with RunLog(tmp_path, 0, ["a/b", "c/d"], 9) as log:
        log.write(0, {"a/b": 1.0, "c/d": 2.0})
        log.write(1, {"a/b": 3.0})
    assert capsys.readouterr().out.splitlines() == ["iteration 1/9  b 1  d 2", "iteration 2/9  b 3"]


def test_run_log_shows_a_table_on_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "trainers.log.Console", lambda: Console(force_terminal=True, width=100, record=True)
    )
    with RunLog(tmp_path, 0, ["a/b", "not/there"], 9) as log:
        log.write(0, {"a/b": 1.0, "c/d": 5.0, "seconds/play": 2.0})
        log.write(1, {"a/b": 3.0, "c/d": 5.0, "seconds/play": 2.0})
        text = log._console.export_text()
    assert "iteration 2 of 9" in text
    assert "a/b" in text
    assert "seconds/play" in text
    assert "c/d" not in text
    assert "not/there" not in text


def test_sparkline():
    assert sparkline([0.0, 1.0, 2.0], 40) == " ▄█"
    assert sparkline([0.0, 0.0, 8.0, 8.0], 2) == " █"
    assert sparkline([3.0, 3.0], 40) == "  "


def test_timer_adds_up_a_phase():
    timer = Timer()
    for _ in range(2):
        with timer("play"):
            pass
    assert list(timer.seconds) == ["seconds/play"]
    assert 0 < timer.seconds["seconds/play"] < 1
