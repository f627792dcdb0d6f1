"""What a world is made of: domains (rivers, bridges ...) with typed attributes, and their words.

Holds no data. The tables in `domains.py` are built from these types; the data base (`region.py`),
the pages (`pages.py`) and the questions (`questions.py`) are all driven by them.

A phrase is written once for plural and singular: "[are|is] longer than {a}". `inflect` picks.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "number", "date", "category", "relation"]
Operator: TypeAlias = Literal["more", "less", "between", "after", "before", "during", "equals"]

OPERATORS: Mapping[Kind, tuple[Operator, ...]] = {
    "number": ("more", "less", "between"),
    "date": ("after", "before", "during"),
    "category": ("equals",),
    "relation": ("equals",),
    "text": (),
}
"""Conditions that a question can put on an attribute of each kind."""

COUNTED = ("people", "items", "papers")
"""Units of plain counts: questions ask for "Population", not for "Population (people)"."""

UNITS: Mapping[str, Mapping[str, Decimal]] = {
    "km": {"km": Decimal(1), "m": Decimal(1000)},
    "m": {"m": Decimal(1), "km": Decimal("0.001")},
    "km²": {"km²": Decimal(1), "ha": Decimal(100)},
    "m³/s": {"m³/s": Decimal(1), "l/s": Decimal(1000)},
    "min": {"min": Decimal(1), "s": Decimal(60)},
    "people": {"people": Decimal(1), "thousand people": Decimal("0.001")},
    "items": {"items": Decimal(1), "thousand items": Decimal("0.001")},
    "papers": {"papers": Decimal(1), "hundred papers": Decimal("0.01")},
    "million crowns": {"million crowns": Decimal(1), "crowns": Decimal(1_000_000)},
}
"""Unit that questions ask for, to the units that pages may use and their number in one of it.

All factors are powers of ten or divide exactly, so that a converted value is exact.
"""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One typed property of the entities of a domain, and the words it is spoken of with."""

    key: str
    kind: Kind
    label: str
    """Header in questions and info boxes: "Running time"."""
    other_label: str = ""
    """What some info boxes call it instead; empty when all agree."""
    unit: str = ""
    """numbers: the unit that questions ask for, a key of `UNITS`."""
    low: int = 0
    """numbers: least value, in `unit`; dates: first year."""
    high: int = 0
    """numbers: greatest value, in `unit`; dates: last year."""
    values: tuple[str, ...] = ()
    """categories: what it can be; empty for "province", whose names each region makes."""
    target: str = ""
    """relations: key of the domain it leads to."""
    verb: str = ""
    """dates: "opened"; relations: "[cross|crosses]", said before "the river X"."""
    chain: str = ""
    """relations: the entity it leads to, seen from {x}: "the river crossed by {x}"."""
    phrases: Mapping[Operator, tuple[str, ...]] = field(default_factory=dict)
    """What may follow "that" in a question, by operator; {a} and {b} are the bounds."""
    most: str = ""
    """Adjective of the greatest values: "longest"; empty: "with the greatest length"."""
    least: str = ""
    """Adjective of the smallest values: "shortest"."""

    @property
    def noun(self) -> str:
        """The label in the middle of a sentence."""
        return self.label[0].lower() + self.label[1:]


@dataclass(frozen=True, slots=True)
class Domain:
    """A kind of entity."""

    key: str
    noun: str
    plural: str
    patterns: tuple[str, ...]
    """Names of its entities; {} is a made-up word, {given} a first name."""
    attributes: tuple[Attribute, ...]
    pronoun: str = "It"
    """Second mention in prose; "" repeats the name."""

    def attribute(self, key: str) -> Attribute:
        """Returns the attribute with this key.

        Raises:
            KeyError: the domain has none.
        """
        for attribute in self.attributes:
            if attribute.key == key:
                return attribute
        raise KeyError(f"domain {self.key!r} has no attribute {key!r}")

    @property
    def header(self) -> str:
        """Header of the column of names."""
        return self.noun[0].upper() + self.noun[1:]


_FORMS = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")


def inflect(phrase: str, *, plural: bool) -> str:
    """Returns a phrase with each "[are|is]" resolved."""
    return _FORMS.sub(r"\1" if plural else r"\2", phrase)


def with_article(noun: str) -> str:
    """Returns a noun after "a" or "an"."""
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"  # "a university"


def number(
    key: str,
    label: str,
    unit: str,
    low: int,
    high: int,
    *,
    other: str = "",
    more: str = "",
    less: str = "",
    most: str = "",
    least: str = "",
) -> Attribute:
    """Returns a number attribute; `more` and `less` are further ways to say its conditions."""
    noun = with_article(label[0].lower() + label[1:])
    phrases: dict[Operator, tuple[str, ...]] = {
        "more": (f"[have|has] {noun} of more than {{a}}", *filter(None, [more])),
        "less": (f"[have|has] {noun} of less than {{a}}", *filter(None, [less])),
        "between": (f"[have|has] {noun} of between {{a}} and {{b}}",),
    }
    return Attribute(
        key, "number", label, other, unit=unit, low=low, high=high, phrases=phrases, most=most,
        least=least,
    )  # fmt: skip


def date(
    key: str, label: str, verb: str, low: int = 1800, high: int = 2015, *, other: str = ""
) -> Attribute:
    """Returns a date attribute; something "was `verb`" on it."""
    phrases: dict[Operator, tuple[str, ...]] = {
        "after": (f"[were|was] {verb} after {{a}}", f"[were|was] {verb} later than {{a}}"),
        "before": (f"[were|was] {verb} before {{a}}", f"[were|was] {verb} earlier than {{a}}"),
        "during": (
            f"[were|was] {verb} from {{a}} to {{b}}",
            f"[were|was] {verb} in the years {{a}} to {{b}}",
        ),
    }
    return Attribute(
        key, "date", label, other, low=low, high=high, verb=verb, phrases=phrases,
        most=f"most recently {verb}", least=f"earliest {verb}",
    )  # fmt: skip


def category(key: str, label: str, values: str, equals: str, *, other: str = "") -> Attribute:
    """Returns a category attribute; `values` are separated by commas, `equals` holds {a}."""
    return Attribute(
        key, "category", label, other, values=tuple(filter(None, values.split(", "))),
        phrases={"equals": (equals,)},
    )  # fmt: skip


def relation(key: str, label: str, target: str, verb: str, chain: str) -> Attribute:
    """Returns a relation to an entity of the domain `target`, whose noun is its key too."""
    return Attribute(
        key, "relation", label, target=target, verb=verb, chain=chain,
        phrases={"equals": (f"{verb} the {target} {{a}}",)},
    )  # fmt: skip


def text(key: str, label: str, *, other: str = "") -> Attribute:
    """Returns a free-text attribute: the name of a person, a code."""
    return Attribute(key, "text", label, other)


Value: TypeAlias = int | datetime.date | str | None
"""Number in the attribute's unit, date, text or category, or name of the entity; None: unknown."""
