import csv
import json
from pathlib import Path
from typing import Any

import pytest

from agents.episode_file import locked
from agents.learned.orders import OrderPolicy
from benchmarks.learning import learned
from benchmarks.learning.learned import GridScore, experiment, sources_of, won
from wideseek_env.cli.commands import run_command
from wideseek_env.jsonlines import encode
from wideseek_env.worlds import World


def row(policy: str, width: int, low: float, high: float, budget: int = 25) -> GridScore:
    return GridScore("conflict", budget, width, policy, 60, (low + high) / 2, low, high, 20.0)


def test_a_win_needs_intervals_apart_from_all_rivals_of_the_same_cell() -> None:
    mine = row("mappo", 4, 0.4, 0.5)
    rivals = [row("solo", 0, 0.1, 0.2), row("fanout", 4, 0.2, 0.3)]
    assert won([mine, *rivals], "mappo") == [mine]
    assert won([mine, *rivals, row("fanout", 8, 0.6, 0.7)], "mappo") == [mine]  # another width
    assert won([mine, *rivals, row("fanout", 4, 0.6, 0.7, budget=40)], "mappo") == [mine]
    assert not won([mine, row("solo", 0, 0.1, 0.4), rivals[1]], "mappo")  # they touch
    order = row("verify", 4, 0.35, 0.45)
    assert not won([mine, *rivals, order], "mappo", ("solo", "fanout", "verify"))


def test_every_team_plays_the_same_tasks_within_the_same_calls() -> None:
    rows = list(experiment([OrderPolicy("wide")], ["starter"], [6], [2], num_tasks=3, seeds=(0, 1)))
    assert [(r.policy, r.width, r.num_tasks) for r in rows] == [
        ("solo", 0, 3), ("solo_fold", 0, 3), ("fanout", 2, 3), ("wide", 2, 3),
    ]  # fmt: skip
    assert all(0 < r.num_calls <= 6 and r.low <= r.item_f1 <= r.high for r in rows)


def test_tasks_come_in_equal_parts_from_the_test_worlds_of_the_seeds() -> None:
    first, second = sources_of("starter", (0, 1), 3)
    assert (len(first), len(second)) == (2, 1)
    told = [chosen.task.metadata for source in (first, second) for chosen in source]
    assert [(data["split"], data["seed"]) for data in told] == [
        ("test", 0), ("test", 0), ("test", 1),
    ]  # fmt: skip


SMALL = ["--sources", "starter", "--budgets", "6", "--widths", "1,2", "--num-tasks", "2"]


def test_rows_are_kept_as_they_come_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played, play = [], learned.play

    def third_time_is_interrupted(*args: Any, **settings: Any) -> GridScore:
        if len(played) == 2:
            raise KeyboardInterrupt
        played.append(play(*args, **settings))
        return played[-1]

    monkeypatch.setattr(learned, "play", third_time_is_interrupted)
    words = [*SMALL, "--out", str(tmp_path)]
    assert run_command("learned", words) == 130
    assert "has 2 rows; the same command goes on" in capsys.readouterr().err
    first = (tmp_path / "learned.csv").read_text()
    assert len(first.splitlines()) == 3

    monkeypatch.setattr(learned, "play", play)
    assert run_command("learned", words) == 0
    whole = (tmp_path / "learned.csv").read_text()
    assert whole.startswith(first)
    assert len(whole.splitlines()) == 7
    shown = capsys.readouterr().out
    assert shown.count("item F1") == 6  # those from before are shown as well
    assert run_command("learned", words) == 0
    assert capsys.readouterr().out == shown
    assert (tmp_path / "learned.csv").read_text() == whole


def test_two_runs_into_one_folder_do_not_mix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL, "--widths", "1", "--out", str(tmp_path)]
    with locked(tmp_path / "learned.csv"):
        assert run_command("learned", words) == 1
    assert "another run writes to" in capsys.readouterr().err
    assert not (tmp_path / "learned.csv").exists()
    assert run_command("learned", words) == 0


def test_rows_of_other_terms_are_not_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("learned", [*SMALL, "--widths", "1", "--out", str(tmp_path)]) == 0
    assert run_command("learned", [*SMALL, "--seeds", "1", "--out", str(tmp_path)]) == 1
    assert "give another --out" in capsys.readouterr().err


def test_tasks_of_other_sources_play_when_they_ask_about_things_of_worlds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World("starter", seed=3, split="test")
    (tmp_path / "tasks.jsonl").write_bytes(b"\n".join(map(encode, world.tasks(2))))
    with (tmp_path / "pages.jsonl").open("w") as file:
        for page in world.pages():
            file.write(json.dumps({"url": page.url, "title": page.title, "html": page.html}) + "\n")
    name = f"file:{tmp_path / 'tasks.jsonl'}"
    words = ["--sources", name, "--backend", str(tmp_path / "pages.jsonl"), *SMALL[2:]]
    assert run_command("learned", [*words, "--out", str(tmp_path / "out")]) == 0
    rows = list(csv.DictReader((tmp_path / "out" / "learned.csv").read_text().splitlines()))
    assert {(row["source"], row["num_tasks"]) for row in rows} == {(name, "2")}
    assert max(float(row["item_f1"]) for row in rows) > 0
    words = ["--sources", "examples.task_source:trees", "--out", str(tmp_path / "other")]
    assert run_command("learned", words) == 2
    assert "expected questions about things of closed worlds" in capsys.readouterr().err
