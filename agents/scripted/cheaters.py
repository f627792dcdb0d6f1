"""Agents that try to get more than their work is worth; none may beat `solo` on any preset.

Some do what `solo` does and then dress its rows up for a scorer with holes, or pad them; some read
the list of things alone and check nothing (`list_guessers.py`); the others do no work at all. They
are a test of scorer, reward and game, not opponents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from agents.policy import EpisodeInfo
from agents.scripted.list_guessers import LIST_GUESSERS
from agents.scripted.messages import Form
from agents.scripted.script import (
    Script,
    ScriptPlayer,
    StartScript,
    answer,
    delegate,
    has_tools,
    report,
    search,
)
from agents.scripted.solo import find, find_rows, subagent
from wideseek_env.reading.pages import read_list_title
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Observation
from wideseek_env.scoring.tables import write_table

Rows: TypeAlias = Sequence[Sequence[str]]
Trick: TypeAlias = Callable[[EpisodeInfo, Rows], str]
"""Makes the answer out of the rows that `solo` would hand in."""


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


def _spam_rows(info: EpisodeInfo, rows: Rows) -> str:
    """Answers every row ten times."""
    return write_table(info.columns, list(rows) * 10)


def _spam_aliases(info: EpisodeInfo, rows: Rows) -> str:
    """Answers every row under many spellings of its first cell."""
    spelled = [
        [spelling, *rest]
        for key, *rest in rows
        for spelling in (key, key.upper(), f"The {key}", f"{key}.", f'"{key}"', f"{key} (1)")
    ]
    return write_table(info.columns, spelled)


def _spam_columns(info: EpisodeInfo, rows: Rows) -> str:
    """Answers each column under many headers, and all that a row says in every cell."""
    headers = [
        header
        for column in info.columns
        for header in (column, column.lower(), f"{column} ", f"{column} (all)")
    ]
    return write_table(headers, [[" / ".join(row)] * len(headers) for row in rows])


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
    lines = [line.split("|") for line in dict.fromkeys(seen.splitlines())]
    width = len(info.columns)
    yield answer(write_table(info.columns, [(line + line[:1] * width)[:width] for line in lines]))


def _after_solo(trick: Trick) -> StartScript:
    """Returns the lead that does what `solo` does, but answers by a trick."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        rows = yield from find_rows(info, observation)
        yield answer(trick(info, rows))

    return lead


def _pad(info: EpisodeInfo, observation: Observation) -> Script:
    """Does what `solo` does, but answers each name that it did not look at, too, with blanks."""
    found = yield from find(info, observation)
    question = parse_question(info.question)
    rows = [*(found.rows if question is None else Form(question).answer(found.rows))]
    known = {row[0] for row in rows}
    names = dict.fromkeys(link.text for link in found.unread if not read_list_title(link.text))
    blanks = [""] * (len(info.columns) - 1)
    rows += [(name, *blanks) for name in names if name not in known]
    yield answer(write_table(info.columns, rows))


def _search_once(info: EpisodeInfo, observation: Observation) -> Script:
    observation = yield (search(observation.text),)
    yield report(observation.text)


def _hand_back(info: EpisodeInfo, observation: Observation) -> Script:
    yield report(observation.text)


def _say_nothing(info: EpisodeInfo, observation: Observation) -> Script:
    yield report("")


CHEATERS: Mapping[str, tuple[StartScript, StartScript]] = {
    "row_spammer": (_after_solo(_spam_rows), subagent),
    "alias_spammer": (_after_solo(_spam_aliases), subagent),
    "wide_column_spammer": (_after_solo(_spam_columns), subagent),
    "row_padder": (_pad, subagent),
    **LIST_GUESSERS,
    "empty_delegation": (_delegate_nothing, _say_nothing),
    "question_copier": (_copy_question, _hand_back),
    "subagent_spawner": (_spawn_subagents, _search_once),
}
"""Scripts of lead and subagents, by name."""
