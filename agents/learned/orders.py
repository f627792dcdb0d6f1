"""Fixed orders of the discrete interface's moves: what the moves are worth without learning.

Each agent makes the first legal move of its order. The learned policy has the same moves, so what
it is above the best order is learned, and what an order is above `fanout` is the interface's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.learned.discrete import DiscretePolicy
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES, Move

_READ = ("open_lists", "open_list", "open_rows_5", "open_rows_3", "open_row")
_OTHERS = ("open_others", "open_other")
_KINDS = ("search_kinds", "search_kind")
_END = ("report", "search_list")
_FIND = ("find_all", "find_5", "find_2")
_CHECK = ("check_all", "check_2")

ORDERS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "wide": (
        ("locate", "list_all", "list_two", "list_one", *_FIND, "answer"),
        (*_READ, "follow", *_END),
    ),
    "verify": (
        ("list_two", "list_one", "find_5", "find_2", "check_2", "answer"),
        (*_READ, "follow", *_OTHERS, *_END),
    ),
    "confirm": (
        ("list_two", "list_one", "confirm", *_FIND, *_CHECK, "answer"),
        (*_READ, *_OTHERS, "follow", *_END),
    ),
    "split": (
        ("list_all", "list_two", "list_one", *_FIND, "check_2", "answer"),
        (*_READ, "follow", *_END),
    ),
    "follow": (
        ("locate", "list_all", "list_two", "list_one", "find_5", "find_2", *_CHECK, "answer"),
        ("follow", *_READ, *_OTHERS, *_END),
    ),
    "small": (
        ("list_one", "find_2", *_CHECK, "answer"),
        (*_READ, "follow", *_END),
    ),
    "query": (
        ("query", "find_2", *_CHECK, "answer_all", "answer"),
        (*_KINDS, *_READ, "follow", *_END),
    ),
}
"""Moves of the lead and of subagents, best first; where none of them is legal, another is made.

The last five are the best of some sixty that were drawn at random and played on training worlds, at
25, 60 and 240 calls and 1, 4 and 16 subagents."""


class OrderPolicy(DiscretePolicy):
    """Plays one of `ORDERS`.

    Args:
        order: its name.
    """

    def __init__(self, order: str) -> None:
        lead, subagent = ORDERS[order]
        orders = _numbers(LEAD_MOVES, lead), _numbers(SUBAGENT_MOVES, subagent)

        def act(agent: str, seen: dict[str, NDArray[Any]], rng: np.random.Generator) -> int:
            legal = np.flatnonzero(seen["action_mask"]).tolist()
            return next((move for move in orders[agent != "lead"] if move in legal), legal[0])

        super().__init__(act, order)


def _numbers(moves: Sequence[Move[Any]], names: Sequence[str]) -> tuple[int, ...]:
    at = {move.name: number for number, move in enumerate(moves)}
    return tuple(at[name] for name in names)
