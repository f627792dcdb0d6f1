"""Tasks in the forms of others: WideSeek-R1's `width_20k` for training, WideSearch's for tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wideseek_env.records import Task
from wideseek_env.scoring.tables import norm_column, write_table
from wideseek_env.worlds.files import write_lines


def as_wideseek_r1(task: Task) -> bytes:
    """Writes a task as a line of `width_20k`, with WideSearch's rules beside it."""
    return msgspec.json.encode(
        {
            "instance_id": task.id,
            "question": task.question,
            "answer": write_table(task.column_names, task.gold),
            "unique_columns": [norm_column(name) for name in task.key_columns],
            "is_markdown": True,
            "language": task.language,
            "evaluation": evaluation_of(task),
        }
    )


def write_widesearch(tasks: Sequence[Task], path: Path, tables: Path) -> None:
    """Writes tasks as WideSearch does: one line each, and a CSV file for each gold table."""
    tables.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows([task.column_names, *task.gold])
        (tables / f"{task.id}.csv").write_text(written.getvalue(), encoding="utf-8")
    write_lines(path, map(_as_widesearch, tasks))


def _as_widesearch(task: Task) -> bytes:
    return msgspec.json.encode(
        {
            "instance_id": task.id,
            "query": task.question,
            "evaluation": msgspec.json.encode(evaluation_of(task)).decode(),
            "language": task.language,
        }
    )


def evaluation_of(task: Task) -> dict[str, Any]:
    """The rules of a task's columns as WideSearch writes them."""
    pipeline: dict[str, Mapping[str, Any]] = {
        norm_column(column.name): {
            "preprocess": list(column.preprocess),
            "metric": [column.metric],
            "criterion": column.criterion,
        }
        for column in task.columns
    }
    return {
        "required": [norm_column(name) for name in task.column_names],
        "unique_columns": [norm_column(name) for name in task.key_columns],
        "eval_pipeline": pipeline,
    }
