"""How a value is written: as a gold cell, in a question, on pages in other units and formats."""

from __future__ import annotations

import datetime
from decimal import Decimal
from random import Random

from wideseek_env.worlds.schema import COUNTED, UNITS, Attribute, Value

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

UNKNOWN = "unknown"
"""What pages write for a value that nobody knows."""


def gold_text(value: Value, *, year_only: bool = False) -> str:
    """Returns a gold cell: plain digits, YYYY-MM-DD or a year, a name; empty when unknown."""
    if value is None:
        return ""
    if isinstance(value, datetime.date):
        return str(value.year) if year_only else value.isoformat()
    return str(value)


def bound_text(attribute: Attribute, value: Value) -> str:
    """Returns the bound of a condition: "1,200 m", "1950", "granite"."""
    if isinstance(value, datetime.date):
        return str(value.year)
    if not isinstance(value, int) or attribute.kind == "date":
        return str(value)
    return f"{value:,}" if attribute.unit in COUNTED else f"{value:,} {attribute.unit}"


def page_text(attribute: Attribute, value: Value, rng: Random | None) -> str:
    """Writes a number, date, category or text as a page does.

    Args:
        attribute: says the unit.
        value: None is written `UNKNOWN`.
        rng: draws a unit or format other than the usual one; None writes the usual one.
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, datetime.date):
        return _date_text(value, rng)
    if isinstance(value, int):
        return _number_text(attribute.unit, value, rng)
    return value


def day_text(day: datetime.date) -> str:
    """Returns a date as most pages write it: "4 May 2019"."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _date_text(day: datetime.date, rng: Random | None) -> str:
    if rng is None:
        return day_text(day)
    month = MONTHS[day.month - 1]
    return rng.choice(
        (day.isoformat(), f"{month} {day.day}, {day.year}", f"{day.day} {month[:3]} {day.year}")
    )


def _number_text(unit: str, number: int, rng: Random | None) -> str:
    if rng is None:
        return f"{number:,}" if unit in COUNTED else f"{number:,} {unit}"
    units = UNITS[unit]
    other = rng.choice(list(units))
    converted = (number * units[other]).normalize()
    if not _readable(converted):
        other, converted = unit, Decimal(number)
    digits = f"{converted:f}" if rng.random() < 0.5 else f"{converted:,f}"
    return digits if other in COUNTED else f"{digits} {other}"


def _readable(number: Decimal) -> bool:
    return Decimal("0.1") <= number < Decimal(1_000_000_000_000)
