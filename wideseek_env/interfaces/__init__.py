"""How an environment's agents see and act: one small class for each interface.

All interfaces play the same episode. An interface turns an `Observation` into an element of a
Gymnasium space, and an action into a `Decision`; it never touches the game.
"""

from __future__ import annotations

from typing import Any, Protocol

from gymnasium import spaces

from wideseek_env.game.episode import Game
from wideseek_env.records import Decision, Episode, Observation


class Interface(Protocol):
    """Between the game and the spaces of an environment."""

    state_space: spaces.Space[Any]
    """What `state` gives."""

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's observation space, the same object at every call."""
        ...

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's action space, the same object at every call."""
        ...

    def begin(self, game: Game) -> None:
        """Gets ready for a new episode."""
        ...

    def observe(self, agent: str, observation: Observation | None) -> Any:
        """Shows the agent an observation; None: it has nothing to decide now."""
        ...

    def decide(self, agent: str, action: Any) -> Decision:
        """Returns the decision that an action stands for; any action at all is legal."""
        ...

    def info(
        self, agent: str, observation: Observation | None, episode: Episode | None
    ) -> dict[str, Any]:
        """Returns the agent's info of this step; `episode` is there once it has ended."""
        ...

    def state(self) -> Any:
        """Returns the global state after the latest `observe` of all agents."""
        ...
