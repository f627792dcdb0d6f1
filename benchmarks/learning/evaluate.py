"""Scores models on held-out worlds.

    wideseek evaluate runs/sft runs/grpo --out FILE

One task of each of many worlds of the split `test`, whose names no training world has, or the tasks
of any other source, played greedily at several widths. Prints one line a model and width, and
appends it to a JSON lines file.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any, Literal, TypeAlias

from tyro.conf import Positional

from agents.evaluate import Evaluation, Exam, evaluate, held_out
from agents.learned.lm import PLAYS
from agents.llm.policy import LLMPolicy
from agents.llm.precision import bfloat16_pays, halve
from agents.policy import Policy
from agents.ray_run import play_on_ray
from agents.run import Part
from agents.scripted.partial import TEACHERS
from trainers import checkpoint
from trainers.log import episode_metrics
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import (
    AtLeastZero,
    Cluster,
    Count,
    InFile,
    Natural,
    OutFile,
    check_values,
    recorded,
)
from wideseek_env.errors import Interrupted
from wideseek_env.plugins import require
from wideseek_env.records import Episode
from wideseek_env.scoring.statistics import bootstrap_interval
from wideseek_env.tasks.named import check_backend
from wideseek_env.tasks.source import TaskSource

Prompts: TypeAlias = Literal["full", "short"]

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


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Scores models on held-out tasks; each result is printed, and kept, as it comes.

    By default one task of each of many worlds of the split `test`, whose names no training world
    has. Models need the extra train.
    """

    models: Positional[tuple[str, ...]]
    """Folders of models or of runs; partial is the teacher of the shipped ones, hasty another."""
    widths: tuple[Natural, ...] = (1, 2, 4, 8)
    """Numbers of subagents; 0 is one agent alone."""
    source: str = "starter"
    """Tasks: a preset of closed worlds, corpus:DIR, file:FILE, or a Python path."""
    backend: str | None = None
    """Where the tasks of a file are looked up: a folder of pages, or a Python path."""
    record: OutFile | None = None
    """SQLite file that every call to `--backend` goes into, and that answers what it holds."""
    replay_tools: InFile | None = None
    """Such a file in place of `--backend`: nobody is asked."""
    kind: Literal["wide", "deep"] = "wide"
    """Of tasks of closed worlds."""
    num_tasks: Count = 100
    """Held-out tasks."""
    temperature: AtLeastZero = 0.0
    """Of the models; 0 is greedy."""
    format: Literal["hermes", "json"] | None = None
    """How models write tool calls; None: as in training, which a checkpoint says, or else json."""
    prompts: Prompts | None = None
    """What models are told; None: as in training, or else short."""
    out: OutFile | None = None
    """JSON lines file that the results are added to."""
    ray: Cluster | None = None
    """Plays on actors of a Ray cluster, each with models of its own; addresses as those of
    `wideseek benchmark`."""
    num_workers: Count | None = None
    """Actors; none is one for each CPU of the cluster."""

    def __post_init__(self) -> None:
        check_values(self)
        if not self.models or not self.widths:
            raise ValueError("expected at least one model and one of --widths, got none")
        if self.num_workers is not None and self.ray is None:
            raise ValueError("--num-workers are actors on a Ray cluster: give it with --ray")
        check_backend(self.asked(), self.source)

    def asked(self) -> str | None:
        """Gives the backend by its text, with the file that records it or stands for it."""
        files = (str(file) if file else None for file in (self.record, self.replay_tools))
        return recorded(self.backend, *files)


def run(options: EvaluateOptions) -> int:
    """Evaluates; returns the exit status."""
    source = held_out(options.source, options.num_tasks, kind=options.kind, backend=options.asked())
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if options.ray is None:
            for model in options.models:
                policy = _maker(options, model)()
                for width in options.widths:
                    played = asyncio.run(play(policy, HeldOut(width, options.kind), source))
                    _tell(options, model, width, played)
        else:
            _run_on_ray(options, source, options.ray)
    except KeyboardInterrupt as error:
        kept = f"what was printed is in {options.out}" if options.out else "what was printed is all"
        raise Interrupted(kept) from error
    return 0


def _maker(options: EvaluateOptions, model: str) -> Callable[[], Policy]:
    told = {"format": options.format, "prompts": options.prompts}
    return partial(policy_of, model, options.temperature, **told)


def _run_on_ray(options: EvaluateOptions, source: TaskSource, address: str) -> None:
    """Plays everything in one go; each result is told when its last episode has ended."""
    parts, played = [], dict[tuple[str, int], list[Episode]]()
    for model in dict.fromkeys(options.models):
        exams = [
            Exam(source, width, metadata={"model": model})
            for width in dict.fromkeys(options.widths)
        ]
        parts.append(Part(exams, _maker(options, model)))

    def keep(episode: Episode) -> None:
        model, width = str(episode.metadata["model"]), episode.n_subagents
        episodes = played.setdefault((model, width), [])
        episodes.append(episode)
        if len(episodes) == len(source):
            order = {assigned.task.id: number for number, assigned in enumerate(source)}
            episodes.sort(key=lambda episode: order[episode.task.id])
            _tell(options, model, width, Evaluation(model, episodes).checked().episodes)

    play_on_ray(parts, frozenset(), keep, address, options.num_workers)


def _tell(options: EvaluateOptions, model: str, width: int, played: Sequence[Episode]) -> None:
    line = {
        "model": model,
        "temperature": options.temperature,
        "kind": options.kind,
        "source": options.source,
        "n_subagents": width,
    }
    text = json.dumps(line | summary(played))
    print(text, flush=True)
    if options.out:
        with options.out.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def policy_of(
    model: str, temperature: float, *, format: str | None = None, prompts: Prompts | None = None
) -> Policy:
    """Returns `partial`, `hasty`, or the model of a folder or of a run's last checkpoint.

    Args:
        model: `partial`, `hasty`, a folder, or a run.
        temperature: of a model; 0 is greedy.
        format: how it writes tool calls; None: as it was trained.
        prompts: what it is told; None: as it was trained.
    """
    if model in TEACHERS:
        return TEACHERS[model]()
    engines = require("agents.llm.engines.transformers", "train")
    models = require("trainers.models", "train")
    lm, tokenizer = models.load_model(model)
    if bfloat16_pays(lm, lm.device):
        halve(lm)
    engine = engines.TransformersEngine(lm, tokenizer=tokenizer)
    trained = checkpoint.settings_of(models.folder_of(model))
    plays = replace(
        PLAYS,
        temperature=temperature,
        format=format or trained.get("format", PLAYS.format),
        prompts=prompts or trained.get("prompts", PLAYS.prompts),
    )
    return LLMPolicy(engine, plays, name=model)


if __name__ == "__main__":
    sys.exit(run_command("evaluate"))
