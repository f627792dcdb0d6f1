"""One spelling of digits, dashes, blanks and notes, before a cell is read as a number or a date."""

from __future__ import annotations

import re
import unicodedata

from wideseek_env.scoring.text import SAME_CHARACTER, fold, nfkc, without_emphasis

_IN_NUMBERS = SAME_CHARACTER | {ord(c): "~" for c in "~～⁓〜"} | {
    ord("٪"): "%",
    ord("٫"): ".", ord("٬"): ",", ord("≤"): "<=", ord("⩽"): "<=", ord("≥"): ">=", ord("⩾"): ">=",
    ord("、"): ",", ord("，"): ",",
}  # fmt: skip
_NOTES = re.compile(
    r"(?:\s*(?:\[(?:\d{1,3}|[a-z]|(?:note|nb|n|fn|ref|see) ?\d{0,2}|[a-z ]{0,20}needed)\]"
    r"|[*†‡§#]))+$",
    re.I,
)
_ABOUT = re.compile(
    r"(?:(?:c|ca|cca|approx|appr|est)(?:\.(?=[\s\d~$€£¥])|(?=[\s\d~]))|circa\.?|approximately|about|around|roughly"
    r"|(?:some|um|etwa|rund|vers|environ|hacia|около|примерно)(?= \d)|estimated(?: at)?"
    r"|an estimated|[~≈≃∼]|大约|约为|约|大概|近似|およそ)\s*", re.I,
)  # fmt: skip
_ABOUT_AFTER = re.compile(
    r"\s*(?:\((?:est|approx|estimated?|approximately)\.?\)|左右|頃|ごろ|쯤|approx\.?|est\.)$", re.I
)
_SHARE_FIRST = re.compile(r"^(?:%|百分之|yüzde )\s*(?=\d)(.*)", re.I)
_NOTE_NUMBER = re.compile(r"(?<=,\d{3}|\d{4})[\^_]\d{1,2}$")
_CHINESE = re.compile(
    r"(?<![\d.,])(?<!\d )(?!零下|百分)[零〇一二三四五六七八九两兩十百千]+(?![\d%])"
)
_CHINESE_DIGITS = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2, "兩": 2}
_CHINESE_SIZES = {"十": 10, "百": 100, "千": 1000}
_HOURS = re.compile(r"(?<=\d) ?h ?([0-5]\d)$", re.I)
_QUOTED = re.compile(r"\"([^\"]*)\"")
_FEET = re.compile(r"(\d+)\s?'\s?(\d+(?:\.\d+)?|\d+ \d/\d)\s?(?:\"|'')")


def plain_spelling(cell: str) -> str:
    """Returns a cell with one spelling of digits, dashes and blanks, without notes and emphasis."""
    text = cell
    if not text.isascii():
        text = "".join(
            f" {nfkc(c)}" if unicodedata.decomposition(c).startswith("<fraction>")
            else str(unicodedata.decimal(c)) if c.isdecimal()
            else c
            for c in text
            if unicodedata.category(c) != "Cf"
        )  # fmt: skip
        text = _CHINESE.sub(_chinese_number, fold(text))
    text = without_emphasis(text).translate(_IN_NUMBERS)
    text = _NOTE_NUMBER.sub("", _NOTES.sub("", " ".join(text.split())))
    if quoted := _QUOTED.fullmatch(text):
        text = quoted[1].strip()
    text = _SHARE_FIRST.sub(r"\1%", text.rstrip(" .;,"))
    return _HOURS.sub(r" h \1 min", _FEET.sub(r"\1 ft \2 in", text))


def _chinese_number(found: re.Match[str]) -> str:
    """Returns 二〇二〇 as 2020 and 一百二十三 as 123; what could mean two numbers as it stands."""
    text = found.group()
    if not any(c in _CHINESE_SIZES for c in text):
        return "".join(str(_CHINESE_DIGITS[c]) for c in text)
    total, digit, last_size, after_zero = 0, None, 10_000, False
    for c in text:
        if size := _CHINESE_SIZES.get(c):
            if size >= last_size:
                return text
            total += (1 if digit is None else digit) * size
            digit, last_size, after_zero = None, size, False
        elif c in "零〇":
            after_zero = True
        elif digit is not None:
            return text
        else:
            digit = _CHINESE_DIGITS[c]
    if digit is not None and not (after_zero or last_size == 10):
        return text  # 一千五 is 1500, and 1005 to some
    return str(total + (digit or 0))


def without_about(text: str) -> str:
    """Returns a text without words that make a value an estimate of itself: `c. 1990`, `~10`."""
    found = _ABOUT.match(text)
    return _ABOUT_AFTER.sub("", text[found.end() :] if found else text)
