"""What one agent has read: things, their facts with page and date, and where to read on.

A `Notebook` is filled with the texts that the agent saw and holds nothing else. Where pages
disagree, the newest one is right, and among pages of the same day the majority.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wideseek_env.reading.pages import Link, LinkedText, PageNotes, read_open


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as one page has it."""

    value: LinkedText
    url: str
    date: str
    """Of the page, YYYY-MM-DD; "" when it has none, which counts as the oldest."""


@dataclass(slots=True)
class Thing:
    """Something that a page was about."""

    name: str
    noun: str
    alias: str = ""
    facts: dict[str, list[Reading]] = field(default_factory=dict)
    """By label."""
    pages: dict[str, str] = field(default_factory=dict)
    """URL to date of the pages about it that were read."""
    unread: dict[str, str] = field(default_factory=dict)
    """URL to title of further pages about it."""

    def value(self, label: str) -> LinkedText | None:
        """Returns the value that counts; None when no page gave one."""
        facts = self.facts.get(label)
        if not facts:
            return None
        if len(facts) == 1:  # most are told once
            return facts[0].value
        newest = max(fact.date for fact in facts)
        count = Counter(fact.value.text for fact in facts if fact.date == newest)
        best = count.most_common(1)[0][0]
        return next(fact.value for fact in facts if fact.value.text == best)

    @property
    def newer_unread(self) -> list[str]:
        """URLs of unread pages that may be newer than those read: all but archived copies."""
        return [url for url, title in self.unread.items() if "archive" not in title.lower()]


class Notebook:
    """Facts, by thing and label, that one agent has read itself."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        """By name."""
        self._read: set[tuple[str, int]] = set()
        self._names: dict[str, str] = {}
        """URL or alias to the name of a thing."""

    def read(self, text: str) -> PageNotes | None:
        """Adds what an `open` result says, and returns it; None when it shows no page."""
        notes = read_open(text)
        if notes is not None:
            self.add(notes)
        return notes

    def add(self, notes: PageNotes) -> None:
        """Adds one part of a page; a part that was added before changes nothing."""
        if not notes.noun or (notes.url, notes.part) in self._read:
            return
        self._read.add((notes.url, notes.part))
        thing = self.things.setdefault(notes.name, Thing(notes.name, notes.noun))
        self._names[notes.url] = thing.name
        if notes.alias:
            thing.alias = notes.alias
            self._names[notes.alias] = thing.name
        thing.pages[notes.url] = notes.date
        thing.unread.pop(notes.url, None)
        for label, value in notes.facts:
            thing.facts.setdefault(label, []).append(Reading(value, notes.url, notes.date))
        for link in notes.links:
            if thing.name in link.text and link.text != thing.name and link.url not in thing.pages:
                thing.unread[link.url] = link.text

    def find(self, link: Link | LinkedText) -> Thing | None:
        """Returns the thing that a link or a value leads to; None when it was not read about."""
        name = self._names.get(link.url) or self._names.get(link.text) or link.text
        return self.things.get(name)
