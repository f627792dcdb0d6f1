"""Draws queries on a region, as a preset wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.pages import listed_attributes
from wideseek_env.worlds.presets import Preset
from wideseek_env.worlds.query import Condition, Query, Top, Wanted, answer, domain_at, rank
from wideseek_env.worlds.region import Entity, Region, attributes_of
from wideseek_env.worlds.schema import OPERATORS, Attribute, Domain, Value

_MAX_DRAWS = 1000
"""Queries drawn before a preset is taken to be impossible; most tasks need fewer than twenty."""

_MEETING = (0.08, 0.75)
"""Least and greatest share of a domain that may meet one condition: each one must tell."""


def draw_wide(region: Region, preset: Preset, rng: Random) -> Query:
    """Returns a query with as many rows, columns and conditions as the preset wants.

    Raises:
        ValueError: the preset's knobs do not go together.
    """
    fewest, most = preset.rows
    for _ in range(_MAX_DRAWS):
        query = _Drawing(region, preset, rng).wide()
        if query is not None and fewest <= len(answer(region, query)) <= most:
            return query
    raise ValueError(
        f"preset {preset.name!r}: found no query with `rows` in {preset.rows} in {_MAX_DRAWS} "
        "draws; allow more rows, or change `sizes` or `conditions`"
    )


def draw_deep(region: Region, preset: Preset, rng: Random) -> Query:
    """Returns a query with one known value, some relations away from where it begins.

    Raises:
        ValueError: the preset's knobs do not go together.
    """
    for _ in range(_MAX_DRAWS):
        query = _Drawing(region, preset, rng).deep()
        if query is None:
            continue
        [entity], wanted = answer(region, query), query.wanted[0]
        if region.value(entity, wanted.path, wanted.key) is not None:
            return query
    raise ValueError(
        f"preset {preset.name!r}: found no deep query with `hops` in {preset.hops} in {_MAX_DRAWS} "
        "draws; allow fewer hops, or more `attributes`"
    )


class _Drawing:
    """Draws one query; None where the draw does not fit, for the caller to draw again."""

    def __init__(self, region: Region, preset: Preset, rng: Random) -> None:
        self._region = region
        self._preset = preset
        self._rng = rng
        self._domain = rng.choice(list(DOMAINS.values()))
        self._entities = region.entities[self._domain.key]

    def wide(self) -> Query | None:
        preset, rng = self._preset, self._rng
        top, num = None, rng.randint(*preset.conditions)
        if rng.random() < preset.top_k:
            top, num = self._top(), min(num, 1)  # a rank among few says little
            if top is None:
                return None
        anchor = rng.choice(self._entities)  # meets all conditions, so that they go together
        conditions: list[Condition] = []
        for _ in range(num):
            taken = {(condition.path, condition.key) for condition in conditions}
            if top:
                taken.add(((), top.key))
            condition = self._condition(anchor, taken)
            if condition is None:
                return None
            conditions.append(condition)
        query = Query(self._domain.key, self._columns(), tuple(conditions), top)
        if top and len(answer(self._region, query)) < top.k:
            return None
        return query

    def deep(self) -> Query | None:
        rng, path = self._rng, tuple[str, ...]()
        for _ in range(rng.randint(*self._preset.hops)):
            path = (*path, rng.choice(_relations(self._attributes(path))).key)
        wanted = self._wanted(path, rng.choice(self._attributes(path)))
        if rng.random() >= self._preset.superlatives:
            start = rng.choice(self._entities).name
            return Query(self._domain.key, (wanted,), start=start)
        top = self._top()
        if top is None:
            return None
        return Query(self._domain.key, (wanted,), top=Top(top.key, 1, top.greatest))

    def _top(self) -> Top | None:
        """Returns a rank by an attribute of which no two entities have the same value."""
        rng, fewest = self._rng, self._preset.rows[0]
        ranked = [a for a in self._attributes() if a.kind in ("number", "date")]
        key, greatest = rng.choice(ranked).key, rng.random() < 0.6
        k = rng.randint(fewest, max(fewest, min(15, len(self._entities) // 2)))
        known = [
            rank(entity.values, key) for entity in self._entities if entity.values[key] is not None
        ]
        return Top(key, k, greatest) if len(set(known)) == len(known) else None

    def _condition(
        self, anchor: Entity, taken: set[tuple[tuple[str, ...], str]]
    ) -> Condition | None:
        """Returns a condition that `anchor` meets, on an attribute that is not `taken`."""
        rng, path = self._rng, tuple[str, ...]()
        if rng.random() < self._preset.hop_conditions:
            path = (rng.choice(_relations(self._attributes())).key,)
        listed = listed_attributes(domain_at(self._domain, path), self._preset)
        fitting = [
            attribute
            for attribute in self._attributes(path)
            if attribute.kind != "text"
            and (path, attribute.key) not in taken
            and attribute not in listed
            and not (path and attribute.kind == "relation")
        ]
        if not fitting:
            return None
        attribute = rng.choice(fitting)
        values = [self._region.value(entity, path, attribute.key) for entity in self._entities]
        value = self._region.value(anchor, path, attribute.key)
        condition = self._bounded(path, attribute, value, values)
        if condition is None:
            return None
        meeting = sum(map(condition.holds, values)) / len(values)
        return condition if _MEETING[0] <= meeting <= _MEETING[1] else None

    def _bounded(
        self, path: tuple[str, ...], attribute: Attribute, value: Value, values: Sequence[Value]
    ) -> Condition | None:
        """Returns a condition that `value` meets, with round bounds that no value is equal to."""
        operator = self._rng.choice(OPERATORS[attribute.kind])
        if value is None:
            return None
        if operator == "equals":
            return Condition(path, attribute.key, operator, value)
        numbers = sorted({year for year in map(_year, values) if year is not None})
        own = _year(value)
        below = self._round(numbers, lambda low, high: own is not None and high <= own)
        above = self._round(numbers, lambda low, high: own is not None and low >= own)
        if operator in ("more", "after") and below is not None:
            return Condition(path, attribute.key, operator, below)
        if operator in ("less", "before") and above is not None:
            return Condition(path, attribute.key, operator, above)
        if below is None or above is None:
            return None
        return Condition(path, attribute.key, operator, below, above)

    def _round(self, known: Sequence[int], fits: Callable[[int, int], bool]) -> int | None:
        """Returns the roundest number between two neighbours of `known` that fit."""
        gaps = [(low, high) for low, high in pairwise(known) if high - low > 1 and fits(low, high)]
        if not gaps:
            return None
        low, high = self._rng.choice(gaps)
        step = 1
        while (low // (step * 10) + 1) * step * 10 < high:
            step *= 10
        return (low // step + 1) * step

    def _columns(self) -> tuple[Wanted, ...]:
        rng = self._rng
        num = rng.randint(*self._preset.columns) - 1
        own = [self._wanted((), attribute) for attribute in self._attributes()]
        related = [
            self._wanted((link.key,), attribute)
            for link in _relations(self._attributes())
            for attribute in self._attributes((link.key,))
        ]
        rng.shuffle(own)
        rng.shuffle(related)
        columns = [Wanted((), "name")]
        for _ in range(min(num, len(own))):
            columns.append((related if rng.random() < self._preset.hop_columns else own).pop())
        return tuple(columns)

    def _wanted(self, path: tuple[str, ...], attribute: Attribute) -> Wanted:
        years = attribute.kind == "date" and (self._preset.compact or self._rng.random() < 0.3)
        return Wanted(path, attribute.key, year_only=years)

    def _attributes(self, path: tuple[str, ...] = ()) -> tuple[Attribute, ...]:
        domain: Domain = domain_at(self._domain, path)
        return attributes_of(domain, self._preset)


def _relations(attributes: Sequence[Attribute]) -> list[Attribute]:
    return [attribute for attribute in attributes if attribute.kind == "relation"]


def _year(value: Value) -> int | None:
    """Reduces a value to the number that a bound is compared with; a date to its year."""
    if isinstance(value, int) or value is None:
        return value
    return None if isinstance(value, str) else value.year
