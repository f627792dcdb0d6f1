"""What one cell says: each is read by its column's rules, and never by the cells beside it.

`read_value` turns a cell into a `Value`; two cells with equal values are equal for every metric.
`same` adds what a column's metric allows beyond that: a tolerance, 31 days, a part of the text.
`docs/scoring.md` states each rule beside the defect that it closes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from wideseek_env.records import Column

Kind: TypeAlias = Literal["text", "words", "number", "date", "url"]
"""How a column's cells are read; words: as text, with a blank between words."""

MAX_DAYS_APART = 31
"""`date_near`: two full dates this far apart still match, as in WideSearch."""


class Value(NamedTuple):
    """What a cell says, in a form that is equal for equal meanings."""

    kind: Literal["missing", "text", "number", "date", "url"]
    form: Hashable
    """missing: None; text: the bare text; number: `Number`; date: (year, month, day), 0 for a part
    that is not stated; url: (host, path)."""


class Number(NamedTuple):
    """A quantity: the size in full (5 million is 5,000,000; 50 % is 0.5) and its unit, if known."""

    size: Decimal
    unit: str = ""


MISSING = Value("missing", None)

_MISSING_WORDS = frozenset(
    ("", "n/a", "#n/a", "na", "nan", "<na>", "nat", "null", "none", "unknown", "未知", "不详")
)
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－~～"), "-")
_QUOTES = dict.fromkeys(map(ord, "‘’‚‛′`´"), "'") | dict.fromkeys(map(ord, "“”„‟″"), '"')
_EMPHASIS = {ord("*"): None, ord("\\"): None}
_CONTROL = dict.fromkeys((*range(9), *range(14, 28), 127, *range(0xFE00, 0xFE10)))
_SAME_CHARACTER = _DASHES | _QUOTES | _EMPHASIS
_BARE = _SAME_CHARACTER | _CONTROL
_PLAIN = re.compile(r"[^*\\`~\x00-\x1f\x7f]*")
_POWER = re.compile(r"(?<=\d)[⁺⁻]?[⁰¹²³⁴-⁹]+")


def kind_of(column: Column) -> Kind:
    """Returns how the cells of a column are read."""
    if column.metric == "url_match":
        return "url"
    if column.metric == "date_near" or "norm_date" in column.preprocess:
        return "date"
    if column.metric == "number_near" or "extract_number" in column.preprocess:
        return "number"
    return "words" if column.metric == "in_match" else "text"


def read_value(cell: str, column: Column) -> Value:
    """Returns what a cell of this column says; a cell that is no number, date or URL is text."""
    return reader_of(column)(cell)


def reader_of(column: Column) -> Callable[[str], Value]:
    """Returns `read_value` for one column, for reading many cells of it."""
    return partial(_read, kind_of(column), _scale_in(column.name))


def same(answer: Value, gold: Value, column: Column) -> bool:
    """Returns whether an answer's cell matches a gold cell under the column's metric."""
    if answer == gold:
        return True
    if answer.kind != gold.kind or gold.kind == "missing":
        return False
    if isinstance(answer.form, Number) and isinstance(gold.form, Number):
        return _near(answer.form, gold.form, column)
    if gold.kind == "date":
        return _same_date(answer.form, gold.form, column)  # type: ignore[arg-type]
    if column.metric == "in_match":
        return _is_large_part(str(answer.form), str(gold.form))
    return False


def bare_text(text: str) -> str:
    """Returns a text without what does not count: case, blanks, emphasis, width, typography."""
    if text.isascii():
        bare = "".join(text.lower().split())
        # Most cells hold nothing that is dropped or unified; translate is the slow part.
        return bare if _PLAIN.fullmatch(bare) else bare.translate(_BARE)
    folded = _folded(text)
    bare = "".join(folded.translate(_BARE).split())
    if bare.isascii():
        return bare
    if not bare.isprintable():
        bare = "".join(c for c in bare if unicodedata.category(c) not in ("Cf", "Cc"))
    # Again, because folding case and dropping characters can bring new ones together.
    return unicodedata.normalize("NFKC", bare)


def _folded(text: str) -> str:
    """Returns a text without case and width; 10⁶ is 10^6, of which NFKC would make 106."""
    folded = unicodedata.normalize("NFKC", text)
    if folded != text and _POWER.search(text):
        folded = unicodedata.normalize("NFKC", _POWER.sub(r"^\g<0>", text))
    return folded.casefold()


@lru_cache(maxsize=1 << 16)
def _read(kind: Kind, header_scale: Decimal | None, cell: str) -> Value:
    text = bare_text(cell)
    if text in _MISSING_WORDS or not text.strip("-/."):
        return MISSING
    if kind == "number":
        number = _read_number(cell, header_scale)
        if number is not None:
            return Value("number", number)
    elif kind == "date":
        parts = _read_date(cell)
        if parts is not None:
            return Value("date", parts)
    elif kind == "url":
        address = _read_url(cell)
        if address is not None:
            return Value("url", address)
    elif kind == "words":
        return Value("text", " ".join(filter(None, map(bare_text, cell.split()))))
    return Value("text", _plain_integer(text) if text[-1].isdigit() else text)


# --- text ---------------------------------------------------------------------------------------

_INTEGER_TEXT = re.compile(r"(-?(?:\d+|\d{1,3}(?:,\d{3})+))(?:\.0+)?", re.ASCII)


def _plain_integer(text: str) -> str:
    """Returns `1,234` and `1234.0` as `1234`; leading zeros stay, as 007 is a name."""
    found = _INTEGER_TEXT.fullmatch(text)
    return found.group(1).replace(",", "") if found else text


_LETTER = "[0-9a-z\u00df-\u052f]"
"""Of a script that parts its words: Latin, Greek, Cyrillic."""


def _is_large_part(answer: str, gold: str) -> bool:
    """Whether the answer is some words of the gold text, and at least half of it."""
    if 2 * len(answer) < len(gold):
        return False
    return bool(re.search(f"(?<!{_LETTER}){re.escape(answer)}(?!{_LETTER})", gold))


# --- numbers ------------------------------------------------------------------------------------

_NUMBER = re.compile(
    r"(?P<sign>(?<!\w)[-+]|)\s*(?P<currency>[$€£₩₹]?)\s*"
    r"(?P<digits>\d{1,3}(?:[,' ]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?P<exponent>e[-+]?\d{1,3}(?!\d))?",
    re.ASCII,
)
_JOINED = re.compile(
    r"[.,]\d| ?(?:[-~/⁄:_^×x,;、&]|\b(?:to|or|and)\b|[至到或和])? ?[-+]?\d", re.ASCII
)
"""After a number: the cell is a range, a list, a date, a time, a ratio, a product or a version; no
single number."""
_POWER_OF_TEN = re.compile(r"(?<=\d)\s?[×x*·]\s?10\s?\^\s?([-−+]?\d)", re.ASCII)
_IN_NUMBERS = _SAME_CHARACTER | {ord("~"): "~", ord("*"): " "}
"""`~10` is about 10, not -10; `5*10` is not 510."""
_MAX_DIGITS = 60
_SCALES = {
    "%": Decimal("0.01"),
    "‰": Decimal("0.001"),
    "percent": Decimal("0.01"),
    "per cent": Decimal("0.01"),
    "thousand": Decimal(10**3),
    "million": Decimal(10**6),
    "billion": Decimal(10**9),
    "trillion": Decimal(10**12),
    "bn": Decimal(10**9),
    "千": Decimal(10**3),
    "万": Decimal(10**4),
    "百万": Decimal(10**6),
    "千万": Decimal(10**7),
    "亿": Decimal(10**8),
    "万亿": Decimal(10**12),
}
_SCALE_WORD = (
    "("
    + "|".join(map(re.escape, sorted(_SCALES, key=len, reverse=True)))
    + r")s?(?![a-z]|(?<=千)[米克瓦])"
)
_SCALE_AFTER = re.compile(r"\s*" + _SCALE_WORD)
_SCALE_IN_HEADER = re.compile(r"(?:\(|\bin )[^)]*?" + _SCALE_WORD + r"|(%)")
_UNIT_AFTER = re.compile(r"\s*([^\W\d_]+[23]?)(?!\w)|\s*(°[cf])")
_UNIT_NAMES = """
mm 毫米|cm 厘米|m 米|km 千米 公里|mi mile miles|ft|in|yd|nm|m2 平方米|km2 平方公里 平方千米|acres
ha 公顷 hectares|mg|g 克|kg 千克 公斤|t 吨 tonnes|lb|oz|ml|s|min|h hour hours 小时|hz|khz|mhz|ghz
kb|mb|gb|tb|kw 千瓦|mw 兆瓦|gw|kwh|mwh|gwh|mah|°c|°f|usd $ 美元 dollars|eur € 欧元 euros
gbp £ 英镑 pounds|cny rmb 元 人民币|jpy 日元 yen|krw ₩ 韩元 won|inr ₹
"""
_UNITS = {
    name: names.split()[0]
    for names in _UNIT_NAMES.replace("\n", "|").split("|")
    for name in names.split()
}
"""Spelling to unit. A unit outside this list says nothing: `5 people` is `5 persons` is 5."""


def _read_number(cell: str, scale: Decimal | None) -> Number | None:
    text = cell.lower() if cell.isascii() else _folded(cell)
    if "^" in text:
        text = _POWER_OF_TEN.sub(r"e\1", text)
    if not (text.isascii() and _PLAIN.fullmatch(text)):
        text = text.translate(_IN_NUMBERS)
    text = " ".join(text.split())  # in a run of blanks _NUMBER would try every way to part it
    found = _NUMBER.search(text)
    if found is None or len(found.group()) > _MAX_DIGITS:
        return None
    unit, after = found["currency"], text[found.end() :]
    if after:
        if _JOINED.match(after):
            return None
        own_scale = _SCALE_AFTER.match(after)
        if own_scale:
            scale = _SCALES[own_scale.group(1)]
        following = _UNIT_AFTER.match(after, own_scale.end() if own_scale else 0)
        unit = unit or (following.group().strip() if following else "")
    digits = re.sub("[,' ]", "", found["digits"])
    size = Decimal(found["sign"] + digits + (found["exponent"] or ""))
    return Number((size if scale is None else size * scale).normalize(), _UNITS.get(unit, ""))


@lru_cache
def _scale_in(header: str) -> Decimal | None:
    """Returns the scale that a header states for bare numbers: `Share (%)`, `Sales (million)`."""
    found = _SCALE_IN_HEADER.search(unicodedata.normalize("NFKC", header).casefold())
    return _SCALES[found.group(1) or found.group(2)] if found else None


def _near(answer: Number, gold: Number, column: Column) -> bool:
    if answer.unit and gold.unit and answer.unit != gold.unit:
        return False
    tolerance = column.criterion if isinstance(column.criterion, int | float) else 0
    if column.metric != "number_near":
        tolerance = 0
    return abs(answer.size - gold.size) <= abs(gold.size) * Decimal(str(tolerance))


# --- dates --------------------------------------------------------------------------------------

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_DATES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<y>\d{4})",
        r"-,?(?P<y>\d{4})",
        r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})",
        r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)",
        r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?:t?\d\d:\d\d(?::\d\d(?:\.\d+)?)?z?)?",
        r"(?P<y>\d{4})年(?:(?P<m>\d{1,2})月(?:(?P<d>\d{1,2})[日号])?)?",
        r"(?P<M>[a-z]{3,9})\.?,?(?P<y>\d{4})",
        r"(?P<M>[a-z]{3,9})\.?(?P<d>\d{1,2})(?:st|nd|rd|th)?,(?P<y>\d{4})",
        r"(?P<d>\d{1,2})(?:st|nd|rd|th)?(?:of)?(?P<M>[a-z]{3,9})\.?,?(?P<y>\d{4})",
    )
)
_MONTH_DAY_YEAR = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?\s+(\d{4})", re.ASCII)
_DAY_OR_MONTH_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", re.ASCII)


def _read_date(cell: str) -> tuple[int, int, int] | None:
    spaced = _MONTH_DAY_YEAR.fullmatch(unicodedata.normalize("NFKC", cell).casefold().strip())
    text = f"{spaced[1]}{spaced[2]},{spaced[3]}" if spaced else bare_text(cell)
    for pattern in _DATES:
        found = pattern.fullmatch(text)
        if found:
            part = found.groupdict()
            month = _MONTHS.get(part["M"], 13) if "M" in part else int(part.get("m") or 0)
            return _checked_date(int(part["y"]), month, int(part.get("d") or 0))
    found = _DAY_OR_MONTH_FIRST.fullmatch(text)
    if found:
        first, second, year = map(int, found.groups())
        if first > 12 >= second:
            return _checked_date(year, second, first)
        if second > 12 >= first or first == second:
            return _checked_date(year, first, second)
    return None


def _checked_date(year: int, month: int, day: int) -> tuple[int, int, int] | None:
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return None
    return year, month, day


def _same_date(answer: tuple[int, int, int], gold: tuple[int, int, int], column: Column) -> bool:
    """Compares at the precision of the gold date; a vaguer answer is wrong, a finer one is not."""
    if column.metric != "date_near":
        return False
    if all(answer) and all(gold):
        return abs((date(*answer) - date(*gold)).days) <= MAX_DAYS_APART
    return all(a == g for a, g in zip(answer, gold, strict=True) if g)


# --- URLs ---------------------------------------------------------------------------------------

_URL = re.compile(r"https?://[^\s<>\"'|\]]+", re.IGNORECASE)


def _read_url(cell: str) -> tuple[str, str] | None:
    found = _URL.search(cell.replace("\\", ""))
    if found is None:
        return None
    address = found.group().rstrip(".,;*)")
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    query = f"?{parts.query}" if parts.query else ""
    return host, parts.path.rstrip("/") + query
