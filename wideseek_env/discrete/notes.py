"""What one agent of the discrete interface knows: rows, their facts, and where to read on.

Everything in it was read, by rules, out of texts that this agent was shown: pages, search results,
a subtask, reports. It is the memory that macro-moves fill their arguments from and that features
are counted on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from wideseek_env.backends.caching import cached
from wideseek_env.reading.pages import LinkedText, PageNotes, read_links, read_list_title, read_open
from wideseek_env.reading.parsed import ParsedQuestion

At: TypeAlias = tuple[str, ...]
"""Where a fact of a row is found: labels to follow, as `question.NeededFact.at` has them."""

ARCHIVED, UNDATED = "0", "1"
"""Stand for the date of a search result: of an archived copy, of any other page. As text both come
before every date, so a dated page outweighs them."""

_MAX_HITS_BYTES = 24 << 20  # kept of what was read
_HIT = re.compile(r"\d+\. (?P<title>.*) \| (?P<url>\S+)")
_TITLE = re.compile(r"(?P<name>.+) \((?P<noun>[a-z ]+) in (?P<region>[^()]+)\)")
_OTHER_TITLE = re.compile(r"[A-Z][a-z]+ of (?P<region>[^:]+): (?P<name>.+)")


class Reading(NamedTuple):
    """One value, with the page that gave it."""

    value: LinkedText
    url: str
    date: str
    """Of the page, YYYY-MM-DD; "" when it gives none; `UNDATED` or `ARCHIVED` of a snippet."""


@dataclass(slots=True)
class Candidate:
    """A thing of the kind that is asked for."""

    name: str
    url: str
    """Of its main page; tells it from other rows."""
    facts: dict[At, Reading] = field(default_factory=dict)
    """The newest value read of each fact."""
    read: dict[str, str] = field(default_factory=dict)
    """URLs of the pages about it that were opened, with their dates."""
    unread: dict[str, str] = field(default_factory=dict)
    """URLs of further pages about it, with their titles."""
    page: int = 0
    """Number of the page of the list that it stands on, when that page was opened."""
    verdict: bool | None = None
    """Whether it meets all conditions; None: not known yet."""
    missing: int = 0
    """How many facts that the question needs are not known."""

    @property
    def newest(self) -> str:
        """Date of the newest page about it that was opened; "" when none was."""
        return max(self.read.values(), default="")

    @property
    def others(self) -> list[str]:
        """URLs of unread pages about it that are no archived copies."""
        return [url for url, title in self.unread.items() if "archive" not in title.lower()]


class Hit(NamedTuple):
    """One search result."""

    title: str
    url: str
    name: str
    """Of the thing that its title tells it is about; "" for lists and others."""
    region: str
    notes: PageNotes | None
    """What its snippet says of that thing."""
    entries: tuple[tuple[str, str], ...]
    """(name, URL) of the links in the snippet of a list page."""


class Notes:
    """The notes of one agent on one (sub)task.

    Args:
        question: what is asked.
    """

    def __init__(self, question: ParsedQuestion) -> None:
        self.question = question
        self.needs: tuple[At, ...] = tuple(fact.at for fact in question.facts)
        """Facts needed of each row, those that decide first."""
        self.rows: dict[str, Candidate] = {}
        """By URL of the main page, in the order in which they were found."""
        self.lists: dict[int, str] = {}
        """Pages of the list of all rows: number to URL, as far as known."""
        self.num_lists = 0
        """How many pages that list has; 0 when not known."""
        self.lists_read: set[int] = set()
        self.hits: tuple[Hit, ...] = ()
        """Of the latest search, less what has been opened since."""
        self.newest = ""
        """Date of the newest page read."""
        self.words: Counter[str] = Counter()
        """Values of one word that results of searches told of rows: what queries may be varied by,
        as provinces and kinds recur and names of people do not."""
        self._names: dict[str, Candidate] = {}
        self._leads_to: dict[str, list[tuple[Candidate, At]]] = {}
        """URL of a related thing to the facts (row, labels) that lead to it."""
        self._related: dict[str, PageNotes] = {}

    def row(self, name: str, url: str) -> Candidate:
        """Returns the row of this main page, which is added when it is not there."""
        row = self.rows.get(url)
        if row is None:
            row = self.rows[url] = Candidate(name, url)
            self._names.setdefault(name, row)
            self.judge(row)
        return row

    def take_page(self, text: str) -> PageNotes | None:
        """Adds what an `open` result says; returns it, or None when it shows no whole part."""
        notes = read_open(text)
        if notes is None:
            return None
        self.hits = tuple(hit for hit in self.hits if hit.url != notes.url)
        self.newest = max(self.newest, notes.date)
        if page := read_list_title(notes.title):
            if page.list == self.question.list_title:
                self.add_list(page.number, page.num, notes.url)
                self.lists_read.add(page.number)
                self._take_entries(notes, page.number)
            return notes
        # Titles of compact pages are plain names; that a list has it shows that it is meant.
        about = self.question.region in notes.title or notes.url in self.rows
        if notes.noun == self.question.noun and about:
            self._take_thing(notes)
        elif notes.noun:
            self._take_related(notes)
        return notes

    def take_search(self, text: str) -> None:
        """Adds what a `search` result says: rows, pages of the list, facts in snippets."""
        self.hits = read_hits(text, self.question.noun)
        for hit in self.hits:
            if page := read_list_title(hit.title):
                if page.list == self.question.list_title:
                    self.add_list(page.number, page.num, hit.url)
                    for name, url in hit.entries:
                        if name != self.question.region:
                            self.row(name, url)
            elif hit.notes is not None and hit.region == self.question.region:
                self._take_snippet(hit, hit.notes)

    def is_about(self, hit: Hit) -> bool:
        """Returns whether the title of a result is one of a page that the question is about."""
        if hit.region:
            return hit.region == self.question.region and (
                hit.notes is None or hit.notes.noun == self.question.noun
            )
        return hit.title.startswith(f"{self.question.list_title},")

    def add_list(self, number: int, num: int, url: str) -> None:
        """Notes a page of the list; the others differ in the number that ends their URLs."""
        self.num_lists = num
        self.lists[number] = url
        if url.endswith(str(number)):
            stem = url.removesuffix(str(number))
            for other in range(1, num + 1):
                self.lists.setdefault(other, f"{stem}{other}")

    def add_fact(self, row: Candidate, at: At, fact: Reading) -> None:
        """Notes a value; of two that differ the newer one counts, the first if neither is newer."""
        held = row.facts.get(at)
        if held is None or fact.date > held.date:
            row.facts[at] = fact
        if fact.value.url and any(need[: len(at)] == at and need != at for need in self.needs):
            self._leads_to.setdefault(fact.value.url, []).append((row, at))
            if (related := self._related.get(fact.value.url)) is not None:
                self._follow(row, at, related)

    def mark_read(self, row: Candidate, url: str, date: str) -> None:
        """Notes that somebody opened a page about a row."""
        row.read[url] = date
        row.unread.pop(url, None)
        self.newest = max(self.newest, date)

    def rule_out(self, row: Candidate) -> None:
        """Notes that a row fails a condition, as another agent found."""
        row.verdict, row.missing = False, 0

    def judge(self, row: Candidate) -> None:
        """Brings `verdict` and `missing` of a row up to date."""
        known = {at: self._plain_name(at, fact.value) for at, fact in row.facts.items()}
        row.verdict = self.question.matches(known)
        row.missing = sum(at not in row.facts for at in self.needs)

    def to_follow(self, row: Candidate) -> Iterator[str]:
        """Yields URLs of related things whose facts the row lacks."""
        for need in self.needs:
            for end in range(1, len(need)):
                step = row.facts.get(need[:end])
                if step is not None and step.value.url and step.value.url not in self._related:
                    yield step.value.url

    def spelling(self, at: At, value: LinkedText) -> str:
        """Returns a value for a report; linked only when facts of what it leads to are needed."""
        if value.url and any(need[: len(at)] == at and need != at for need in self.needs):
            return f"[{value.text}]({value.url})"
        return self._plain_name(at, value)

    def _take_entries(self, notes: PageNotes, number: int) -> None:
        for name, url in _entries(notes, self.question.region):
            self.row(name, url).page = number
        for table in notes.tables:
            header = [cell.text for cell in table[0]]
            for cells in table[1:]:
                if not cells[0].url:
                    continue
                row = self.row(cells[0].text, cells[0].url)
                self.words.update(cell.text for cell in cells[1:] if cell.text.isalpha())
                for label, cell in zip(header[1:], cells[1:], strict=False):
                    if (label,) in self.needs:
                        self.add_fact(row, (label,), Reading(cell, notes.url, UNDATED))
                self.judge(row)

    def _take_thing(self, notes: PageNotes) -> None:
        row = self.rows.get(notes.url) or self._named(notes.name, notes.alias)
        if row is None:
            row = self.row(notes.name, _main_url(notes))
        if notes.url == row.url:
            row.name = notes.name
        for name in (notes.name, notes.alias):
            self._names.setdefault(name, row)
        self.mark_read(row, notes.url, notes.date)
        for link in notes.links:
            if notes.name in link.text and link.text != notes.name and link.url not in row.read:
                row.unread[link.url] = link.text
        self._take_facts(row, notes, notes.date)

    def _take_snippet(self, hit: Hit, notes: PageNotes) -> None:
        archived = "archive" in hit.title.lower()
        row = self.rows.get(hit.url) or self._named(hit.name, "")
        if row is None:
            if not _TITLE.fullmatch(hit.title):
                return  # a second page: where the main one is, it does not say
            row = self.row(hit.name, hit.url)
        if hit.url != row.url and hit.url not in row.read:
            row.unread[hit.url] = hit.title
        self.words.update(cell.text for _, cell in notes.facts if cell.text.isalpha())
        if hit.url not in row.read:
            self._take_facts(row, notes, ARCHIVED if archived else UNDATED)

    def _take_facts(self, row: Candidate, notes: PageNotes, date: str) -> None:
        for label, cell in notes.facts:
            if any(need[0] == label for need in self.needs):
                self.add_fact(row, (label,), Reading(cell, notes.url, date))
        self.judge(row)

    def _take_related(self, notes: PageNotes) -> None:
        self._related[notes.url] = notes
        for row, at in self._leads_to.get(notes.url, ()):
            self._follow(row, at, notes)
            self.judge(row)

    def _follow(self, row: Candidate, at: At, related: PageNotes) -> None:
        for label, cell in related.facts:
            if any(need[: len(at) + 1] == (*at, label) for need in self.needs):
                self.add_fact(row, (*at, label), Reading(cell, related.url, related.date))

    def _named(self, name: str, alias: str) -> Candidate | None:
        return self._names.get(name) or (self._names.get(alias) if alias else None)

    def _plain_name(self, at: At, value: LinkedText) -> str:
        """Returns a value; a thing that the question names is called as it is there.

        A page may use the second name of a related thing, but the URL that it links has the first.
        """
        if value.url:
            slug = value.url.rpartition("/")[2]
            for bound in self.question.conditions:
                if bound.fact.at == at and bound.a.lower().replace(" ", "-") == slug:
                    return bound.a
        return value.text


@cached(_MAX_HITS_BYTES)
def read_hits(text: str, noun: str) -> tuple[Hit, ...]:
    """Returns the results that a search shows, with what their snippets say.

    Args:
        text: of the result.
        noun: kind of thing that a second page, whose title does not say, is about.
    """
    hits: list[Hit] = []
    lines = text.splitlines()[1:]
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if match := _HIT.fullmatch(line):
            snippet = "" if _HIT.fullmatch(following) else following
            hits.append(_read_hit(match["title"], match["url"], snippet, noun))
    return tuple(hits)


def _read_hit(title: str, url: str, snippet: str, noun: str) -> Hit:
    about = _TITLE.match(title) or _OTHER_TITLE.fullmatch(title)
    if about is None:
        entries = tuple((link.text, link.url) for link in read_links(snippet))
        kept = tuple(entry for entry in entries if entry[0].lower() != "next page")
        return Hit(title, url, "", "", None, kept)
    pieces = snippet.split(" / ")
    if pieces[-1].endswith("…"):
        pieces.pop()  # its end is cut off, and with it maybe half a number
    kind = about.groupdict().get("noun") or noun
    boxed = "\n".join(piece for piece in pieces if "|" in piece)
    told = "\n".join(piece for piece in pieces if "|" not in piece)
    subject = f"{about['name']} is a {kind} in {about['region']}."
    notes = read_open(f"{title} | {url} | part 1 of 1\n{subject}\n{boxed}\n\n{told}")
    return Hit(title, url, about["name"], about["region"], notes, ())


def _entries(notes: PageNotes, region: str) -> Iterator[tuple[str, str]]:
    for link in notes.links:
        if link.text != region and link.text.lower() != "next page":
            yield link.text, link.url


def _main_url(notes: PageNotes) -> str:
    """Returns the main page's URL: the shortest of a page and those that it calls its others."""
    urls = [link.url for link in notes.links if notes.name in link.text]
    return min([notes.url, *urls], key=len)
