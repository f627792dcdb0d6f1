"""The official scorer's preprocessing and metrics: from a cell to a cell, from two cells to a mark.

Every function takes `now` and every metric the column's criterion, used or not, so that they can be
looked up by the names that data sets give them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlparse

from wideseek_env.backends.caching import cached_if_short
from wideseek_env.scoring.official.dates import parse_date, print_date

MAX_DAYS_APART = 31


class OfficialRaises(Exception):
    """The official scorer raises here; the message is `type: message`."""


_FIRST_NUMBER = re.compile(r"[-+]?\d*\.\d+%?|[-+]?\d+\.?\d*%?")
_URLS = re.compile(
    r"http[s]?://(?:[a-zA-Z]|[0-9]|[$-_@.&+]|[!*\\(\\),]|(?:%[0-9a-fA-F][0-9a-fA-F]))+"
)


@cached_if_short
def _extract_number(cell: str, now: datetime) -> str:
    found = _FIRST_NUMBER.search(cell.replace(",", ""))
    return found.group() if found else "NULL"


@cached_if_short
def _norm_str(cell: str, now: datetime) -> str:
    return cell.lower().strip().replace(" ", "").replace("*", "")


def _norm_date(cell: str, now: datetime) -> str:
    moment = _parse_or_raise(cell, now)
    return cell if moment is None else print_date(moment)


def _parse_or_raise(cell: str, now: datetime) -> datetime | None:
    try:
        return parse_date(cell, now)
    except _DATEPARSER_FAILS as error:
        raise OfficialRaises(f"{type(error).__name__}: {error}") from error


_DATEPARSER_FAILS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _exact_match(answer: str, gold: str, criterion: Any, now: datetime) -> float:
    return float(answer.lower() == gold.lower())


def _in_match(answer: str, gold: str, criterion: Any, now: datetime) -> float:
    return float(answer in gold)


def _url_match(answer: str, gold: str, criterion: Any, now: datetime) -> float:
    return float(_hosts(answer) == _hosts(gold))


def _hosts(cell: str) -> set[str]:
    try:
        return {urlparse(url).netloc for url in _URLS.findall(cell)}
    except ValueError as error:
        raise OfficialRaises(f"ValueError: {error}") from error


def _number_near(answer: str, gold: str, criterion: Any, now: datetime) -> float:
    mine, wanted = _to_float(answer), _to_float(gold)
    if mine is None or wanted is None:
        return float(mine is None and wanted is None and answer == gold)
    if not isinstance(criterion, int | float):
        raise OfficialRaises(
            "TypeError: unsupported operand type(s) for *: 'float' and "
            f"'{type(criterion).__name__}'"
        )
    return float(abs(mine - wanted) <= abs(wanted) * criterion)


def _to_float(cell: str) -> float | None:
    try:
        return float(cell.replace("%", "")) / 100.0 if "%" in cell else float(cell)
    except ValueError:
        return None


def _date_near(answer: str, gold: str, criterion: Any, now: datetime) -> float:
    mine, wanted = _parse_or_none(answer, now), _parse_or_none(gold, now)
    if mine is None or wanted is None:
        return float(mine is wanted)
    if (mine.tzinfo is None) != (wanted.tzinfo is None):
        raise OfficialRaises("TypeError: can't subtract offset-naive and offset-aware datetimes")
    return float(abs((mine - wanted).days) <= MAX_DAYS_APART)


def _parse_or_none(cell: str, now: datetime) -> datetime | None:
    try:
        return parse_date(cell, now)
    except _DATEPARSER_FAILS:
        return None


PREPROCESS: Mapping[str, Callable[[str, datetime], str]] = {
    "extract_number": _extract_number,
    "norm_str": _norm_str,
    "norm_date": _norm_date,
}
METRICS: Mapping[str, Callable[[str, str, Any, datetime], float]] = {
    "exact_match": _exact_match,
    "in_match": _in_match,
    "url_match": _url_match,
    "number_near": _number_near,
    "date_near": _date_near,
    "llm_judge": _exact_match,
}
