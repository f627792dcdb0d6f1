"""`wideseek play`: a person plays lead or subagent in the terminal, and the episode is kept."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta
from rich.console import Console

from agents.episode_file import EpisodeFile, read_episodes
from agents.evaluate import limits_for
from agents.person import PersonPolicy
from agents.rollout import Job, run_episode
from agents.scripted import FanoutPolicy
from wideseek_env.cli.options import Natural, OutFolder, check_values
from wideseek_env.errors import DataError, Interrupted
from wideseek_env.records import Episode
from wideseek_env.scoring.explain import explain, print_explanation
from wideseek_env.tasks.named import SourceOptions, source_named


@dataclass(frozen=True, kw_only=True)
class PlayOptions:
    """Lets you play one agent of an episode in the terminal; a scripted policy plays the others."""

    source: str = "starter"
    """Tasks to play: a preset of closed worlds, corpus:DIR or another source of the benchmark."""
    task: Natural = 0
    """Which task of the source, from 0."""
    role: Literal["lead", "subagent"] = "lead"
    """Who you are; as a subagent you are the first one."""
    n_subagents: Annotated[int, Meta(ge=0, le=256)] = 2
    """Subagents; with 0 the lead searches and opens by itself."""
    out: OutFolder = Path("runs/played")
    """Folder whose episodes.jsonl the episode is added to; `wideseek view` shows it."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.role == "subagent" and not self.n_subagents:
            raise ValueError("--role: expected lead where --n-subagents is 0, got subagent")


def run(options: PlayOptions) -> int:
    """Plays one episode; returns the exit status.

    Raises:
        Interrupted: the person stopped before the end.
    """
    with contextlib.suppress(ImportError):  # absent on some systems: then lines cannot be edited
        import readline  # noqa: F401, PLC0415
    agent = "lead" if options.role == "lead" else "subagent_0"
    policy = PersonPolicy(agent, FanoutPolicy())
    path = options.out / "episodes.jsonl"
    earlier = read_episodes(path, broken=[]) if path.exists() else ()
    played = {str(episode.metadata.get("key")) for episode in earlier}
    episode = asyncio.run(run_episode(_job(options, policy.name, played), policy))
    if policy.stopped:
        raise Interrupted("the episode was not finished, so nothing is kept")
    with EpisodeFile(path) as file:
        file.append(episode)
    _tell(episode, Console())
    kept = f"kept in {options.out}: wideseek view {options.out}"
    Console(stderr=True).print(kept, markup=False, highlight=False, soft_wrap=True)
    return 0 if episode.valid else 1


def _job(options: PlayOptions, policy: str, played: set[str]) -> Job:
    """Makes the job of the first trial that has not been played."""
    source = source_named(options.source, SourceOptions(split="test"))
    if options.task >= len(source):
        raise ValueError(f"--task: expected at most {len(source) - 1}, got {options.task}")
    chosen = source[options.task]
    metadata = {"source": options.source, "policy": policy, "depth": None}
    job = Job(
        chosen.task,
        chosen.backend,
        options.n_subagents,
        limits_for(options.n_subagents, chosen.limits),
        source=options.source,
    )
    trials = (
        replace(job, metadata={**metadata, "trial": n, "role": options.role}) for n in count()
    )
    return next(job for job in trials if job.key(policy) not in played)


def _tell(episode: Episode, console: Console) -> None:
    """Shows what the answer was worth, cell by cell."""
    score = episode.score
    if score is None:
        why = (episode.error or "it was cancelled").partition("\n")[0]
        raise DataError(f"the episode is invalid: {why}")
    if episode.answer is None or episode.task.kind == "deep":
        told = f"ended: {episode.end.replace('_', ' ')}; item F1 {score.item_f1:.3f}"
        console.print(told, markup=False, highlight=False)
        return
    print_explanation(explain(episode.task, episode.answer), console)
