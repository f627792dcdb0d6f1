"""Reads a program back from what a model made of a question, and executes it.

The model sees the question and the schema of some relations, the right ones among them. It never
sees the program; a question is right when what it is read as gives the task's own table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from wideseek_env.records import Task
from wideseek_env.scoring.text import bare_text
from wideseek_env.tasks.synthesis.programs import (
    Comparison,
    Operator,
    Program,
    Top,
    execute,
    join,
    table_of,
)
from wideseek_env.tasks.synthesis.relations import Relation

_MAX_VALUES, _MAX_EXAMPLES = 12, 3
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


class _Test(msgspec.Struct):
    column: str
    value: str | int | float
    op: Operator = "is"
    negated: bool = False


class _Top(msgspec.Struct):
    column: str
    k: int
    greatest: bool = True


class _Join(msgspec.Struct):
    table: int
    on: str


class Reading(msgspec.Struct):
    """What a question was read as; the form that the model is told to write."""

    table: int
    columns: list[str]
    where: list[list[_Test]] = []
    top: _Top | None = None
    join: _Join | None = None

    def program(self) -> Program:
        """Returns it as a program."""
        return Program(
            tuple(self.columns),
            tuple(
                tuple(Comparison(t.column, t.op, str(t.value), t.negated) for t in clause)
                for clause in self.where
                if clause
            ),
            Top(self.top.column, self.top.k, self.top.greatest) if self.top else None,
        )


def read_reading(text: str) -> Reading:
    """Finds the JSON object in a model's reply.

    Raises:
        ValueError: there is none, or it is no reading.
    """
    found = _OBJECT.search(text)
    if found is None:
        raise ValueError(f"expected a JSON object, got {text[:80]!r}")
    try:
        return msgspec.json.decode(found.group(), type=Reading)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"expected a program as JSON, got {text[:80]!r}: {error}") from error


def gives_gold(reading: Reading, choices: Sequence[Relation], task: Task) -> bool:
    """Whether a reading, executed, gives the task's table: the same columns and the same rows.

    Args:
        reading: with numbers of relations from 1.
        choices: the relations that were shown.
        task: its columns and gold table count.

    Raises:
        ValueError: it names what is not there, or cannot be executed.
    """
    relation = _numbered(choices, reading.table)
    if reading.join is not None:
        right = _numbered(choices, reading.join.table)
        made = join(relation, right, (relation.index(reading.join.on), right.keys[0]))
        if made is None:
            raise ValueError("the tables that are to be joined have no row in common")
        relation = made
    program = reading.program()
    labels = [relation.fields[relation.index(name)].label for name in program.columns]
    rows = table_of(program, relation, execute(program, relation))
    places = {bare_text(label): i for i, label in enumerate(labels)}
    wanted = [bare_text(name) for name in task.column_names]
    if len(labels) != len(wanted) or set(places) != set(wanted):
        return False
    ordered = [tuple(row[places[name]] for name in wanted) for row in rows]
    return Counter(ordered) == Counter(task.gold)


def _numbered(choices: Sequence[Relation], number: int) -> Relation:
    if not 1 <= number <= len(choices):
        raise ValueError(f"expected a table from 1 to {len(choices)}, got {number}")
    return choices[number - 1]


def schema_of(choices: Sequence[Relation]) -> str:
    """Writes the schema of relations: where they are, their columns, kinds and some values."""
    lines = []
    for number, relation in enumerate(choices, 1):
        if relation.of_things:
            said = f"{relation.place}, one row for each"
        else:
            part = f"“{relation.part}” on " if relation.part else "the only one of its kind on "
            said = f"{part}the page “{relation.place}”"
        lines.append(f"Table {number}: {said}")
        for field, cells in zip(relation.fields, zip(*relation.rows, strict=True), strict=True):
            some = list(dict.fromkeys(cell for cell in cells if cell))
            whole = field.kind == "text" and len(some) <= _MAX_VALUES
            shown = "; ".join(some if whole else some[:_MAX_EXAMPLES])
            lines.append(f"- {field.label} ({field.kind}): {shown}{'' if whole else '; ...'}")
    return "\n".join(lines)
