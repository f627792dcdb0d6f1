"""An advantage of one's own: an episode's place among the others of its task, from -1 to 1.

    python examples/advantage.py
    wideseek train grpo --preset tiny --baseline examples.advantage:rank

The function gets the rewards of one group, the episodes of one task, and gives their advantages.
"""

from __future__ import annotations

import numpy as np
from wideseek.trainers.advantages import Floats, group_advantages


def rank(rewards: Floats) -> Floats:
    """Ranks rewards; equal ones share their places, and the sum is 0."""
    above = (rewards[:, None] > rewards).sum(axis=1)
    below = (rewards[:, None] < rewards).sum(axis=1)
    places: Floats = (above - below) / (len(rewards) - 1)
    return places


def main() -> None:
    """Compares two tasks of three episodes each."""
    rewards = np.array([0.1, 0.9, 0.2, 0.5, 0.5, 0.7])
    tasks = np.array([0, 0, 0, 1, 1, 1])
    print(group_advantages(rewards, tasks, "examples.advantage:rank"))


if __name__ == "__main__":
    main()
