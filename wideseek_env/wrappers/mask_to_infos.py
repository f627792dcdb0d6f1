"""Moves action masks from observations to infos, where AgileRL looks for them."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from pettingzoo import ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper


class MaskToInfos(BaseParallelWrapper[str, Any, Any]):
    """Observations become plain arrays; `infos[agent]["action_mask"]` is the mask, int8 (K,).

    Args:
        env: an environment with the `discrete` interface.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__(env)
        self._spaces: dict[str, spaces.Space[Any]] = {
            a: env.observation_space(a)["observation"] for a in env.possible_agents
        }

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the space of the features alone."""
        return self._spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Resets; see `WideSeekEnv.reset`."""
        return _split(*self.env.reset(seed=seed, options=options))

    def step(self, actions: dict[str, Any]) -> Any:
        """Steps; see `WideSeekEnv.step`."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        observations, infos = _split(observations, infos)
        return observations, rewards, terminations, truncations, infos


def _split(
    observations: dict[str, Any], infos: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    masks = {agent: seen["action_mask"] for agent, seen in observations.items()}
    return (
        {agent: seen["observation"] for agent, seen in observations.items()},
        {agent: {**info, "action_mask": masks[agent]} for agent, info in infos.items()},
    )
