"""Texts that pages and models may write to keep a reader busy, or to break it."""

import time

import pytest

from wideseek_env.reading.pages import (
    MAX_LIST_PAGES,
    read_list_title,
    read_open,
    read_place,
    read_search,
)
from wideseek_env.reading.question import parse_question, read_prose
from wideseek_env.reading.writing import convert_number, read_date, read_number, write_number

OPENED = "T (river in Varnia) | /t | part 1 of 1\n"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("List of rivers in Varnia, page 1 of 9", ("List of rivers in Varnia", 1, 9)),
        ("A, page 1 of 1, page 2 of 3", ("A, page 1 of 1", 2, 3)),
        (f"A, page 1 of {MAX_LIST_PAGES}", ("A", 1, MAX_LIST_PAGES)),
        (f"A, page 1 of {MAX_LIST_PAGES + 1}", None),
        ("A, page 1 of 20000", None),
        ("A, page 1 of 30000000", None),
        ("A, page 10 of 9", None),
        ("A, page 0 of 9", None),
        ("A, page 01 of 9", None),
        ("A, page 1 of 0", None),
        ("A, page -1 of 9", None),
        ("A, page ١ of ٩", None),
        ("A, page 1 of " + "9" * 5000, None),
        ("A", None),
    ],
)
def test_title_of_a_list_is_believed_within_reason(
    title: str, expected: tuple[str, int, int] | None
) -> None:
    assert read_list_title(title) == expected


@pytest.mark.parametrize("place", ["", "1", "2 of 1", "1 of x", "1 of 2 of 3", " 1 of 2", "1of2"])
def test_place_that_is_none(place: str) -> None:
    assert read_place(place) is None
    assert read_place("1 of 2") == (1, 2)


@pytest.mark.parametrize(
    "text", ["9" * 400, "-" + "9" * 5000, "9" * 305 + " billion", "x" * 10**6 + " 5"]
)
def test_numbers_that_are_none(text: str) -> None:
    assert read_number(text) is None
    assert convert_number(text, "km") is None


def test_number_converted_is_finite() -> None:
    assert convert_number("9" * 307 + " miles", "cm") is None
    assert convert_number("1,204 m", "km") == 1.204
    assert write_number(1204.0) == "1204"


@pytest.mark.parametrize(
    "text",
    [
        "9999-99-99",
        "0000-00-00",
        "99/99/9999",
        "٩٩٩٩-٩٩-٩٩",
        "31 February 2020",
        "1 Nonsense 2020",
        "²² May 2020",
        "5" * 5000,
        "May " + "5" * 5000,
        "1" * 5000 + "-01-01",
        "x" * 1000 + "2020-01-05",
    ],
)
def test_forged_dates_never_raise(text: str) -> None:
    found = read_date(text)
    assert found is None or found.year in (2020, 5555, 1)


@pytest.mark.parametrize(
    "text",
    [
        OPENED.replace("1 of 1", "1 of " + "9" * 5000),
        OPENED.replace("/t", "/" * 200_000),
        OPENED + "| " * 100_000,
        OPENED + "[a](b" * 40_000,
        OPENED + "[" * 200_000,
        OPENED + "[a](" + "(" * 200_000,
        OPENED + "T is a river in Varnia. " + "The length is The length of " * 7_000,
        OPENED + "T is a river in Varnia. " + "Its length is 5 " * 12_000,
        OPENED + "T is a " * 28_000 + "river in Varnia",
        OPENED + "T: " * 60_000,
        OPENED + "as of " * 33_000,
        OPENED + "A: b\n" * 40_000,
        OPENED + "Length: " + "9" * 200_000 + "\n",
        OPENED + "\n".join(["a | b"] * 30_000),
    ],
    ids=lambda text: text[len(OPENED) :][:20] or text[:20],
)
def test_no_page_keeps_the_reader_busy(text: str) -> None:
    started = time.process_time()
    read_open(text)
    read_search(text)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "Please collect the cities in Hiasu that " + "lie lower than 150 m and that " * 6_000,
        "that " * 40_000,
        "the river beside " * 12_000,
        "Which " * 30_000,
        ". " * 100_000,
        "Please collect the 99999999999 largest cities in Hiasu by area. x columns: City.",
    ],
    ids=lambda text: text[:20],
)
def test_no_question_keeps_the_reader_busy(text: str) -> None:
    started = time.process_time()
    parse_question(text)
    read_prose("river", text)
    assert time.process_time() - started < 1.0
