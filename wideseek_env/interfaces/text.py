"""The `tools` and `text` interfaces: observations are text, actions are tool calls or text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from gymnasium import spaces

from wideseek_env.formats import Hermes
from wideseek_env.game.episode import Game, agent_names, role_of
from wideseek_env.game.tools import tools_of
from wideseek_env.interfaces.spaces import TextSpace, ToolCallSpace
from wideseek_env.records import METRICS, Decision, Episode, Limits, Observation, ToolCall


def _is_json(call: ToolCall) -> bool:
    """Returns whether the call can be written into the episode's record."""
    try:
        msgspec.json.encode(call)
    except (TypeError, ValueError):  # a Python object, or a lone surrogate
        return False
    return True


class _TextObservations:
    """Observations as `Dict(text=...)`, and the observation's record in the info."""

    def __init__(self, n_subagents: int) -> None:
        agents = agent_names(n_subagents)
        self._observation_spaces = {a: spaces.Dict({"text": TextSpace()}) for a in agents}
        self._seen = dict.fromkeys(agents, "")
        self.state_space: spaces.Space[Any] = spaces.Dict({a: TextSpace() for a in agents})

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._observation_spaces[agent]

    def begin(self, game: Game) -> None:
        self._seen = dict.fromkeys(self._seen, "")

    def observe(self, agent: str, observation: Observation | None) -> dict[str, str]:
        self._seen[agent] = observation.text if observation else ""
        return {"text": self._seen[agent]}

    def state(self) -> dict[str, str]:
        """Gives the latest text of every agent, empty while it has nothing to decide."""
        return dict(self._seen)

    def info(
        self, agent: str, observation: Observation | None, episode: Episode | None
    ) -> dict[str, Any]:
        info: dict[str, Any] = {
            "active": observation is not None,
            "turns_left": observation.turns_left if observation else 0,
            "observation": observation,
        }
        if episode is not None:
            score = episode.score
            info |= {
                "valid": episode.valid,
                "end": episode.end,
                "error": episode.error,
                "score": {name: getattr(score, name) for name in METRICS} if score else None,
                "reward_terms": dict(episode.reward_terms),
            }
        return info


class ToolsInterface(_TextObservations):
    """Actions are lists of tool calls, `{"name": ..., "arguments": {...}}`.

    Args:
        n_subagents: slots.
        limits: give the tools of each role and the calls of a turn.
        queries: what `sample` of the action spaces searches for.
    """

    def __init__(self, n_subagents: int, limits: Limits, queries: Sequence[str]) -> None:
        super().__init__(n_subagents)
        self._action_spaces = {
            agent: ToolCallSpace(
                tools_of(role_of(agent), limits, n_subagents),
                max_calls=limits.max_calls_per_turn,
                max_subtasks=max(n_subagents, 1),
                queries=queries,
            )
            for agent in agent_names(n_subagents)
        }

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's space of tool calls."""
        return self._action_spaces[agent]

    def decide(self, agent: str, action: Any) -> Decision:
        """Returns the decision; an action of another form is answered by what was expected."""
        calls = []
        for item in action if isinstance(action, (list, tuple)) else [action]:
            if not (isinstance(item, Mapping) and isinstance(item.get("arguments"), Mapping)):
                text = 'Expected a list of {"name": ..., "arguments": {...}}, got '
                return Decision(error=f"{text}{str(item)[:80]!r}.")
            call = ToolCall(str(item.get("name")), item["arguments"])
            if not _is_json(call):
                text = f"The arguments of {call.name[:40]!r} must be JSON:"
                return Decision(error=f"{text} texts, whole numbers or lists of them.")
            calls.append(call)
        return Decision(tuple(calls))


class TextInterface(_TextObservations):
    """Actions are what a model wrote; the tool calls are read out of it (`formats/hermes.py`)."""

    def __init__(self, n_subagents: int) -> None:
        super().__init__(n_subagents)
        self._action_spaces = {agent: TextSpace() for agent in agent_names(n_subagents)}
        self._format = Hermes()

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the space of all texts."""
        return self._action_spaces[agent]

    def decide(self, agent: str, action: Any) -> Decision:
        """Returns the decision that the text holds, or what is wrong with it."""
        if not isinstance(action, str):
            return Decision(error=f"Expected a text, got {str(action)[:80]!r}.")
        return self._format.parse(action, role_of(agent))
