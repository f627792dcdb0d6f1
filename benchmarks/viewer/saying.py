"""Where a text says a cell of the gold table: on which line of a page, a snippet or a report.

A cell is said on a line that holds its value: a text word for word (but for case, width, dashes and
links), a number or date in any spelling that the scorer reads as equal. In a text about many rows
the line must also be about the cell's row: a line is about the rows whose keys it names, or, where
it names none, about those of the last line that does, as in a list under a heading.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from wideseek_env.records import Column, Task
from wideseek_env.scoring.numbers import Number
from wideseek_env.scoring.text import SAME_CHARACTER, nfkc
from wideseek_env.scoring.values import Value, kind_of, read_value

_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)")
_PIECE = re.compile(r"\s*[|;\t]\s*|:\s+")
_PARTS_WORDS = re.compile("[0-9a-z\u00df-\u052f]")
"""Of a script that parts its words, so that a value may not begin or end inside one."""
_EDGES = "()[]{}*_\"'“”.,;:!?"
_YEAR_OF_DATE = re.compile(r"\b(\d{4})-\d\d-\d\d\b")
_MAX_WORDS = 4
"""Of a number or date in running text: `12.5 thousand square kilometres`, `24 September 1658`."""


class Sayings:
    """Finds the cells of one task in texts.

    Args:
        task: a task with a gold table.
        other_keys: keys of rows that nobody asked for, as an answer has them: a line about one of
            these is not about the gold row that was named before it.
    """

    def __init__(self, task: Task, other_keys: Iterable[Sequence[str]] = ()) -> None:
        self._task = task
        names = task.column_names
        self._keys = [names.index(name) for name in task.key_columns] or [0]
        self._rows_of: dict[str, list[tuple[int, int]]] = {}
        for row, cells in enumerate(task.gold):
            for place, column in enumerate(self._keys):
                for spelling in self._spellings(cells[column]):
                    self._rows_of.setdefault(_folded(spelling), []).append((row, place))
        for number, key in enumerate(other_keys):
            for place, cell in enumerate(key):
                row_of = self._rows_of.setdefault(_folded(cell), [])
                row_of.append((len(task.gold) + number, place))
        spellings = sorted(filter(None, self._rows_of), key=len, reverse=True)
        self._key = re.compile("|".join(map(_bounded, spellings)) or r"(?!)")
        self._owners: dict[str, list[frozenset[int]]] = {}

    def line_of(self, text: str, row: int, column: int, *, about: bool) -> int | None:
        """Returns the line, from 0, on which a text says a gold cell; None: on none.

        Args:
            text: what an agent was shown, or wrote.
            row: of the gold table.
            column: likewise.
            about: whether the text is of a page that holds the cell: then any line of it counts, a
                line about the row before others, unless it names other rows alone (a list's part).
        """
        cell = self._task.gold[row][column]
        lines = [
            line
            for spelling in self._spellings(cell)
            for line in lines_saying(text, spelling, self._task.columns[column])
        ]
        if not lines:
            return None
        owners = self._lines_about(text)
        of_row = [line for line in lines if row in owners[line]]
        if of_row:
            return min(of_row)
        named = frozenset().union(*owners)
        return min(lines) if about and (row in named or not named) else None

    def line_of_other(self, text: str, row: int, column: int, value: str) -> int | None:
        """Returns the line on which a text says another value for a cell of a row; None: on none.

        Args:
            text: as in `line_of`.
            row: of the gold table, or from its end on, of `other_keys`.
            column: of the gold table.
            value: what the cell is said to be.
        """
        owners = self._lines_about(text)
        lines = lines_saying(text, value, self._task.columns[column])
        return min((line for line in lines if row in owners[line]), default=None)

    def _spellings(self, cell: str) -> tuple[str, ...]:
        return (cell, *self._task.aliases.get(cell, ()))

    def _lines_about(self, text: str) -> list[frozenset[int]]:
        """Returns for each line of a text the rows that it is about."""
        known = self._owners.get(text)
        if known is None:
            known = self._owners[text] = list(self._owners_of(text))
        return known

    def _owners_of(self, text: str) -> Iterator[frozenset[int]]:
        rows: frozenset[int] = frozenset()
        for line in folded_lines(text):
            named: dict[int, set[int]] = {}
            for found in self._key.finditer(line):
                for row, place in self._rows_of[found[0]]:
                    named.setdefault(row, set()).add(place)
            whole = frozenset(r for r, places in named.items() if len(places) == len(self._keys))
            rows = whole or rows
            yield rows


def lines_saying(text: str, cell: str, column: Column) -> list[int]:
    """Returns the lines, from 0, on which a text has a value of a column; a blank is on none."""
    value = read_value(cell, column)
    if value.kind == "missing":
        return []
    if value.kind in ("number", "date"):
        known = _values_of(text, column)
        return sorted({line for key in _wanted(value) for line in known.get(key, ())})
    folded = _folded(cell)
    if folded not in "\n".join(folded_lines(text)):
        return []  # by far the most texts
    wanted = re.compile(_bounded(folded))
    return [number for number, line in enumerate(folded_lines(text)) if wanted.search(line)]


@lru_cache(maxsize=256)
def folded_lines(text: str) -> tuple[str, ...]:
    """Returns the lines of a text as they are compared."""
    return tuple(_folded(_LINK.sub(r"\1", line)) for line in text.split("\n"))


def _folded(text: str) -> str:
    return " ".join(nfkc(text).translate(SAME_CHARACTER).casefold().split())


def _bounded(folded: str) -> str:
    """Returns the pattern of a text that is no part of a longer word or number."""
    before = r"(?<![\w])" if _PARTS_WORDS.match(folded[:1]) else ""
    after = r"(?![\w])" if _PARTS_WORDS.match(folded[-1:]) else ""
    if folded[-1:].isdigit():
        after += r"(?![.,]\d)"
    if folded[:1].isdigit():
        before += r"(?<!\d[.,])"
    return before + re.escape(folded) + after


@lru_cache(maxsize=256)
def _values_of(text: str, column: Column) -> dict[Hashable, tuple[int, ...]]:
    """Returns the numbers (or dates) of a text, each with the lines that have it.

    Numbers are read twice, as a table's header gives bare ones a unit and a scale that running text
    spells out: `37,000,000 crowns` stands for 37 under `Cost (million crowns)`.
    """
    found: dict[Hashable, dict[int, None]] = {}
    is_date = kind_of(column) == "date"
    readers = [column] if is_date else [column, replace(column, name="")]
    for number, line in enumerate(text.split("\n")):
        if not any(map(str.isdigit, line)):
            continue
        for candidate, unit_follows in dict.fromkeys(_candidates(_LINK.sub(r"\1", line))):
            for reader in readers:
                keys = _said(read_value(candidate, reader))
                for key in keys[:1] if unit_follows else keys:
                    found.setdefault(key, {})[number] = None
    return {value: tuple(lines) for value, lines in found.items()}


def _said(value: Value) -> tuple[Hashable, ...]:
    """Returns the keys under which a number or date of a text is found; () for a text."""
    if isinstance(value.form, Number):
        number = value.form
        exact = _in_unit(number) if number.unit else ("no unit", number)
        return (("any unit", number._replace(unit=None)), exact)
    return (value.form,) if value.kind == "date" else ()


def _wanted(value: Value) -> Iterator[Hashable]:
    """Yields the keys of `_said` that say a number or date; see `numbers.near`."""
    if isinstance(value.form, Number):
        number = value.form
        bare = number._replace(unit=None)
        if number.unit is None:
            yield ("any unit", bare)
        else:
            yield ("no unit", bare)
            yield _in_unit(number)
    else:
        yield value.form


def _in_unit(number: Number) -> Hashable:
    """Returns what is equal for one quantity in different units: 0.671 km and 671 m."""
    unit = number.unit
    if unit is None:
        return number
    ends = [
        None if end is None else Fraction(end) * unit.factor + unit.offset
        for end in (number.size, number.high)
    ]
    return (unit.dimension, *ends, number.bound)


def _candidates(line: str) -> Iterator[tuple[str, bool]]:
    """Yields the parts of a line that may be a number or a date: cells, and words with digits.

    With each, whether it is a bare number before a word that may be its unit: the 13 of `13 m` has
    not the unit that a column's header gives to bare numbers.
    """
    for year in _YEAR_OF_DATE.findall(line):
        yield year, False
    for piece in _PIECE.split(line):
        words = piece.split()
        if len(words) <= 2 * _MAX_WORDS:
            yield piece.strip(_EDGES + " "), False
        for at, word in enumerate(words):
            if not any(map(str.isdigit, word)):
                continue
            for begin in range(max(at - 1, 0), at + 1):
                for end in range(at + 1, min(begin + _MAX_WORDS, len(words)) + 1):
                    unit_follows = end == at + 1 < len(words) and word[-1].isalnum()
                    yield " ".join(words[begin:end]).strip(_EDGES), unit_follows
