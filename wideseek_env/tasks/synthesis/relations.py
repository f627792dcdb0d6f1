"""Typed relations: rows with a key, columns that can be checked by rules, a source for each cell.

Readers of pages (`pagetables`, `things`) make them, programs are executed on them. A cell keeps the
page's own text; what it says is read exactly as the strict scorer reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal, TypeAlias

import msgspec

from wideseek_env.records import Column
from wideseek_env.scoring.numbers import Number
from wideseek_env.scoring.text import bare_text
from wideseek_env.scoring.values import MISSING, Value, reader_of

Kind: TypeAlias = Literal["text", "number", "year", "date", "url"]

MAX_TEXT_CHARS = 60
"""Longer cells are prose, which no two people copy alike."""
_MAX_KEYS = 2
_NUMBER = re.compile(
    r"[-+−–]?(?P<currency>[$€£¥]?)(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
    r"(?:\s?(?P<unit>%|°[CF]?|[A-Za-zµ]{1,6}[²³23]?(?:/[a-z]{1,3})?))?",
    re.ASCII,
)
_YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}", re.ASCII)
_YEAR_NAME = re.compile(r"(?i)\b(?:year|season|founded|established|released?|since)\b")
_UNFIT_TEXT = re.compile(r"[\[\]†‡§*\n\t|<>{}]|https?:|\.\.\.|…|^\?+$|\b(?:details|edit)$|\d°\d")
_MAX_MIXED_SHARE = 0.2
"""Of cells of a text column that are numbers or dates: more of them show a table gone wrong."""
_URL = re.compile(r"https?://\S+")


class Field(msgspec.Struct, frozen=True):
    """A column of a relation."""

    name: str
    """As the page has it."""
    kind: Kind
    unit: str = ""
    """Of numbers whose cells all carry it; empty where the name tells it or there is none."""

    @property
    def label(self) -> str:
        """As questions name it, with its unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def column(self) -> Column:
        """How the strict scorer compares its cells."""
        if self.kind in ("number", "year"):
            return Column(self.label, "number_near", ("extract_number",), 0.0)
        if self.kind == "date":
            return Column(self.label, "date_near", ("norm_date",))
        if self.kind == "url":
            return Column(self.label, "url_match", ())
        return Column(self.label)


class Relation(msgspec.Struct, frozen=True, dict=True):
    """Rows that a program can be executed on."""

    id: str
    place: str
    """What it is a relation of: the page's title, or the things, such as "rivers in Varnia"."""
    part: str
    """The heading or caption of the table; empty for things, and where the page has but one."""
    group: str
    """Relations of one group go to the same side of the split in training and test."""
    fields: tuple[Field, ...]
    keys: tuple[int, ...]
    """The fields that tell rows apart."""
    rows: tuple[tuple[str, ...], ...]
    urls: tuple[str, ...]
    """Pages that it comes from."""
    at: tuple[tuple[tuple[int, ...], ...], ...] = ()
    """Which of `urls` hold each cell, [row][field]; empty: there is one, and it holds all."""
    unread: tuple[str, ...] = ()
    """Names of the table's other columns, whose cells cannot be checked."""
    aliases: Mapping[str, tuple[str, ...]] = {}
    """Further spellings of cells."""

    @property
    def of_things(self) -> bool:
        """Whether its rows are pages about one thing each, and not rows of a table."""
        return self.id.startswith("things:")

    def sources(self, row: int, field: int) -> tuple[str, ...]:
        """Pages that hold a cell."""
        if not self.at:
            return self.urls
        return tuple(self.urls[number] for number in self.at[row][field])

    def values(self, field: int) -> list[Value]:
        """What the cells of a field say; read once."""
        kept: dict[int, list[Value]] = self.__dict__.setdefault("_values", {})
        if field not in kept:
            read = reader_of(self.fields[field].column())
            kept[field] = [read(row[field]) for row in self.rows]
        return kept[field]

    def index(self, label: str) -> int:
        """Number of the field with this label; case and blanks do not count.

        Raises:
            ValueError: there is none.
        """
        wanted = bare_text(label)
        for number, field in enumerate(self.fields):
            if wanted in (bare_text(field.label), bare_text(field.name)):
                return number
        raise ValueError(f"expected one of {[f.label for f in self.fields]}, got {label!r}")


def read_field(name: str, cells: Sequence[str]) -> Field | None:
    """Finds the type of a column; None when its cells cannot be checked by rules.

    Blank cells are passed over, but at least two must be there, and half of all.
    """
    present = [cell for cell in cells if bare_text(cell).strip("-/.")]
    if len(present) < 2 or 2 * len(present) < len(cells):
        return None
    field = _number_field(name, present)
    if field is None and all(_URL.fullmatch(cell) for cell in present):
        field = Field(name, "url")
    if field is None and all(_is_day(cell) for cell in present):
        field = Field(name, "date")
    if field is not None:
        read = reader_of(field.column())
        wanted = "number" if field.kind in ("number", "year") else field.kind
        if all(read(cell).kind == wanted for cell in present):
            return field
        return None
    if any(len(c) > MAX_TEXT_CHARS or _UNFIT_TEXT.search(c) for c in present):
        return None
    if not any(character.isalpha() for cell in present for character in cell):
        return None  # scores, ratios, ranges of years: each writes them otherwise
    mixed = sum(1 for cell in present if _NUMBER.fullmatch(cell) or _is_day(cell))
    if mixed > _MAX_MIXED_SHARE * len(present):
        return None
    return Field(name, "text")


def _number_field(name: str, present: Sequence[str]) -> Field | None:
    found = [_NUMBER.fullmatch(cell) for cell in present]
    units = {(m["currency"] or m["unit"] or "") if m else None for m in found}
    if len(units) != 1 or None in units:
        return None
    unit = units.pop() or ""
    if not unit and all(_YEAR.fullmatch(cell) for cell in present):
        if _YEAR_NAME.search(name):
            return Field(name, "year")
        return Field(name, "number")
    return Field(name, "number", "" if unit and unit.casefold() in name.casefold() else unit)


_DAY_COLUMN = Column("", "date_near", ("norm_date",))
_read_day = reader_of(_DAY_COLUMN)


def _is_day(cell: str) -> bool:
    value = _read_day(cell)
    return value.kind == "date" and isinstance(value.form, tuple) and 0 not in value.form


def find_keys(fields: Sequence[Field], columns: Sequence[Sequence[Value]]) -> tuple[int, ...]:
    """Finds the fewest fields that tell rows apart, texts first; one of them must be no number.

    Args:
        fields: of the relation.
        columns: values of each field, row by row.
    """
    rank = {"text": 0, "date": 1, "year": 2, "url": 3, "number": 4}
    order = sorted(
        (i for i in range(len(fields)) if MISSING not in columns[i]),
        key=lambda i: (rank[fields[i].kind], i),
    )
    for size in range(1, _MAX_KEYS + 1):
        for chosen in combinations(order, size):
            if all(fields[i].kind == "number" for i in chosen):
                continue
            rows = list(zip(*(columns[i] for i in chosen), strict=True))
            if rows and len(set(rows)) == len(rows):
                return tuple(sorted(chosen))
    return ()


def size_of(value: Value) -> object:
    """What values of one number, year or date field are ordered by."""
    return value.form.size if isinstance(value.form, Number) else value.form
