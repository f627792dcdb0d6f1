"""Scores models on held-out worlds.

    python -m benchmarks.learning.evaluate runs/sft runs/grpo --out FILE

One task of each of many worlds of the split `test`, whose names no training world has, played
greedily at several widths. Prints one line a model and width, and appends it to a JSON lines file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from agents.learned.lm import PLAYS
from agents.llm.policy import LLMPolicy
from agents.policy import Policy
from agents.rollout import Job, run_episode
from agents.scripted import PartialPolicy
from benchmarks.compare.flags import numbers
from trainers.log import episode_metrics
from wideseek_env.backends import Backend
from wideseek_env.errors import WideSeekError
from wideseek_env.records import Episode, Task
from wideseek_env.scoring.statistics import bootstrap_interval
from wideseek_env.worlds import PRESETS, World

_TOLD = ("episodes/width", "episodes/tool_calls", "episodes/parsed", "turns/wrong")


ALONE_TURNS = 8
"""Turns of an agent without subagents; `starter` gives a lead 3, which suffice to delegate."""


@dataclass(frozen=True, slots=True)
class Exam:
    """One way in which the held-out tasks are played."""

    width: int
    """Subagents; with 0 the lead plays alone."""
    kind: Literal["wide", "deep"] = "wide"
    """Kind of tasks."""

    def __str__(self) -> str:
        return f"{self.width}" if self.kind == "wide" else f"{self.kind}, {self.width}"


@cache
def held_out(preset: str, num_tasks: int, kind: str = "wide") -> tuple[tuple[World, Task], ...]:
    """Returns the first task of each of `num_tasks` test worlds, seeded 0, 1, ..."""
    worlds = [World(preset, seed, split="test") for seed in range(num_tasks)]
    return tuple((world, next(world.tasks(1, kind=kind))) for world in worlds)


async def play(
    policy: Policy, exam: Exam, *, preset: str = "starter", num_tasks: int = 100
) -> list[Episode]:
    """Returns an episode of each held-out task, in order.

    Args:
        policy: plays them.
        exam: kind of tasks, and width.
        preset: of the worlds.
        num_tasks: of as many worlds.

    Raises:
        WideSeekError: an episode could not be scored; that is no 0, and a mean without it would be
            over other tasks.
    """
    limits = PRESETS[preset].limits
    if exam.width == 0:
        limits = replace(limits, max_lead_turns=ALONE_TURNS)

    async def one(number: int, world: World, task: Task) -> Episode:
        job = Job(task, exam.width, limits, seed=number)
        return await run_episode(job, policy, _backend(world))

    tasks = enumerate(held_out(preset, num_tasks, exam.kind))
    played = await asyncio.gather(*(one(i, world, task) for i, (world, task) in tasks))
    for episode in played:
        if not episode.valid:
            raise WideSeekError(
                f"expected a score of every held-out task, got none of {episode.task.id!r} by "
                f"{policy.name}: {episode.error}"
            )
    return played


@cache
def _backend(world: World) -> Backend:
    return world.backend()


def summary(episodes: Iterable[Episode]) -> dict[str, Any]:
    """Returns mean item F1 with its 95 % interval over tasks (bootstrap), and what was done."""
    episodes = list(episodes)
    scores = [episode.score.item_f1 for episode in episodes if episode.score]
    interval = bootstrap_interval(scores)
    metrics = episode_metrics(episodes)
    return {
        "item_f1": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "row_f1": fmean(e.score.row_f1 for e in episodes if e.score),
        "tasks": len(scores),
        **{name.rpartition("/")[2]: metrics[name] for name in _TOLD},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="folders of models or of runs; `partial`")
    parser.add_argument(
        "--widths", type=numbers, default=(1, 2, 4, 8), help="numbers of subagents; 0: alone"
    )
    parser.add_argument("--kind", default="wide", choices=("wide", "deep"), help="of tasks")
    parser.add_argument("--tasks", type=int, default=100, help="held-out tasks")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy")
    parser.add_argument("--out", type=Path, help="JSON lines file that results are added to")
    given = parser.parse_args(argv)
    try:
        _evaluate(given)
    except (WideSeekError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _evaluate(given: argparse.Namespace) -> None:
    for model in given.models:
        policy = policy_of(model, given.temperature)
        for width in given.widths:
            played = asyncio.run(play(policy, Exam(width, given.kind), num_tasks=given.tasks))
            line = {"model": model, "temperature": given.temperature, "kind": given.kind}
            line["n_subagents"] = width
            text = json.dumps(line | summary(played))
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
            if given.out:
                with given.out.open("a") as file:
                    file.write(text + "\n")


def policy_of(model: str, temperature: float) -> Policy:
    """Returns `partial`, or the model of a folder or of a run's last checkpoint."""
    if model == "partial":
        return PartialPolicy()
    from agents.llm.engines.transformers import TransformersEngine  # noqa: PLC0415 - heavy
    from trainers.play import load  # noqa: PLC0415

    lm, tokenizer = load(model)
    engine = TransformersEngine(lm, tokenizer=tokenizer)
    return LLMPolicy(engine, replace(PLAYS, temperature=temperature), name=model)


if __name__ == "__main__":
    sys.exit(main())
