"""Plays scripted policies on test worlds that are built once in a process."""

from __future__ import annotations

from functools import cache

from agents.rollout import Job, run_episode
from agents.scripted import POLICIES
from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.records import Episode, Limits
from wideseek_env.worlds import World
from wideseek_env.worlds.world import TaskKind


@cache
def world(preset: str) -> tuple[World, PagesBackend]:
    """Returns a small world of a preset and its backend."""
    made = World(preset, seed=1, split="test", num_pages=1)
    return made, made.backend()


async def play(
    preset: str,
    name: str,
    n_subagents: int,
    num: int,
    kind: TaskKind = "wide",
    limits: Limits | None = None,
) -> list[Episode]:
    """Plays a policy on `num` tasks, under the preset's own limits if no others are given."""
    made, backend = world(preset)
    tasks = list(made.tasks(num, seed=2, kind=kind))
    policy = POLICIES[name](tasks)
    jobs = [Job(task, backend, n_subagents, limits=limits or made.preset.limits) for task in tasks]
    episodes = [await run_episode(job, policy) for job in jobs]
    broken = [episode.error for episode in episodes if not episode.valid]
    if broken:
        raise RuntimeError(f"{name} on {preset}: {broken[0]}")
    return episodes
