"""WideSeek-R1's data: `width_20k`, `depth_20k`, `hybrid_20k`, and its corrected WideSearch test.

Each line has `question`, `answer` (a Markdown table, or a text or list of texts for a question with
one answer), `unique_columns`, `instance_id`, and sometimes `is_markdown`, `language` and
`evaluation` (as in WideSearch).

Source: WideSeek-R1 (arXiv 2602.04634).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wideseek_env.errors import DataError
from wideseek_env.records import Column, Task
from wideseek_env.scoring.tables import Table, norm_column, read_table
from wideseek_env.scoring.values import MISSING, read_value
from wideseek_env.tasks.qa import make_deep_task
from wideseek_env.tasks.rows import load_rows
from wideseek_env.tasks.widesearch import column_of, read_evaluation


class _Row(msgspec.Struct):
    question: str
    answer: str | list[str]
    unique_columns: list[str] = []
    instance_id: str | int = ""
    is_markdown: bool | None = None
    language: str = ""
    evaluation: Any = None


def load_wideseek_r1(
    path: Path | str, *, strict: bool = False, skipped: list[DataError] | None = None
) -> Iterator[Task]:
    """Yields the tasks of a WideSeek-R1 file, wide and deep ones mixed as the file has them.

    Columns of a table without `evaluation` are read by what their gold cells are: numbers as
    numbers, everything else as text that a judge may be asked about.

    Args:
        path: JSON lines, plain or `.gz`.
        strict: whether a bad line stops the reading.
        skipped: takes the errors of the lines left out.

    Raises:
        DataError: the file cannot be read; or, when `strict`, a line holds no task.
    """
    stem = Path(path).name.partition(".")[0]

    def make(row: _Row, number: int) -> Task:
        task_id = str(row.instance_id) or f"{stem}_{number}"
        language = row.language or ("zh" if "zh" in task_id else "en")
        is_table = row.is_markdown
        if is_table is None:
            is_table = isinstance(row.answer, str) and read_table(row.answer) is not None
        if not is_table:
            answers = [row.answer] if isinstance(row.answer, str) else row.answer
            return make_deep_task(task_id, row.question, answers, language)
        return _make_wide_task(row, task_id, language)

    return load_rows(Path(path), _Row, make, strict=strict, skipped=skipped)


def _make_wide_task(row: _Row, task_id: str, language: str) -> Task:
    table = read_table(row.answer) if isinstance(row.answer, str) else None
    if table is None or not table.rows:
        raise ValueError(f"expected a Markdown table with rows as `answer`, got {row.answer!r:.80}")
    columns = _columns(table, row.evaluation)
    names = {norm_column(column.name): column.name for column in columns}
    missing = [key for key in row.unique_columns if norm_column(key) not in names]
    if missing:
        raise ValueError(f"expected the table to have the key columns {missing}: {table.header}")
    keep = [table.header.index(column.name) for column in columns]
    keys = tuple(names[norm_column(key)] for key in row.unique_columns)
    return Task(
        id=task_id,
        question=row.question,
        columns=columns,
        key_columns=keys or (columns[0].name,),
        gold=tuple(tuple(cells[index] for index in keep) for cells in table.rows),
        language=language,
    )


def _columns(table: Table, evaluation: object) -> tuple[Column, ...]:
    if evaluation is None:
        return tuple(
            _guess_column(name, [row[index] for row in table.rows])
            for index, name in enumerate(table.header)
        )
    rules = read_evaluation(evaluation)
    headers = {norm_column(name): name for name in reversed(table.header)}
    required = [norm_column(name) for name in rules.required]
    missing = [name for name in required if name not in headers]
    if missing:
        raise ValueError(f"expected the table to have the columns {missing}: {table.header}")
    pipeline = {norm_column(name): rule for name, rule in rules.eval_pipeline.items()}
    return tuple(column_of(headers[name], pipeline.get(name)) for name in required)


def _guess_column(name: str, cells: Sequence[str]) -> Column:
    number = Column(name, "number_near", ("extract_number",), 0.0)
    values = [read_value(cell, number) for cell in cells]
    present = [value for value in values if value != MISSING]
    if present and all(value.kind == "number" for value in present):
        return number
    return Column(name, "llm_judge")
