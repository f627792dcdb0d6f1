"""Texts and URLs: what must be equal and what must not, both ways round."""

from __future__ import annotations

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.records import Column
from wideseek_env.scoring.text import MAX_MARKS, stream_safe
from wideseek_env.scoring.values import read_value, same

TEXT, URL, PART = Column("v"), Column("v", "url_match"), Column("v", "in_match")


def equal(one: str, other: str, column: Column) -> bool:
    forth, back = (
        same(read_value(a, column), read_value(b, column), column)
        for a, b in ((one, other), (other, one))
    )
    assert forth == back
    return forth


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A", "**A**"), ("A", "*a*"), ("A", "***A***"), ("A*", "A\\*"),
        ("[Link](https://x.org)", "Link"),
        ("![Link](x.png)", "Link"), ("[Bern](/wiki/Bern_(city) \"Bern\")", "Bern"),
        ("1 234", "1,234"), ("a b", "ab"),
        ("ＡＢ１", "AB1"), ("it’s", "it's"), ("1,234", "1234.0"), ("e\u0301", "é"),
        ("x\u200by", "xy"),
        ("2001—2003", "2001-2003"), ("12  3", "12 3"), ("A\u00a0B", "a b"),
    ],
)  # fmt: skip
def test_texts_that_are_equal(one: str, other: str) -> None:
    assert equal(one, other, TEXT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A*", "A"), ("A", "*A"), ("12 3", "123"), ("1 2 3", "123"), ("007", "7"), ("10⁶", "106"),
        ("C#", "C"),
        ("5*", "5"), ("A**", "A"), ("[Link](https://x.org)", "https://x.org"),
        ("not guilty", "guilty"),
        ("12 34", "1234"), ("A+", "A"), ("5 4", "54"), ("[A] (b)", "A"),
    ],
)  # fmt: skip
def test_texts_that_are_not(one: str, other: str) -> None:
    assert not equal(one, other, TEXT)
    assert equal(one, one, TEXT)


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("not guilty", "guilty", False), ("guilty", "not guilty", False),
        ("non-toxic gas", "toxic gas", False),
        ("New York City", "New York", True), ("former president", "president", False),
        ("无罪释放", "释放", False),
        ("guilty as charged", "guilty as", True), ("never married", "married", False),
        ("no data here", "data here", False),
        ("Springfield, without Shelbyville", "Springfield, without", True),
        ("北京大学", "北京", True),
        ("isn't open today", "open today", False), ("Notting Hill", "Hill", False),
        ("Notting Hill", "Notting", True),
    ],
)  # fmt: skip
def test_part_of_a_text_but_not_of_one_that_denies_it(gold: str, answer: str, right: bool) -> None:
    assert same(read_value(answer, PART), read_value(gold, PART), PART) is right


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.org/a", "x.org/a"), ("https://x.org/a", "http://www.x.org/a/"),
        ("https://X.org", "x.org"),
        ("https://x.org/a", "[page](https://x.org/a)"), ("https://x.org/a b", "https://x.org/a b"),
        ("https://x.org/%C3%A9", "https://x.org/é"),
        ("https://x.org/a%20b", "<https://x.org/a%20b>"),
        ("https://x.org/a https://y.org/b", "https://y.org/b, https://x.org/a"),
        ("//x.org/a", "https://x.org/a"),
        ("https://x.org/a?p=1&q=2", "https://x.org/a?q=2&p=1"),
        ("https://x.org:443/a", "https://x.org/a"),
        ("https://x.org/a#part", "https://x.org/a"),
        ("https://münchen.de", "https://xn--mnchen-3ya.de"),
        ("See https://x.org/a.", "https://x.org/a"),
        ("https://x.org/a_(b)", "[t](https://x.org/a_(b))"),
        ("www.x.org", "x.org"),
    ],
)  # fmt: skip
def test_urls_that_are_equal(one: str, other: str) -> None:
    assert equal(one, other, URL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.org/a", "https://x.org/b"), ("https://x.org/a", "https://y.org/a"),
        ("foo", "bar"),
        ("https://x.org/a", "https://x.org/a https://y.org/b"),
        ("https://x.org/a", "https://x.org/A"),
        ("https://x.org/a?p=1", "https://x.org/a?p=2"), ("https://x.org/a", "https://x.org"),
        ("x.org", "y.org"),
        ("https://x.org:8080/a", "https://x.org/a"), ("https://a.x.org", "https://x.org"),
        ("https://x.org/a%2Fb", "https://x.org/ab"),
        ("me@x.org", "x.org"), ("https://x.org/a?p=1", "https://x.org/a"),
    ],
)  # fmt: skip
def test_urls_that_are_not(one: str, other: str) -> None:
    assert not equal(one, other, URL)
    assert equal(one, one, URL)


def test_runs_of_marks_are_cut() -> None:
    assert stream_safe("a" + "\u0301" * 100 + "b") == "a" + "\u0301" * MAX_MARKS + "b"
    for text in ("a\u0301" * 100, "हिन्दी भाषा " * 20, "שָׁלוֹם " * 30, "ab" * 50):
        assert stream_safe(text) == text


@given(st.text(alphabet="abc.:/?#[]()@%é中 \\<>&=1", max_size=40))
@settings(max_examples=examples(100), deadline=None)
def test_any_cell_raises_nothing_and_is_itself(text: str) -> None:
    for column in (TEXT, URL, PART):
        assert equal(text, text, column)
