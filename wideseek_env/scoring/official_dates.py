"""Dates as WideSearch's scorer reads them: whatever dateparser 1.2.1 says on a given day.

dateparser completes what a text leaves out from the current time (a bare year gets today's month,
`2020年` is read as 2,020 years ago), so `now` is an argument here and results are kept for each
(text, now). dateparser stays the authority: the only thing left out is work whose result is known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from dateparser.date import DateDataParser, _DateLocaleParser, sanitize_date


@lru_cache(maxsize=1 << 16)
def parse_date(text: str, now: datetime) -> datetime | None:
    """Returns what `dateparser.parse` makes of a text at the time `now`, or None.

    Args:
        text: a cell.
        now: naive local time, as `datetime.now()` gives it.

    Raises:
        Exception: of any type, where dateparser raises; the official scorer then gives 0.
    """
    return _parser_at(now).parse(text)


def print_date(moment: datetime) -> str:
    """Returns `%Y-%m-%d` as glibc prints it: years below 1000 without leading zeros."""
    return f"{moment.year}-{moment.month:02}-{moment.day:02}"


class _Parser(DateDataParser):
    """`dateparser.parse` under the scorer's settings, without asking equal locales twice.

    A locale decides through nothing but its translation of the text and its order of day, month and
    year. dateparser tries about 200 of them on a text that none can read; most of them agree in
    both, so trying one of each kind gives the same answer.
    """

    def parse(self, text: str) -> datetime | None:
        text = sanitize_date(text)
        settings = self._settings
        tried: set[tuple[str, str]] = set()
        for locale in self._get_applicable_locales(text):
            translate: Callable[..., str] = locale.translate
            kind = (
                translate(text, keep_formatting=False, settings=settings),
                locale.info.get("date_order", settings.DATE_ORDER),
            )
            if kind in tried:
                continue
            tried.add(kind)
            found = _DateLocaleParser.parse(locale, text, None, settings=settings)
            if found:
                moment: datetime | None = found["date_obj"]
                return moment
        return None


@lru_cache(maxsize=4)
def _parser_at(now: datetime) -> _Parser:
    return _Parser(settings={"PREFER_DAY_OF_MONTH": "first", "RELATIVE_BASE": now})
