"""Answers that are kept so as not to be worked out again, bounded by the memory that they take.

Texts come from models and pages: a bound on their number alone would let a few thousand of them, of
the greatest legal length, fill the memory of the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import is_dataclass
from functools import lru_cache, wraps
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

from cachetools import LRUCache

_Value = TypeVar("_Value")
_Given = ParamSpec("_Given")
_Rest = TypeVar("_Rest", bound=Hashable)

_ENTRY_BYTES = 500  # of the cache's own for each entry
_MAX_SHARE = 16  # an entry that takes more than this part of the cache is not kept
_SHORT_CHARS = 200


class ByteCache(Generic[_Value]):
    """The answers that were asked for last, up to so many bytes of keys and answers; for threads.

    Args:
        max_bytes: of all that is kept. What takes more than a sixteenth of it alone is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_entry_bytes = max_bytes // _MAX_SHARE
        self._entries: LRUCache[object, tuple[_Value, int]]
        self._entries = LRUCache(max_bytes, getsizeof=lambda entry: entry[1])
        self._lock = Lock()

    def get(self, key: tuple[object, ...], make: Callable[..., _Value]) -> _Value:
        """Looks a key up, or else makes `make(*key)` and keeps it if it is small."""
        with suppress(KeyError), self._lock:
            return self._entries[key][0]
        made = make(*key)
        size = _ENTRY_BYTES + size_bytes(key)
        if size <= self._max_entry_bytes:
            size += size_bytes(made)
        if size <= self._max_entry_bytes:
            with self._lock:
                self._entries[key] = (made, size)
        return made

    @property
    def size_bytes(self) -> int:
        """What all that is kept takes."""
        return int(self._entries.currsize)


def cached(max_bytes: int) -> Callable[[Callable[_Given, _Value]], Callable[_Given, _Value]]:
    """Decorates a pure function of positional, hashable arguments with a `ByteCache`."""

    def decorate(function: Callable[_Given, _Value]) -> Callable[_Given, _Value]:
        kept: ByteCache[_Value] = ByteCache(max_bytes)

        @wraps(function)
        def call(*args: _Given.args, **kwargs: _Given.kwargs) -> _Value:
            return function(*args, **kwargs) if kwargs else kept.get(args, function)

        return call

    return decorate


def cached_if_short(function: Callable[[str, _Rest], _Value]) -> Callable[[str, _Rest], _Value]:
    """Decorates a fast function of a text and one more argument, so that short texts are kept.

    A `ByteCache` would take longer than such a function: this keeps up to 16,384 answers to texts
    of up to 200 characters, 30 MB at most where answers are no longer than the texts.
    """
    kept = lru_cache(maxsize=1 << 14)(function)

    @wraps(function)
    def call(text: str, rest: _Rest) -> _Value:
        return (kept if len(text) <= _SHORT_CHARS else function)(text, rest)

    return call


def size_bytes(value: object) -> int:
    """Measures a value with all that it holds; what it holds twice is counted twice."""
    size, rest = 0, [value]
    while rest:
        item = rest.pop()
        size += sys.getsizeof(item)
        if isinstance(item, (tuple, list, set, frozenset)):
            rest.extend(item)
        elif isinstance(item, dict):
            rest.extend(item)
            rest.extend(item.values())
        elif is_dataclass(item):
            rest.extend(getattr(item, name) for name in item.__dataclass_fields__)
    return size
