"""Makes tasks of queries: question, gold table, key column, sources, and how cells are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from wideseek_env.records import Column, Task
from wideseek_env.worlds.copies import Copies
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.drawing import draw_deep, draw_wide
from wideseek_env.worlds.pages import in_list_order, list_url, listed_attributes
from wideseek_env.worlds.presets import Preset
from wideseek_env.worlds.query import Query, Wanted, answer, attribute_at
from wideseek_env.worlds.questions import DEEP_COLUMN, column_name, deep_question, wide_question
from wideseek_env.worlds.region import Entity, Region
from wideseek_env.worlds.schema import Domain
from wideseek_env.worlds.values import gold_text


class TaskMaker:
    """Makes tasks about one region.

    Args:
        region: the data base.
        copies: knows which page holds which value.
        preset: says what tasks look like.
    """

    def __init__(self, region: Region, copies: Copies, preset: Preset) -> None:
        self._region = region
        self._copies = copies
        self._preset = preset
        self._list_pages: dict[str, str] = {}
        for domain in DOMAINS.values():
            for position, entity in enumerate(in_list_order(region.entities[domain.key])):
                page = list_url(region, domain, position // preset.list_size + 1)
                self._list_pages[entity.name] = page

    def wide(self, task_id: str, rng: Random, metadata: Mapping[str, Any]) -> Task:
        """Returns a task whose answer is a table of many rows.

        Args:
            task_id: becomes `Task.id`.
            rng: source of all draws.
            metadata: of the world; what is known of the query is added to it.

        Raises:
            ValueError: the preset allows no such task.
        """
        query = draw_wide(self._region, self._preset, rng)
        domain = DOMAINS[query.domain]
        headers = [column_name(domain, wanted) for wanted in query.wanted]
        columns = tuple(
            _column(header, domain, wanted)
            for header, wanted in zip(headers, query.wanted, strict=True)
        )
        rows = [
            [self._cell(entity, wanted) for wanted in query.wanted]
            for entity in answer(self._region, query)
        ]
        return Task(
            id=task_id,
            question=wide_question(query, self._region.name, self._preset, rng),
            columns=columns,
            key_columns=(headers[0],),
            gold=tuple(tuple(cell.text for cell in row) for row in rows),
            aliases={cell.text: cell.aliases for row in rows for cell in row if cell.aliases},
            sources=tuple(tuple(cell.sources for cell in row) for row in rows),
            metadata=self._metadata(query, metadata, len(rows)),
        )

    def deep(self, task_id: str, rng: Random, metadata: Mapping[str, Any]) -> Task:
        """Returns a task with one answer, some relations away from where it begins.

        Args and errors are those of `wide`.
        """
        query = draw_deep(self._region, self._preset, rng)
        [entity], wanted = answer(self._region, query), query.wanted[0]
        cell = self._cell(entity, wanted)
        return Task(
            id=task_id,
            question=deep_question(query, self._region.name, self._preset, rng),
            columns=(_column(DEEP_COLUMN, DOMAINS[query.domain], wanted),),
            key_columns=(DEEP_COLUMN,),
            gold=((cell.text,),),
            kind="deep",
            aliases={cell.text: cell.aliases} if cell.aliases else {},
            sources=((cell.sources,),),
            metadata=self._metadata(query, metadata, 1),
        )

    def _metadata(self, query: Query, world: Mapping[str, Any], rows: int) -> dict[str, Any]:
        paths = [wanted.path for wanted in query.wanted]
        paths += [condition.path for condition in query.conditions]
        return {
            **world,
            "region": self._region.name,
            "domain": query.domain,
            "conditions": len(query.conditions),
            "rows": rows,
            "hops": max(map(len, paths)),
        }

    def _cell(self, entity: Entity, wanted: Wanted) -> _Cell:
        end = self._region.follow(entity, wanted.path)
        value = self._region.value(end, (), wanted.key)
        sources = self._copies.sources(end, wanted.key)
        listed = {attribute.key for attribute in listed_attributes(end.domain, self._preset)}
        if wanted.key == "name" or wanted.key in listed:
            sources = (*sources, self._list_pages[end.name])
        named = self._region.by_name.get(str(value))
        return _Cell(
            text=gold_text(value, year_only=wanted.year_only),
            aliases=named.aliases if named else (),
            sources=sources,
        )


@dataclass(frozen=True, slots=True)
class _Cell:
    """One cell of a gold table."""

    text: str
    aliases: tuple[str, ...]
    sources: tuple[str, ...]
    """Pages about the entity that hold the value, the main one first, then its list."""


def _column(header: str, domain: Domain, wanted: Wanted) -> Column:
    """Returns how the cells of a column are compared."""
    if wanted.key == "name":
        return Column(header)
    attribute = attribute_at(domain, wanted.path, wanted.key)
    if attribute.kind == "number" or wanted.year_only:
        return Column(header, "number_near", ("extract_number",), criterion=0.0)
    if attribute.kind == "date":
        return Column(header, "date_near", ("norm_date",))
    return Column(header)
