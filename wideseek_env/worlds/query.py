"""Queries on the data base, and their answers; `questions.py` puts them into English."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.region import Entity, Region
from wideseek_env.worlds.schema import Attribute, Domain, Operator, Value


@dataclass(frozen=True, slots=True)
class Condition:
    """What an entity, or the one at the end of `path`, must meet. Unknown values never do."""

    path: tuple[str, ...]
    """Relation keys to follow first; empty: the condition is on the entity itself."""
    key: str
    operator: Operator
    a: Value
    """The bound: number, year, category, or name of the related entity."""
    b: Value = None
    """Upper bound of "between" and "during"."""

    def holds(self, value: Value) -> bool:
        """Returns whether a value meets the condition."""
        if isinstance(value, datetime.date):
            value = value.year
        if self.operator == "equals":
            return value == self.a
        if not isinstance(value, int) or not isinstance(self.a, int):
            return False
        if self.operator in ("more", "after"):
            return value > self.a
        if self.operator in ("less", "before"):
            return value < self.a
        return isinstance(self.b, int) and self.a <= value <= self.b


@dataclass(frozen=True, slots=True)
class Top:
    """The `k` entities with the greatest or smallest values of one attribute."""

    key: str
    k: int
    greatest: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """One column of the answer."""

    path: tuple[str, ...]
    key: str
    """Attribute of the entity at the end of `path`, or "name"."""
    year_only: bool = False
    """dates: whether the year is asked for, not the day."""


@dataclass(frozen=True, slots=True)
class Query:
    """Entities of one domain, by conditions, rank or name, and what to say of each."""

    domain: str
    wanted: tuple[Wanted, ...]
    conditions: tuple[Condition, ...] = ()
    top: Top | None = None
    start: str = ""
    """Name of the one entity a deep question begins at; empty for wide questions."""


def domain_at(domain: Domain, path: Sequence[str]) -> Domain:
    """Returns the domain that a path of relation keys leads to."""
    for key in path:
        domain = DOMAINS[domain.attribute(key).target]
    return domain


def attribute_at(domain: Domain, path: Sequence[str], key: str) -> Attribute:
    """Returns an attribute of the domain at the end of a path."""
    return domain_at(domain, path).attribute(key)


def answer(region: Region, query: Query) -> list[Entity]:
    """Returns the entities that a query asks for, by name, or by rank."""
    if query.start:
        return [region.by_name[query.start]]
    found = [
        entity
        for entity in region.entities[query.domain]
        if all(
            condition.holds(region.value(entity, condition.path, condition.key))
            for condition in query.conditions
        )
    ]
    if query.top is None:
        return sorted(found, key=lambda entity: entity.name)
    key, sign = query.top.key, -1 if query.top.greatest else 1
    known = [entity for entity in found if entity.values[key] is not None]
    known.sort(key=lambda entity: (sign * rank(entity.values, key), entity.name))
    return known[: query.top.k]


def rank(values: Mapping[str, Value], key: str) -> int:
    """Returns a known number or date as a number to sort by."""
    value = values[key]
    if isinstance(value, datetime.date):
        return value.toordinal()
    if isinstance(value, int):
        return value
    raise TypeError(f"attribute {key!r} must be a known number or date, got {value!r}")
