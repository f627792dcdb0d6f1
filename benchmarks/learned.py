"""The heterogeneous budget experiment: learned against scripted at equal tool calls.

    python -m benchmarks.learned --out runs/learned

Every policy gets the same number of `search` and `open` calls, on worlds that no training saw. The
table has item F1 with 95 % intervals over tasks, for each preset, budget and width. It tells where
learning wins, and by how much: `won` counts only where the intervals do not touch.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np

from agents.learned import LearnedPolicy
from agents.learned.policy import WEIGHTS
from agents.policy import Policy
from agents.rollout import Job, rollout
from agents.scripted import FanoutPolicy, SoloPolicy
from wideseek_env.backends import Backend
from wideseek_env.records import Task
from wideseek_env.worlds import World

SOLO_TURNS = 80
"""Turn limit of the single agent; its calls and context bind first."""
_NUM_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the experiment."""

    preset: str
    budget: int
    """`search` and `open` calls of all agents together."""
    width: int
    """Subagents; 0 for `solo`."""
    policy: str
    num_tasks: int
    item_f1: float
    low: float
    """Ends of the 95 % interval of the mean over tasks (bootstrap)."""
    high: float
    num_calls: float
    """Calls made, mean over tasks."""


def interval(scores: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of the mean of scores."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.asarray(scores), (_NUM_RESAMPLES, len(scores))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def play(
    policy: Policy,
    world: World,
    tasks: Sequence[Task],
    backend: Backend,
    *,
    width: int,
    budget: int,
) -> Row:
    """Plays all tasks at one width and budget."""
    limits = replace(world.preset.limits, max_tool_calls=budget)
    if width == 0:
        limits = replace(limits, max_lead_turns=SOLO_TURNS)
    jobs = [Job(task, width, limits, seed=index) for index, task in enumerate(tasks)]

    async def scores() -> list[tuple[float, int]]:
        episodes = [e async for e in rollout(jobs, policy, backend, max_concurrent=1)]
        return [(e.score.item_f1, e.num_tool_calls) for e in episodes if e.score]

    found = asyncio.run(scores())
    f1 = [score for score, _ in found]
    low, high = interval(f1)
    calls = float(np.mean([num for _, num in found]))
    return Row(
        world.preset.name, budget, width, policy.name, len(f1), float(np.mean(f1)), low, high, calls
    )


def experiment(
    learned: Sequence[Policy],
    presets: Sequence[str],
    budgets: Sequence[int],
    widths: Sequence[int],
    *,
    num_tasks: int,
    world_seed: int = 0,
) -> Iterator[Row]:
    """Plays `solo`, `fanout` and the learned policies on test worlds; yields row by row."""
    for preset in presets:
        world = World(preset, seed=world_seed, split="test")
        backend, tasks = world.backend(), list(world.tasks(num_tasks, seed=world_seed))
        for budget in budgets:
            yield play(SoloPolicy(), world, tasks, backend, width=0, budget=budget)
            for width in widths:
                for policy in (FanoutPolicy(), *learned):
                    yield play(policy, world, tasks, backend, width=width, budget=budget)


def won(rows: Sequence[Row], policy: str, against: Sequence[str] = ("solo", "fanout")) -> list[Row]:
    """Returns the rows of a policy whose interval lies above those of the others.

    A team is compared with `solo` at the same budget, and with teams of the same width.
    """
    return [
        row
        for row in rows
        if row.policy == policy
        and all(
            row.low > other.high
            for other in rows
            if other.policy in against
            and (other.preset, other.budget) == (row.preset, row.budget)
            and other.width in (0, row.width)
        )
    ]


def main() -> None:
    """Runs the experiment from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for learned.csv")
    parser.add_argument("--weights", type=Path, nargs="*", default=[WEIGHTS])
    parser.add_argument("--presets", nargs="*", default=["default", "conflict", "missing"])
    parser.add_argument("--budgets", type=int, nargs="*", default=[25, 40, 60, 90])
    parser.add_argument("--widths", type=int, nargs="*", default=[1, 2, 3, 4, 6, 8, 12, 16])
    parser.add_argument("--tasks", type=int, default=60)
    arguments = parser.parse_args()
    names = [f"mappo-{index}" for index in range(len(arguments.weights))]
    learned = [
        LearnedPolicy(weights, name if len(names) > 1 else "mappo")
        for weights, name in zip(arguments.weights, names, strict=True)
    ]
    rows = []
    for row in experiment(
        learned,
        arguments.presets,
        arguments.budgets,
        arguments.widths,
        num_tasks=arguments.tasks,
    ):
        rows.append(row)
        print(
            f"{row.preset:9} {row.budget:4} calls  n={row.width:<3} {row.policy:8} "
            f"item F1 {row.item_f1:.3f} [{row.low:.3f}, {row.high:.3f}]  {row.num_calls:.0f} made",
            flush=True,
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "learned.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(map(astuple, rows))
    for policy in learned:
        ahead = won(rows, policy.name)
        num = sum(row.policy == policy.name for row in rows)
        print(
            f"{policy.name}: above solo and fanout with disjoint intervals in {len(ahead)} of {num}"
        )


if __name__ == "__main__":
    main()
