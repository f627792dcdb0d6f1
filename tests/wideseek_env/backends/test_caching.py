from dataclasses import dataclass

import pytest

from wideseek_env.backends.caching import ByteCache, cached, cached_if_short, size_bytes


def test_cache_keeps_what_was_asked_for_last_within_its_bytes() -> None:
    cache: ByteCache[str] = ByteCache(100_000)
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key * 1000

    for _ in range(2):
        for key in "abc":
            assert cache.get((key,), make) == key * 1000
    assert made == ["a", "b", "c"]
    for number in range(100):
        cache.get((chr(200 + number),), make)
        cache.get(("a",), make)
        assert cache.size_bytes <= 100_000
    assert made.count("a") == 1, "it was asked for again and again"
    cache.get(("b",), make)
    assert made.count("b") == 2


@pytest.mark.parametrize(("key", "value"), [("x" * 10_000, ""), ("x", "y" * 10_000)])
def test_cache_keeps_nothing_that_takes_much_of_it(key: str, value: str) -> None:
    cache: ByteCache[str] = ByteCache(100_000)
    assert cache.get((key,), lambda key: value) == value
    assert cache.size_bytes == 0


def test_cache_keeps_no_failures_and_keeps_none() -> None:
    calls: list[int] = []

    @cached(100_000)
    def function(number: int) -> None:
        calls.append(number)
        if number == 1 and len(calls) == 1:
            raise ValueError("at first")

    with pytest.raises(ValueError, match="at first"):
        function(1)
    for _ in range(2):
        assert function(1) is None
    assert calls == [1, 1]


def test_size_counts_all_that_a_value_holds() -> None:
    @dataclass(frozen=True, slots=True)
    class Slots:
        text: str

    @dataclass(frozen=True)
    class Plain:
        text: str

    text = "é" * 5000
    values: list[object] = [(text,), [text], {text: 1}, {1: text}, {text}, Slots(text), Plain(text)]
    for value in values:
        assert len(text) < size_bytes(value) < len(text) + 1000
    assert size_bytes((text, [text])) > 2 * len(text)


def test_short_texts_are_kept_and_long_ones_are_not() -> None:
    calls: list[str] = []

    @cached_if_short
    def function(text: str, more: int) -> int:
        calls.append(text)
        return len(text) + more

    for text in ("a", "a" * 201):
        assert [function(text, 1) for _ in range(3)] == [len(text) + 1] * 3
    assert calls.count("a") == 1
    assert calls.count("a" * 201) == 3
