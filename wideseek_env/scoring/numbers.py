"""What a cell says as a number: only when all of it is understood.

Sign, digits, scale, unit or currency, note marks, ranges and bounds are read; a cell with anything
else in it is no number. Sizes are fractions, so that nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from wideseek_env.scoring.quantities import Quantity, compound_unit, read_quantity
from wideseek_env.scoring.scales import read_scale, read_scales
from wideseek_env.scoring.spelling import plain_spelling, without_about
from wideseek_env.scoring.text import nfkc
from wideseek_env.scoring.units import ONE, UNITS, Unit, comparable

MAX_CHARS = 100
"""A longer cell is no number and no date."""


class Number(NamedTuple):
    """A quantity, a range or a bound, in the unit that it is written in."""

    size: int | Fraction
    """In full: 5 million is 5,000,000; 50 % is 1/2. Of a range its lower end."""
    unit: Unit | None = None
    """None where none is stated."""
    high: int | Fraction | None = None
    """Upper end of a range."""
    bound: str = ""
    """`<`, `<=`, `>` or `>=`, where the cell says no more than that."""

    def __str__(self) -> str:
        size = f"{self.bound}{_written(self.size)}"
        if self.high is not None:
            size += f" to {_written(self.high)}"
        return f"{size} {self.unit.dimension if self.unit else ''}".strip()


class InHeader(NamedTuple):
    """What a header says of the bare numbers below it: `Sales (US$ million)`."""

    scale: Fraction | None = None
    unit: Unit | None = None


_PLAIN = re.compile(
    r"(\*\*)?(-?(?:[1-9]\d{0,2}(?:,\d{3})+|\d{1,30})(?:\.(\d{1,30}))?)(%)?(?(1)\*\*)", re.ASCII
)
"""Digits alone, a share, either of them in bold."""
_BOUNDS = tuple(
    (re.compile(rf"(?:{pattern})\s*", re.I), bound)
    for pattern, bound in (
        (
            r"<=|up to|at most|no more than|not more than|max\.?(?= )|maximum(?: of)?"
            r"|不超过|至多|最多",
            "<=",
        ),
        (
            r">=|at least|no less than|not less than|no fewer than|min\.(?= )|minimum(?: of)?"
            r"|至少|不少于|最少",
            ">=",
        ),
        (r"<|less than|fewer than|under|below|almost|nearly|just under|不到|不足|少于|低于", "<"),
        (r">|more than|over|above|greater than|exceeding|超过|多于|高于|大于", ">"),
    )
)
_BOUNDS_AFTER = tuple(
    (re.compile(rf"\s*(?:{pattern})$", re.I), bound)
    for pattern, bound in (
        (
            r"\+|or more|or above|or over|or higher|and above|and over|and up|at least|minimum"
            r"|以上|이상",
            ">=",
        ),
        (
            r"or less|or fewer|or below|or under|or lower|and below|and under|at most|maximum"
            r"|以下|以内|以內|이하",
            "<=",
        ),
        (r"未満|未滿|未满|미만", "<"),
        (r"초과|余り?|餘|多", ">"),
    )
)
_BETWEEN = re.compile(
    r"(?:between\s+(?P<a>.+?)\s+and|from\s+(?P<b>.+?)\s+(?:to|through|until))\s+(?P<c>.+)", re.I
)
_TO = re.compile(
    r"\s+(?:to|through|thru)\s+|\s*(?:…|\.\.\.?|至|到)\s*|(?<=[^\s(<>~-])(?<![eE^])\s?[-~]\s?(?=-?[^\s-])",
    re.I,
)


def read_number(cell: str, header: InHeader) -> Number | None:
    """Returns the number that a cell says; None when any of it is not understood.

    Args:
        cell: as it stands.
        header: what its column's header says of bare numbers.
    """
    if len(cell) > MAX_CHARS:
        return None
    if plain := _PLAIN.fullmatch(cell):  # most cells, and the rest takes ten times as long
        _, digits, rest, share = plain.groups("")
        parts = 10 ** len(rest) * (100 if share else 1)
        size: int | Fraction = int(digits.replace(",", "").replace(".", ""))
        size = _slim(Fraction(size, parts)) if parts > 1 else size
        if share:  # and so no bare number, which a header's scale and unit are of
            return Number(size, ONE)
        return Number(_slim(size * header.scale) if header.scale else size, header.unit)
    text = without_about(plain_spelling(cell))
    bound = ""
    for pattern, kind in _BOUNDS:
        if found := pattern.match(text):
            text, bound = text[found.end() :], kind
            break
    for pattern, kind in _BOUNDS_AFTER:
        if not bound and (found := pattern.search(text)):
            text, bound = text[: found.start()], kind
    if not any(map(str.isdigit, text)):
        return None
    one = read_quantity(text)
    if one is not None:
        return Number(*_completed(one, header), bound=bound)
    ends = None if bound else _range(text)
    if ends is None:
        return None
    (low, unit), (high, _) = (_completed(end, header) for end in ends)
    return Number(low, unit, high) if low <= high else None


@lru_cache(maxsize=4096)
def read_header(header: str) -> InHeader:
    """Returns the scale and the unit that a header states in brackets or after `in`."""
    text = nfkc(header[:500])
    stated = re.findall(r"\(([^()]{1,60})\)|\bin ([^()]{1,40})$|(%)\s*$", text)
    scale: Fraction | None = None
    unit: Unit | None = None
    for part in (part for found in stated for part in re.split(r"[,;:]|\bin\b", "".join(found))):
        words = " ".join(part.strip(" .").split())
        currency, _, rest = words.partition(" ")
        money = UNITS.get(currency.lower()) if rest and read_scale(rest, money=True) else None
        own, left = read_scales(rest if money else words, money=money is not None)
        known = UNITS.get(left) or UNITS.get(left.lower()) or compound_unit(left) if left else None
        if known is not None and known.dimension == "months":
            known = None  # "Born (year)" is no duration
        scale, unit = scale or own, unit or money or known
    return InHeader(scale, unit)


def near(answer: Number, gold: Number, tolerance: Fraction) -> bool:
    """Returns whether two numbers say the same, their sizes up to a share of the gold one."""
    if answer.bound != gold.bound or (answer.high is None) != (gold.high is None):
        return False
    mine, wanted = answer.unit, gold.unit
    ends = [(Fraction(answer.size), Fraction(gold.size))]
    if answer.high is not None and gold.high is not None:
        ends.append((Fraction(answer.high), Fraction(gold.high)))
    if mine != wanted and mine and wanted:
        alike = comparable(mine, wanted)
        if alike is None:
            return False
        mine, wanted = alike
        ends = [
            ((size * mine.factor + mine.offset - wanted.offset) / wanted.factor, other)
            for size, other in ends
        ]
    return all(abs(size - other) <= tolerance * abs(other) for size, other in ends)


def _range(text: str) -> tuple[Quantity, Quantity] | None:
    """Returns both ends of a range; a scale or unit that one end lacks is the other's."""
    if found := _BETWEEN.fullmatch(text):
        texts: Sequence[str] = (found["a"] or found["b"], found["c"])
    else:
        texts = _TO.split(text)
    if len(texts) != 2:
        return None
    low, high = (read_quantity(end.strip()) for end in texts)
    if low is None or high is None:
        return None
    if low.scale is None and high.scale is not None and low.size * high.scale <= high.size:
        low = low._replace(size=low.size * high.scale, scale=high.scale)
    if high.unit is None:
        high = high._replace(unit=low.unit)
    if low.unit is None:
        low = low._replace(unit=high.unit)
    if low.unit != high.unit and low.unit and high.unit:
        if low.unit.dimension != high.unit.dimension or low.unit.offset or high.unit.offset:
            return None
        low = low._replace(size=low.size * low.unit.factor / high.unit.factor, unit=high.unit)
    return low, high


def _completed(part: Quantity, header: InHeader) -> tuple[int | Fraction, Unit | None]:
    size = part.size * header.scale if part.scale is None and header.scale else part.size
    return _slim(size), part.unit or header.unit


def _slim(size: Fraction) -> int | Fraction:
    """Returns a whole number as one, which is compared and hashed much faster."""
    return size.numerator if size.denominator == 1 else size


def _written(size: int | Fraction) -> str:
    return str(size.numerator) if size.denominator == 1 else f"{float(size):.10g}"
