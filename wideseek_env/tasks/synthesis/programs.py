"""Programs over relations: what a question means, exactly, and what its gold table is.

A program filters rows, takes the first or last of them in some order, and picks columns. Several
clauses must all hold; of the tests of one clause, one. It is executed on one relation, which may be
the join of two. As JSON it is what a language model reads a question back into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from wideseek_env.scoring.text import bare_text
from wideseek_env.scoring.values import MISSING, Value, reader_of
from wideseek_env.tasks.synthesis.relations import Relation, size_of

Operator: TypeAlias = Literal["is", "more", "less"]


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One condition on a cell; a blank cell meets none, `negated` or not."""

    column: str
    op: Operator
    """is: equal; more, less: strictly, of numbers, years (after, before) and dates."""
    value: str
    negated: bool = False


class Top(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the rows that are left, the `k` with the greatest, or smallest, value."""

    column: str
    k: int
    greatest: bool = True


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a question asks for."""

    columns: tuple[str, ...]
    """Labels of the columns wanted, in order."""
    where: tuple[tuple[Comparison, ...], ...] = ()
    """All clauses must hold, and of each clause at least one test."""
    top: Top | None = None


class Unfair(ValueError):
    """A program has no fair answer; the message is a reason to count it under."""


def execute(program: Program, relation: Relation) -> list[int]:
    """Finds the numbers of the rows that a program asks for, in the relation's order.

    Raises:
        Unfair: a tie at the border of the top rows, or they cannot be ordered.
        ValueError: a column is not there, or a value has not its type.
    """
    rows = list(range(len(relation.rows)))
    for clause in program.where:
        passes = [_passing(test, relation) for test in clause]
        rows = [row for row in rows if any(row in passing for passing in passes)]
    if program.top is not None:
        rows = _first(rows, program.top, relation)
    return rows


def table_of(
    program: Program, relation: Relation, rows: Sequence[int]
) -> tuple[tuple[str, ...], ...]:
    """Makes the gold table of the rows that `execute` found."""
    fields = [relation.index(label) for label in program.columns]
    return tuple(tuple(relation.rows[row][field] for field in fields) for row in rows)


def join(left: Relation, right: Relation, on: tuple[int, int]) -> Relation | None:
    """Joins two relations where a field of the left equals the key of the right; None if nowhere.

    Fields of the right whose label the left has, too, are left out, as is the one that is equal.
    """
    taken = brought_fields(left, right, on[1])
    where = {value: row for row, value in enumerate(right.values(on[1])) if value != MISSING}
    pairs = [(i, where[v]) for i, v in enumerate(left.values(on[0])) if v in where]
    if not pairs or not taken:
        return None
    urls = tuple(dict.fromkeys((*left.urls, *right.urls)))
    number = {url: i for i, url in enumerate(urls)}

    def places(relation: Relation, row: int, field: int) -> tuple[int, ...]:
        return tuple(number[url] for url in relation.sources(row, field))

    return Relation(
        id=f"{left.id} + {right.id} + {left.fields[on[0]].label}",
        place=left.place,
        part=left.part,
        group=left.group,
        fields=(*left.fields, *(right.fields[i] for i in taken)),
        keys=left.keys,
        rows=tuple((*left.rows[a], *(right.rows[b][i] for i in taken)) for a, b in pairs),
        urls=urls,
        at=tuple(
            (
                *(places(left, a, i) for i in range(len(left.fields))),
                *(places(right, b, i) for i in taken),
            )
            for a, b in pairs
        ),
        aliases={**right.aliases, **left.aliases},
    )


def brought_fields(left: Relation, right: Relation, key: int) -> list[int]:
    """Lists the fields of the right that a join by its field `key` adds to the left."""
    labels = {bare_text(name) for field in left.fields for name in (field.label, field.name)}
    labels |= set(map(bare_text, left.unread))  # else a question could mean either table's
    return [
        i
        for i, field in enumerate(right.fields)
        if i != key and labels.isdisjoint((bare_text(field.label), bare_text(field.name)))
    ]


def _passing(test: Comparison, relation: Relation) -> set[int]:
    index = relation.index(test.column)
    field = relation.fields[index]
    bound = reader_of(field.column())(test.value)
    wanted = {"number": "number", "year": "number", "date": "date"}.get(field.kind)
    if test.op != "is" and wanted is None:
        raise ValueError(f"expected `more` and `less` of numbers and dates alone, got {test!r}")
    if bound == MISSING or (wanted is not None and bound.kind != wanted):
        raise ValueError(f"expected a {field.kind} as the value of {test.column!r}, got {test!r}")
    values = relation.values(index)
    return {
        row
        for row, value in enumerate(values)
        if value != MISSING and _holds(value, test.op, bound) != test.negated
    }


def _holds(value: Value, op: Operator, bound: Value) -> bool:
    if op == "is":
        return value == bound or (
            value.kind == bound.kind == "number" and size_of(value) == size_of(bound)
        )
    if value.kind != bound.kind:
        return False
    size, limit = size_of(value), size_of(bound)
    return size > limit if op == "more" else size < limit  # type: ignore[operator, no-any-return]


def _first(rows: Sequence[int], top: Top, relation: Relation) -> list[int]:
    index = relation.index(top.column)
    field, values = relation.fields[index], relation.values(index)
    wanted = {"number": "number", "year": "number", "date": "date"}.get(field.kind)
    if wanted is None or any(values[row].kind != wanted for row in rows):
        raise Unfair("rows without a rank")
    if top.k < 1:
        raise ValueError(f"expected at least 1 as `k`, got {top.k}")
    ranked = sorted(rows, key=lambda row: size_of(values[row]), reverse=top.greatest)  # type: ignore[arg-type, return-value]
    if len(ranked) > top.k and size_of(values[ranked[top.k - 1]]) == size_of(values[ranked[top.k]]):
        raise Unfair("tie at the border of the top rows")
    return sorted(ranked[: top.k])
