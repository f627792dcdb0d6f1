"""Readers of what servers say: total, bounded, and quiet about secrets."""

from __future__ import annotations

import math
import time
from email.utils import formatdate

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.backends.replies import (
    check_url,
    count,
    hider,
    message_text,
    parse_json,
    retry_after_s,
    shown_url,
)

NOW = "Wed, 25 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0.0), ("0", 0.0), ("3", 3.0), ("0.5", 0.5), (" 7 ", 7.0), ("60", 60.0),
        ("61", 60.0), ("1e9", 60.0), ("inf", 60.0), ("1e999", 60.0), ("-3", 0.0), ("-inf", 0.0),
        ("nan", 0.0), ("", 0.0), ("soon", 0.0), ("3 seconds", 0.0), ("1,000", 0.0),
        ("Wed, 25 Nov 2026 12:00:09 GMT", 9.0), ("Wed, 25 Nov 2026 11:59:00 GMT", 0.0),
        ("Wed, 25 Nov 2026 13:00:05 +0100", 5.0), ("Thu, 26 Nov 2026 12:00:00 GMT", 60.0),
        ("Wednesday, 25-Nov-26 12:00:09 GMT", 9.0), ("Wed, 99 Nov 2026 12:00:00 GMT", 0.0),
        ("Wed, 25 Nov 99999999 12:00:00 GMT", 0.0), ("Wed, 25 Nov 0000 12:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_in_both_forms(value: str | None, seconds: float) -> None:
    assert retry_after_s(value, NOW) == seconds


def test_retry_after_is_counted_from_here_where_the_server_tells_no_time() -> None:
    for date in (None, "", "today"):
        value = formatdate(time.time() + 30, usegmt=True)
        assert 25.0 < retry_after_s(value, date) <= 30.0


@given(st.text(max_size=40), st.none() | st.text(max_size=30))
@settings(max_examples=examples(100), deadline=None)
def test_retry_after_is_always_a_pause_that_ends(value: str, date: str | None) -> None:
    assert 0.0 <= retry_after_s(value, date) <= 60.0


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, b"[" * 100_000])
def test_deep_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="brackets are too deep"):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "b": 0, "a": null}}]', '{"a": [1], "a": [2]}',
     '{"a": 1, "a": 2, "a": 1}', '{"a": NaN, "a": NaN}'],
)  # fmt: skip
def test_key_with_two_values_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="stands twice with different values"):
        parse_json(text)


def test_key_that_stands_twice_and_says_the_same_is_read() -> None:
    assert parse_json('{"a": 1, "b": [{}], "a": 1, "b": [{}]}') == {"a": 1, "b": [{}]}
    assert parse_json('[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5), (5.0, 5), ("5", 5), (0, 0), (True, 1), (None, 0), (-5, 0), ("many", 0), ("", 0),
        ("5.5", 0), (math.nan, 0), (math.inf, 0), (-math.inf, 0), ([], 0), ({}, 0),
        (10**40, 2**53), (1e300, 2**53), ("9" * 5_000, 0),
    ],
)  # fmt: skip
def test_counts(value: object, number: int) -> None:
    assert count(value) == number


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://x.org/v1", "http://x.org/v1"),
        ("http://user:pass@x.org:8000/v1?key=abc#abc", "http://x.org:8000/v1"),
        ("https://x.org?key=abc", "https://x.org"),
        ("user:pass@x.org/v1", "x.org/v1"),
        ("http://a@b@x.org/", "http://x.org/"),
        ("http://x.org/\x1b[2J\nv1", "http://x.org/ [2J v1"),
        ("/v2?key=abc", "/v2"),
        ("", ""),
    ],
)
def test_urls_are_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@given(st.text(max_size=30))
@settings(max_examples=examples(100), deadline=None)
def test_any_url_can_be_checked_shown_and_hidden(url: str) -> None:
    assert shown_url(url).isprintable()
    assert hider(url, {})(url).isprintable()
    try:
        check_url(url)
    except ValueError as error:
        assert "must begin with http://" in str(error)  # noqa: PT017


def test_secrets_are_hidden_in_every_part() -> None:
    headers = {"Authorization": "Bearer sk-12345", "X-Key": "abcde", "Accept": "text/html"}
    hide = hider("http://me:passw@x.org/", headers)
    said = "Bearer sk-12345; sk-12345, abcde and passw want text/html"
    assert hide(said) == "[key]; [key], [key] and [key] want text/html"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"type": "text", "text": "a"}, ("", "a")),
        ([{"type": "text", "text": {"value": "a", "annotations": []}}], ("", "a")),
        ([{"type": "reasoning", "text": "t"}, {"text": "a"}], ("t", "a")),
        ([{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}], ("", "a")),
        ([{"type": "refusal", "refusal": "no"}], ("", "")),
    ],
)
def test_content_in_the_forms_of_other_servers(content: object, expected: tuple[str, str]) -> None:
    assert message_text(content) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "text", "thinking"]), inner)
        ),
        max_leaves=6,
    )
)
@settings(max_examples=examples(100), deadline=None)
def test_content_of_any_form_is_text_or_a_value_error(content: object) -> None:
    try:
        thinking, text = message_text(content)
    except ValueError:
        return
    assert isinstance(thinking, str)
    assert isinstance(text, str)
