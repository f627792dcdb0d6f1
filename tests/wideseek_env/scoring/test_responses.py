from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from wideseek_env.errors import DataError
from wideseek_env.records import Column, Task
from wideseek_env.scoring.responses import by_task, read_responses, score_responses

GOOD, NONE = "| k | v |\n|---|---|\n| x | 1 |\n| y | 2 |", "none"
TASKS = {
    name: Task(name, "?", (Column("k"), Column("v")), ("k",), (("x", "1"), ("y", "2")))
    for name in ("a", "b")
}


def row(response: str, trial: int | None = None, task: str = "a") -> dict[str, Any]:
    return {"instance_id": task, "response": response, "trial_idx": trial}


def averages(path: Path, rows: list[dict[str, Any]]) -> tuple[list[float], int]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    skipped: list[DataError] = []
    responses = read_responses(path, TASKS, strict=False, skipped=skipped)

    async def score() -> list[Any]:
        return [s async for s in score_responses(responses, TASKS, now=datetime(2026, 1, 1))]

    trials = by_task(asyncio.run(score()), "strict", "item_f1")
    return [sum(figures) / len(figures) for figures in trials], len(skipped)


@pytest.mark.parametrize(
    ("rows", "expected", "num_skipped"),
    [
        ([row(GOOD, 0)] * 3 + [row(NONE, 1)], [0.5], 2),
        ([row(NONE, 0), row(GOOD, 0)], [1.0], 1),
        ([row(GOOD, 0), row(NONE, 0)], [0.0], 1),
        ([row(GOOD, 0), row(NONE, 1)], [0.5], 0),
        ([row(GOOD, 0), row(NONE, 0, "b")], [1.0, 0.0], 0),
        ([row(GOOD), row(NONE)], [0.5], 0),
        ([row(GOOD), row(NONE, 0)], [0.5], 0),
        ([row(GOOD, 1), row(NONE, 2)], [0.5], 0),
        ([row(GOOD, 5), row(NONE), row(GOOD, 5)], [0.5], 1),
        ([row(NONE, 0), row(GOOD, 1), row(GOOD, 0), row(NONE, 1)], [0.5], 2),
        ([row(NONE, 0)] * 4, [0.0], 3),
    ],
)
def test_trial_that_is_written_again_counts_once(
    rows: list[dict[str, Any]], expected: list[float], num_skipped: int, tmp_path: Path
) -> None:
    assert averages(tmp_path / "r.jsonl", rows) == (expected, num_skipped)


def test_trial_that_is_written_again_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row(GOOD, 3)) + "\n" for _ in range(2)), encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: trial 3 of 'a' is written again in line 2"):
        read_responses(path, TASKS, strict=True, skipped=[])
