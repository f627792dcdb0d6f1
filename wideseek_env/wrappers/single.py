"""The single-agent form for Gymnasium: one agent searches, opens and answers in one context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium import spaces

from wideseek_env.environment import WideSeekEnv


class SingleSeekEnv(gymnasium.Env[Any, Any]):
    """One agent alone with `search`, `open` and `answer`; the same game without subagents.

    Actions, observations and rewards are those of the lead in `WideSeekEnv`.

    Args:
        **settings: of `WideSeekEnv`, all but `n_subagents`.

    Raises:
        ValueError: a setting is out of range.
    """

    metadata = WideSeekEnv.metadata

    def __init__(self, **settings: Any) -> None:
        self._env = WideSeekEnv(0, **settings)
        self.render_mode = self._env.render_mode
        self.observation_space: spaces.Space[Any] = self._env.observation_space("lead")
        self.action_space: spaces.Space[Any] = self._env.action_space("lead")

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode; option `task_id` plays that task."""
        super().reset(seed=seed)
        observations, infos = self._env.reset(seed, options)
        return observations["lead"], infos["lead"]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carries out one turn."""
        observations, rewards, terminations, truncations, infos = self._env.step({"lead": action})
        return (
            observations["lead"],
            rewards["lead"],
            terminations["lead"],
            truncations["lead"],
            infos["lead"],
        )

    def render(self) -> Any:
        """Returns the state of the game as text when `render_mode` is "ansi", else None."""
        return self._env.render()

    def close(self) -> None:
        """Frees what the environment holds."""
        self._env.close()
