"""Tasks out of tables that stand on real pages: "list the table with these columns on that page".

Any corpus whose tables somebody has taken out of the pages becomes a set of tasks with exact gold
tables, which the scripted and learned agents play end to end on a `FolderBackend`.
"""

from __future__ import annotations

import logging
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path

import msgspec

from wideseek_env.backends.html.text import one_line
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines
from wideseek_env.records import Column, Task
from wideseek_env.scoring.text import bare_text
from wideseek_env.scoring.values import MISSING, read_value

_LOG = logging.getLogger(__name__)
_MAX_KEY_COLUMNS = 3
_QUESTIONS = (
    "List every row of the table with the columns {columns} on the page “{title}”.",
    "The page “{title}” has a table with the columns {columns}. Give the whole table, one line for "
    "each of its rows.",
    "What does the table on the page “{title}” say? It has the columns {columns}. List all rows.",
    "Find the page “{title}” and copy its table with the columns {columns}. Leave out no row.",
)
# Pages have several tables with the same columns (men and women, each season): the key of the first
# row says which is meant, and gives no more away than that.
_WHICH_TABLE = " Its first row is that of “{first}”."
_NUMBER = re.compile(r"[-+−–]?\d+(?:,\d{3})*(?:\.\d+)?\s?%?", re.ASCII)


class PageTable(msgspec.Struct):
    """A table as one line of the file has it."""

    url: str
    """Of the page that it stands on."""
    title: str
    """Of that page."""
    table_index: int
    """Which of the page's tables it is."""
    columns: list[str]
    rows: list[list[str]]


def page_table_tasks(
    path: Path | str,
    *,
    min_rows: int = 3,
    max_rows: int = 60,
    skipped: Counter[str] | None = None,
) -> Iterator[Task]:
    """Yields one task for each table that makes a fair question, in the order of the file.

    The same file gives the same tasks. Left out are tables with too few or too many rows, with rows
    of unequal length, with a column without a name or two of one name, and those in which no three
    columns tell the rows apart. Columns without any cell are dropped.

    Args:
        path: JSON lines, plain or `.gz`, each as `PageTable` has it.
        min_rows: at least 1.
        max_rows: at least `min_rows`.
        skipped: counts the tables left out, by reason.

    Raises:
        DataError: the file cannot be read, or a line of it is no table.
    """
    if not 1 <= min_rows <= max_rows:
        raise ValueError(
            f"`min_rows` must be from 1 to `max_rows`, got {min_rows!r} and {max_rows!r}"
        )
    skipped = Counter() if skipped is None else skipped
    for table in read_json_lines(Path(path), PageTable):
        if isinstance(table, DataError):
            raise table
        task = _task(table, min_rows, max_rows)
        if isinstance(task, Task):
            yield task
        else:
            skipped[task] += 1
    if skipped:
        _LOG.info("%s: tables left out: %s", path, dict(skipped))


def _task(table: PageTable, min_rows: int, max_rows: int) -> Task | str:
    """Returns the task, or why there is none."""
    if not min_rows <= len(table.rows) <= max_rows:
        return "number of rows"
    if any(len(row) != len(table.columns) for row in table.rows):
        return "rows of unequal length"
    rows = [[one_line(cell) for cell in row] for row in table.rows]
    filled = [i for i in range(len(table.columns)) if any(row[i] for row in rows)]
    names = [one_line(table.columns[i]) for i in filled]
    if not names or any(read_value(name, Column(name)) == MISSING for name in names):
        return "column without a name"
    if len({bare_text(name) for name in names}) < len(names):
        return "two columns of one name"
    gold = tuple(tuple(row[i] for i in filled) for row in rows)
    columns = tuple(_column(name, [row[i] for row in gold]) for i, name in enumerate(names))
    keys = _key_columns(columns, gold)
    if not keys:
        return "no key"
    place = f"{table.url}#table-{table.table_index}"
    return Task(
        id=place,
        question=_question(place, one_line(table.title), names, _key_cells(gold[0], names, keys)),
        columns=columns,
        key_columns=keys,
        gold=gold,
        sources=tuple(tuple((table.url,) for _ in row) for row in gold),
        metadata={"rows": len(gold), "columns": len(columns), "table_index": table.table_index},
    )


def _question(place: str, title: str, names: Sequence[str], first: str) -> str:
    separator = "; " if any("," in name for name in names) else ", "
    template = _QUESTIONS[zlib.crc32(place.encode()) % len(_QUESTIONS)] + _WHICH_TABLE
    return template.format(columns=separator.join(names), title=title, first=first)


def _key_cells(row: Sequence[str], names: Sequence[str], keys: Sequence[str]) -> str:
    return ", ".join(row[names.index(key)] for key in keys)


def _column(name: str, cells: Sequence[str]) -> Column:
    """Returns the column with the metric that suits what all of its cells are."""
    number = Column(name, "number_near", ("extract_number",), 0.0)
    date = Column(name, "date_near", ("norm_date",))
    present = [cell for cell in cells if read_value(cell, number) != MISSING]
    if present and all(_NUMBER.fullmatch(cell) for cell in present):
        return number
    if present and all(_is_full_date(cell, date) for cell in present):
        return date
    return Column(name)


def _is_full_date(cell: str, column: Column) -> bool:
    value = read_value(cell, column)
    return value.kind == "date" and isinstance(value.form, tuple) and 0 not in value.form


def _key_columns(columns: Sequence[Column], gold: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Returns the fewest columns that tell the rows apart, text before dates before numbers.

    Row numbers tell rows apart as well, but nobody asks for them; hence text first, from the left.
    """
    values = [[read_value(row[i], column) for row in gold] for i, column in enumerate(columns)]
    rank = {"exact_match": 0, "date_near": 1, "number_near": 2}
    order = sorted(
        (i for i in range(len(columns)) if MISSING not in values[i]),
        key=lambda i: (rank[columns[i].metric], i),
    )
    sets = (combinations(order, size) for size in range(1, _MAX_KEY_COLUMNS + 1))
    for chosen in chain.from_iterable(sets):
        if len(set(zip(*(values[i] for i in chosen), strict=True))) == len(gold):
            return tuple(columns[i].name for i in sorted(chosen))
    return ()
