from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import dateparser
import pytest
from dateparser.languages.loader import default_loader

from wideseek_env.scoring.official.dates import _ORDERS, may_know, parse_date, print_date

NOW = datetime(2026, 11, 23, 0, 20, 7)


def _authority(text: str) -> datetime | None:
    return dateparser.parse(text, settings={"PREFER_DAY_OF_MONTH": "first", "RELATIVE_BASE": NOW})


def _all_locales() -> list[Any]:
    everything = default_loader.get_locales(
        languages=None,
        locales=None,
        region=None,
        use_given_order=False,
        allow_conflicting_locales=False,
    )
    return list(everything)


TEXTS = [
    *("", "nan", "-", "/", "a", "banana", "incumbent", "1h", "sat", "yesterday", "N/A"),
    *("1994", "10458", "20200101", "2079.57", "2016–2023", "**1962**", "5%", "(2003)", "12"),
    *("-, 1994", "Feb 01, 1994", "Feb 30, 2020", "April 1948", "01 Jun", "Nov 23.69, 2016"),
    *("2020-13-01", "0001-01-01", "100-11-23", "2020-02-30", "2008/9/23", "05/06/2020"),
    *("13/06/2020", "2020-01-01 00:00:01", "2020-01-01T00:00:00Z", "10:30", "10:30 EST"),
    *("2020年", "2018年10月", "1892年11月16日", "2004年5月—2005年2月", "2010年9、10月", "三月"),
    *("昨天", "3天前", "2019年12月\u200c", "2008年上半年", "April 2020年"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_parse_date_agrees_with_dateparser(text: str) -> None:
    assert parse_date(text, NOW) == _authority(text)


def test_parse_date_agrees_with_dateparser_on_written_dates() -> None:
    for days in range(0, 700_000, 9_973):
        day = datetime(1000, 1, 1, 12, 30, 59) + timedelta(days=days)
        for text in (f"{day:%Y-%m-%d}", f"{day:%Y/%m/%d}", f"{day:%Y-%m-%d %H:%M:%S}"):
            assert parse_date(text, NOW) == _authority(text), text


def test_may_know_is_true_wherever_dateparser_can_read_a_word() -> None:
    settings = dateparser.date.DateDataParser(settings={"RELATIVE_BASE": NOW})._settings
    locales = _all_locales()
    words = {word for locale in locales for word in locale._get_dictionary(settings)}
    texts = [*sorted(words)[::40], *(text.lower() for text in TEXTS), "5 hours ago", "in 1 hour"]
    num_known = 0
    for locale in locales:
        for text in texts:
            if locale.is_applicable(text, settings=settings):
                num_known += 1
                assert may_know(locale, text, settings), (locale.shortname, text)
    assert num_known > 1000


def test_texts_without_letters_are_the_same_in_all_locales_of_one_date_order() -> None:
    settings = dateparser.date.DateDataParser(settings={"RELATIVE_BASE": NOW})._settings
    locales = _all_locales()
    first: dict[str, str] = {}
    for locale in locales:
        first.setdefault(locale.info.get("date_order", settings.DATE_ORDER), locale.shortname)
    assert tuple(first.values()) == _ORDERS
    for text in ("39232", "2079.57", "1-2-2003", "**3**", "5%", "(1) 2+3", "1/2/3 10:00:00", "1–2"):
        readings = {
            (
                locale.is_applicable(text, settings=settings),
                locale.translate(text, keep_formatting=False, settings=settings),
            )
            for locale in locales
        }
        assert len(readings) == 1, text


def test_print_date_early_years_have_no_leading_zeros() -> None:
    assert print_date(datetime(6, 11, 3)) == "6-11-03"


@pytest.mark.parametrize("zone", ["EST", "UTC", "+05:00", "PST", "CET", "JST", "-0300"])
def test_parse_date_relative_time_with_a_zone_counts_from_now(zone: str) -> None:
    now = datetime(2026, 11, 23, 0, 22)
    found = parse_date(f"5 minutes ago {zone}", now)
    assert found is not None
    assert found.astimezone(UTC) == datetime(2026, 11, 23, 0, 17, tzinfo=UTC)


@pytest.mark.parametrize("piece", ["z ", "'", "1st ", "٣", "may ", "中", "年", "é", "EST "])
def test_parse_date_long_texts_are_none_at_once(piece: str) -> None:
    parse_date("٣" * 200, datetime(2026, 11, 23))  # no language reads it, so all are loaded
    start_s = time.process_time()
    assert parse_date(piece * 20_000, datetime(2026, 11, 23)) is None
    parse_date((piece * 200)[:200], datetime(2026, 11, 23))
    assert time.process_time() - start_s < 1.0
