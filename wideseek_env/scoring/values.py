"""What one cell says: each is read by its column's rules, and never by the cells beside it.

`read_value` turns a cell into a `Value`; two cells with equal values are equal for every metric.
`same` adds what a column's metric allows beyond that: a tolerance, 31 days, a part of the text.
`docs/scoring.md` states each rule beside the defect that it closes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from fractions import Fraction
from functools import lru_cache, partial
from typing import Literal, NamedTuple, TypeAlias

from wideseek_env.records import Column
from wideseek_env.scoring.dates import read_date, same_date
from wideseek_env.scoring.numbers import InHeader, Number, near, read_header, read_number
from wideseek_env.scoring.text import bare_text
from wideseek_env.scoring.urls import read_urls

Kind: TypeAlias = Literal["text", "words", "number", "date", "url"]
"""How a column's cells are read; words: as text, with a blank between words."""


class Value(NamedTuple):
    """What a cell says, in a form that is equal for equal meanings."""

    kind: Literal["missing", "text", "number", "date", "url"]
    form: Hashable
    """missing: None; text: the bare text; number: `Number`; date: `Date`; url: the addresses."""


MISSING = Value("missing", None)

_MISSING_WORDS = frozenset(
    ("", "n/a", "#n/a", "na", "nan", "<na>", "nat", "null", "none", "unknown", "未知", "不详")
)
MAX_KEPT_CHARS = 300
"""A longer cell is read each time: 65,536 of them would fill the memory."""


def kind_of(column: Column) -> Kind:
    """Returns how the cells of a column are read."""
    if column.metric == "url_match":
        return "url"
    if column.metric == "date_near" or "norm_date" in column.preprocess:
        return "date"
    if column.metric == "number_near" or "extract_number" in column.preprocess:
        return "number"
    return "words" if column.metric == "in_match" else "text"


def read_value(cell: str, column: Column) -> Value:
    """Returns what a cell of this column says; a cell that is no number, date or URL is text."""
    return reader_of(column, keep=len(cell) <= MAX_KEPT_CHARS)(cell)


def reader_of(column: Column, *, keep: bool = True) -> Callable[[str], Value]:
    """Returns `read_value` for one column, for reading many cells of it.

    Args:
        column: whose cells.
        keep: whether what was read is kept for the next time; not for cells above `MAX_KEPT_CHARS`.
    """
    kind = kind_of(column)
    header = column.name if kind == "number" and read_header(column.name) != InHeader() else ""
    return partial(_read_kept if keep else _read, kind, header)


def same(answer: Value, gold: Value, column: Column) -> bool:
    """Returns whether an answer's cell matches a gold cell under the column's metric."""
    if answer == gold:
        return True
    if answer.kind != gold.kind or gold.kind == "missing":
        return False
    if isinstance(answer.form, Number) and isinstance(gold.form, Number):
        return near(answer.form, gold.form, _tolerance(column.metric, column.criterion))
    if gold.kind == "date":
        is_near = column.metric == "date_near"
        return same_date(answer.form, gold.form, near=is_near)  # type: ignore[arg-type]
    if column.metric == "in_match":
        return _is_large_part(str(answer.form), str(gold.form))
    return False


@lru_cache
def _tolerance(metric: str | None, criterion: object) -> Fraction:
    if metric == "number_near" and isinstance(criterion, int | float):
        return Fraction(str(criterion))
    return Fraction(0)


def _read(kind: Kind, header: str, cell: str) -> Value:
    if kind == "number":
        number = read_number(cell, read_header(header))
        if number is not None:
            return Value("number", number)
    elif kind == "date":
        found = read_date(cell)
        if found is not None:
            return Value("date", found)
    text = bare_text(cell)
    if text in _MISSING_WORDS or not text.strip("-/."):
        return MISSING
    if kind == "url":
        addresses = read_urls(cell)
        if addresses is not None:
            return Value("url", addresses)
    elif kind == "words":
        return Value("text", " ".join(filter(None, map(bare_text, cell.split()))))
    return Value("text", _plain_integer(text) if text[-1].isdigit() else text)


_read_kept = lru_cache(maxsize=1 << 16)(_read)


# --- text ---------------------------------------------------------------------------------------

_INTEGER_TEXT = re.compile(r"(-?(?:\d+|\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+))(?:\.0+)?", re.ASCII)


def _plain_integer(text: str) -> str:
    """Returns `1,234` and `1234.0` as `1234`; leading zeros stay, as 007 is a name."""
    found = _INTEGER_TEXT.fullmatch(text)
    return found.group(1).replace(",", "").replace(" ", "") if found else text


_LETTER = re.compile("[0-9a-z\u00df-\u052f]")
"""Of a script that parts its words: Latin, Greek, Cyrillic."""


_NEGATION = re.compile(
    r"\b(?:not|no|non|never|nor|neither|without|except|excluding|anti|un|former|formerly|ex)\b|n't\b|[不非无無未没]"
)


def _is_large_part(answer: str, gold: str) -> bool:
    """Whether the answer is words of the gold text, at least half of it, and no denied ones."""
    if 2 * len(answer) < len(gold):
        return False
    start = gold.find(answer)
    while start >= 0:
        before, after = gold[:start], gold[start + len(answer) :]
        if not (_LETTER.match(before[-1:]) or _LETTER.match(after[:1])):
            return _NEGATION.search(f"{before} {after}") is None
        start = gold.find(answer, start + 1)
    return False
