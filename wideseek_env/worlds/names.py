"""Made-up names, the same in every process, never shared between train and test worlds.

Every name holds at least one made-up word, and each word belongs to one split by its hash; so two
worlds of different splits cannot have a name in common, whatever their seeds.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import Literal, TypeAlias

Split: TypeAlias = Literal["train", "test"]

_TEST_SHARE = 0.25
"""Share of all words that are kept for test worlds."""

_ONSETS = (
    "b", "br", "c", "cr", "d", "dr", "f", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p",
    "pr", "r", "s", "sk", "st", "t", "tr", "v", "w", "z", "th", "sh",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ae", "ia", "ei", "ou")
_CODAS = ("l", "ll", "n", "nd", "r", "rn", "s", "st", "th", "ck", "m", "rk", "ld", "v")
_SHORT_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_SHORT_VOWELS = ("a", "e", "i", "o", "u")
_SHORT_ENDS = ("", "n", "r", "s", "l")


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
        self._make = self._short_word if short else self._long_word
        self._used: set[str] = set()

    def word(self) -> str:
        """Returns a new capitalised word."""
        while True:
            word = self._make()
            if word not in self._used and split_of(word) == self._split:
                self._used.add(word)
                return word.capitalize()

    def words(self, num: int) -> list[str]:
        """Returns `num` new words."""
        return [self.word() for _ in range(num)]

    def _long_word(self) -> str:
        pick = self._rng.choice
        word = pick(_ONSETS) + pick(_VOWELS) + pick(_CODAS[:-4])
        word += pick(_VOWELS[:5]) + (pick(_CODAS) if self._rng.random() < 0.7 else "")
        return word

    def _short_word(self) -> str:
        pick = self._rng.choice
        syllables = [pick(_SHORT_ONSETS) + pick(_SHORT_VOWELS) for _ in range(2)]
        return "".join(syllables) + pick(_SHORT_ENDS)
