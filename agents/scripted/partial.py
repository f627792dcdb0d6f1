"""`partial`: a teacher that leaves something to be learnt, brief enough for a tiny model.

Wide: the lead hands out the first pages of the list, one to a subagent, but as many as it happens
to draw and not as many as there are; a subagent reads its page and the things on it. A model that
imitates it plays every width alike, so there is a better way to play among those that it knows.
`hasty` may hand out what is left in a second wave, and seldom cares to: a model that imitates it
knows how to read a whole list, and reads a page or two.

Deep: the lead hands out the first relations of the chain, then the rest, to one subagent each; that
is the only way, as a subagent's turns are too few for the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

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
    reports_in,
    search,
)
from wideseek_env.reading.pages import read_open, read_search
from wideseek_env.reading.parsed import ParsedQuestion
from wideseek_env.reading.question import parse_question, related_noun
from wideseek_env.records import Observation

MAX_PAGES = 4
"""Most pages of a list that it hands out; lists of the preset `starter` have no more."""
MAX_WAVES = 2
"""Most times that `hasty` hands out pages; a lead has a third turn, for its answer."""
MAX_HOPS = 2
"""Most facts that one subagent looks up one after another: two turns each, and one to report."""
NOTHING = "none"
"""Report of a subagent whose page is not there."""

_WIDE = re.compile(r"List the (?P<what>.+)\. Columns: (?P<columns>.+)\.")
_PAGE_OF_LIST = re.compile(r"(?P<what>.+) (?P<number>\d+)")
_THING = re.compile(r"(?P<name>\S+) (?P<noun>.+) in (?P<region>\S+)")
_ROW = re.compile(r"^\| .* \|$", re.MULTILINE)


class PartialPolicy:
    """Plays the questions of the preset `starter`, the wide ones with a random part of the list."""

    name = "partial"

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode; its width follows from `info.seed`.

        Raises:
            ValueError: there are no subagents, or the question is not one of those it can play.
        """
        asked = parse_question(info.question)
        deep = asked is not None and asked.start != ""
        if info.n_subagents < 1 or not (deep or _WIDE.fullmatch(info.question)):
            raise ValueError(
                f"`{self.name}` plays questions of the preset `starter` with at least 1 subagent, "
                f"got `n_subagents` {info.n_subagents} and {info.question!r}"
            )
        collect = partial(_collect, self.num_pages(info))
        return ScriptPlayer(info, _follow if deep else collect, _subagent)

    def num_pages(self, info: EpisodeInfo) -> int:
        """Draws how many pages of the list are handed out: any number that the slots can read."""
        most = min(info.n_subagents, MAX_PAGES)
        return int(np.random.default_rng(info.seed).integers(1, most + 1))


class HastyPolicy(PartialPolicy):
    """Plays the same questions; up to two waves of subtasks, and most often less than it could."""

    name = "hasty"

    def num_pages(self, info: EpisodeInfo) -> int:
        """Draws how many pages are handed out: the smaller of two draws from what is possible."""
        most = min(MAX_WAVES * info.n_subagents, MAX_PAGES)
        return int(np.random.default_rng(info.seed).integers(1, most + 1, size=2).min())


TEACHERS: Mapping[str, type[PartialPolicy]] = {
    teacher.name: teacher for teacher in (PartialPolicy, HastyPolicy)
}
"""The two by name."""


def _collect(num_pages: int, info: EpisodeInfo, observation: Observation) -> Script:
    """The lead on a wide question."""
    what = info.question.removeprefix("List the ").partition(". Columns: ")[0]
    columns = " | ".join(info.columns[1:])
    rows: list[str] = []
    pages = range(1, num_pages + 1)
    for first in range(0, num_pages, info.n_subagents):
        wave = pages[first : first + info.n_subagents]
        observation = yield delegate([f"{what} {page} | {columns}" for page in wave])
        rows += [row for result in reports_in(observation) for row in _ROW.findall(result.body)]
    header = [f"| {' | '.join(info.columns)} |", f"|{' --- |' * len(info.columns)}"]
    yield answer("\n".join([*header, *rows]))


def _follow(info: EpisodeInfo, observation: Observation) -> Script:
    """The lead on a deep question."""
    asked = _asked(info)
    name, noun, labels = asked.start, asked.noun, list(asked.columns[0].fact.at)
    while labels:
        part, labels = labels[:MAX_HOPS], labels[MAX_HOPS:]
        observation = yield delegate([f"{name} {noun} in {asked.region} | {' | '.join(part)}"])
        reports = [result.body for result in reports_in(observation) if result.status == "ok"]
        name = reports[0].partition("\n")[0] if reports else NOTHING
        for label in part:
            noun = related_noun(noun, label) or noun
    yield answer(name)


def _asked(info: EpisodeInfo) -> ParsedQuestion:
    asked = parse_question(info.question)
    if asked is None:
        raise TypeError(f"expected a question of a closed world, got {info.question!r}")
    return asked


def _subagent(info: EpisodeInfo, observation: Observation) -> Script:
    first, *columns = observation.text.split(" | ")
    page, thing = _PAGE_OF_LIST.fullmatch(first), _THING.fullmatch(first)
    if page:
        yield from _read_list(info, page["what"], page["number"], columns)
    elif thing:
        yield from _look_up(thing["name"], thing["noun"], thing["region"], columns)
    else:
        yield report(NOTHING)


def _read_list(info: EpisodeInfo, what: str, number: str, columns: list[str]) -> Script:
    """Reports a row for each thing on one page of a list."""
    observation = yield (search(f"{what} {number}"),)
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
    yield report("\n".join(_row(r.text, columns) for r in observation.results))


def _look_up(name: str, noun: str, region: str, labels: list[str]) -> Script:
    """Reports what a chain of facts leads to: the city of a museum, the river of that city."""
    for label in labels:
        observation = yield (search(f"{name} {noun} in {region}"),)
        hits = read_search(observation.results[0].text)
        urls = [hit.url for hit in hits if hit.title == name]
        if not urls:
            yield report(NOTHING)
            return
        observation = yield (open_page(urls[0]),)
        facts = _facts(observation.results[0].text)
        name = next((v for k, v in facts.items() if k.partition(" (")[0] == label), NOTHING)
        noun = related_noun(noun, label) or noun
    yield report(name)


def _row(page: str, columns: list[str]) -> str:
    """Returns the row of a thing: `| Betor | 60 | mining |`, from its page's text."""
    title, facts = page.partition(" | ")[0], _facts(page)
    return f"| {' | '.join([title, *(facts.get(column, '') for column in columns)])} |"


def _facts(page: str) -> dict[str, str]:
    """Returns label to value, from the text of a compact page."""
    return dict(line.split(": ", 1) for line in page.splitlines() if ": " in line)
