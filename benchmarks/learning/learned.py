"""The heterogeneous budget experiment: learned against scripted at equal tool calls.

    wideseek learned --out runs/learned

Every policy gets the same number of `search` and `open` calls, on worlds that no training saw. The
table has item F1 with 95 % intervals over tasks, for each source, budget and width. It tells where
learning wins, and by how much: `won` counts only where the intervals do not touch. `--orders` adds
fixed orders of the learned policy's moves, to tell what it learned from what the moves give.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from agents.episode_file import locked
from agents.evaluate import Exam, evaluate
from agents.learned import LearnedPolicy
from agents.learned.orders import ORDERS, OrderPolicy
from agents.learned.policy import TEMPERATURE, WEIGHTS
from agents.policy import Policy
from agents.scripted import FanoutPolicy, SoloFoldPolicy, SoloPolicy
from benchmarks.compare.llm import is_model
from benchmarks.compare.policies import POLICIES, entry_of
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import (
    AtLeastZero,
    Count,
    OutFolder,
    Seed,
    check_values,
    flag,
)
from wideseek_env.errors import DataError, Interrupted
from wideseek_env.plugins import check, one_of
from wideseek_env.reading.question import parse_question
from wideseek_env.tasks.named import SourceOptions, check_backend, source_named
from wideseek_env.tasks.source import TaskSource
from wideseek_env.worlds import PRESETS

SCRIPTED = ("solo", "solo_fold", "fanout")
"""Whom learned policies are compared with."""
FOLDS = entry_of("solo_fold").max_folds


@dataclass(frozen=True, slots=True)
class GridScore:
    """One cell of the experiment."""

    source: str
    budget: int
    """`search` and `open` calls of all agents together."""
    width: int
    """Subagents; 0 for one agent alone."""
    policy: str
    num_tasks: int
    item_f1: float
    low: float
    """Ends of the 95 % interval of the mean over tasks (bootstrap)."""
    high: float
    num_calls: float
    """Calls made, mean over tasks."""


def sources_of(
    text: str, seeds: Sequence[int], num_tasks: int, backend: str | None = None
) -> list[TaskSource]:
    """Makes tasks of a source; of a preset, in equal parts from the test worlds of these seeds.

    Raises:
        ValueError: the source stands for nothing, or asks what no policy of moves can read.
    """
    if text not in PRESETS:
        source = source_named(text, SourceOptions(backend, split="test", num_tasks=num_tasks))
        for each in source:
            if parse_question(each.task.question) is None:
                raise ValueError(
                    f"{text}: expected questions about things of closed worlds, in English, as the "
                    f"learned policies read no others, got {each.task.question[:80]!r}"
                )
        return [source]
    parts = [num_tasks // len(seeds) + (i < num_tasks % len(seeds)) for i in range(len(seeds))]
    return [
        TaskSource.world(text, seed=seed, split="test", num_tasks=part)
        for seed, part in zip(seeds, parts, strict=True)
        if part
    ]


def play(
    policy: Policy, text: str, sources: Sequence[TaskSource], *, width: int, budget: int
) -> GridScore:
    """Plays all tasks at one width and budget.

    Raises:
        WideSeekError: an episode has no score, so the means would be over other tasks.
    """
    folds = FOLDS if isinstance(policy, SoloFoldPolicy) else 0
    exams = [Exam(source, width, budget=budget, max_folds=folds) for source in sources]
    jobs = [job for exam in exams for job in exam]
    played = asyncio.run(evaluate(jobs, policy, max_concurrent=1)).checked()
    f1, calls = played.item_f1, fmean(e.num_tool_calls for e in played.episodes)
    num = len(played.episodes)
    return GridScore(text, budget, width, policy.name, num, f1.mean, f1.low, f1.high, calls)


def experiment(
    teams: Sequence[Policy],
    texts: Sequence[str],
    budgets: Sequence[int],
    widths: Sequence[int],
    *,
    num_tasks: int,
    seeds: Sequence[int] = (0,),
    backend: str | None = None,
    rows: Rows | None = None,
) -> Iterator[GridScore]:
    """Plays `solo`, `solo_fold`, `fanout` and other teams on held-out tasks; yields row by row.

    Rows that `rows` has are not played again, and the others are added to it.
    """
    for text in texts:
        sources = sources_of(text, seeds, num_tasks, backend)
        for budget in budgets:
            cells: list[tuple[Policy, int]] = [(SoloPolicy(), 0), (SoloFoldPolicy(), 0)]
            cells += [(policy, width) for width in widths for policy in (FanoutPolicy(), *teams)]
            for policy, width in cells:
                row = rows.find(text, budget, width, policy.name) if rows else None
                if row is None:
                    row = play(policy, text, sources, width=width, budget=budget)
                    if rows:
                        rows.add(row)
                yield row


def won(
    rows: Sequence[GridScore], policy: str, against: Sequence[str] = SCRIPTED
) -> list[GridScore]:
    """Returns the rows of a policy whose interval lies above those of the others.

    A team is compared with agents alone at the same budget, and with teams of the same width.
    """
    return [
        row
        for row in rows
        if row.policy == policy
        and all(
            row.low > other.high
            for other in rows
            if other.policy in against
            and (other.source, other.budget) == (row.source, row.budget)
            and other.width in (0, row.width)
        )
    ]


@dataclass(frozen=True, kw_only=True)
class LearnedOptions:
    """Compares learned with scripted policies at equal, scarce tool calls, on held-out tasks.

    Each row is kept as it comes, and the same command goes on; the defaults take about an hour.
    """

    out: OutFolder
    """Folder for learned.csv."""
    weights: tuple[Path, ...] = (WEIGHTS,)
    """Weights of `wideseek train discrete` or `wideseek train mappo`."""
    policies: tuple[str, ...] = ()
    """Learned policies of your own, as `wideseek benchmark --policies` names them."""
    temperature: AtLeastZero = TEMPERATURE
    """Of the weights."""
    orders: tuple[str, ...] = ()
    """Fixed orders of the learned policy's moves that play as well; docs/discrete.md has them."""
    sources: tuple[str, ...] = ("default", "conflict", "missing")
    """Presets of closed worlds, or other sources that ask about things of them in English, which is
    what learned policies read, such as file:made/tasks.jsonl."""
    backend: str | None = None
    """Where the tasks of a file are looked up: a folder of pages, or a Python path."""
    budgets: tuple[Count, ...] = (25, 40, 60, 90)
    """Search and open calls of all agents together."""
    widths: tuple[Count, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    """Numbers of subagents."""
    num_tasks: Count = 60
    """Tasks of each source."""
    seeds: tuple[Seed, ...] = (0,)
    """Of the test worlds."""

    def __post_init__(self) -> None:
        for text in self.sources:
            check("sources", text, PRESETS)
        check_values(self)
        check_backend(self.backend, *self.sources)
        for order in self.orders:
            if order not in ORDERS:
                raise ValueError(f"--orders: expected {one_of(ORDERS, order)}")
        for name in self.policies:
            check("policies", name, POLICIES)
            if is_model(name) or name in POLICIES:
                raise ValueError(f"--policies: expected one of your own, got {name!r}")
        if not (self.weights or self.policies):
            raise ValueError("expected --weights or --policies, got neither")
        for name in ("sources", "budgets", "widths", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"{flag(name)}: expected at least one, got none")

    def terms(self) -> dict[str, Any]:
        """Gives what rows must have in common to stand in one table."""
        return {
            "weights": [str(path) for path in self.weights],
            "policies": list(self.policies),
            "temperature": self.temperature,
            "num_tasks": self.num_tasks,
            "backend": self.backend,
            "seeds": list(self.seeds),
        }


class Rows:
    """The rows of a folder: those that were played before, and those that come.

    Args:
        out: the folder; made when it is not there.
        terms: what all its rows have in common.

    Raises:
        DataError: the folder holds rows of other terms, or another run writes to it.
    """

    def __init__(self, out: Path, terms: dict[str, Any]) -> None:
        self.file, about = out / "learned.csv", out / "learned.json"
        out.mkdir(parents=True, exist_ok=True)
        self._lock = locked(self.file)
        if self.file.exists():
            before = json.loads(about.read_text("utf-8")) if about.exists() else None
            if before != terms:
                raise DataError(
                    f"{self.file} holds rows of {before}, expected {terms}; give another --out"
                )
            with self.file.open(encoding="utf-8", newline="") as lines:
                self.kept = [
                    msgspec.convert(r, GridScore, strict=False) for r in csv.DictReader(lines)
                ]
            return
        self.kept = []
        about.write_text(json.dumps(terms, indent=1) + "\n", "utf-8")
        self._write([field.name for field in fields(GridScore)])

    def find(self, source: str, budget: int, width: int, policy: str) -> GridScore | None:
        """Looks for a row that was played before."""
        wanted = source, budget, width, policy
        rows = (r for r in self.kept if (r.source, r.budget, r.width, r.policy) == wanted)
        return next(rows, None)

    def add(self, row: GridScore) -> None:
        """Keeps a row."""
        self.kept.append(row)
        self._write(astuple(row))

    def close(self) -> None:
        """Lets another run write."""
        self._lock.release()

    def _write(self, values: Iterable[Any]) -> None:
        with self.file.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow(values)


def run(options: LearnedOptions) -> int:
    """Runs the experiment; returns the exit status."""
    learned: list[Policy] = [
        LearnedPolicy(
            weights, "mappo" if weights == WEIGHTS else f"weights:{weights}", options.temperature
        )
        for weights in options.weights
    ]
    learned += [entry_of(name).make(()) for name in options.policies]
    teams = [*(OrderPolicy(order) for order in options.orders), *learned]
    with closing(Rows(options.out, options.terms())) as rows:
        shown = _played(options, teams, rows)
    rivals = [*SCRIPTED, *options.orders]
    for policy in learned:
        ahead = won(shown, policy.name, rivals)
        num = sum(row.policy == policy.name for row in shown)
        print(f"{policy.name}: in {len(ahead)} of {num} above {', '.join(rivals)}, intervals apart")
    return 0


def _played(options: LearnedOptions, teams: Sequence[Policy], rows: Rows) -> list[GridScore]:
    """Plays, and prints each row as it comes."""
    shown = []
    grid = options.sources, options.budgets, options.widths
    try:
        for row in experiment(
            teams,
            *grid,
            num_tasks=options.num_tasks,
            seeds=options.seeds,
            backend=options.backend,
            rows=rows,
        ):
            shown.append(row)
            print(
                f"{row.source:9} {row.budget:4} calls  n={row.width:<3} {row.policy:8} item F1 "
                f"{row.item_f1:.3f} [{row.low:.3f}, {row.high:.3f}]  {row.num_calls:.0f} made",
                flush=True,
            )
    except KeyboardInterrupt as error:
        kept = f"{rows.file} has {len(rows.kept)} rows; the same command goes on"
        raise Interrupted(kept) from error
    return shown


if __name__ == "__main__":
    sys.exit(run_command("learned"))
