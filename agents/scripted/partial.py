"""`partial`: a teacher that leaves something to be learnt, brief enough for a tiny model.

The lead hands out the first pages of the list, one to a subagent, but as many as it happens to draw
and not as many as there are; a subagent reads its page and the things on it. A model that imitates
it plays every width alike, so there is a better way to play among those that it knows.
"""

from __future__ import annotations

import re

import numpy as np

from agents.policy import EpisodeInfo
from agents.scripted.script import (
    Calls,
    Script,
    ScriptPlayer,
    answer,
    delegate,
    open_page,
    report,
    search,
)
from wideseek_env.reading.pages import read_open, read_search
from wideseek_env.records import Observation

MAX_PAGES = 4
"""Most pages of a list that it hands out; lists of the preset `starter` have no more."""
NOTHING = "none"
"""Report of a subagent whose page is not there."""

_QUESTION = re.compile(r"List the (?P<what>.+)\. Columns: (?P<columns>.+)\.")
_ROW = re.compile(r"^\| .* \|$", re.MULTILINE)


class PartialPolicy:
    """Plays the wide questions of the preset `starter` with a random part of the list."""

    name = "partial"

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode; its width follows from `info.seed`.

        Raises:
            ValueError: there are no subagents, or the question is not one of those it can play.
        """
        if info.n_subagents < 1 or not _QUESTION.fullmatch(info.question):
            raise ValueError(
                "`partial` plays wide questions of the preset `starter` with at least 1 subagent, "
                f"got `n_subagents` {info.n_subagents} and {info.question!r}"
            )
        return ScriptPlayer(info, _lead, _subagent)


def _lead(info: EpisodeInfo, observation: Observation) -> Script:
    what = info.question.removeprefix("List the ").partition(". Columns: ")[0]
    most = min(info.n_subagents, MAX_PAGES)
    width = int(np.random.default_rng(info.seed).integers(1, most + 1))
    columns = " | ".join(info.columns[1:])
    observation = yield delegate([f"{what} {i} | {columns}" for i in range(1, width + 1)])
    rows = _ROW.findall(observation.text)
    header = [f"| {' | '.join(info.columns)} |", f"|{' --- |' * len(info.columns)}"]
    yield answer("\n".join([*header, *rows]))


def _subagent(info: EpisodeInfo, observation: Observation) -> Script:
    page, _, columns = observation.text.partition(" | ")
    what, _, number = page.rpartition(" ")
    observation = yield (search(page),)
    hits = read_search(observation.results[0].text)
    urls = [hit.url for hit in hits if hit.title.startswith(f"List of {what}, page {number} of ")]
    if not urls:
        yield report(NOTHING)
        return
    observation = yield (open_page(urls[0]),)
    notes = read_open(observation.results[0].text)
    links = [link for link in notes.links if link.text.istitle()] if notes else []
    calls: Calls = tuple(open_page(link.url) for link in links[: info.limits.max_calls_per_turn])
    observation = yield calls
    yield report("\n".join(_row(r.text, columns.split(" | ")) for r in observation.results))


def _row(page: str, columns: list[str]) -> str:
    """Returns the row of a thing: `| Betor | 60 | mining |`, from its page's text."""
    title = page.partition(" | ")[0]
    facts = dict(line.split(": ", 1) for line in page.splitlines() if ": " in line)
    return f"| {' | '.join([title, *(facts.get(column, '') for column in columns)])} |"
