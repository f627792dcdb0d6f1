"""Dates: what must be equal and what must not, both ways round."""

from __future__ import annotations

from datetime import date

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.records import Column
from wideseek_env.scoring.dates import read_date
from wideseek_env.scoring.values import read_value, same

NEAR = Column("v", "date_near", ("norm_date",))

FORMS = {
    (2020, 1, 5): [
        "2020-01-05", "20200105", "2020/1/5", "2020.01.05", "2020. 1. 5.", "5-Jan-2020",
        "2020-Jan-05", "2020 Jan 5",
        "Jan 5, 2020", "January 5th, 2020", "Jan. 5 2020", "5 January 2020", "5th of January 2020",
        "5. Januar 2020",
        "5 janvier 2020", "5 de enero de 2020", "5 gennaio 2020", "05 Jan 2020", "2020年1月5日",
        "2020年1月5日（日）",
        "2020年1月5日 星期日", "2020년 1월 5일", "２０２０年１月５日", "٢٠٢٠-٠١-٠٥",
        "Sunday, 5 January 2020", "Sun 5 Jan 2020",
        "Sonntag, 5. Januar 2020", "5 January 2020 (Sunday)", "January 5, 2020 10:00",
        "2020-01-05T10:00:00Z",
        "2020-01-05T10:00:00+09:00", "2020-01-05T10:00:00-05", "2020-01-05 9:05",
        "2020-01-05 10:00 PM EST",
        "2020-01-05 10:00 UTC+8", "2020-01-05T10:00:00.123456+05:30",
        "2020-01-05T10:00[Europe/Paris]",
        "January 5, 2020 at 10 am", "2020-01-05[1]", "2020-01-05*", "**2020-01-05**",
        "c. 5 January 2020",
    ],
    (2020, 1, 13): ["13/01/2020", "01/13/2020", "13.1.2020", "10:00, 13 January 2020",
    "13-01-2020"],
    (2020, 1, 0): ["2020-01", "Jan-2020", "January 2020", "Jan. 2020", "2020年1月", "2020 January",
    "Januar 2020"],
    (1990, 0, 0): ["1990", "circa 1990", "c. 1990", "ca. 1990", "~1990", "1990[1]", "1990年",
    "about 1990", "AD 1990",
                   "1990 CE", "1990 (est.)", "-, 1990"],
    (44, 0, 0): ["44 AD", "AD 44", "44 CE", "公元44年", "0044"],
    (-44, 0, 0): ["44 BC", "44 BCE", "44 B.C.", "-0044", "公元前44年", "44 v. Chr.", "-44"],
    (-44, 3, 15): ["15 March 44 BC", "March 15, 44 BC", "-0044-03-15"],
    (1994, 0, 0, 1996, 0, 0): ["1994-1996", "1994 to 1996", "1994–1996", "from 1994 to 1996",
    "1994 ~ 1996",
                               "1994至1996", "1994 through 1996"],
    (2020, 1, 5, 2020, 1, 7): ["2020-01-05 to 2020-01-07", "5 January 2020 - 7 January 2020",
                               "5 Jan 2020 – 7 Jan 2020"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "text"), [(parts, text) for parts, texts in FORMS.items() for text in texts]
)
def test_forms_of_one_date(parts: tuple[int, ...], text: str) -> None:
    assert read_date(text) == parts


@pytest.mark.parametrize(
    "text",
    ["05/06/2020", "5.1.2020", "2020-13-01", "Feb 30, 2020", "dat", "on:", "May", "5 May",
    "2020-W05", "1990s", "12000",
     "2020-01-05 or 2020-01-06", "1996-1994", "Maybe 5, 2020", "before 1990", "1994-present",
     "2020-01-05x",
     "0 BC", "2020年13月", "9" * 101, "", "1994, 1996", "not 1990"],
)  # fmt: skip
def test_what_is_not_understood_to_its_end_is_no_date(text: str) -> None:
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("2020-01-05", "2020-02-05", True), ("2020-01-05", "2020-02-06", False),
        ("1990", "Jan 1990", True),
        ("Jan 1990", "1990", False), ("44 BC", "44 AD", False), ("-0490", "0490", False),
        ("44 BC", "-0044", True),
        ("1994-1996", "1994", False), ("1994", "1994-1996", False),
        ("1994-1996", "Jan 1994 to Dec 1996", True),
        ("1994-1996", "1995-1996", False), ("44 BC", "15 March 44 BC", True),
        ("15 March 44 BC", "44 BC", False),
        ("2020-01-05", "2020-01-05T23:59-12:00", True), ("c. 1990", "1991", False),
        ("-1200", "1200", False),
    ],
)  # fmt: skip
def test_dates_near_each_other(gold: str, answer: str, right: bool) -> None:
    assert same(read_value(answer, NEAR), read_value(gold, NEAR), NEAR) is right


def test_without_date_near_only_the_same_date_is_right() -> None:
    column = Column("v", "exact_match", ("norm_date",))
    value = [read_value(text, column) for text in ("2020-01-05", "5 Jan 2020", "2020-01-06")]
    assert same(value[1], value[0], column)
    assert not same(value[2], value[0], column)


@given(st.dates(date(1000, 1, 1)))
@settings(max_examples=examples(100), deadline=None)
def test_a_date_in_any_form_is_itself(day: date) -> None:
    for form in ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%A, %d %B %Y", "%Y年%m月%d日", "%d-%b-%Y"):
        assert read_date(day.strftime(form)) == (day.year, day.month, day.day), form


@given(st.text(alphabet="0123456789-/., :年月日JanuaryFebBCADtoSunTZ+()", max_size=24))
@settings(max_examples=examples(100), deadline=None)
def test_any_text_is_equal_to_itself_and_raises_nothing(text: str) -> None:
    value = read_value(text, NEAR)
    assert same(value, read_value(f" {text} ", NEAR), NEAR)
