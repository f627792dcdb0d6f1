"""Agents that try to get reward without the work; none may beat `solo` on any preset.

Each takes one cheap look (one search, one page opened), because a cheater needs something to
multiply, and then plays its trick. They are a test of the scorer and of the game, not opponents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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


class CheaterPolicy:
    """One of `CHEATERS`.

    Args:
        name: which one.

    Raises:
        ValueError: there is none of that name.
    """

    def __init__(self, name: str) -> None:
        if name not in CHEATERS:
            raise ValueError(f"expected one of {', '.join(CHEATERS)}, got {name!r}")
        self.name = name

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode."""
        return ScriptPlayer(info, *CHEATERS[self.name])


def _spam_rows(info: EpisodeInfo, seen: str) -> str:
    """Answers every line that it saw as a row, twenty times over."""
    rows = [_fit(cells, len(info.columns)) for cells in _lines_of_cells(seen)]
    return write_table(info.columns, rows * 20)


def _spam_aliases(info: EpisodeInfo, seen: str) -> str:
    """Answers every line that it saw under many spellings of its first cell."""
    rows = []
    for cells in _lines_of_cells(seen):
        key, *rest = _fit(cells, len(info.columns))
        spellings = (key, key.upper(), f"The {key}", f"{key}.", key[:-1], f'"{key}"')
        rows += [[spelling, *rest] for spelling in spellings]
    return write_table(info.columns, rows)


def _spam_columns(info: EpisodeInfo, seen: str) -> str:
    """Answers each column under many headers, each cell holding all that a line said."""
    headers = [
        header
        for column in info.columns
        for header in (column, column, column.lower(), f"{column} (all)")
    ]
    rows = [[" / ".join(cells)] * len(headers) for cells in _lines_of_cells(seen)]
    return write_table(headers, rows)


def _delegate_nothing(info: EpisodeInfo, observation: Observation) -> Script:
    """Hands out subtasks that say nothing, and answers a table of empty cells."""
    if info.n_subagents:
        yield delegate(["."] * info.n_subagents)
    yield answer(write_table(info.columns, [[""] * len(info.columns)]))


def _copy_question(info: EpisodeInfo, observation: Observation) -> Script:
    """Hands the question to everybody, who hand it back, and answers with its words."""
    if info.n_subagents:
        yield delegate([info.question] * info.n_subagents)
    words = dict.fromkeys(re.findall(r"[\w.,]+", info.question))
    yield answer(write_table(info.columns, [[word] * len(info.columns) for word in words]))


def _spawn_subagents(info: EpisodeInfo, observation: Observation) -> Script:
    """Spends every turn on as many subagents as there are slots, and answers what they saw."""
    seen = ""
    if has_tools(info):
        observation = yield (search(info.question),)
        seen = observation.text
    while info.n_subagents and observation.turns_left > 1:
        observation = yield delegate([info.question] * info.n_subagents)
        seen += observation.text
    rows = [tuple(_fit(cells, len(info.columns))) for cells in _lines_of_cells(seen)]
    yield answer(write_table(info.columns, list(dict.fromkeys(rows))))


def _look_and(trick: Trick) -> StartScript:
    """Returns the lead that takes one look, by itself or through one subagent, then answers."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        if has_tools(info):
            observation = yield (search(info.question),)
            urls = [url for result in observation.results for url in result.urls]
            if urls and observation.turns_left > 1:
                observation = yield (open_page(urls[0]),)
        else:
            observation = yield delegate([info.question])
        yield answer(trick(info, observation.text))

    return lead


def _look(info: EpisodeInfo, observation: Observation) -> Script:
    observation = yield (search(observation.text),)
    urls = [url for result in observation.results for url in result.urls]
    if urls and observation.turns_left > 1:
        observation = yield (open_page(urls[0]),)
    yield report(observation.text)


def _hand_back(info: EpisodeInfo, observation: Observation) -> Script:
    yield report(observation.text)


def _say_nothing(info: EpisodeInfo, observation: Observation) -> Script:
    yield report("")


def _lines_of_cells(text: str) -> list[list[str]]:
    """Returns the cells of every line that has some, links as their words."""
    lines = (_LINK.sub(r"\1", line).split("|") for line in text.splitlines())
    return [[cell.strip() for cell in cells] for cells in lines if any(map(str.strip, cells))]


def _fit(cells: list[str], width: int) -> list[str]:
    return (cells + [cells[0]] * width)[:width]


CHEATERS: Mapping[str, tuple[StartScript, StartScript]] = {
    "row_spammer": (_look_and(_spam_rows), _look),
    "alias_spammer": (_look_and(_spam_aliases), _look),
    "wide_column_spammer": (_look_and(_spam_columns), _look),
    "empty_delegation": (_delegate_nothing, _say_nothing),
    "question_copier": (_copy_question, _hand_back),
    "subagent_spawner": (_spawn_subagents, _look),
}
"""Scripts of lead and subagents, by name."""
