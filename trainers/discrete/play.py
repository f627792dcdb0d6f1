"""Episodes for the discrete trainer: drawn, played in worker processes, and kept as choices.

A choice is a turn in which an agent had more than one legal move; only these train.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agents.evaluate import limits_for
from agents.learned import DiscretePolicy, LearnedPolicy
from agents.learned.orders import OrderPolicy
from agents.learned.weights import Weights
from agents.rollout import Job, run_episode
from agents.workers import Worker, interrupt_blocked
from trainers.discrete.options import DiscreteOptions
from wideseek_env.errors import WideSeekError
from wideseek_env.tasks.named import SourceOptions, source_named
from wideseek_env.tasks.source import TaskSource


@dataclass(frozen=True, slots=True)
class Draw:
    """What an episode is played with."""

    source: int
    """Number of the source."""
    task: int
    """Number of its task."""
    budget: int
    """`search` and `open` calls."""
    width: int
    """Subagents."""
    seed: int
    """Of the moves."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What one agent chose in one episode, T choices in order."""

    features: NDArray[np.float32]
    """(T, D)"""
    masks: NDArray[np.bool_]
    """(T, K) legal moves."""
    moves: NDArray[np.int64]
    """(T,)"""


@dataclass(frozen=True, slots=True)
class Played:
    """An episode, as far as training needs it."""

    draw: Draw
    item_f1: float | None
    """None: it could not be scored, and takes no part."""
    choices: Mapping[str, Choices]
    """By agent; none of an agent that never had to choose."""


class Recorder(DiscretePolicy):
    """Notes the choices of one episode of a policy.

    Args:
        policy: who chooses.
    """

    def __init__(self, policy: DiscretePolicy) -> None:
        self._noted: dict[str, list[tuple[NDArray[Any], NDArray[Any], int]]] = {}

        def noted(agent: str, seen: dict[str, NDArray[Any]], rng: np.random.Generator) -> int:
            move, mask = int(policy.act(agent, seen, rng)), seen["action_mask"]
            if mask.sum() > 1:
                self._noted.setdefault(agent, []).append((seen["observation"], mask, move))
            return move

        super().__init__(noted, policy.name)

    def choices(self) -> dict[str, Choices]:
        """Gives what was chosen, by agent."""
        return {
            agent: Choices(
                np.array([features for features, _, _ in noted]),
                np.array([mask for _, mask, _ in noted], dtype=bool),
                np.array([move for _, _, move in noted]),
            )
            for agent, noted in self._noted.items()
        }


def sources_of(options: DiscreteOptions) -> list[TaskSource]:
    """Makes the training tasks; of closed worlds, those of the train split.

    Raises:
        ValueError: nothing is called so.
    """
    return [source_named(s, SourceOptions(num_tasks=options.num_tasks)) for s in options.sources]


def draw(options: DiscreteOptions, sizes: Sequence[int], rng: np.random.Generator) -> Draw:
    """Draws a task, a budget and a width."""
    source = int(rng.integers(len(sizes)))
    return Draw(
        source,
        int(rng.integers(sizes[source])),
        int(rng.choice(options.budgets)),
        int(rng.choice(options.widths)),
        int(rng.integers(2**31)),
    )


Who: TypeAlias = Weights | str
"""Who plays: actors, which draw their moves at temperature 1, or a fixed order by its name."""


def make_player(options: DiscreteOptions) -> Callable[[tuple[Who, Sequence[Draw]]], list[Played]]:
    """Makes, in a worker, what plays draws."""
    sources = sources_of(options)

    async def one(policy: DiscretePolicy, drawn: Draw) -> Played:
        chosen = sources[drawn.source][drawn.task]
        limits = limits_for(drawn.width, chosen.limits, budget=drawn.budget)
        recorder = Recorder(policy)
        job = Job(chosen.task, chosen.backend, drawn.width, limits, drawn.seed)
        episode = await run_episode(job, recorder)
        score = episode.score
        return Played(drawn, score.item_f1 if score else None, recorder.choices())

    async def every(who: Who, draws: Sequence[Draw]) -> list[Played]:
        policy = OrderPolicy(who) if isinstance(who, str) else LearnedPolicy(who, temperature=1.0)
        return [await one(policy, drawn) for drawn in draws]

    return lambda message: asyncio.run(every(*message))


class Crew:
    """Worker processes that play; a context manager.

    Args:
        options: of the run.
    """

    def __init__(self, options: DiscreteOptions) -> None:
        self._make = partial(make_player, options)
        self._num = options.num_workers or os.cpu_count() or 1
        self._workers: list[Worker] = []
        self._busy = False

    def __enter__(self) -> Crew:
        with interrupt_blocked():
            self._workers = [Worker(self._make) for _ in range(self._num)]
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.end(is_busy=self._busy)

    def play(self, who: Who, draws: Sequence[Draw]) -> list[Played]:
        """Plays all draws; the order of the answer is theirs, whoever played what.

        Raises:
            WideSeekError: a worker died, or no episode could be scored.
        """
        self._busy = True
        for index, worker in enumerate(self._workers):
            worker.send((who, draws[index :: self._num]))
        parts = [worker.receive() for worker in self._workers]
        self._busy = False
        played = [parts[n % self._num][n // self._num] for n in range(len(draws))]
        if all(episode.item_f1 is None for episode in played):
            raise WideSeekError("expected episodes with a score, got none; look at the backend")
        return played
