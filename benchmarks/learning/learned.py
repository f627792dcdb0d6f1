"""The heterogeneous budget experiment: learned against scripted at equal tool calls.

    python -m benchmarks.learning.learned --out runs/learned

Every policy gets the same number of `search` and `open` calls, on worlds that no training saw. The
table has item F1 with 95 % intervals over tasks, for each preset, budget and width. It tells where
learning wins, and by how much: `won` counts only where the intervals do not touch. `--orders` adds
fixed orders of the learned policy's moves, to tell what it learned from what the moves give.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import fmean

from agents.evaluate import Exam, evaluate
from agents.learned import LearnedPolicy
from agents.learned.orders import ORDERS, OrderPolicy
from agents.learned.policy import TEMPERATURE, WEIGHTS
from agents.policy import Policy
from agents.scripted import FanoutPolicy, SoloPolicy
from wideseek_env.tasks.source import TaskSource


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


def sources_of(preset: str, seeds: Sequence[int], num_tasks: int) -> list[TaskSource]:
    """Makes `num_tasks` tasks of a preset, in equal parts from the test worlds of these seeds."""
    parts = [num_tasks // len(seeds) + (i < num_tasks % len(seeds)) for i in range(len(seeds))]
    return [
        TaskSource.world(preset, seed=seed, split="test", num_tasks=part)
        for seed, part in zip(seeds, parts, strict=True)
        if part
    ]


def play(
    policy: Policy, preset: str, sources: Sequence[TaskSource], *, width: int, budget: int
) -> Row:
    """Plays all tasks at one width and budget.

    Raises:
        WideSeekError: an episode has no score, so the means would be over other tasks.
    """
    jobs = [job for source in sources for job in Exam(source, width, budget=budget)]
    played = asyncio.run(evaluate(jobs, policy, max_concurrent=1)).checked()
    f1, calls = played.item_f1, fmean(e.num_tool_calls for e in played.episodes)
    num = len(played.episodes)
    return Row(preset, budget, width, policy.name, num, f1.mean, f1.low, f1.high, calls)


def experiment(
    teams: Sequence[Policy],
    presets: Sequence[str],
    budgets: Sequence[int],
    widths: Sequence[int],
    *,
    num_tasks: int,
    seeds: Sequence[int] = (0,),
) -> Iterator[Row]:
    """Plays `solo`, `fanout` and other teams on test worlds; yields row by row."""
    for preset in presets:
        sources = sources_of(preset, seeds, num_tasks)
        for budget in budgets:
            yield play(SoloPolicy(), preset, sources, width=0, budget=budget)
            for width in widths:
                for policy in (FanoutPolicy(), *teams):
                    yield play(policy, preset, sources, width=width, budget=budget)


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
    parser.add_argument("--temperature", type=float, default=TEMPERATURE, help="of the weights")
    parser.add_argument("--orders", nargs="*", default=[], choices=ORDERS, help="fixed orders")
    parser.add_argument("--presets", nargs="*", default=["default", "conflict", "missing"])
    parser.add_argument("--budgets", type=int, nargs="*", default=[25, 40, 60, 90])
    parser.add_argument("--widths", type=int, nargs="*", default=[1, 2, 3, 4, 6, 8, 12, 16])
    parser.add_argument("--tasks", type=int, default=60, help="of each preset")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0], help="of the test worlds")
    arguments = parser.parse_args()
    names = [f"mappo-{index}" for index in range(len(arguments.weights))]
    learned = [
        LearnedPolicy(weights, name if len(names) > 1 else "mappo", arguments.temperature)
        for weights, name in zip(arguments.weights, names, strict=True)
    ]
    orders = [OrderPolicy(order) for order in arguments.orders]
    rows = []
    for row in experiment(
        [*orders, *learned],
        arguments.presets,
        arguments.budgets,
        arguments.widths,
        num_tasks=arguments.tasks,
        seeds=arguments.seeds,
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
    rivals = ["solo", "fanout", *arguments.orders]
    for policy in learned:
        ahead = won(rows, policy.name, rivals)
        num = sum(row.policy == policy.name for row in rows)
        print(f"{policy.name}: in {len(ahead)} of {num} above {', '.join(rivals)}, intervals apart")


if __name__ == "__main__":
    main()
