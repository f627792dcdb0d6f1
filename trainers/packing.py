"""Rows that begin alike, packed so that what they share is read once.

The rows of a group begin with the same prompt, and a model that has learnt writes much the same in
each of its episodes. A pack is the tree of a few such rows, laid out in one sequence: a token that
several rows have after the same tokens stands in it once. A token looks at those before it in its
rows and at no others, so each has the state that it has in a row by itself, up to rounding.

A pack costs attention over all pairs of its tokens where rows alone cost half of theirs each; rows
are packed where that is less than what the shared tokens would cost again.

Shape letters: L tokens of a row, N tokens of a pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.advantages import Ints


@dataclass(frozen=True, slots=True)
class Pack:
    """Some rows as one sequence."""

    rows: tuple[int, ...]
    """Positions of the rows in the whole batch."""
    ids: Ints
    """(N,) tokens; those of the first row come first, then what each next row does not share."""
    depths: Ints
    """(N,) positions of the tokens in their rows."""
    places: tuple[Ints, ...]
    """For each row, (L,): where its tokens are in the pack."""

    def mask(self, length: int) -> NDArray[np.bool_]:
        """Returns which tokens each token looks at, (length, length); padding looks at itself."""
        seen = np.eye(length, dtype=bool)
        end = 0
        for places in self.places:
            own = places[places >= end]
            if len(own):
                begin, end = int(own[0]), int(own[-1]) + 1
                seen[begin:end, places[: len(places) - len(own)]] = True
                seen[begin:end, begin:end] = np.tri(end - begin, dtype=bool)
        return seen


def packs_of(
    rows: Sequence[Ints], chosen: Sequence[int], budget_tokens: int, level_tokens: float | None
) -> list[Pack]:
    """Returns the chosen rows in packs of at most `budget_tokens`, or of one row.

    Args:
        rows: the tokens of each row, (L,).
        chosen: positions of those that are packed.
        budget_tokens: of a pack.
        level_tokens: length of a sequence of which all pairs together cost a model as much
            attention as the tokens cost it otherwise; None packs no two rows.
    """
    if level_tokens is None:
        return [_pack(rows, [index], [0]) for index in chosen]
    packs: list[Pack] = []
    members: list[int] = []
    shared: list[int] = []
    cost, size = 0.0, 0
    for index in sorted(chosen, key=lambda i: rows[i].tolist()):  # like beginnings, neighbours
        length = len(rows[index])
        alone = length + length**2 / 2 / level_tokens
        common = _common(rows[members[-1]], rows[index]) if members else 0
        grown = size + length - common
        together = grown + grown**2 / level_tokens
        if members and grown <= budget_tokens and together < cost + alone:
            cost, size = together, grown
        else:
            if members:
                packs.append(_pack(rows, members, shared))
            members, shared = [], []
            cost, size, common = alone, length, 0
        members.append(index)
        shared.append(common)
    return [*packs, _pack(rows, members, shared)] if members else packs


def _common(one: Ints, other: Ints) -> int:
    """Returns the number of tokens with which both begin."""
    length = min(len(one), len(other))
    differs = np.flatnonzero(one[:length] != other[:length])
    return int(differs[0]) if len(differs) else length


def _pack(rows: Sequence[Ints], members: list[int], shared: list[int]) -> Pack:
    """Lays out rows of which each shares some tokens with the one before it."""
    parts: list[Any] = []
    depths: list[Any] = []
    places: list[Ints] = []
    size = 0
    for index, common in zip(members, shared, strict=True):
        ids = rows[index]
        new = np.arange(size, size + len(ids) - common)
        places.append(np.concatenate([places[-1][:common], new]) if places else new)
        parts.append(ids[common:])
        depths.append(np.arange(common, len(ids)))
        size += len(new)
    return Pack(tuple(members), np.concatenate(parts), np.concatenate(depths), tuple(places))
