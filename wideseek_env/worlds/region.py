"""The data base: one region (a country) with all its entities, their values and relations.

A world is any number of regions that know nothing of one another, so that it can be made, rendered
and asked about one region at a time. What the pages say of the entities is in `copies.py`.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.names import NameMaker
from wideseek_env.worlds.presets import Preset
from wideseek_env.worlds.schema import Attribute, Domain, Value


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing with a name, unique in its region."""

    domain: Domain
    name: str
    url: str
    """Of its main page."""
    aliases: tuple[str, ...]
    values: Mapping[str, Value]
    """By key of the attribute; a relation's value is the name of the entity it leads to."""


@dataclass(frozen=True, slots=True)
class Region:
    """One country: entities by domain key and by name."""

    name: str
    url: str
    """Of its portal; every page of the region lies below it."""
    provinces: tuple[str, ...]
    entities: Mapping[str, Sequence[Entity]]
    by_name: Mapping[str, Entity] = field(repr=False)

    def follow(self, entity: Entity, path: Sequence[str]) -> Entity:
        """Returns the entity that a path of relation keys leads to."""
        for key in path:
            entity = self.by_name[str(entity.values[key])]
        return entity

    def value(self, entity: Entity, path: Sequence[str], key: str) -> Value:
        """Returns an attribute, or the "name", of the entity at the end of a path."""
        entity = self.follow(entity, path)
        return entity.name if key == "name" else entity.values[key]


def attributes_of(domain: Domain, preset: Preset) -> tuple[Attribute, ...]:
    """Returns the attributes that a domain has in worlds of this preset."""
    return domain.attributes[: preset.attributes]


def make_region(name: str, preset: Preset, rng: Random, names: NameMaker) -> Region:
    """Returns a region called `name`; all its draws come from `rng` and `names`."""
    url = f"/{slug(name)}"
    sizes = list(preset.sizes)
    rng.shuffle(sizes)
    named = {
        domain.key: [_draw_name(domain, preset, rng, names) for _ in range(size)]
        for domain, size in zip(DOMAINS.values(), sizes, strict=True)
    }
    draw = _Draw(preset, rng, names, tuple(names.words(5)), named)
    entities = {
        key: [
            Entity(DOMAINS[key], own.name, f"{url}/{slug(own.name)}", own.aliases, values)
            for own, values in zip(
                named[key], draw.all_values(attributes_of(DOMAINS[key], preset), len(named[key])),
                strict=True,
            )
        ]
        for key in named
    }  # fmt: skip
    by_name = {entity.name: entity for group in entities.values() for entity in group}
    return Region(name, url, draw.provinces, entities, by_name)


def slug(name: str) -> str:
    """Returns a name as part of a URL."""
    return name.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    aliases: tuple[str, ...]


def _draw_name(domain: Domain, preset: Preset, rng: Random, names: NameMaker) -> _Name:
    pattern = "{}" if preset.short_names else rng.choice(domain.patterns)

    def name() -> str:
        given = names.word() if "{given}" in pattern else ""
        return pattern.format(names.word(), given=given)

    return _Name(name(), (name(),) if rng.random() < preset.aliases else ())


@dataclass(frozen=True, slots=True)
class _Draw:
    """Draws the values of attributes."""

    preset: Preset
    rng: Random
    names: NameMaker
    provinces: tuple[str, ...]
    named: Mapping[str, Sequence[_Name]]
    """Names of all entities of the region by domain, for relations to lead to."""

    def all_values(self, attributes: Sequence[Attribute], num: int) -> list[dict[str, Value]]:
        """Returns the values of `num` entities; a twin takes another's, all but one."""
        drawn: list[dict[str, Value]] = []
        for _ in range(num):
            twin_of = None
            if drawn and self.rng.random() < self.preset.twins:
                twin_of = self.rng.choice(drawn)
            drawn.append(self._values(attributes, twin_of))
        return drawn

    def _values(
        self, attributes: Sequence[Attribute], twin_of: Mapping[str, Value] | None
    ) -> dict[str, Value]:
        different = self.rng.choice(attributes).key
        values = dict[str, Value]()
        for attribute in attributes:
            like = twin_of[attribute.key] if twin_of and attribute.key != different else None
            may_lack = attribute.kind in ("number", "date", "text")
            if may_lack and self.rng.random() < self.preset.unknown:
                values[attribute.key] = None
            elif like is not None:
                values[attribute.key] = self._near(attribute, like)
            else:
                values[attribute.key] = self._value(attribute)
        return values

    def _value(self, attribute: Attribute) -> Value:
        if attribute.kind == "number":
            return draw_number(attribute, self.rng)
        if attribute.kind == "date":
            return draw_date(attribute, self.rng)
        if attribute.kind == "category":
            return self.rng.choice(attribute.values or self.provinces)
        if attribute.kind == "relation":
            return self.rng.choice(self.named[attribute.target]).name
        return draw_text(attribute, self.names)

    def _near(self, attribute: Attribute, value: Value) -> Value:
        """Returns a value that meets most conditions that `value` meets."""
        if isinstance(value, datetime.date):
            return value.replace(day=self.rng.randint(1, 28), month=self.rng.randint(1, 12))
        if isinstance(value, int):
            step = max(1, value // self.rng.randint(20, 60))
            near = value + self.rng.choice((-step, step))
            return min(max(near, attribute.low), attribute.high)
        return draw_text(attribute, self.names) if attribute.kind == "text" else value


def draw_number(attribute: Attribute, rng: Random) -> int:
    """Returns a number of three significant digits or so, small ones more often than great ones."""
    low, high = attribute.low, attribute.high
    ratio = (high + 1) / low
    number = int(low * math.pow(ratio, rng.random())) if ratio > 20 else rng.randint(low, high)
    step = int(10 ** max(0, len(str(number)) - 4))
    return max(low, number // step * step)


def draw_date(attribute: Attribute, rng: Random) -> datetime.date:
    """Returns a day in the attribute's years, none after the 28th of a month."""
    year = rng.randint(attribute.low, attribute.high)
    return datetime.date(year, rng.randint(1, 12), rng.randint(1, 28))


def draw_text(attribute: Attribute, names: NameMaker) -> str:
    """Returns a code, or the name of a person who has no page."""
    if attribute.key == "code":
        return names.word()[:4].upper()
    return f"{names.word()} {names.word()}"
