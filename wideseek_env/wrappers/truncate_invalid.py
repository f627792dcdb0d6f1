"""Keeps episodes that could not be scored out of a trainer's figures; invalid is never a number.

The reward of such an episode is NaN: most libraries would learn from it once and be lost. What has
been handed to a library cannot be taken back, so the episode ends truncated and without a reward,
which libraries that know truncation take as "what would have come is not known".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from pettingzoo import ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper


@dataclass(slots=True)
class Tally:
    """Returns of the scored episodes, and how many had no score; environments may share it."""

    returns: list[float] = field(default_factory=list)
    """Sums of the lead's rewards, of the episodes that ended since the last `take`."""
    num_invalid: int = 0
    """Episodes without a score, of all time."""

    def take(self) -> float | None:
        """Gives the mean return since it was last asked for; None when no episode was scored."""
        mean = fmean(self.returns) if self.returns else None
        self.returns.clear()
        return mean


class TruncateInvalid(BaseParallelWrapper[str, Any, Any]):
    """An episode without a score ends truncated, its last reward 0.0, and is counted.

    Args:
        env: of any interface; other wrappers go around this one.
        tally: counts the episodes; by default one of its own.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any], tally: Tally | None = None) -> None:
        super().__init__(env)
        self.tally = tally or Tally()
        self._return = 0.0

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Resets; see `WideSeekEnv.reset`."""
        self._return = 0.0
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: dict[str, Any]) -> Any:
        """Steps; see `WideSeekEnv.step`."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        invalid = any(math.isnan(reward) for reward in rewards.values())
        self._return += rewards["lead"]
        if invalid:
            rewards = dict.fromkeys(rewards, 0.0)
            self.tally.num_invalid += 1
        elif not self.env.agents:
            self.tally.returns.append(self._return)
        return observations, rewards, terminations, truncations, infos
