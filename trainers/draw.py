"""Which tasks a run plays when, and with how many subagents.

`Collector` plays iteration after iteration of a draw, and the prompts of OpenRLHF are written in
its order, so that both trainers see the same tasks for the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Every task once in each pass over a source, in an order of the pass."""

    num_tasks: int
    """Tasks of the source."""
    tasks_per_iteration: int
    n_subagents: int
    random_width: bool
    """Draws the subagents of each task from 1 to `n_subagents`."""
    seed: int

    def iteration(self, iteration: int) -> list[tuple[int, int]]:
        """Returns number and subagents of each task of an iteration; a pass has whole ones alone.

        Raises:
            ValueError: an iteration has more tasks than there are.
        """
        in_pass = self.num_tasks // self.tasks_per_iteration
        if in_pass == 0:
            raise ValueError(
                f"`tasks_per_iteration` must be at most the {self.num_tasks} tasks of the run, "
                f"got {self.tasks_per_iteration}; raise `num_tasks` or give a larger `source`"
            )
        which_pass, place = divmod(iteration, in_pass)
        return self._batch(which_pass, place, iteration)

    def first_pass(self) -> Iterator[tuple[int, int]]:
        """Yields every task once: iterations 0, 1, … and what is too little for one more."""
        for place in range(-(-self.num_tasks // self.tasks_per_iteration)):
            yield from self._batch(0, place, place)

    def _batch(self, which_pass: int, place: int, iteration: int) -> list[tuple[int, int]]:
        num = self.tasks_per_iteration
        chosen = _order(self.seed, which_pass, self.num_tasks)[place * num :][:num].tolist()
        if not self.random_width:
            return [(number, self.n_subagents) for number in chosen]
        draw = np.random.default_rng((self.seed, iteration, 1))
        widths = draw.integers(min(self.n_subagents, 1), self.n_subagents + 1, num).tolist()
        return list(zip(chosen, widths, strict=False))


@lru_cache(maxsize=1)
def _order(seed: int, which_pass: int, num_tasks: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, which_pass)).permutation(num_tasks)
