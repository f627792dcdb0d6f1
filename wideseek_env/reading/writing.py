"""Values as a question wants them: numbers in its unit, dates in ISO form.

Pages give lengths in metres and dates in words where a question asks for kilometres and digits.
Nothing here knows what a right answer is.
"""

from __future__ import annotations

import math
import re
from datetime import date

from wideseek_env.backends.caching import cached

# Spelling of a unit: (what it measures, size). A count has no unit, or a word not listed here.
_UNITS: dict[str, tuple[str, float]] = {
    spelling: (dimension, size)
    for dimension, spellings, size in (
        ("length", "m metre metres meter meters", 1.0),
        ("length", "km kilometre kilometres kilometer kilometers", 1000.0),
        ("length", "cm centimetre centimetres centimeter centimeters", 0.01),
        ("length", "ft foot feet", 0.3048),
        ("length", "mi mile miles", 1609.344),
        ("area", "m² m2 sqm", 1.0),
        ("area", "ha hectare hectares", 1e4),
        ("area", "km² km2 sqkm", 1e6),
        ("area", "acre acres", 4046.8564224),
        ("area", "mi² mi2 sqmi", 2589988.110336),
        ("flow", "l/s", 0.001),
        ("flow", "m³/s m3/s", 1.0),
        ("time", "s sec second seconds", 1.0),
        ("time", "min minute minutes", 60.0),
        ("time", "h hour hours", 3600.0),
        ("mass", "kg kilogram kilograms", 1.0),
        ("mass", "t tonne tonnes", 1000.0),
        ("mass", "lb lbs pound pounds", 0.45359237),
    )
    for spelling in spellings.split()
}
_MAX_VALUE_CHARS = 500
_MAX_DATES_BYTES = 4 << 20  # kept of what was read
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_NUMBER = re.compile(
    r"(?<![\w.])[-−]?(?:\d{1,3}(?:[,'\u2009\u202f\u00a0 ]\d{3})+(?!\d)|\d+)(?:\.\d+)?"
)
_GROUPING = re.compile(r"[,'\u2009\u202f\u00a0 ]")
_MONTH_NAMES = (
    "january february march april may june july august september october november december"
)
_MONTHS = {
    spelling: number
    for number, name in enumerate(_MONTH_NAMES.split(), start=1)
    for spelling in (name, name[:3])
}
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_NUMERIC = re.compile(r"\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b")
_DAY_FIRST = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)? (?:of )?([A-Za-z]{3,9})\.?,? (\d{4})\b")
_MONTH_FIRST = re.compile(r"\b([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b")
_MONTH_ONLY = re.compile(r"\b([A-Za-z]{3,9})\.? (\d{4})\b")
_YEAR = re.compile(r"\b([12]\d{3})\b")


def read_number(text: str) -> tuple[float, str] | None:
    """Returns the first number of a text and the word behind it; None when it holds no number.

    What is no value, but hundreds of characters or of digits, is not read to its end.

    Words such as "million" are multiplied in: "3.1 million crowns" is (3100000.0, "crowns").
    """
    text = text[:_MAX_VALUE_CHARS]
    match = _NUMBER.search(text)
    if match is None:
        return None
    scale, unit = _split_unit(text[match.end() :])
    value = float(_GROUPING.sub("", match.group()).replace("−", "-")) * scale
    return (value, unit) if math.isfinite(value) else None


def convert_number(text: str, unit: str) -> float | None:
    """Returns the number that a text gives, in `unit`; None when it holds no number.

    Args:
        text: as a page has it, such as "1,204 km²" or "3.1 million".
        unit: as the question names it; "" leaves the number as it is.
    """
    found = read_number(text)
    if found is None:
        return None
    value, given = found
    scale, wanted = _split_unit(unit)
    if given in _UNITS and wanted in _UNITS and _UNITS[given][0] == _UNITS[wanted][0]:
        value *= _UNITS[given][1] / _UNITS[wanted][1]
    # a number without a unit is taken to be in the wanted one
    value = value / scale if given or value >= scale else value
    return value if math.isfinite(value) else None


def read_date(text: str) -> date | None:
    """Returns the first date of a text; a month or a year alone is its first day.

    Digits with slashes or points are read day first, unless that is no date.
    """
    return _read_date(text[:_MAX_VALUE_CHARS])


@cached(_MAX_DATES_BYTES)
def _read_date(text: str) -> date | None:
    if match := _ISO.search(text):
        return _date(*match.groups())
    if match := _DAY_FIRST.search(text):
        return _date(match[3], match[2], match[1])
    if match := _MONTH_FIRST.search(text):
        return _date(match[3], match[1], match[2])
    if match := _NUMERIC.search(text):
        return _date(match[3], match[2], match[1]) or _date(match[3], match[1], match[2])
    if (match := _MONTH_ONLY.search(text)) and (found := _date(match[2], match[1], "1")):
        return found
    if match := _YEAR.search(text):
        return _date(match[1], "1", "1")
    return None


def write_number(value: float) -> str:
    """Returns a number as plain digits: no separators, no exponent, at most six decimals."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _split_unit(text: str) -> tuple[float, str]:
    """Returns scale and unit that a text begins with: (1e6, "crowns") for "million crowns"."""
    words = text.lower().replace("square ", "sq").replace("sq ", "sq").split()
    scale = _SCALES.get(words[0], 1.0) if words else 1.0
    words = words[1:] if scale > 1.0 else words
    return scale, words[0].strip("().,;") if words else ""


def _date(year: str, month: str, day: str) -> date | None:
    number = int(month) if month.isdigit() else _MONTHS.get(month.lower(), 0)
    try:
        return date(int(year), number, int(day))
    except ValueError:
        return None
