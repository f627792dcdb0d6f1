"""What a question needs to know of a thing, what a notebook holds of it, and what to read next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from agents.scripted.notebook import Notebook, Thing
from wideseek_env.reading.pages import Link, LinkedText
from wideseek_env.reading.parsed import ParsedQuestion
from wideseek_env.reading.question import related_noun

Known: TypeAlias = Mapping[tuple[str, ...], str]
"""Values as pages write them, by `NeededFact.at`; () is the name."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A thing that must be read about before a fact is known."""

    link: Link
    noun: str
    """Its kind."""


class Needs:
    """One question, held against what was read.

    Args:
        question: what is asked.
        notebook: what was read; it may grow afterwards.
    """

    def __init__(self, question: ParsedQuestion, notebook: Notebook) -> None:
        self._question = question
        self._notebook = notebook
        paths = (fact.at[:end] for fact in question.facts for end in range(len(fact.at)))
        self._paths = tuple(dict.fromkeys(((), *paths)))
        """Relations to follow to all things that facts are about, the thing itself first."""
        self._named = {
            bound.a.lower().replace(" ", "-"): bound.a
            for bound in question.conditions
            if bound.fact.kind == "relation"
        }
        """Things that the question names, by what the last part of their URL would be."""

    @property
    def num_pages(self) -> int:
        """Pages that must be read for one thing: its own, and one for each relation followed."""
        return len(self._paths)

    def known(self, thing: Thing) -> dict[tuple[str, ...], str]:
        """Gives all that was read of a thing."""
        known: dict[tuple[str, ...], str] = {(): thing.name}
        for fact in self._question.facts:
            value = self._look_up(thing, fact.at)
            if isinstance(value, LinkedText):
                known[fact.at] = self._spelling(value) if fact.kind == "relation" else value.text
        return known

    def ruled_out(self, thing: Thing) -> bool:
        """Returns whether a thing fails a condition."""
        return self._question.matches(self.known(thing)) is False

    def leads(self, thing: Thing) -> Iterator[Lead]:
        """Yields the related things to read about next; none when the thing is ruled out."""
        if not self.ruled_out(thing):
            for fact in self._question.facts:
                value = self._look_up(thing, fact.at)
                if isinstance(value, Lead):
                    yield value

    def second_pages(self, thing: Thing) -> Iterator[str]:
        """Yields the URLs of unread pages that may correct or complete what is known of a thing."""
        for path in self._paths:
            about = self._follow(thing, path)
            if isinstance(about, Thing):
                yield from about.newer_unread

    def _look_up(self, thing: Thing, at: tuple[str, ...]) -> LinkedText | Lead | None:
        """Returns a fact, or who must be read about for it, or None: no page read gives it."""
        about = self._follow(thing, at[:-1])
        return about.value(at[-1]) if isinstance(about, Thing) else about

    def _follow(self, thing: Thing, path: tuple[str, ...]) -> Thing | Lead | None:
        """Follows relations to a thing, read about or not yet; None: they lead nowhere."""
        for label in path:
            value = thing.value(label)
            if value is None:
                return None
            related = self._notebook.find(value)
            if related is None:
                return Lead(Link(value.text, value.url), related_noun(thing.noun, label) or "")
            thing = related
        return thing

    def _spelling(self, value: LinkedText) -> str:
        """Returns the name of a related thing, by which pages that use an alias can be compared."""
        about = self._notebook.find(value)
        if about is not None:
            return about.name
        return self._named.get(value.url.rpartition("/")[2], value.text)
