"""Dates as WideSearch's scorer reads them: whatever dateparser 1.2.1 says on a given day.

dateparser completes what a text leaves out from the current time (a bare year gets today's month,
`2020年` is read as 2,020 years ago), so `now` is an argument here and results are kept for each
(text, now). dateparser stays the authority: the only thing left out is work whose result is known.
That leans on private parts of it, which is safe as long as its version is pinned.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from dateparser.date import DateDataParser, _DateLocaleParser, sanitize_date
from dateparser.freshness_date_parser import freshness_date_parser
from dateparser.utils import normalize_unicode

from wideseek_env.backends.caching import cached_if_short
from wideseek_env.scoring.text import stream_safe

MAX_CHARS = 200
"""Longer texts are no dates here. dateparser tries every language on every word, so that one cell
could hold up all episodes; the longest date in recorded tables has 43 characters."""


@cached_if_short
def parse_date(text: str, now: datetime) -> datetime | None:
    """Returns what `dateparser.parse` makes of a text at the time `now`, or None.

    Args:
        text: a cell.
        now: UTC, naive: dateparser completes dates from UTC wherever it runs.

    Raises:
        Exception: of any type, where dateparser raises; the official scorer then gives 0.
    """
    if len(text) > MAX_CHARS:
        return None
    written = _ISO_DATE.fullmatch(text)
    if written:
        try:
            return datetime(*(int(part or 0) for part in written.groups()))  # type: ignore[arg-type]
        except ValueError:
            pass  # month 13: dateparser finds another reading
    return _parser_at(now, _locales_for(text)).parse(text)


_ISO_DATE = re.compile(r"([1-9]\d{3})[-/](\d\d?)[-/](\d\d?)(?: (\d\d):(\d\d):(\d\d))?", re.ASCII)
"""Year, month, day, with a time or not: what dateparser reads the same way in its first locale."""
_NO_LETTERS = re.compile(r"[\d\s\-–—/.:,*%()+]*", re.ASCII)
_HAN = re.compile(r"[\u3400-\u9fff]")
_ORDERS = ("en", "ru", "ja")
_BLANK, _BLANK_LOCALES = "nan", ("mgh",)
"""How pandas prints a blank cell: it is August in the first locale that has such a word."""
_HAN_LOCALES = ("ja", "zh", "zh-Hans", "yue", "zh-Hant")


def _locales_for(text: str) -> tuple[str, ...] | None:
    """Returns the locales that decide on a text, in dateparser's order; None: all of them.

    A text without letters is the same in every locale, so one for each order of day, month and year
    decides. A text with Chinese characters can only be read by locales that have such words.
    """
    if text == _BLANK:
        return _BLANK_LOCALES
    if _NO_LETTERS.fullmatch(text):
        return _ORDERS
    return _HAN_LOCALES if _HAN.search(text) else None


def utc_now() -> datetime:
    """Returns the time that dateparser completes dates from, naive."""
    return datetime.now(UTC).replace(tzinfo=None)


def print_date(moment: datetime) -> str:
    """Returns `%Y-%m-%d` as glibc prints it: years below 1000 without leading zeros."""
    return f"{moment.year}-{moment.month:02}-{moment.day:02}"


class _LocaleParser(_DateLocaleParser):
    """Takes `now` for a moment in UTC, so that `5 minutes ago EST` counts from what EST shows."""

    def _try_freshness_parser(self) -> Any:
        settings = _in_utc(self._settings.RELATIVE_BASE)  # type: ignore[attr-defined]
        text = self._get_translated_date()
        try:
            return freshness_date_parser.get_date_data(text, settings)
        except (OverflowError, ValueError):
            return None


@lru_cache(maxsize=12)
def _in_utc(now: datetime) -> Any:
    return DateDataParser(settings=_settings(now.replace(tzinfo=UTC)))._settings


def _settings(now: datetime) -> dict[str, Any]:
    return {"PREFER_DAY_OF_MONTH": "first", "RELATIVE_BASE": now}


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
            found = _LocaleParser.parse(locale, text, None, settings=settings)
            if found:
                moment: datetime | None = found["date_obj"]
                return moment
        return None

    def _is_applicable_locale(  # type: ignore[override]  # the stubs are of a later release
        self, locale: Any, date_string: str
    ) -> bool:
        if not may_know(locale, date_string, self._settings):
            return False
        return bool(super()._is_applicable_locale(locale, date_string))


_LETTERS = re.compile(r"[^\W\d_]+")
_LETTERS_OPTIONAL = re.compile(r"([^\W\d_]+)[^\W\d_]\?")


def may_know(locale: Any, text: str, settings: Any) -> bool:
    """Returns False only when a locale has no word with which the text's first letters can begin.

    dateparser splits a text into words of the locale, and each of them must be one. Looking at the
    first letters spares most texts that no locale can read the making of 200 large patterns.
    """
    text = locale._translate_numerals(text)
    if settings.NORMALIZE:
        text = normalize_unicode(stream_safe(text))  # which drops all marks
    found = _LETTERS.search(locale._simplify(text, settings=settings))
    if found is None:
        return True
    letters, words = found.group(), _WORDS.get(locale.shortname)
    if words is None:
        dictionary = locale._get_dictionary(settings)
        texts = " ".join([*dictionary, *dictionary._relative_strings])
        # In the patterns of relative times a letter may be optional: `hours?`.
        words = {*_LETTERS.findall(texts), *_LETTERS_OPTIONAL.findall(texts)}
        _WORDS[locale.shortname] = words
    return any(letters[:length] in words for length in range(1, len(letters) + 1))


_WORDS: dict[str, set[str]] = {}
"""Locale to the runs of letters in its words."""


@lru_cache(maxsize=12)
def _parser_at(now: datetime, locales: tuple[str, ...] | None) -> _Parser:
    return _Parser(
        locales=list(locales) if locales else None,
        use_given_order=locales is not None,
        settings=_settings(now),
    )
