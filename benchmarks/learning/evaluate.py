"""Scores models on held-out worlds.

    python -m benchmarks.learning.evaluate runs/sft runs/grpo --out FILE

One task of each of many worlds of the split `test`, whose names no training world has, or the tasks
of any other source, played greedily at several widths. Prints one line a model and width, and
appends it to a JSON lines file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from agents.evaluate import Exam, evaluate, held_out
from agents.learned.lm import PLAYS
from agents.llm.policy import LLMPolicy
from agents.policy import Policy
from agents.scripted import PartialPolicy
from trainers.log import episode_metrics
from wideseek_env.errors import WideSeekError
from wideseek_env.records import Episode
from wideseek_env.scoring.statistics import bootstrap_interval
from wideseek_env.tasks.source import TaskSource

_TOLD = ("episodes/width", "episodes/tool_calls", "episodes/parsed", "turns/wrong")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One way in which held-out tasks are played."""

    width: int
    """Subagents; with 0 the lead plays alone."""
    kind: Literal["wide", "deep"] = "wide"
    """Kind of tasks, where they are of closed worlds."""

    def __str__(self) -> str:
        return f"{self.width}" if self.kind == "wide" else f"{self.kind}, {self.width}"


async def play(
    policy: Policy, how: HeldOut, source: TaskSource | None = None, *, num_tasks: int = 100
) -> Sequence[Episode]:
    """Plays held-out tasks, and gives an episode of each, in order.

    Args:
        policy: plays them.
        how: kind of tasks, and width.
        source: of the tasks; None: `held_out` worlds of `starter`.
        num_tasks: of as many worlds.

    Raises:
        WideSeekError: an episode could not be scored; that is no 0, and a mean without it would be
            over other tasks.
    """
    source = held_out("starter", num_tasks, kind=how.kind) if source is None else source
    return (await evaluate(Exam(source, how.width), policy)).checked().episodes


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
        "--widths", type=_numbers, default=(1, 2, 4, 8), help="numbers of subagents; 0: alone"
    )
    parser.add_argument("--source", default="starter", help="preset, corpus:DIR, file:FILE, a path")
    parser.add_argument("--backend", help="folder of pages, or a path, for file:FILE")
    parser.add_argument("--kind", default="wide", choices=("wide", "deep"), help="of tasks")
    parser.add_argument("--tasks", type=int, default=100, help="held-out tasks")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy")
    parser.add_argument("--out", type=Path, help="JSON lines file that results are added to")
    given = parser.parse_args(argv)
    try:
        _evaluate(given)
    except (WideSeekError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _evaluate(given: argparse.Namespace) -> None:
    source = held_out(given.source, given.tasks, kind=given.kind, backend=given.backend)
    for model in given.models:
        policy = policy_of(model, given.temperature)
        for width in given.widths:
            played = asyncio.run(play(policy, HeldOut(width, given.kind), source))
            line = {"model": model, "temperature": given.temperature, "kind": given.kind}
            line["source"] = given.source
            line["n_subagents"] = width
            text = json.dumps(line | summary(played))
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
            if given.out:
                with given.out.open("a") as file:
                    file.write(text + "\n")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers with commas between them, such as 0,4,8, got {text!r}"
        ) from error


def policy_of(model: str, temperature: float) -> Policy:
    """Returns `partial`, or the model of a folder or of a run's last checkpoint."""
    if model == "partial":
        return PartialPolicy()
    from agents.llm.engines.transformers import TransformersEngine  # noqa: PLC0415 - heavy
    from trainers.models import load_model  # noqa: PLC0415

    lm, tokenizer = load_model(model)
    engine = TransformersEngine(lm, tokenizer=tokenizer)
    return LLMPolicy(engine, replace(PLAYS, temperature=temperature), name=model)


if __name__ == "__main__":
    sys.exit(main())
