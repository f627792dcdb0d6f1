"""Fixed orders of the discrete interface's moves: what the moves are worth without learning.

Each agent makes the first legal move of its order. The learned policy has the same moves, so what
it is above the best order is learned, and what an order is above `fanout` is the interface's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.policy import EpisodeInfo
from wideseek_env.discrete.interface import DiscreteInterface
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES, Move
from wideseek_env.records import Decision, Observation

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


class OrderPolicy:
    """Plays one of `ORDERS`.

    Args:
        order: its name.
    """

    def __init__(self, order: str) -> None:
        self.name = order
        self._lead = _numbers(LEAD_MOVES, ORDERS[order][0])
        self._subagent = _numbers(SUBAGENT_MOVES, ORDERS[order][1])

    def begin(self, info: EpisodeInfo) -> _OrderPlayer:
        """Returns the player of one episode.

        Raises:
            ValueError: the question is none of a closed world's.
        """
        return _OrderPlayer(self._lead, self._subagent, info)


class _OrderPlayer:
    def __init__(self, lead: Sequence[int], subagent: Sequence[int], info: EpisodeInfo) -> None:
        self._lead, self._subagent = lead, subagent
        self._interface = DiscreteInterface(info.n_subagents, info.limits)
        self._interface.begin_question(info.question, info.n_subagents)

    async def decide(self, agent: str, observation: Observation) -> Decision:
        mask = self._interface.observe(agent, observation)["action_mask"]
        order = self._lead if agent == "lead" else self._subagent
        legal = np.flatnonzero(mask).tolist()
        first = next((move for move in order if move in legal), legal[0])
        return self._interface.decide(agent, first)


def _numbers(moves: Sequence[Move[Any]], names: Sequence[str]) -> tuple[int, ...]:
    at = {move.name: number for number, move in enumerate(moves)}
    return tuple(at[name] for name in names)
