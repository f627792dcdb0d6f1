"""`score_table`: a score for one table, in one call and without a task file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring.strict import score_strict
from wideseek_env.scoring.tables import Table, read_table

GoldTable: TypeAlias = str | Table | Sequence[Mapping[str, object]]


def score_table(
    prediction: str,
    gold: GoldTable,
    *,
    key_columns: Sequence[str] = (),
    columns: Sequence[Column] = (),
    aliases: Mapping[str, tuple[str, ...]] | None = None,
) -> Score:
    r"""Returns the strict score of an answer against a gold table.

    Args:
        prediction: the answer, as a model wrote it, with a Markdown table in it.
        gold: a Markdown table, a `Table`, or rows as mappings from header to cell.
        key_columns: headers that name a row; the first column when there are none.
        columns: how cells are compared, in any order; columns not named here are text.
        aliases: gold cell to further right spellings.

    Raises:
        ValueError: the gold table cannot be read, or has no column that is named in an argument.

    Example:
        >>> gold = "| city | people |\n|---|---|\n| Bern | 134,794 |\n| Chur | 38,293 |"
        >>> score_table("| City | People |\n|---|---|\n| BERN | 134794 |", gold).item_recall
        0.5
    """
    return score_strict(make_task(gold, key_columns, columns, aliases), prediction)


def make_task(
    gold: GoldTable,
    key_columns: Sequence[str] = (),
    columns: Sequence[Column] = (),
    aliases: Mapping[str, tuple[str, ...]] | None = None,
) -> Task:
    """Returns a task without a question, with this gold table; arguments as `score_table`."""
    table = _as_table(gold)
    known = {column.name: column for column in columns}
    for name in (*key_columns, *known):
        if name not in table.header:
            raise ValueError(
                f"expected one of the gold table's headers {table.header}, got {name!r}"
            )
    return Task(
        id="table",
        question="",
        columns=tuple(known.get(name, Column(name)) for name in table.header),
        key_columns=tuple(key_columns) or table.header[:1],
        gold=table.rows,
        aliases=dict(aliases or {}),
    )


def _as_table(gold: GoldTable) -> Table:
    if isinstance(gold, Table):
        return gold
    if isinstance(gold, str):
        table = read_table(gold)
        if table is None:
            raise ValueError(f"expected a Markdown table as `gold`, got {gold[:80]!r}")
        return table
    if not gold:
        raise ValueError("expected at least one row in `gold`; pass a `Table` for an empty one")
    header = tuple(gold[0])
    return Table(header, tuple(tuple(str(row.get(name, "")) for name in header) for row in gold))
