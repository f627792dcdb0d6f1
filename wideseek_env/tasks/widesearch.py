"""WideSearch and DeepWideSearch: JSON lines of questions, and a folder of gold tables as CSV.

Each line has `instance_id`, `query` or `question`, and `evaluation` (an object, or the same as JSON
text) with `required`, `unique_columns` and `eval_pipeline`; the gold table is in
`<instance_id>.csv`. The tables are kept cell by cell as published, their faults included, since the
official scorer's figures depend on them.

Source: WideSearch (arXiv 2508.07999), DeepWideSearch (arXiv 2510.20168).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wideseek_env.errors import DataError
from wideseek_env.records import Column, Task
from wideseek_env.scoring.official.pandas_csv import ReadError, fit_rows, split_rows
from wideseek_env.scoring.tables import norm_column
from wideseek_env.tasks.rows import load_rows

METRICS = ("exact_match", "number_near", "date_near", "url_match", "in_match", "llm_judge")


class Rule(msgspec.Struct):
    """One entry of `eval_pipeline`."""

    preprocess: list[str] = []
    metric: list[str] = []
    criterion: float | bool | str | None = None


class Evaluation(msgspec.Struct):
    """How one table is scored."""

    required: list[str]
    unique_columns: list[str]
    eval_pipeline: dict[str, Rule] = {}


class _Row(msgspec.Struct):
    instance_id: str
    evaluation: Any
    query: str = ""
    question: str = ""
    language: str = ""


def load_widesearch(
    path: Path | str,
    tables: Path | str,
    *,
    strict: bool = False,
    skipped: list[DataError] | None = None,
) -> Iterator[Task]:
    """Yields the tasks of a WideSearch or DeepWideSearch file, in its order.

    Args:
        path: the JSON lines.
        tables: folder of `<instance_id>.csv`.
        strict: whether a bad line, or a bad table, stops the reading.
        skipped: takes the errors of what was left out.

    Raises:
        DataError: the file cannot be read; or, when `strict`, a line or its table is bad.
    """
    folder = Path(tables)

    def make(row: _Row, number: int) -> Task:
        evaluation = read_evaluation(row.evaluation)
        header, body = _read_table(folder / f"{row.instance_id}.csv")
        names, gold = _take_columns(header, body, evaluation.required)
        return Task(
            id=row.instance_id,
            question=row.query or row.question,
            columns=tuple(
                column_of(name, evaluation.eval_pipeline.get(required))
                for name, required in zip(names, evaluation.required, strict=True)
            ),
            key_columns=tuple(
                names[evaluation.required.index(key)] for key in evaluation.unique_columns
            ),
            gold=gold,
            language=row.language or ("zh" if "zh" in row.instance_id else "en"),
        )

    return load_rows(Path(path), _Row, make, strict=strict, skipped=skipped)


def read_evaluation(value: object) -> Evaluation:
    """Returns an `evaluation`, given as an object or as JSON text, checked.

    Raises:
        ValueError: it is none, or its parts do not fit together.
    """
    try:
        evaluation = (
            msgspec.json.decode(value, type=Evaluation)
            if isinstance(value, str)
            else msgspec.convert(value, Evaluation)
        )
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(
            f"expected `evaluation` with required, unique_columns and eval_pipeline: {error}"
        ) from error
    if len(set(evaluation.required)) < len(evaluation.required):
        raise ValueError(f"expected each required column once, got {evaluation.required}")
    for name, rule in evaluation.eval_pipeline.items():
        if name not in evaluation.required and rule.preprocess:
            raise ValueError(
                f"expected rules with `preprocess` for required columns alone, got one for "
                f"{name!r}: the official scorer raises on every answer"
            )
    for key in evaluation.unique_columns:
        if key not in evaluation.required:
            raise ValueError(
                f"expected the key column {key!r} among the required ones {evaluation.required}"
            )
    return evaluation


def column_of(name: str, rule: Rule | None) -> Column:
    """Returns a column under its rule.

    A column without a rule gets the metric `""`: the official scorer raises on it unless it is a
    key, strict mode compares it as text. Of several metrics, or none, see `Column.metric`.

    Raises:
        ValueError: a metric is not known.
    """
    if rule is None:
        return Column(name, metric="", preprocess=())
    if not set(rule.metric) <= set(METRICS):
        raise ValueError(f"column {name!r}: expected metrics out of {METRICS}, got {rule.metric}")
    criterion = float(rule.criterion) if isinstance(rule.criterion, bool) else rule.criterion
    return Column(name, "+".join(rule.metric) or "none", tuple(rule.preprocess), criterion)


def _read_table(path: Path) -> tuple[Sequence[str], list[list[str]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        header, body, num_index = fit_rows(split_rows(text, ","))
    except (OSError, UnicodeDecodeError, ReadError, IndexError) as error:
        raise DataError(f"cannot read the gold table {path}: {error or 'it is empty'}") from error
    return header, [row[num_index:] for row in body]


def _take_columns(
    header: Sequence[str], body: Sequence[Sequence[str]], required: Sequence[str]
) -> tuple[list[str], tuple[tuple[str, ...], ...]]:
    """Returns the required columns' headers as the table spells them, and their cells."""
    where: Mapping[str, int] = {norm_column(name): i for i, name in reversed([*enumerate(header)])}
    twice = [name for name in where if [*map(norm_column, header)].count(name) > 1]
    if not set(twice).isdisjoint(required):
        raise ValueError(
            f"expected one column of each name in the gold table, got {twice} twice in {header}: "
            "the official scorer raises on every answer"
        )
    missing = [name for name in required if name not in where]
    if missing:
        raise ValueError(f"expected the gold table to have {missing}, got the headers {header}")
    indices = [where[name] for name in required]
    names = [header[index].strip() for index in indices]
    return names, tuple(tuple(row[index] for index in indices) for row in body)
