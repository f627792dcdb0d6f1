"""Any task file: which data set it is follows from the fields of its first line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import decode_task, read_json_lines
from wideseek_env.records import Task
from wideseek_env.tasks.qa import load_qa
from wideseek_env.tasks.rows import load_rows
from wideseek_env.tasks.widesearch import load_widesearch
from wideseek_env.tasks.wideseek_r1 import load_wideseek_r1


def load_tasks(
    path: Path | str,
    tables: Path | str | None = None,
    *,
    strict: bool = False,
    skipped: list[DataError] | None = None,
) -> Iterator[Task]:
    """Yields the tasks of a file: this project's, WideSearch's, WideSeek-R1's, or plain questions.

    Args:
        path: JSON lines, plain or `.gz`.
        tables: folder of the gold tables; WideSearch's format needs it.
        strict: whether a bad line stops the reading.
        skipped: takes the errors of the lines left out.

    Raises:
        DataError: the file cannot be read or is of no known format, or lacks its tables; or, when
            `strict`, a line holds no task.
    """
    path = Path(path)
    fields = _fields_of_first_line(path)
    if {"columns", "gold"} <= fields:
        return load_rows(path, dict, _own_task, strict=strict, skipped=skipped)
    if "evaluation" in fields and "answer" not in fields:
        if tables is None:
            raise DataError(f"{path} is in WideSearch's format: say where its gold tables are")
        return load_widesearch(path, tables, strict=strict, skipped=skipped)
    if {"question", "answer"} <= fields:
        is_wide = fields & {"unique_columns", "is_markdown", "evaluation"}
        loader = load_wideseek_r1 if is_wide else load_qa
        return loader(path, strict=strict, skipped=skipped)
    raise DataError(
        f"{path}: expected tasks of this project, WideSearch, WideSeek-R1 or questions with "
        f"answers; the first line has the fields {sorted(fields)}"
    )


def _fields_of_first_line(path: Path) -> set[str]:
    for row in read_json_lines(path, dict):
        if isinstance(row, dict):
            return set(row)
    raise DataError(f"{path}: expected JSON lines, one task each, got none that can be read")


def _own_task(row: dict[str, Any], number: int) -> Task:
    return decode_task(msgspec.json.encode(row))
