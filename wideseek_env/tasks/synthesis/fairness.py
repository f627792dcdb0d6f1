"""Filters that need no page: size, leaks, words that depend on the day, near-duplicates, the split.

Each says by which reason a draft goes, so that the data card can count them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from zlib import crc32

import numpy as np
import numpy.typing as npt

from wideseek_env.records import Task
from wideseek_env.scoring.text import bare_text
from wideseek_env.tasks.synthesis.relations import Relation

TOO_ALIKE = 0.8
"""Share of the cells that two tasks may have in common at most (Jaccard)."""
_PERMUTATIONS, _BANDS = 32, 8
_PRIME = (1 << 31) - 1
_RELATIVE = re.compile(
    r"(?i)\b(?:current(?:ly)?|today|now|present|recent(?:ly)?|latest|ongoing|so far|to date|active"
    r"|incumbent|upcoming|until further|this (?:year|season|month|week)"
    r"|(?:last|next) (?:year|season)|as of)\b|目前|现在|今年|最近的"
)
_RANKED = re.compile(r"(?i)\b(?:latest|most recent(?:ly)?)\b|最近的")
_OUR_PHRASES = re.compile(r"with the latest “|最晚|Of these, take only")
_WORD = re.compile(r"\w+")
_MIN_LEAK_CHARS = 3


def unfair(task: Task, *, min_rows: int, max_rows: int, broad: bool) -> str | None:
    """Says why a draft is left out; None when it is fair.

    Args:
        task: the draft.
        min_rows: fewest rows of a gold table.
        max_rows: most.
        broad: whether a task that one page alone answers is left out.
    """
    if not min_rows <= len(task.gold) <= max_rows:
        return "too few or too many rows"
    keys = [task.column_names.index(key) for key in task.key_columns]
    if len({tuple(bare_text(row[i]) for i in keys) for row in task.gold}) < len(task.gold):
        return "key not unique"
    if any(not row[i].strip() for row in task.gold for i in keys):
        return "blank key"
    if broad and is_on_one_page(task):
        return "one page answers it"
    said = _OUR_PHRASES.sub(" ", task.question)
    if _RELATIVE.search(said) or any(_RELATIVE.search(c) for row in task.gold for c in row):
        return "words that depend on the day"
    if is_leaking(task):
        return "question holds a part of the answer"
    return None


def unfair_wording(task: Task, request: str) -> str | None:
    """Says why other words for a task's question are left out; None when they are fair.

    Args:
        task: what they are for.
        request: the words, without the columns and how cells are written.
    """
    ranked = task.metadata["synthesis"]["difficulty"]["ranked"]
    if _RELATIVE.search(_RANKED.sub(" ", request) if ranked else request):
        return "words that depend on the day"
    if is_leaking(replace(task, question=request)):
        return "question holds a part of the answer"
    return None


def is_on_one_page(task: Task) -> bool:
    """Whether one page holds all cells that are not blank."""
    on = [
        set(urls)
        for row, cells in zip(task.sources, task.gold, strict=True)
        for urls, cell in zip(row, cells, strict=True)
        if cell
    ]
    return bool(on) and bool(set.intersection(*on))


def is_leaking(task: Task) -> bool:
    """Whether a gold cell of some length stands in the question as words of their own."""
    question = f" {' '.join(words_of(task.question))} "
    cells = {cell for row in task.gold for cell in row if len(bare_text(cell)) >= _MIN_LEAK_CHARS}
    return any((said := " ".join(words_of(cell))) and f" {said} " in question for cell in cells)


def words_of(text: str) -> list[str]:
    """Splits a text into words, in one case; a Chinese character is a word of its own."""
    return _WORD.findall(re.sub(r"([\u4e00-\u9fff])", r" \1 ", text.casefold()))


class Alike:
    """Notices things that share most of their parts, by MinHash and a closer look.

    Args:
        most: share of the parts that two may have in common (Jaccard).
    """

    def __init__(self, most: float = TOO_ALIKE) -> None:
        draw = Random(0)
        pairs = [(draw.randrange(1, _PRIME), draw.randrange(_PRIME)) for _ in range(_PERMUTATIONS)]
        self._most = most
        self._a, self._b = (np.array(part, dtype=np.uint64) for part in zip(*pairs, strict=True))
        self._buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        self._kept: list[npt.NDArray[np.uint32]] = []

    def seen(self, parts: Iterable[str]) -> bool:
        """Whether one like this was kept before; keeps it if not."""
        hashed = np.unique(np.array([crc32(part.encode()) for part in parts], dtype=np.uint32))
        mixed = (hashed[:, None] * self._a + self._b) % np.uint64(_PRIME)
        signature = mixed.min(axis=0).astype(np.uint32)
        rows = _PERMUTATIONS // _BANDS
        bands = [(i, signature[i * rows : (i + 1) * rows].tobytes()) for i in range(_BANDS)]
        for other in {number for band in bands for number in self._buckets.get(band, ())}:
            both = len(np.intersect1d(hashed, self._kept[other], assume_unique=True))
            if both > self._most * (len(hashed) + len(self._kept[other]) - both):
                return True
        for band in bands:
            self._buckets[band].append(len(self._kept))
        self._kept.append(hashed)
        return False


def cells_of(task: Task) -> list[str]:
    """Lists the parts by which gold tables are compared: cells with their keys and columns."""
    named = [bare_text(name) for name in task.column_names]
    return [
        f"{name}|{row[0]}|{cell}"
        for row in task.gold
        for name, cell in zip(named, row, strict=True)
    ]


def is_test_group(group: str, seed: int, share: float) -> bool:
    """Whether relations of a group are held out; the same in every process."""
    return Random(f"{seed}|split|{group}").random() < share


class TrainingRows:
    """All rows that training pages hold, to keep them out of the test."""

    def __init__(self, relations: Iterable[Relation]) -> None:
        self._rows: list[frozenset[str]] = []
        self._with: dict[str, list[int]] = defaultdict(list)
        for relation in relations:
            for row in relation.rows:
                cells = frozenset(filter(None, map(bare_text, row)))
                for key in {bare_text(row[i]) for i in relation.keys}:
                    self._with[key].append(len(self._rows))
                self._rows.append(cells)

    def hold(self, task: Task) -> bool:
        """Whether a row of the task stands in them: its key, with another of its cells."""
        keys = [task.column_names.index(key) for key in task.key_columns]
        return any(self._holds([bare_text(c) for c in row], keys) for row in task.gold)

    def _holds(self, row: Sequence[str], keys: Sequence[int]) -> bool:
        cells, wanted = {cell for cell in row if cell}, {row[i] for i in keys}
        return any(
            wanted <= self._rows[number] and len(cells & self._rows[number]) > 1
            for number in self._with.get(row[keys[0]], ())
        )
