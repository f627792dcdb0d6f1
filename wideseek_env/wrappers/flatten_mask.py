"""Puts features and mask into one array, for learners that know neither dicts nor masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper


class FlattenMask(BaseParallelWrapper[str, Any, Any]):
    """Observations are float32 (D + K,): the features, then the mask as 0.0 and 1.0.

    The learner can see what is legal but is not kept from the rest: illegal actions do nothing.

    Args:
        env: an environment with the `discrete` interface.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__(env)
        self._spaces = {
            agent: spaces.Box(
                0.0,
                1.0,
                (env.observation_space(agent)["observation"].shape[0] + env.action_space(agent).n,),
                np.float32,
            )
            for agent in env.possible_agents
        }

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the space of features and mask."""
        return self._spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Resets; see `WideSeekEnv.reset`."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return {a: _flat(o) for a, o in observations.items()}, infos

    def step(self, actions: dict[str, Any]) -> Any:
        """Steps; see `WideSeekEnv.step`."""
        observations, *rest = self.env.step(actions)
        return {a: _flat(o) for a, o in observations.items()}, *rest


def _flat(seen: dict[str, Any]) -> Any:
    return np.concatenate([seen["observation"], seen["action_mask"]], dtype=np.float32)
