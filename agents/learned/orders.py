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

_READ = ("open_lists", "open_list", "open_rows_5", "open_rows_3", "open_row", "follow")
_END = ("report", "search_list")

ORDERS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "wide": (
        ("locate", "list_all", "list_two", "list_one", "find_all", "find_5", "find_2", "answer"),
        (*_READ, *_END),
    ),
    "verify": (
        ("list_two", "list_one", "find_5", "find_2", "check_2", "answer"),
        (*_READ, "open_others", "open_other", *_END),
    ),
}
"""Moves of the lead and of subagents, best first; where none of them is legal, another is made."""


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
