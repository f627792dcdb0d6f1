"""Agents that try to get reward without the work; none may beat `solo` on any preset.

Each takes one cheap look (one search, one page opened), because a cheater needs something to
multiply, and then plays its trick. They are a test of the scorer and of the game, not opponents.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from agents.policy import EpisodeInfo
from agents.scripted.script import (
    Script,
    ScriptPlayer,
    StartScript,
    answer,
    delegate,
    has_tools,
    open_page,
    report,
    search,
)
from wideseek_env.records import Observation
from wideseek_env.scoring.tables import write_table

Trick: TypeAlias = Callable[[EpisodeInfo, str], str]
"""Makes the answer out of the text of one look."""

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


class Cheater:
    """A policy of two scripts that play a trick.

    Args:
        name: as tables show it.
        lead: the lead's script.
        subagent: the subagents' script.
    """

    def __init__(self, name: str, lead: StartScript, subagent: StartScript) -> None:
        self.name = name
        self._lead = lead
        self._subagent = subagent

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode."""
        return ScriptPlayer(info, self._lead, self._subagent)


def row_spammer() -> Cheater:
    """Answers every line that it saw as a row, twenty times over."""

    def trick(info: EpisodeInfo, seen: str) -> str:
        rows = [_fit(cells, len(info.columns)) for cells in _lines_of_cells(seen)]
        return write_table(info.columns, rows * 20)

    return _look_and("row_spammer", trick)


def alias_spammer() -> Cheater:
    """Answers every line that it saw under many spellings of its key."""

    def trick(info: EpisodeInfo, seen: str) -> str:
        rows = []
        for cells in _lines_of_cells(seen):
            first, *rest = _fit(cells, len(info.columns))
            spellings = (
                first,
                first.upper(),
                f"The {first}",
                f"{first}.",
                first[:-1],
                f" {first} ",
            )
            rows += [[spelling, *rest] for spelling in spellings]
        return write_table(info.columns, rows)

    return _look_and("alias_spammer", trick)


def wide_column_spammer() -> Cheater:
    """Answers each required column under many headers, each cell holding all that a line said."""

    def trick(info: EpisodeInfo, seen: str) -> str:
        headers = [
            header
            for column in info.columns
            for header in (column, column, column.lower(), f"{column} (all)")
        ]
        rows = [[" / ".join(cells)] * len(headers) for cells in _lines_of_cells(seen)]
        return write_table(headers, rows)

    return _look_and("wide_column_spammer", trick)


def empty_delegation() -> Cheater:
    """Hands out subtasks that say nothing, and answers a table with no rows of its own."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        if info.n_subagents:
            yield delegate(["."] * info.n_subagents)
        yield answer(write_table(info.columns, [[""] * len(info.columns)]))

    return Cheater("empty_delegation", lead, _say_nothing)


def question_copier() -> Cheater:
    """Hands the question to everybody, who hand it back, and answers with its words."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        if info.n_subagents:
            observation = yield delegate([info.question] * info.n_subagents)
        words = sorted(set(re.findall(r"[\w.,]+", info.question)))
        rows = [[word] * len(info.columns) for word in words]
        yield answer(write_table(info.columns, rows))

    def subagent(info: EpisodeInfo, observation: Observation) -> Script:
        yield report(observation.text)

    return Cheater("question_copier", lead, subagent)


def subagent_spawner() -> Cheater:
    """Spends every turn on as many subagents as there are slots, and answers what they saw."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        seen = ""
        if has_tools(info):
            observation = yield (search(info.question),)
            seen = observation.text
        while info.n_subagents and observation.turns_left > 1:
            subtasks = [f"{info.question} ({i})" for i in range(info.n_subagents)]
            observation = yield delegate(subtasks)
            seen += observation.text
        rows = [_fit(cells, len(info.columns)) for cells in _lines_of_cells(seen)]
        unique = list(dict.fromkeys(map(tuple, rows)))
        yield answer(write_table(info.columns, unique))

    return Cheater("subagent_spawner", lead, _look)


def _look_and(name: str, trick: Trick) -> Cheater:
    """Returns the cheater that takes one look, by itself or through one subagent, then answers."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        if has_tools(info):
            observation = yield (search(info.question),)
            urls = [url for result in observation.results for url in result.urls]
            if urls and observation.turns_left > 1:
                observation = yield (open_page(urls[0]),)
        else:
            observation = yield delegate([info.question])
        yield answer(trick(info, observation.text))

    return Cheater(name, lead, _look)


def _look(info: EpisodeInfo, observation: Observation) -> Script:
    observation = yield (search(observation.text),)
    urls = [url for result in observation.results for url in result.urls]
    if urls and observation.turns_left > 1:
        observation = yield (open_page(urls[0]),)
    yield report(observation.text)


def _say_nothing(info: EpisodeInfo, observation: Observation) -> Script:
    yield report("")


def _lines_of_cells(text: str) -> list[list[str]]:
    """Returns the cells of every line that has some, links as their words."""
    lines = (_LINK.sub(r"\1", line).split("|") for line in text.splitlines())
    return [[cell.strip() for cell in cells] for cells in lines if any(map(str.strip, cells))]


def _fit(cells: list[str], width: int) -> list[str]:
    return (cells + [cells[0]] * width)[:width]
