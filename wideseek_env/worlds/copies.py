"""What the pages say: which facts stand on which page, and which of them are out of date.

Every entity has a main page. Some have an archived copy (older, partly wrong) and some a second
page (repeats some facts, alone tells the scattered ones, and may be newer and right where the main
page is wrong). The rule that holds everywhere, and that questions state where it matters: of two
pages that differ, the one updated last is right.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

from wideseek_env.worlds.names import NameMaker
from wideseek_env.worlds.presets import Preset
from wideseek_env.worlds.region import Entity, Region, attributes_of, draw_number, draw_text
from wideseek_env.worlds.schema import Attribute, Value

CopyKind: TypeAlias = Literal["main", "archive", "companion"]


@dataclass(frozen=True, slots=True)
class Copy:
    """One page about one entity."""

    entity: Entity
    kind: CopyKind
    url: str
    updated: datetime.date
    facts: Mapping[str, Value]
    """What it states, by key of the attribute; None: that nobody knows."""


class Copies:
    """All pages about the entities of one region, by entity.

    Args:
        region: the data base.
        preset: says how many entities have more than one page.
        rng: source of all draws.
        names: makes the persons of outdated facts.
    """

    def __init__(self, region: Region, preset: Preset, rng: Random, names: NameMaker) -> None:
        archived = _share(list(region.by_name), preset.archives, rng)
        paired = _share(list(region.by_name), preset.companions, rng)
        newer = _share(list(paired), preset.newer, rng)
        writer = _Writer(preset, rng, names)
        self.of: dict[str, list[Copy]] = {
            name: writer.copies(
                entity, archived=name in archived, paired=name in paired, newer=name in newer
            )
            for name, entity in region.by_name.items()
        }
        """Pages about an entity by its name, the main page first."""

    def sources(self, entity: Entity, key: str) -> tuple[str, ...]:
        """Returns the URLs of the pages that hold the true value of an attribute, or the "name"."""
        copies = self.of[entity.name]
        if key == "name":
            return tuple(copy.url for copy in copies)
        truth = entity.values[key]
        return tuple(copy.url for copy in copies if copy.facts.get(key, _ABSENT) == truth)


_ABSENT = "(not stated)"


def num_extra_pages(preset: Preset) -> int:
    """Returns how many archived copies and second pages each region has."""
    num = sum(preset.sizes)
    return _part(num, preset.archives) + _part(num, preset.companions)


def _part(num: int, share: float) -> int:
    return int(num * share + 0.5)


def _share(names: Sequence[str], share: float, rng: Random) -> Mapping[str, None]:
    """Returns exactly this share of the names, in order; so all regions have as many pages."""
    return dict.fromkeys(rng.sample(names, _part(len(names), share)))


@dataclass(frozen=True, slots=True)
class _Writer:
    preset: Preset
    rng: Random
    names: NameMaker

    def copies(self, entity: Entity, *, archived: bool, paired: bool, newer: bool) -> list[Copy]:
        """Returns the pages about one entity, the main page first."""
        main = dict(entity.values)
        second = dict[str, Value]()
        updated = self._day(2023, 2025)
        if paired:
            second = {key: value for key, value in main.items() if self.rng.random() < 0.5}
            for key in list(main):
                if self.rng.random() < self.preset.scattered:
                    second[key] = main.pop(key)
        if newer:
            updated = self._day(2016, 2021)
            for attribute in self._changing(entity):
                if attribute.key in main:
                    second[attribute.key] = main[attribute.key]
                    main[attribute.key] = self._outdated(attribute, main[attribute.key])
        pages = [Copy(entity, "main", entity.url, updated, main)]
        if archived:
            pages.append(self._archive(entity, main))
        if paired:
            day = self._day(2022, 2025) if newer else updated - self._days(30, 900)
            pages.append(Copy(entity, "companion", f"{entity.url}/gazetteer", day, second))
        return pages

    def _archive(self, entity: Entity, main: Mapping[str, Value]) -> Copy:
        facts = dict(main)
        for attribute in self._changing(entity):
            if attribute.key in facts:
                facts[attribute.key] = self._outdated(attribute, entity.values[attribute.key])
        day = self._day(2009, 2015)
        return Copy(entity, "archive", f"{entity.url}/archive-{day.year}", day, facts)

    def _changing(self, entity: Entity) -> list[Attribute]:
        """Returns one to three known facts that change or get corrected with time."""
        known = [
            attribute
            for attribute in attributes_of(entity.domain, self.preset)
            if attribute.kind in ("number", "text") and entity.values[attribute.key] is not None
        ]
        return self.rng.sample(known, min(len(known), self.rng.randint(1, 3)))

    def _outdated(self, attribute: Attribute, value: Value) -> Value:
        """Returns another value for the same fact."""
        while True:
            other: Value
            if attribute.kind == "number":
                other = draw_number(attribute, self.rng)
            else:
                other = draw_text(attribute, self.names)
            if other != value:
                return other

    def _day(self, first_year: int, last_year: int) -> datetime.date:
        year = self.rng.randint(first_year, last_year)
        return datetime.date(year, self.rng.randint(1, 12), self.rng.randint(1, 28))

    def _days(self, low: int, high: int) -> datetime.timedelta:
        return datetime.timedelta(days=self.rng.randint(low, high))
