"""Templates of phrases as patterns that read them back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


def template(phrase: str, groups: Mapping[str, str]) -> re.Pattern[str]:
    """Returns a pattern that reads a phrase template back; `groups` says what fills each slot."""
    slots = {f"{{{name}}}": group for name, group in groups.items()}
    pieces = re.split(r"(\{\w+\})", phrase)
    return re.compile("".join(slots.get(piece, re.escape(piece)) for piece in pieces))


def either(words: Iterable[str]) -> str:
    """Returns a pattern for any of these words, the longest that fits."""
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))
