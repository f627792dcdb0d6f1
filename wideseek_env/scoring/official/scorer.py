"""Official mode: the figures that WideSearch's own scorer gives, its faults included.

Equal to its revision 9825ba7 with pandas 2.3.0 and dateparser 1.2.1 on every recorded response; the
faults are listed, each with the input that shows it, in `docs/scoring.md`. Use it to compare with
published numbers, and strict mode for everything else. Where the official scorer raises, it reports
0 in all figures; here the score is 0 as well, and `OfficialResult.error` says why.

The figures come out in four steps: `first_rows` drops rows that repeat a key, `merge` preprocesses
and joins, `mark` compares cells, `figures` counts. WideSearch asks its language model before the
first, after the first and in the third: `official_judged` does, and here no model is asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring.official.dates import utc_now
from wideseek_env.scoring.official.metrics import METRICS, PREPROCESS, OfficialRaises
from wideseek_env.scoring.official.pandas_csv import (
    Frame,
    Printed,
    ReadError,
    print_column,
    read_frame,
    read_rows,
)
from wideseek_env.scoring.tables import norm_column

ZERO = Score(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
UNPARSED = replace(ZERO, parsed=False)


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """One entry of `eval_pipeline`."""

    preprocess: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    criterion: Any = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """WideSearch's `evaluation` of one query, in its own spelling."""

    required: tuple[str, ...]
    unique_columns: tuple[str, ...]
    pipeline: Mapping[str, ColumnRule]

    @classmethod
    def of(cls, task: Task) -> Evaluation:
        """Returns the evaluation that a task stands for."""
        return cls(
            required=tuple(norm_column(name) for name in task.column_names),
            unique_columns=tuple(norm_column(name) for name in task.key_columns),
            pipeline={
                norm_column(column.name): ColumnRule(
                    column.preprocess, _metrics_of(column), column.criterion
                )
                for column in task.columns
            },
        )


def _metrics_of(column: Column) -> tuple[str, ...]:
    return () if column.metric == "none" else tuple(column.metric.split("+"))


@dataclass(frozen=True, slots=True)
class OfficialResult:
    """What the official scorer reports."""

    score: Score
    """Not bounded by 1: duplicates can pay twice."""
    error: str | None = None
    """Type and message of the exception that made every figure 0."""


class OfficialScorer:
    """Scores tables as WideSearch does.

    Args:
        now: UTC that dateparser completes dates from, naive; None: when this is made.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self.now = utc_now() if now is None else now

    async def __call__(self, task: Task, answer: str | None) -> Score:
        """Returns the official score of an answer."""
        return score_official(task, answer, self.now).score


def score_official(task: Task, answer: str | None, now: datetime) -> OfficialResult:
    """Returns what the official scorer reports for an answer at the time `now`."""
    evaluation = Evaluation.of(task)
    return score_frames(evaluation, read_gold(evaluation.required, task.gold), answer, now)


@lru_cache(maxsize=256)
def read_gold(required: Sequence[str], gold: Sequence[Sequence[str]]) -> Frame:
    """Returns a gold table as pandas reads it; kept, as many responses share one."""
    return {name: print_column([row[index] for row in gold]) for index, name in enumerate(required)}


def score_frames(
    evaluation: Evaluation, gold: Frame, answer: str | None, now: datetime
) -> OfficialResult:
    """Returns what the official scorer reports for a gold table that pandas has read."""
    try:
        table = None if answer is None else read_response(answer)
        if table is None or set(table) != set(evaluation.required):
            return OfficialResult(UNPARSED if table is None else ZERO)
        merged = merge(evaluation, *first_rows(evaluation, gold, table), now)
        return OfficialResult(figures(evaluation, merged, mark(evaluation, merged, now)))
    except (ReadError, OfficialRaises) as error:
        return OfficialResult(ZERO, str(error))


# --- the response ---------------------------------------------------------------------------------

_FIRST_FENCE = re.compile(r"```markdown(.*?)```", re.DOTALL)
_PIPED_LINES = re.compile(r"((?:\|.*\n?)+)")
_SPECIAL = frozenset('"\r\0\ufeff')
_RULE_CHARACTERS = frozenset("|- :")


def read_response(text: str) -> Frame | None:
    """Returns the table of a response, or None; the first ```` ```markdown ```` fence wins.

    Raises:
        ReadError: pandas cannot read it, or two of its columns have one name.
    """
    block = _find_block(text)
    if block is None:
        return None
    lines = block.strip().split("\n")
    lines[0] = lines[0].replace(" ", "").lower()
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in map(str.strip, lines)
        if "|" in line and not _RULE_CHARACTERS.issuperset(line)
    ]
    if not _SPECIAL.isdisjoint(block):  # pandas then parts lines and cells in its own way
        frame = read_frame("\n".join("|".join(row) for row in rows), "|")
    else:
        frame = read_rows(rows)
    names = [name for name in frame if not name.startswith("Unnamed")]
    columns = {norm_column(name): frame[name] for name in names}
    if len(columns) < len(names):
        raise ReadError(f"ValueError: two columns have one name after normalising: {names}")
    return columns


def _find_block(text: str) -> str | None:
    fenced = _FIRST_FENCE.search(text)
    if fenced:
        return fenced.group(1)
    if text.count("|") < 4:
        return None
    start = max(0, text.rfind("\n", 0, text.index("|")))
    end = text.find("\n", text.rindex("|"))
    found = _PIPED_LINES.search(text[start : len(text) if end < 0 else end])
    return found.group(1) if found else None


# --- the figures ----------------------------------------------------------------------------------

Cells: TypeAlias = dict[str, list[str]]
"""Column name to its cells, from the first row to the last."""
Marks: TypeAlias = dict[tuple[str, str], list[float]]
"""(column, metric) to the mark of each pair of rows, 0 or 1."""

MAPPED_METRICS = frozenset({"exact_match", "llm_judge"})
"""A key column with one of these has its names mapped to the gold table's by the language model."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Both tables after preprocessing, and the pairs of rows that the inner join made."""

    gold: Cells
    response: Cells
    pairs: list[tuple[int, int]]
    """(gold row, response row)."""


def first_rows(evaluation: Evaluation, gold: Frame, response: Frame) -> tuple[Cells, Cells]:
    """Returns the gold table's and the response's cells without the rows that repeat a key.

    Raises:
        OfficialRaises: the official scorer does.
    """
    keys = evaluation.unique_columns
    _check_names(evaluation)
    if not keys:
        raise OfficialRaises("ValueError: not enough values to unpack (expected 2, got 0)")
    for name in keys:
        if name not in response:
            raise OfficialRaises(f"KeyError: Index(['{name}'])")
    gold, response = _match_types(evaluation, gold, response)
    wanted, mine = _first_of_each_key(gold, keys), _first_of_each_key(response, keys)
    for name in _mapped_keys(evaluation):
        if f"{name}_before_map" in mine:  # the scorer notes there what the names were
            mine[f"{name}_before_map"] = mine[name]
    return wanted, mine


def _check_names(evaluation: Evaluation) -> None:
    """Raises where columns have the names that the scorer gives to columns of its own."""
    keys = set(evaluation.unique_columns)
    if len(set(evaluation.required)) < len(evaluation.required):
        raise OfficialRaises("ValueError: The label of a column required twice is not unique")
    for name in evaluation.required:
        if name in ("exist_flag_gt", "exist_flag_response"):
            raise OfficialRaises(f"KeyError: '{name}'")
        if name not in keys and not keys.isdisjoint((f"{name}_query", f"{name}_response")):
            raise OfficialRaises(f"MergeError: suffixes which cause duplicate columns of {name!r}")


def _mapped_keys(evaluation: Evaluation) -> list[str]:
    return [
        name
        for name in evaluation.unique_columns
        if name in evaluation.pipeline
        and not MAPPED_METRICS.isdisjoint(evaluation.pipeline[name].metrics)
    ]


def merge(evaluation: Evaluation, gold: Cells, response: Cells, now: datetime) -> Merged:
    """Returns both tables preprocessed, and joined by their keys.

    Raises:
        OfficialRaises: the official scorer does.
    """
    wanted = _preprocess(gold, evaluation, now)
    mine = _preprocess(response, evaluation, now)
    return Merged(wanted, mine, _join(wanted, mine, evaluation.unique_columns))


def figures(evaluation: Evaluation, merged: Merged, marks: Marks) -> Score:
    """Returns the score that the marks add up to."""
    num_answer, num_gold = _height(merged.response), _height(merged.gold)
    width = len(evaluation.required)
    row = _rates(sum(map(min, zip(*marks.values(), strict=True))), num_answer, num_gold)
    item = _rates(sum(map(sum, marks.values())), num_answer * width, num_gold * width)
    perfect = row == item == (1.0, 1.0, 1.0) or _equal_frames(evaluation, merged)
    return Score(float(perfect), *row, *item)


def _match_types(evaluation: Evaluation, gold: Frame, response: Frame) -> tuple[Frame, Frame]:
    """Prints a column of integers as floats when the other table has floats there."""
    gold, response = dict(gold), dict(response)
    for name in evaluation.required:
        types = (gold[name].dtype, response[name].dtype)
        if types == ("int64", "float64"):
            gold[name] = _as_floats(gold[name])
        elif types == ("float64", "int64"):
            response[name] = _as_floats(response[name])
    return gold, response


def _as_floats(column: Printed) -> Printed:
    return Printed([str(float(cell)) for cell in column.cells], "float64")


def _height(cells: Cells) -> int:
    return len(next(iter(cells.values())))


def _rates(right: float, num_answer: int, num_gold: int) -> tuple[float, float, float]:
    precision = right / num_answer if num_answer else 0.0
    recall = right / num_gold if num_gold else 0.0
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 1e-9 else 0.0


def _first_of_each_key(frame: Frame, keys: Sequence[str]) -> Cells:
    """Drops rows that repeat a key, letter by letter: `a` and `A` both stay."""
    first: dict[tuple[str, ...], int] = {}
    for index, key in enumerate(zip(*(frame[name].cells for name in keys), strict=True)):
        first.setdefault(key, index)
    if len(first) == len(frame[keys[0]].cells):
        return {name: column.cells for name, column in frame.items()}
    return {
        name: [column.cells[index] for index in first.values()] for name, column in frame.items()
    }


def _preprocess(cells: Cells, evaluation: Evaluation, now: datetime) -> Cells:
    cells = dict(cells)
    for name, rule in evaluation.pipeline.items():
        for function in rule.preprocess:
            if name not in cells:
                raise OfficialRaises(f"KeyError: '{name}'")
            if function not in PREPROCESS:
                raise OfficialRaises(f"AssertionError: preprocess_func_name {function}")
            apply = PREPROCESS[function]
            cells[name] = [apply(cell, now) for cell in cells[name]]
    return cells


def _join(gold: Cells, response: Cells, keys: Sequence[str]) -> list[tuple[int, int]]:
    """Returns every (gold row, response row) with equal keys: n times m of them, not one to one."""
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, key in enumerate(zip(*(gold[name] for name in keys), strict=True)):
        rows[key].append(index)
    return [
        (gold_row, index)
        for index, key in enumerate(zip(*(response[name] for name in keys), strict=True))
        for gold_row in rows.get(key, ())
    ]


def mark(evaluation: Evaluation, merged: Merged, now: datetime) -> Marks:
    """Returns the marks of all columns by rules alone; a key column is always right.

    Raises:
        OfficialRaises: the official scorer does.
    """
    marks: Marks = {}
    for name in evaluation.required:
        if name in evaluation.unique_columns:
            marks[name, "exact_match"] = [1.0] * len(merged.pairs)
            continue
        if name not in evaluation.pipeline:
            raise OfficialRaises(f"KeyError: '{name}'")
        rule = evaluation.pipeline[name]
        for metric in rule.metrics:
            marks[name, metric] = _mark_column(name, metric, rule.criterion, merged, now)
    return marks


def _mark_column(
    name: str, metric: str, criterion: Any, merged: Merged, now: datetime
) -> list[float]:
    pairs = merged.pairs
    if metric not in METRICS and pairs:
        raise OfficialRaises(f"AssertionError: metric_func_name {metric}")
    if metric not in ("llm_judge", "date_near") and not pairs:
        # pandas tries the metric on a row of NaN first, which only date_near survives.
        raise OfficialRaises(
            "ValueError: Cannot set a DataFrame with multiple columns to the single column "
            f"{name}_{metric}"
        )
    compare = METRICS[metric]
    mine, wanted = merged.response[name], merged.gold[name]
    return [compare(mine[a], wanted[g], criterion, now) for g, a in pairs]


def _equal_frames(evaluation: Evaluation, merged: Merged) -> bool:
    """Whether the sorted tables are equal, columns in order.

    Never so when the names in a key column are mapped: the scorer then adds a column to one side.
    """
    for name in _mapped_keys(evaluation):
        if f"{name}_before_map" not in merged.response:
            return False
    if list(merged.response) != list(evaluation.required):
        return False
    mine = sorted(zip(*merged.response.values(), strict=True))
    return mine == sorted(zip(*merged.gold.values(), strict=True))
