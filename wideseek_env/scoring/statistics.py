"""Figures over trials: Avg@k, Max@k and Pass@k, and how sure they are.

Every benchmark of the project takes its intervals from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_NUM_RESAMPLES = 2000
"""Draws with replacement; so many settle the third digit."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the range that holds it with the stated confidence."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """One metric over tasks, each with several trials."""

    avg: Interval
    """Avg@k: mean over tasks of the mean over trials."""
    max: Interval
    """Max@k: mean over tasks of the best trial."""
    passed: Interval
    """Pass@k: share of tasks with a trial of exactly 1."""
    num_trials: tuple[int, int]
    """Fewest and most trials of a task."""


def bootstrap_interval(
    values: Sequence[float],
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Returns the mean of independent values and its percentile bootstrap interval.

    Args:
        values: one figure for each task, so that trials of one task are not taken as independent.
        confidence: in (0, 1).
        seed: same seed, same interval.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("expected at least one value for an interval, got none")
    figures = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(figures), (_NUM_RESAMPLES, len(figures)))
    means = figures[draws].mean(axis=1)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, (tail, 100 - tail))
    return Interval(float(figures.mean()), float(low), float(high))


def avg_max_pass_at_k(trials: Sequence[Sequence[float]], *, seed: int = 0) -> TrialFigures:
    """Returns Avg@k, Max@k and Pass@k with 95 % intervals over tasks.

    Args:
        trials: [task][trial], in [0, 1]; tasks without a valid trial must have been left out.
        seed: same seed, same intervals.

    Raises:
        ValueError: there are no tasks, or one has no trials.
    """
    if not trials or not all(trials):
        raise ValueError("expected at least one task, each with at least one trial")

    def interval(values: list[float]) -> Interval:
        return bootstrap_interval(values, seed=seed)

    return TrialFigures(
        avg=interval([sum(task) / len(task) for task in trials]),
        max=interval([max(task) for task in trials]),
        passed=interval([float(max(task) >= 1.0) for task in trials]),
        num_trials=(min(map(len, trials)), max(map(len, trials))),
    )
