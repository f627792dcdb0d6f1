"""How one agent works through a share of a question: lists, things, related things, second pages.

`Gathering` decides what to search and open next, and keeps what came of it in a notebook. A solo
agent and the subagents of `fanout` work with it alike; they differ in their share only.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from agents.scripted.notebook import Notebook, Thing
from agents.scripted.script import Calls, open_page, search
from wideseek_env.reading.pages import Cell, Link, PageNotes, read_search
from wideseek_env.reading.question import ParsedQuestion, related_noun
from wideseek_env.records import Observation, ToolCall, ToolResult

Work: TypeAlias = Generator[Calls, Observation, Observation]
"""A piece of a script; returns the observation with which it ended."""

_LIST_PAGE = re.compile(r"(?P<list>.+), page (?P<number>\d+) of (?P<num>\d+)")
_USUAL_PAGE_CHARS = 2_000
"""Taken for the length of a page until the first one was read."""


@dataclass(frozen=True, slots=True)
class Row:
    """Something that is not ruled out, and what is known of it."""

    link: Link
    """Its name and its page."""
    known: Mapping[tuple[str, ...], str]
    """Values as pages write them, by `Fact.at`."""


class Gathering:
    """The work of one agent on one (sub)task.

    Args:
        question: what is asked.
        targets: pages to read: of things, or of lists, whose things become targets as well. None:
            the list is searched for first, or the one thing that a deep question begins at.
        share: (i, n): take every n-th page of the list, from the i-th on; from 1.
        thorough: whether to read second pages about things too, where they may be newer.
        max_calls: calls a turn, at least 1.
        max_chars: what the agent's context holds; it begins no more things than fit.
    """

    def __init__(
        self,
        question: ParsedQuestion,
        *,
        targets: list[Link] | None = None,
        share: tuple[int, int] = (1, 1),
        thorough: bool = False,
        max_calls: int = 5,
        max_chars: int = 120_000,
    ) -> None:
        self.question = question
        self.notebook = Notebook()
        self._max_calls = max_calls
        self._chars_left = max_chars
        self._page_chars: list[int] = []
        """Lengths of the pages read that were about things."""
        # Pages that one thing may take: its own, and one for each relation that is followed.
        self._pages_each = 1 + len({fact.at[:end] for fact in question.facts
                                    for end in range(1, len(fact.at))})  # fmt: skip
        self._share = share
        self._thorough = thorough
        if targets is None and question.start:
            targets = [Link(question.start, "")]
        self._targets: dict[Link, None] | None = None if targets is None else dict.fromkeys(targets)
        """In order; None until the list was found."""
        self._found: dict[str, str] = {}
        """Name to URL, of what was searched for."""
        self._asked: set[str] = set()
        """Queries and URLs that calls were made for; none is made twice."""

    def work(self, observation: Observation) -> Work:
        """Searches and opens until nothing is left to do, or only the last turn."""
        while observation.turns_left > 1 and (calls := self._next_calls()):
            observation = yield calls
            self._chars_left -= len(observation.text)
            useful = [self._take(result) for result in observation.results]
            if not any(useful):
                break  # out of calls or context, or the tools do not answer
        return observation

    def rows(self) -> list[Row]:
        """Returns the things that meet all conditions; of a ranking, those that can be in it."""
        found = []
        for target, thing in self._things():
            known = self._known(thing) if thing else _name_alone(target)
            if not _LIST_PAGE.fullmatch(target.text) and self.question.matches(known):
                found.append(Row(_link(thing) if thing else target, known))
        return ranked(self.question, found)

    def unread(self) -> list[Link]:
        """Returns the targets that were not read, or not to the end of every relation."""
        return [
            _link(thing) if thing else target
            for target, thing in self._things()
            if thing is None or any(True for _ in self._open_ends(thing))
        ]

    def doubtful(self) -> list[Link]:
        """Returns what is not ruled out and has a second page, maybe newer, that was not read."""
        return [
            _link(thing)
            for _, thing in self._things()
            if thing and self._may_match(thing) and any(True for _ in self._second_pages(thing))
        ]

    def ruled_out(self) -> list[Link]:
        """Returns what was read and fails a condition."""
        return [_link(thing) for _, thing in self._things() if thing and not self._may_match(thing)]

    def _things(self) -> list[tuple[Link, Thing | None]]:
        return [(target, self.notebook.find(target)) for target in self._targets or ()]

    def _next_calls(self) -> Calls:
        calls: list[ToolCall] = []
        for call in self._wishes():
            (wish,) = (str(value) for value in call.arguments.values())
            if wish not in self._asked:
                self._asked.add(wish)
                calls.append(call)
            if len(calls) == self._max_calls:
                break
        return tuple(calls)

    def _num_to_begin(self) -> int:
        """Returns how many things can be begun now and still be read to their ends; at least 1."""
        if self._pages_each == 1:
            return self._max_calls
        pages = self._page_chars or [_USUAL_PAGE_CHARS]
        fitting = self._chars_left * len(pages) / sum(pages)
        return max(1, int(fitting / self._pages_each))

    def _wishes(self) -> Iterator[ToolCall]:
        """Yields the calls that would help now: what is begun comes before what is not."""
        if self._targets is None:
            yield search(self.question.list_title)
            return
        things = self._things()
        read = [thing for _, thing in things if thing]
        unread = [target for target, thing in things if not thing]
        for thing in read:
            yield from self._open_ends(thing)
        lists = [target for target in unread if _LIST_PAGE.fullmatch(target.text)]
        new = [target for target in unread if target not in lists][: self._num_to_begin()]
        for target in new + lists:
            yield self._way_to(target, self.question.noun)
        if self._thorough:
            for thing in filter(self._may_match, read):
                yield from self._second_pages(thing)

    def _take(self, result: ToolResult) -> bool:
        """Notes down one result; returns whether it was of use."""
        if result.status != "ok" or result.call is None:
            return False
        if result.call.name == "search":
            self._take_hits(str(result.call.arguments["query"]), result.text)
            return True
        notes = self.notebook.read(result.text)
        if notes is None:
            return False
        if _LIST_PAGE.fullmatch(notes.title):
            self._take_list(notes)
        else:
            self._page_chars.append(len(result.text))
        return True

    def _take_hits(self, query: str, text: str) -> None:
        """Takes from a search the pages of the list, or the page of what was searched for."""
        hits = read_search(text)
        if self._targets is None:
            titles = [(_LIST_PAGE.fullmatch(hit.title), hit.url) for hit in hits]
            pages = [(m, url) for m, url in titles if m and m["list"] == self.question.list_title]
            self._targets = {}
            for match, url in pages[:1]:
                # the pages of a list differ in the number at the end of their URLs
                stem = url.removesuffix(match["number"])
                first, step = self._share
                for number in range(first, int(match["num"]) + 1, step):
                    title = f"{match['list']}, page {number} of {match['num']}"
                    self._targets[Link(title, f"{stem}{number}")] = None
            return
        about = [hit for hit in hits if not _LIST_PAGE.fullmatch(hit.title)]
        named = [hit for hit in about if query.startswith(hit.title.partition(" (")[0])]
        for hit in (named or about)[:1]:
            self._found[query] = hit.url

    def _take_list(self, notes: PageNotes) -> None:
        """Puts the things on a page of the list in its place among the targets."""
        targets: list[Link] = []
        for target in self._targets or ():
            targets += (
                _entries(notes, self.question.region) if target.url == notes.url else [target]
            )
        self._targets = dict.fromkeys(targets)

    def _known(self, thing: Thing) -> dict[tuple[str, ...], str]:
        known: dict[tuple[str, ...], str] = {(): thing.name}
        for fact in self.question.facts:
            value = self._look_up(thing, fact.at)
            if isinstance(value, Cell):
                known[fact.at] = self._spelling(value) if fact.kind == "relation" else value.text
        return known

    def _spelling(self, value: Cell) -> str:
        """Returns the name of a related thing; one that the question names as it is there."""
        about = self.notebook.find(value)
        if about is not None:
            return about.name
        slug = value.url.rpartition("/")[2]
        names = (bound.a for bound in self.question.conditions if bound.fact.kind == "relation")
        return next((name for name in names if name.lower().replace(" ", "-") == slug), value.text)

    def _look_up(self, thing: Thing, at: tuple[str, ...]) -> Cell | ToolCall | None:
        """Returns a fact, or the call that leads nearer to it, or None: no page read gives it."""
        for label in at[:-1]:
            value = thing.value(label)
            if value is None:
                return None
            related = self.notebook.find(value)
            if related is None:
                noun = related_noun(thing.noun, label) or ""
                return self._way_to(Link(value.text, value.url), noun)
            thing = related
        return thing.value(at[-1])

    def _way_to(self, link: Link, noun: str) -> ToolCall:
        """Returns the call that opens the page of a thing, or searches for it."""
        query = f"{link.text} {noun} {self.question.region}"
        url = link.url or self._found.get(query)
        return open_page(url) if url else search(query)

    def _may_match(self, thing: Thing) -> bool:
        return self.question.matches(self._known(thing)) is not False

    def _open_ends(self, thing: Thing) -> Iterator[ToolCall]:
        """Yields the calls that lead to facts of a thing; none when it is ruled out."""
        if self._may_match(thing):
            for fact in self.question.facts:
                value = self._look_up(thing, fact.at)
                if isinstance(value, ToolCall):
                    yield value

    def _second_pages(self, thing: Thing) -> Iterator[ToolCall]:
        """Yields the calls that open second pages, of a thing and of those its facts are about."""
        for at in dict.fromkeys(fact.at[:end] for fact in self.question.facts
                                for end in range(len(fact.at))):  # fmt: skip
            about: Thing | None = thing
            for label in at:
                value = about.value(label) if about else None
                about = self.notebook.find(value) if value else None
            if about:
                yield from map(open_page, about.newer_unread)


def ranked(question: ParsedQuestion, rows: list[Row]) -> list[Row]:
    """Returns the rows that are in the question's ranking, best first; all when it has none."""
    rank = question.rank
    if rank is None:
        return rows
    numbers = [(rank.fact.read(row.known.get(rank.fact.at, "")), row) for row in rows]
    known = [(number, row) for number, row in numbers if number is not None]
    known.sort(key=lambda each: each[0], reverse=rank.greatest)
    return [row for _, row in known[: rank.k]]


def _entries(notes: PageNotes, region: str) -> list[Link]:
    """Returns the things that a page of a list names, with their pages."""
    others = (region.lower(), "next page")
    return [link for link in notes.links if link.text.lower() not in others]


def _name_alone(target: Link) -> dict[tuple[str, ...], str]:
    """Returns what a list tells of a thing that was not read about."""
    return {(): target.text}


def _link(thing: Thing) -> Link:
    return Link(thing.name, next(iter(thing.pages)))
