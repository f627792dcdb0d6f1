"""Gives all agents the same spaces, for libraries that train one policy for everybody."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper


class Homogenize(BaseParallelWrapper[str, Any, Any]):
    """Pads observations and masks to the longest, and adds two numbers that tell the role.

    Observations end in (1, 0) for the lead and (0, 1) for subagents. Padded actions are illegal;
    the environment counts them and does nothing. For SB3 (through SuperSuit) and tianshou.

    Args:
        env: an environment with the `discrete` interface.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__(env)
        agents = env.possible_agents
        size = max(env.observation_space(a)["observation"].shape[0] for a in agents)
        num = max(int(env.action_space(a).n) for a in agents)
        self._size, self._num = size, num
        features, mask = spaces.Box(0.0, 1.0, (size + 2,), np.float32), spaces.MultiBinary(num)
        space = {"observation": features, "action_mask": mask}
        self._observation_spaces = {a: spaces.Dict(space) for a in agents}
        self._action_spaces = {a: spaces.Discrete(num) for a in agents}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the padded space, equal for all agents."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the padded space, equal for all agents."""
        return self._action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Resets; see `WideSeekEnv.reset`."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._pad(observations), infos

    def step(self, actions: dict[str, Any]) -> Any:
        """Steps; see `WideSeekEnv.step`."""
        observations, *rest = self.env.step(actions)
        return self._pad(observations), *rest

    def _pad(self, observations: dict[str, Any]) -> dict[str, Any]:
        return {a: pad(a, o, self._size, self._num) for a, o in observations.items()}


def pad(agent: str, seen: dict[str, Any], num_features: int, num_moves: int) -> dict[str, Any]:
    """Pads what one agent sees to so many features, two more for its role, and moves."""
    observation = np.zeros(num_features + 2, np.float32)
    observation[: len(seen["observation"])] = seen["observation"]
    observation[-2 if agent == "lead" else -1] = 1.0
    mask = np.zeros(num_moves, np.int8)
    mask[: len(seen["action_mask"])] = seen["action_mask"]
    return {"observation": observation, "action_mask": mask}
