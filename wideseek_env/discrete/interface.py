"""The `discrete` interface: numbers to see and macro-moves to choose from, for any RL library.

The same episode and the same text tools as in the other interfaces. Each agent has a desk
(`desk.py`) that reads what the agent is shown; features (`features.py`) are counted on it, and
moves (`moves.py`) are filled in from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from wideseek_env.discrete.desk import Desk, LeadDesk, SubagentDesk
from wideseek_env.discrete.features import (
    LEAD_FEATURES,
    SUBAGENT_FEATURES,
    read_features,
)
from wideseek_env.discrete.messages import NOTHING, read_subtask
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES
from wideseek_env.game.episode import LEAD, Game, agent_names
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Decision, Episode, Limits, Observation, ToolCall

DISCRETE_VERSION = 1
"""Raised whenever equal actions may mean other calls, or equal texts other features, than before;
weights trained at one version do not play at another."""

_FINAL = ("success", "row_f1", "item_f1")
"""Metrics in the infos: 0 until the last step, -1 there when the episode is invalid."""


class DiscreteInterface:
    """Observations `Dict(observation, action_mask)`, actions `Discrete(K)`; 0 is the no-op.

    Args:
        n_subagents: slots.
        limits: budgets, which features are measured against.
        strict_actions: whether an illegal action raises, instead of counting and being a no-op.
    """

    def __init__(self, n_subagents: int, limits: Limits, *, strict_actions: bool = False) -> None:
        self._limits = limits
        self._strict = strict_actions
        self._agents = agent_names(n_subagents)
        self._observation_spaces = {a: _observation_space(a) for a in self._agents}
        self._action_spaces = {a: spaces.Discrete(_num_moves(a)) for a in self._agents}
        size = len(LEAD_FEATURES) + len(SUBAGENT_FEATURES) + 1
        self.state_space: spaces.Space[Any] = spaces.Box(0.0, 1.0, (size,), np.float32)
        """Features of the lead, mean of the features of all busy subagents, share of them."""
        self._begin_empty()

    def _begin_empty(self) -> None:
        self._desks: dict[str, Desk | None] = dict.fromkeys(self._agents)
        self._seen: dict[str, Observation | None] = dict.fromkeys(self._agents)
        self._features = {a: _idle_features(a) for a in self._agents}
        self._masks = {a: _idle_mask(a) for a in self._agents}
        self._num_illegal = dict.fromkeys(self._agents, 0)
        self._busy: dict[str, bool] = dict.fromkeys(self._agents, False)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's observation space."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's action space."""
        return self._action_spaces[agent]

    def begin(self, game: Game) -> None:
        """Gets ready for a new episode.

        Raises:
            ValueError: the question is none of those that the rules can read.
        """
        self.begin_question(game.task.question, game.n_subagents)

    def begin_question(self, text: str, n_subagents: int) -> None:
        """The same, for who plays without an environment.

        Args:
            text: the question.
            n_subagents: slots of this episode.

        Raises:
            ValueError: the question is none of those that the rules can read.
        """
        question = parse_question(text)
        if question is None or question.start:
            raise ValueError(
                "the `discrete` interface plays wide questions of closed worlds, got "
                f"{text[:80]!r}; use interface='tools' or 'text' for others"
            )
        self._begin_empty()
        self._desks[LEAD] = LeadDesk(text, question, self._limits, n_subagents)

    def observe(self, agent: str, observation: Observation | None) -> dict[str, Any]:
        """Shows the agent its features and legal moves; unasked, only the no-op is legal."""
        self._busy[agent] = observation is not None
        if observation is None:
            self._masks[agent] = _idle_mask(agent)
            if agent != LEAD:
                self._features[agent] = _idle_features(agent)
        elif observation is not self._seen[agent]:
            self._read(agent, observation)
        self._seen[agent] = observation
        return {
            "observation": self._features[agent].copy(),
            "action_mask": self._masks[agent].copy(),
        }

    def decide(self, agent: str, action: Any) -> Decision:
        """Returns the decision that a move stands for; an illegal one is counted and does nothing.

        Raises:
            ValueError: the action is illegal and `strict_actions` is set.
        """
        number = int(np.asarray(action).item())  # also an array of one element
        mask = self._masks[agent]
        if not (0 <= number < len(mask) and mask[number]):
            if self._strict:
                legal = ", ".join(map(str, np.flatnonzero(mask)))
                raise ValueError(f"{agent}: expected a legal action ({legal}), got {action!r}")
            self._num_illegal[agent] += 1
            return Decision()
        desk = self._desks[agent]
        if isinstance(desk, LeadDesk):
            return _decision(desk, LEAD_MOVES[number].calls(desk))
        if isinstance(desk, SubagentDesk):
            return _decision(desk, SUBAGENT_MOVES[number].calls(desk))
        return Decision((ToolCall("report", {"text": NOTHING}),))

    def info(
        self, agent: str, observation: Observation | None, episode: Episode | None
    ) -> dict[str, Any]:
        """Returns numbers only, under the same keys at every step, as vectorised trainers need."""
        score = episode.score if episode else None
        unscored = -1.0 if episode else 0.0
        return {
            "active": float(observation is not None),
            "turns_left": float(observation.turns_left if observation else 0),
            "num_illegal": float(self._num_illegal[agent]),
            "num_tool_calls": float(episode.num_tool_calls if episode else 0),
            **{name: getattr(score, name) if score else unscored for name in _FINAL},
        }

    def state(self) -> NDArray[np.float32]:
        """Gives a centralised critic's view, float32 in [0, 1], of a size that n leaves."""
        subagents = [a for a in self._agents if a != LEAD]
        busy = [self._features[a] for a in subagents if self._busy[a]]
        mean = np.mean(busy, axis=0) if busy else _idle_features("subagent_0")
        share = len(busy) / max(len(subagents), 1)
        return np.concatenate([self._features[LEAD], mean, [share]]).astype(np.float32)

    def _read(self, agent: str, observation: Observation) -> None:
        """Lets an agent's desk read an observation, and counts features and legal moves on it."""
        if agent != LEAD and observation.turn == 0:
            subtask = read_subtask(observation.text)
            self._desks[agent] = SubagentDesk(subtask, self._limits) if subtask else None
        desk = self._desks[agent]
        if isinstance(desk, LeadDesk):
            desk.see(observation)
            self._features[agent] = read_features(LEAD_FEATURES, desk)
            legal = [move.legal(desk) for move in LEAD_MOVES]
        elif isinstance(desk, SubagentDesk):
            desk.see(observation)
            self._features[agent] = read_features(SUBAGENT_FEATURES, desk)
            legal = [move.legal(desk) for move in SUBAGENT_MOVES]
        else:
            legal = [move.name == "report" for move in SUBAGENT_MOVES]
        self._masks[agent] = np.array(legal, dtype=np.int8)


def _decision(desk: Desk, calls: tuple[ToolCall, ...]) -> Decision:
    desk.write(calls)
    return Decision(calls)


def _num_moves(agent: str) -> int:
    return len(LEAD_MOVES if agent == LEAD else SUBAGENT_MOVES)


def _observation_space(agent: str) -> spaces.Space[Any]:
    size = len(LEAD_FEATURES if agent == LEAD else SUBAGENT_FEATURES)
    return spaces.Dict(
        {
            "observation": spaces.Box(0.0, 1.0, (size,), np.float32),
            "action_mask": spaces.MultiBinary(_num_moves(agent)),
        }
    )


def _idle_features(agent: str) -> NDArray[np.float32]:
    size = len(LEAD_FEATURES if agent == LEAD else SUBAGENT_FEATURES)
    return np.zeros(size, dtype=np.float32)


def _idle_mask(agent: str) -> NDArray[np.int8]:
    mask = np.zeros(_num_moves(agent), dtype=np.int8)
    mask[0] = 1
    return mask
