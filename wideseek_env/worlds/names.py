"""Made-up names, the same in every process, never shared between train and test worlds.

Every name holds at least one made-up word, and each word belongs to one split by its hash; so two
worlds of different splits cannot have a name in common, whatever their seeds.
"""

from __future__ import annotations

import hashlib
from itertools import product
from random import Random
from typing import Literal, TypeAlias

Split: TypeAlias = Literal["train", "test"]

_TEST_SHARE = 0.25
"""Share of all words that are kept for test worlds."""

_MAX_DRAWS = 100_000
"""Draws without a new word after which there is hardly any left."""

_ONSETS = (
    "b", "br", "c", "cr", "d", "dr", "f", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p",
    "pr", "r", "s", "sk", "st", "t", "tr", "v", "w", "z", "th", "sh",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ae", "ia", "ei", "ou")
_CODAS = ("l", "ll", "n", "nd", "r", "rn", "s", "st", "th", "ck", "m", "rk", "ld", "v")
_FIRST = ["".join(parts) for parts in product(_ONSETS, _VOWELS, _CODAS[:10])]
# three words in ten end in a vowel
_LAST = ["".join(parts) for parts in product(_VOWELS[:5], (*_CODAS, *[""] * 6))]

_SHORT = ["".join(parts) for parts in product("bdfgklmnprstvz", "aeiou")]
_SHORT_LAST = ["".join(parts) for parts in product(_SHORT, ("", "n", "r", "s", "l"))]


def split_of(word: str) -> Split:
    """Returns the split that a word belongs to."""
    digest = hashlib.sha256(word.lower().encode()).digest()
    return "test" if digest[0] < 256 * _TEST_SHARE else "train"


class NameMaker:
    """Draws words of one split, each at most once.

    Args:
        rng: source of all draws.
        split: whose words to make.
        short: words of two plain syllables, which a small tokenizer cuts into few pieces.
    """

    def __init__(self, rng: Random, split: Split, *, short: bool = False) -> None:
        self._rng = rng
        self._split = split
        self._syllables = (_SHORT, _SHORT_LAST) if short else (_FIRST, _LAST)
        self._used: set[str] = set()

    def word(self) -> str:
        """Returns a new capitalised word.

        Raises:
            ValueError: there is none left.
        """
        for _ in range(_MAX_DRAWS):
            word = self._rng.choice(self._syllables[0]) + self._rng.choice(self._syllables[1])
            if word not in self._used and split_of(word) == self._split:
                self._used.add(word)
                return word.capitalize()
        raise ValueError(
            f"expected a world with fewer names: the {len(self._used):,} words for {self._split!r} "
            "worlds are used up; ask for fewer pages or `sizes`, or a preset without `short_names`"
        )

    def words(self, num: int) -> list[str]:
        """Returns `num` new words."""
        return [self.word() for _ in range(num)]
