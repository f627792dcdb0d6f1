from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wideseek_env.cli.commands import main
from wideseek_env.jsonlines import encode
from wideseek_env.records import Column, Task

GOLD = "k,v\na,1\nb,2\n"
GOOD = "```markdown\n| k | v |\n|---|---|\n| a | 1 |\n| b | 2 |\n```"
HALF = "| k | v |\n|---|---|\n| a | 1 |"
EVALUATION = {
    "required": ["k", "v"],
    "unique_columns": ["k"],
    "eval_pipeline": {
        "k": {"preprocess": ["norm_str"], "metric": ["exact_match"]},
        "v": {"preprocess": ["norm_str"], "metric": ["exact_match"]},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    for name in ("t1", "t2"):
        (tmp_path / "tables" / f"{name}.csv").write_text(GOLD)
    tasks = [
        {"instance_id": name, "query": "?", "evaluation": json.dumps(EVALUATION)}
        for name in ("t1", "t2")
    ]
    _write(tmp_path / "tasks.jsonl", tasks)
    return tmp_path


def _write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _score(folder: Path, *extra: str) -> int:
    paths = ["--tasks", "tasks.jsonl", "--tables", "tables", "--responses", "responses.jsonl"]
    located = [part if part.startswith("--") else str(folder / part) for part in paths]
    return main(["score", *located, *extra])


def _responses(folder: Path) -> None:
    rows = [
        {"instance_id": "t1", "response": GOOD, "trial_idx": 0},
        {"instance_id": "t1", "response": HALF, "trial_idx": 1, "messages": []},
        {"instance_id": "t2", "response": "nothing", "trial_idx": 0},
        {"instance_id": "t2", "response": "| k | v |\n|---|---|\n| z | 1 |", "trial_idx": 1},
    ]
    _write(folder / "responses.jsonl", rows)


def test_score_writes_one_line_for_each_response(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _responses(folder)
    out = folder / "scores.jsonl"
    assert _score(folder, "--out", str(out)) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["instance_id"], line["trial_idx"]) for line in lines] == [
        ("t1", 0),
        ("t1", 1),
        ("t2", 0),
        ("t2", 1),
    ]
    assert lines[0]["official"] == lines[0]["strict"] == dict.fromkeys(lines[0]["strict"], 1.0)
    assert list(lines[0]["strict"]) == [
        "success",
        "row_precision",
        "row_recall",
        "row_f1",
        "item_precision",
        "item_recall",
        "item_f1",
    ]
    assert lines[1]["strict"]["item_recall"] == lines[1]["official"]["item_recall"] == 0.5
    assert lines[0]["error"] is lines[2]["error"] is None
    assert "ValueError" in lines[3]["error"]
    shown = capsys.readouterr().out
    # success: t1 has trials 1 and 0, t2 has none right.
    assert "25.0 [0.0, 50.0]" in shown
    assert "50.0 [0.0, 100.0]" in shown
    assert "1 responses make the official scorer raise" in shown


def test_scorers_are_those_that_were_named_one_of_ones_own_among_them(folder: Path) -> None:
    wrong_cell = GOOD.replace("| 2 |", "| 3 |")
    _write(folder / "responses.jsonl", [{"instance_id": "t1", "response": wrong_cell}])
    out, own = folder / "scores.jsonl", "examples.scorer:whole_rows"
    for scorers in (["official"], ["strict"], [own, "strict"]):
        assert _score(folder, "--scorers", ",".join(scorers), "--out", str(out)) == 0
        (line,) = [json.loads(line) for line in out.read_text().splitlines()]
        assert set(line) == {"instance_id", "trial_idx", *scorers, "error"}
        if own in scorers:
            assert line[own]["item_f1"] == 0.5  # one of two rows is right
            assert line["strict"]["item_f1"] > 0.6


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "strikt",
            "scorers: expected one of official, strict, got 'strikt' (did you mean strict?)",
        ),
        ("strict,strict", "--scorers: expected at least one, and each once, got strict,strict"),
        ("wideseek_env.scoring:score_strict", "to be a scorer, an async function"),
    ],
)
def test_what_is_no_scorer_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], given: str, said: str
) -> None:
    _responses(folder)
    assert _score(folder, "--scorers", given, "--out", str(folder / "scores.jsonl")) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_score_bad_lines_are_named_and_counted_or_stop(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _responses(folder)
    with (folder / "responses.jsonl").open("a") as file:
        file.write('{"instance_id": "t1"\n{"instance_id": "t9", "response": ""}\n')
    out = str(folder / "scores.jsonl")
    assert _score(folder, "--out", out) == 0
    shown = capsys.readouterr().out
    assert "responses.jsonl, line 5" in shown
    assert "responses.jsonl, line 6: there is no task 't9'" in shown
    assert _score(folder, "--out", out, "--strict") == 1
    assert "line 5" in capsys.readouterr().err


def test_score_judge_that_is_away_makes_scores_invalid_not_zero(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncio.sleep", _no_sleep)
    _responses(folder)
    out = folder / "scores.jsonl"
    # Port 9 of this host discards; nothing listens there.
    judge = ["--judge", "http://127.0.0.1:9/v1", "--judge-model", "m"]
    assert _score(folder, "--out", str(out), *judge) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    for mode in ("official", "strict"):
        assert lines[0][mode]["item_f1"] == 1.0
        assert lines[3][mode] is None
        assert f"{mode}: judge m" in lines[3]["error"]
    assert "1 responses could not be scored" in capsys.readouterr().out


async def _no_sleep(delay: float) -> None:
    return None


def test_score_own_tasks_deep_ones_have_no_official_score(folder: Path) -> None:
    deep = Task("q", "?", (Column("answer"),), ("answer",), (("Paris",),), kind="deep")
    (folder / "tasks.jsonl").write_bytes(encode(deep) + b"\n")
    _write(folder / "responses.jsonl", [{"instance_id": "q", "response": "\\boxed{paris}"}])
    out = folder / "scores.jsonl"
    assert _score(folder, "--out", str(out)) == 0
    line = json.loads(out.read_text())
    assert line["official"] is None
    assert line["strict"]["success"] == 1.0
    assert "tables only" in line["error"]


def test_score_explain_prints_and_writes_a_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _responses(folder)
    page = folder / "page.html"
    assert _score(folder, "--explain", "t1", "--html", str(page)) == 0
    assert "✓ a" in capsys.readouterr().out
    assert "<td" in page.read_text()
    assert _score(folder, "--explain", "t9") == 2


def test_score_without_out_or_explain_says_what_to_give(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _responses(folder)
    assert _score(folder) == 2
    assert "--out" in capsys.readouterr().err


def test_score_without_a_response_to_a_task_fails_and_leaves_the_old_scores(
    folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _responses(folder)
    out = folder / "scores.jsonl"
    out.write_text("old")
    (folder / "tables" / "t1.csv").unlink()
    (folder / "tables" / "t2.csv").unlink()
    assert _score(folder, "--out", str(out)) == 1
    shown = capsys.readouterr()
    assert shown.out.count("cannot read the gold table") == 2
    assert not caplog.records  # each is named once
    assert "one of the 0 tasks" in shown.err
    assert out.read_text() == "old"


def test_score_out_that_is_an_input_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _responses(folder)
    before = (folder / "responses.jsonl").read_text()
    assert _score(folder, "--out", str(folder / "tables" / ".." / "responses.jsonl")) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (folder / "responses.jsonl").read_text() == before
