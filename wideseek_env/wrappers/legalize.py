"""Turns illegal actions into legal ones, for learners that know no masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from pettingzoo import ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper


class Legalize(BaseParallelWrapper[str, Any, Any]):
    """An illegal action becomes the next legal one above it, counted on from 0 behind the last.

    Without a mask nearly every move of a random learner is illegal and nothing is done, so there is
    no signal to begin with. The map is fixed, so what the learner is credited with is what happens.
    Goes inside `FlattenMask`: `FlattenMask(Legalize(env))`.

    Args:
        env: an environment with the `discrete` interface, or `Homogenize` around it.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__(env)
        self._masks: dict[str, Any] = {}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Resets; see `WideSeekEnv.reset`."""
        observations, infos = self.env.reset(seed=seed, options=options)
        self._masks = {a: o["action_mask"] for a, o in observations.items()}
        return observations, infos

    def step(self, actions: dict[str, Any]) -> Any:
        """Steps; see `WideSeekEnv.step`."""
        legal = {agent: _legal(self._masks[agent], action) for agent, action in actions.items()}
        observations, *rest = self.env.step(legal)
        self._masks = {a: o["action_mask"] for a, o in observations.items()}
        return observations, *rest


def _legal(mask: Any, action: Any) -> int:
    legal = np.flatnonzero(mask)
    at = int(np.searchsorted(legal, int(np.asarray(action).item())))
    return int(legal[at % len(legal)])
