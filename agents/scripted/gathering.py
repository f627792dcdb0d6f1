"""How one agent works through a share of a question: lists, things, related things, second pages.

`Gathering` decides what to search and open next, and keeps what came of it in a notebook. A solo
agent and the subagents of `fanout` work with it alike; they differ in their share only.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from agents.scripted.needs import Known, Needs
from agents.scripted.notebook import Notebook, Thing
from agents.scripted.script import Calls, open_page, search
from wideseek_env.reading.pages import Link, ListPage, PageNotes, read_list_title, read_search
from wideseek_env.reading.parsed import ParsedQuestion
from wideseek_env.records import Observation, ToolCall, ToolResult

_USUAL_PAGE_CHARS = 2_000
"""Taken for the length of a page until the first one was read."""


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
        whole: whether it stops before a page that its context may not hold, and is `full` then.
        page_chars: lengths of pages about things that are known beforehand.
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
        whole: bool = False,
        page_chars: Sequence[int] = (),
    ) -> None:
        self.question = question
        self.notebook = Notebook()
        """What it has read."""
        self.needs = Needs(question, self.notebook)
        """What the question needs of it."""
        self.full = False
        """Whether it ended because the context holds no further page."""
        self.num_calls = 0
        """Calls that it has made."""
        self.page_chars = list(page_chars)
        """Lengths of the pages about things that were read."""
        self._whole = whole
        self._share, self._thorough = share, thorough
        self._max_calls, self._chars_left = max_calls, max_chars
        if targets is None and question.start:
            targets = [Link(question.start, "")]
        self._targets = None if targets is None else list(dict.fromkeys(targets))
        """None until the list was found."""
        self._found: dict[str, str] = {}
        """URL of what was searched for, by query."""
        self._asked: set[str] = set()
        """Queries and URLs that calls were made for; none is made twice."""

    def work(self, observation: Observation) -> Generator[Calls, Observation, Observation]:
        """Searches and opens until nothing is left to do, or only the last turn.

        Args:
            observation: what the agent sees now; what it sees in the end is returned.
        """
        while observation.turns_left > 1 and (calls := self._next_calls()):
            self.num_calls += len(calls)
            observation = yield calls
            self._chars_left -= len(observation.text)
            useful = [self._take(result) for result in observation.results]
            if not any(useful):
                break  # out of calls or context, or the tools do not answer
        self.full = self.full or (self._whole and self._room() < 1)
        return observation

    def rows(self) -> list[Known]:
        """Lists what is known of each thing that meets all conditions."""
        found: list[Known] = []
        for target, thing in self.things():
            known: Known = self.needs.known(thing) if thing else {(): target.text}
            if self.question.matches(known) and not read_list_title(target.text):
                found.append(known)
        return found

    def unread(self) -> list[Link]:
        """Returns the targets that were not read, or not to the end of every relation."""
        return [
            _link(thing) if thing else target
            for target, thing in self.things()
            if thing is None or any(True for _ in self.needs.leads(thing))
        ]

    def doubtful(self) -> list[Link]:
        """Lists things not ruled out that have a second page, maybe newer, not read yet."""
        return [
            _link(thing)
            for _, thing in self.things()
            if thing
            and not self.needs.ruled_out(thing)
            and any(True for _ in self.needs.second_pages(thing))
        ]

    def ruled_out(self) -> list[Link]:
        """Lists the things that were read and fail a condition."""
        read = (thing for _, thing in self.things() if thing)
        return [_link(thing) for thing in read if self.needs.ruled_out(thing)]

    def things(self) -> list[tuple[Link, Thing | None]]:
        """Lists the targets, each with what was read of it; none before the list was found."""
        return [(target, self.notebook.find(target)) for target in self._targets or ()]

    def _next_calls(self) -> Calls:
        """Returns the calls of one turn, none of them made before."""
        calls: list[ToolCall] = []
        most = self._max_calls
        if self._whole:
            most = min(most, max(self._room(), int(self.num_calls == 0)))
        for call in self._wishes():
            (wish,) = (str(value) for value in call.arguments.values())
            if wish in self._asked:
                continue
            if most <= 0:
                self.full = True
                break
            self._asked.add(wish)
            calls.append(call)
            if len(calls) == most:
                break
        return tuple(calls)

    def _wishes(self) -> Iterator[ToolCall]:
        """Yields the calls that would help now: what is begun comes before what is not."""
        if self._targets is None:
            yield search(self.question.list_title)
            return
        things = self.things()
        read = [thing for _, thing in things if thing]
        for thing in read:
            for lead in self.needs.leads(thing):
                yield self._way_to(lead.link, lead.noun)
        unread = [target for target, thing in things if thing is None]
        lists = [target for target in unread if read_list_title(target.text)]
        new = [target for target in unread if target not in lists]
        for target in (*new[: self._num_to_begin()], *lists):
            yield self._way_to(target, self.question.noun)
        if self._thorough:
            for thing in read:
                if not self.needs.ruled_out(thing):
                    yield from map(open_page, self.needs.second_pages(thing))

    def _num_to_begin(self) -> int:
        """Returns how many things can be begun now and still be read to their ends; at least 1."""
        if self.needs.num_pages == 1:
            return self._max_calls  # a page that is cut off costs no other
        pages = self.page_chars or [_USUAL_PAGE_CHARS]
        num_fitting = self._chars_left * len(pages) / sum(pages)
        return max(1, int(num_fitting / self.needs.num_pages))

    def _room(self) -> int:
        """Returns how many pages the context holds for certain, if they are no longer than ever."""
        return self._chars_left // max(self.page_chars, default=_USUAL_PAGE_CHARS)

    def _way_to(self, link: Link, noun: str) -> ToolCall:
        """Returns the call that opens the page of a thing, or else searches for it."""
        query = f"{link.text} {noun} {self.question.region}"
        url = link.url or self._found.get(query)
        return open_page(url) if url else search(query)

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
        if read_list_title(notes.title):
            self._take_list(notes)
        else:
            self.page_chars.append(len(result.text))
        return True

    def _take_hits(self, query: str, text: str) -> None:
        """Takes from a search the pages of the list, or the page of what was searched for."""
        hits = [(hit, read_list_title(hit.title)) for hit in read_search(text)]
        if self._targets is None:
            title = self.question.list_title
            pages = [(hit.url, page) for hit, page in hits if page and page.list == title]
            self._targets = self._list_pages(*pages[0]) if pages else []
            return
        about = [hit for hit, page in hits if page is None]
        named = [hit for hit in about if query.startswith(hit.title.partition(" (")[0])]
        for hit in (named or about)[:1]:
            self._found[query] = hit.url

    def _list_pages(self, url: str, page: ListPage) -> list[Link]:
        """Returns this agent's share of a list's pages, given one of them."""
        # the pages of a list differ in the number at the end of their URLs
        stem = url.removesuffix(str(page.number))
        first, step = self._share
        return [
            Link(f"{page.list}, page {number} of {page.num}", f"{stem}{number}")
            for number in range(first, page.num + 1, step)
        ]

    def _take_list(self, notes: PageNotes) -> None:
        """Puts the things on a page of the list in its place among the targets."""
        others = (self.question.region.lower(), "next page")
        entries = [link for link in notes.links if link.text.lower() not in others]
        targets = self._targets or []
        place = next((i for i, link in enumerate(targets) if link.url == notes.url), None)
        if place is not None:
            targets[place : place + 1] = entries
        self._targets = list(dict.fromkeys(targets))


def _link(thing: Thing) -> Link:
    return Link(thing.name, next(iter(thing.pages)))
