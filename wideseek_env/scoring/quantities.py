"""One quantity: sign, digits, scale, and unit or currency: -$5.2 million, 1,234.5 km², 5 ft 11 in.

`read_quantity` gets a text in one spelling of digits, dashes and blanks, as `numbers.py` makes it,
and returns None when any of it is not understood.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from wideseek_env.scoring.scales import is_share, read_scales
from wideseek_env.scoring.units import ONE, UNITS, Unit, comparable, read_unit

_MAX_EXPONENT = 400


class Quantity(NamedTuple):
    """A size in full, and what was read beside it."""

    size: Fraction
    scale: Fraction | None
    unit: Unit | None


_DIGITS = r"""(?:
    [1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?       # 1,234.5
  | [1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d+)?     # 12,34,567
  | [1-9]\d{0,2}(?:[' ]\d{3})+(?:[.,]\d+)?  # 1 234,5 and 1'234
  | [1-9]\d{0,2}(?:\.\d{3})+,\d+            # 1.234,5
  | [1-9]\d{0,2}(?:\.\d{3}){2,}             # 1.234.567
  | \d+,\d+                                 # 3,5
  | \d+(?:\.\d+)?
  | \.\d+
)(?!\d|[.,]\d)"""
_NUMBER = re.compile(
    rf"""(?:(?P<whole>\d{{1,6}})[ ]+)?
      (?P<over>\d{{1,6}})[ ]?[/⁄][ ]?(?P<under>\d{{1,4}})(?![\d/⁄.,])
    | (?P<ten>10)\^(?P<power>[-+]?\d{{1,3}})(?!\d)
    | (?P<digits>{_DIGITS})
      (?:[eE](?P<e>[-+]?\d{{1,3}})(?!\d)
       | [ ]?[×xX*·][ ]?10[ ]?\^[ ]?\(?(?P<times>[-+]?\d{{1,3}})\)?(?!\d))?""",
    re.ASCII | re.VERBOSE,
)
_VULGAR = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 32, 64))
"""Under the line of a fraction; `3/17` is a ratio."""
_NEGATIVE = re.compile(
    r"(?:minus|negative|neg\.?|moins|menos|meno|минус|负|負|零下|マイナス|마이너스)\s*", re.I
)
_BELOW_ZERO = re.compile(r"\s(?:below zero|sous zéro|bajo cero|unter null|sotto zero)$", re.I)
_BRACKETED = re.compile(r"([^\d()]*)\(([^\d()+-]{0,4}[\d.][^()]*)\)(\s*[^\W\d_]*)")
_COUNTING = frozenset(("#", "no.", "no", "nr.", "nr", "num."))
_FURTHER = re.compile(r"(?P<unit>[^\W\d_]+\.?),?(?: and)? ?(?P<further>\d.*)")
_CJK_SIZES = {
    "十": 10, "百": 100, "千": 10**3, "仟": 10**3, "万": 10**4, "萬": 10**4, "만": 10**4,
    "십": 10, "백": 100, "천": 10**3,
    "亿": 10**8, "億": 10**8, "억": 10**8, "兆": 10**12, "조": 10**12,
}  # fmt: skip
_CJK_NUMBER = re.compile(
    r"(?:\d[\d,]*(?:\.\d+)?\s?[十百千仟万萬만亿億억兆조십백천]+\s?)+(?![\d瓦克米卡帕焦])", re.ASCII
)
_CJK_TOKEN = re.compile(r"(?P<number>\d[\d,]*(?:\.\d+)?)|(?P<size>[^\s\d,.])", re.ASCII)


def read_quantity(text: str) -> Quantity | None:
    """Returns a single quantity with its sign: -5, (5), minus 5, -$5, 5 °C below zero."""
    negative = False
    if bracketed := _BRACKETED.fullmatch(text):
        text, negative = "".join(bracketed.groups()), True
    elif found := _NEGATIVE.match(text):
        text, negative = text[found.end() :], True
    elif found := _BELOW_ZERO.search(text):
        text, negative = text[: found.start()], True
    part = _quantity(text, may_be_signed=not negative)
    return part._replace(size=-part.size) if part and negative else part


def _quantity(text: str, *, may_be_signed: bool = False) -> Quantity | None:
    start = next((i for i, c in enumerate(text) if c in "0123456789"), len(text))
    if start and text[start - 1] == ".":
        start -= 1
    before, sign = text[:start].strip(), 1
    if may_be_signed and before[:1] in ("-", "+"):
        sign, before = (-1 if before[0] == "-" else 1), before[1:].strip()
    elif may_be_signed and before[-1:] in ("-", "+"):
        sign, before = (-1 if before[-1] == "-" else 1), before[:-1].strip()
    unit = None
    if before and before.lower() not in _COUNTING:
        unit = _currency(before)
        if unit is None:
            return None
    part = _size_and_unit(text[start:], unit)
    return part and part._replace(size=sign * part.size)


def _size_and_unit(text: str, currency: Unit | None) -> Quantity | None:
    """Returns digits, scale and unit; several of them are added, as in 5 ft 11 in."""
    size: Fraction | None
    if found := _CJK_NUMBER.match(text):
        size = _cjk_size(found.group())
        scale: Fraction | None = Fraction(1)
        rest = text[found.end() :]
    else:
        found = _NUMBER.match(text)
        if found is None:
            return None
        size, scale, rest = _digits(found), None, text[found.end() :]
    if size is None:
        return None
    rest = rest.strip()
    rest = rest[1:] if re.match(r"-[^\W\d_]{4}", rest) else rest  # 5-million
    own, left = read_scales(rest, money=currency is not None)
    if own is not None:
        scale = own * (scale or 1)
        size *= own
        if "0" <= left[:1] <= "9":
            return _with_smaller(size, own, left, currency)
    unit = _unit(left, currency)
    if unit is None and left:
        return None if own or currency else _added(size, left)
    if own is not None and is_share(rest):
        unit = ONE
    return Quantity(size, scale, unit or currency)


def _with_smaller(
    size: Fraction, scale: Fraction, text: str, currency: Unit | None
) -> Quantity | None:
    """Returns 1 crore 50 lakh as one size; each scale is smaller than the one before."""
    further = _size_and_unit(text, currency)
    if further is None or further.scale is None or not 1 < further.scale < scale > further.size:
        return None
    return Quantity(size + further.size, scale, further.unit)


def _added(size: Fraction, text: str) -> Quantity | None:
    """Returns 5 ft 11 in as one size, in the first unit."""
    found = _FURTHER.fullmatch(text)
    if found is None:
        return None
    first, following = read_unit(found["unit"]), _size_and_unit(found["further"], None)
    if first is None or following is None or following.unit is None or following.scale:
        return None
    second = following.unit
    if second == UNITS["m"] and first.dimension == "time":
        second = UNITS["min"]  # 1h20m
    alike = comparable(first, second)
    if alike is None or alike[1].factor >= alike[0].factor or first.offset:
        return None
    first, second = alike
    return Quantity(size + following.size * second.factor / first.factor, None, first)


def _unit(text: str, currency: Unit | None) -> Unit | None:
    """Returns the unit after a number, or after a currency and a number: $5 USD, $5 per hour."""
    if not text:
        return None
    if currency is None:
        return read_unit(text.strip("- "))
    if text.startswith(("/", "per ")):
        below = read_unit(text.removeprefix("/").removeprefix("per ").strip())
        return below and Unit(f"{currency.dimension} / {below.dimension}", 1 / below.factor)
    unit = UNITS.get(text.lower())
    if unit is None or (currency.dimension == "USD" and _is_money(unit)):
        return unit
    alike = comparable(unit, currency)
    return currency if alike and alike[0] == currency else None


def _currency(text: str) -> Unit | None:
    unit = UNITS.get(text.lower()) or UNITS.get(text.lower().rstrip(". "))
    return unit if unit and _is_money(unit) else None


def _is_money(unit: Unit) -> bool:
    return unit.dimension == "¥" or (len(unit.dimension) == 3 and unit.dimension.isupper())


def compound_unit(text: str) -> Unit | None:
    """Returns an area, a volume or a rate; None for what may be any word."""
    unit = read_unit(text)
    return (
        unit if unit and (" / " in unit.dimension or unit.dimension in ("area", "volume")) else None
    )


def _digits(found: re.Match[str]) -> Fraction | None:
    if found["over"]:
        under = int(found["under"])
        over, whole = int(found["over"]), found["whole"]
        if under not in _VULGAR or (whole is not None and over >= under):
            return None
        return int(whole or 0) + Fraction(over, under)
    if found["ten"]:
        return Fraction(10) ** int(found["power"])
    digits = found["digits"].replace(" ", "").replace("'", "")
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma > point >= 0 or digits.count(".") > 1:
        digits = digits.replace(".", "").replace(",", ".")
    elif comma >= 0 and point < 0 and not re.fullmatch(r"[1-9]\d{0,2}(,\d{2,3})*,\d{3}", digits):
        digits = digits.replace(",", ".")
    exponent = int(found["e"] or found["times"] or 0)
    if abs(exponent) > _MAX_EXPONENT:
        return None
    return Fraction(digits.replace(",", "")) * Fraction(10) ** exponent


def _cjk_size(text: str) -> Fraction:
    total = section = number = Fraction(0)
    for found in _CJK_TOKEN.finditer(text):
        if found["number"]:
            number = Fraction(found["number"].replace(",", ""))
            continue
        size = _CJK_SIZES[found["size"]]
        if size < 10**4:
            section += number * size
        elif section or number:
            total += (section + number) * size
            section = Fraction(0)
        else:
            total *= size  # 万亿
        number = Fraction(0)
    return total + section
