"""What a question about things of a closed world asks: facts, columns, conditions, rank.

`question` reads the worlds' own questions into these records, `made` those of synthesis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from wideseek_env.reading.writing import convert_number, read_date, write_number
from wideseek_env.worlds import questions as phrases
from wideseek_env.worlds.schema import COUNTED, Attribute, Operator
from wideseek_env.worlds.values import UNKNOWN


@dataclass(frozen=True, slots=True)
class NeededFact:
    """A fact that is needed of each thing: which relations to follow, and what to read there."""

    at: tuple[str, ...]
    """Labels: ("Length",), or ("River", "Length") for the length of its river; () is its name."""
    kind: str
    """text, number, date, category or relation."""
    unit: str = ""
    """numbers: unit of the question; "" for counts."""

    def read(self, text: str) -> float | None:
        """Returns a number in the question's unit, or a date as days; None when it is neither."""
        if self.kind == "number":
            return convert_number(text, self.unit)
        day = read_date(text)
        return day.toordinal() if day else None


@dataclass(frozen=True, slots=True)
class Asked:
    """One column of the answer."""

    header: str
    fact: NeededFact
    year_only: bool = False

    def write(self, text: str) -> str:
        """Returns a page's value in the unit and format asked for; "" for an unknown one."""
        if text.strip().lower() == UNKNOWN:
            return ""
        if self.fact.kind == "number":
            number = convert_number(text, self.fact.unit)
            return text if number is None else write_number(number)
        if self.fact.kind == "date":
            day = read_date(text)
            return text if day is None else str(day.year) if self.year_only else day.isoformat()
        return text.strip()


@dataclass(frozen=True, slots=True)
class Bound:
    """One condition."""

    fact: NeededFact
    operator: Operator
    a: str
    """As the question says it: "1,200 m", "1950", "1950-03-02", "granite", a name."""
    b: str = ""
    negated: bool = False
    """Whether it must not be so; an unknown value meets no condition all the same."""
    others: tuple[Bound, ...] = ()
    """Further conditions on the same fact, of which one is enough."""

    def holds(self, text: str) -> bool:
        """Returns whether a page's value meets it; an unknown value never does."""
        met = self._met(text)
        if met is not None and met != self.negated:
            return True
        return any(other.holds(text) for other in self.others)

    def _met(self, text: str) -> bool | None:
        """Compares one value; None when it is unknown."""
        if self.operator == "equals":
            said = text.strip().lower()
            return None if said == UNKNOWN else said == self.a.lower()
        value, low, high = map(self._size, (text, self.a, self.b))
        if value is None or low is None:
            return None
        if self.operator in ("more", "after"):
            return value > low
        if self.operator in ("less", "before"):
            return value < low
        return None if high is None else low <= value <= high

    def _size(self, text: str) -> float | None:
        """Reads a number in the fact's unit, or a date: its day, or its year if a year is asked."""
        if self.fact.kind != "date":
            return convert_number(text, self.fact.unit)
        day = read_date(text)
        if day is None:
            return None
        return float(day.toordinal() if "-" in self.a else day.year)


@dataclass(frozen=True, slots=True)
class Rank:
    """The `k` with the greatest or smallest values of a fact, by `fact.read`."""

    fact: NeededFact
    k: int
    greatest: bool


@dataclass(frozen=True)
class ParsedQuestion:
    """What a question asks."""

    noun: str
    """Of the things asked for: "bridge". A deep question begins at one of them."""
    plural: str
    region: str
    columns: tuple[Asked, ...]
    conditions: tuple[Bound, ...] = ()
    rank: Rank | None = None
    start: str = ""
    """Name of the one thing a deep question begins at; "" when it has to be found."""

    @property
    def list_title(self) -> str:
        """Title, without the page number, of the list that names all things of this kind."""
        return phrases.LIST_TITLE.format(plural=self.plural, region=self.region)

    @cached_property
    def facts(self) -> tuple[NeededFact, ...]:
        """All facts needed of each thing, those that decide first, none twice."""
        needed = [condition.fact for condition in self.conditions]
        needed += [self.rank.fact] if self.rank else []
        needed += [column.fact for column in self.columns]
        return tuple(dict.fromkeys(fact for fact in needed if fact.at))

    def matches(self, known: Mapping[tuple[str, ...], str]) -> bool | None:
        """Returns whether a thing meets all conditions.

        Args:
            known: values as pages write them, by `NeededFact.at`.

        Returns:
            False as soon as one condition fails; None when none fails but a fact is not known yet.
        """
        verdict: bool | None = True
        for condition in self.conditions:
            if condition.fact.at not in known:
                verdict = None
            elif not condition.holds(known[condition.fact.at]):
                return False
        return verdict


def fact_of(path: tuple[Attribute, ...], attribute: Attribute | None) -> NeededFact:
    """The fact that an attribute is, of the thing or of what a path of relations leads to.

    Args:
        path: relations to follow.
        attribute: what is wanted there; None: the name.
    """
    labels = tuple(step.label for step in path)
    if attribute is None:
        return NeededFact(labels, "text")
    unit = "" if attribute.unit in COUNTED else attribute.unit
    return NeededFact((*labels, attribute.label), attribute.kind, unit)
