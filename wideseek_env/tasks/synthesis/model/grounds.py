"""What the tasks of a corpus were made from: relations by their ids, and those that look alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from random import Random
from typing import NamedTuple

import msgspec

from wideseek_env.records import Task
from wideseek_env.tasks.synthesis.drafts import Ground, joined_with
from wideseek_env.tasks.synthesis.programs import Program, join
from wideseek_env.tasks.synthesis.questions import JoinedWith
from wideseek_env.tasks.synthesis.relations import Relation

_NUM_OTHERS = 3
"""Relations that are shown beside the right ones when a question is read back."""


class Made(NamedTuple):
    """How a task was made."""

    program: Program
    relation: Relation
    """That it is executed on; of a join, the joined one."""
    parts: tuple[Relation, ...]
    """The relation of the pages, or the two that are joined."""
    joined: JoinedWith | None


class Grounds:
    """All relations of a corpus."""

    def __init__(self, relations: Iterable[Relation]) -> None:
        self._by_id = {relation.id: relation for relation in relations}
        self._near: dict[str, list[Relation]] = defaultdict(list)
        for relation in self._by_id.values():
            for name in {relation.place.casefold(), relation.group}:
                self._near[name].append(relation)

    def of(self, task: Task) -> Made:
        """Returns how a task was made."""
        about = task.metadata["synthesis"]
        program = msgspec.convert(about["program"], Program)
        parts = tuple(self._by_id[name] for name in about["relations"])
        if about["join"] is None:
            return Made(program, parts[0], parts, None)
        left, right = parts
        on, key = left.index(about["join"]["on"]), right.index(about["join"]["key"])
        relation = join(left, right, (on, key))
        if relation is None:
            raise ValueError(f"task {task.id!r}: its relations have no row in common any more")
        joined = joined_with(Ground(relation, (left, right, on, key)), program)
        return Made(program, relation, parts, joined)

    def choices(self, task: Task, made: Made) -> list[Relation]:
        """Returns the relations of a task among some others, those most like them first taken.

        The order is by chance, and the same for the same task.
        """
        rng = Random(task.id)
        near = [
            other
            for part in made.parts
            for name in (part.place.casefold(), part.group)
            for other in self._near[name]
        ]
        every = list(self._by_id.values())
        near += rng.sample(every, min(len(every), 2 * _NUM_OTHERS))
        used = {part.id for part in made.parts}
        others = {other.id: other for other in near if other.id not in used}
        chosen = [*made.parts, *list(others.values())[:_NUM_OTHERS]]
        rng.shuffle(chosen)
        return chosen
