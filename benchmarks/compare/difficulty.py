"""How hard made tasks are: policies play them, and their scores go into the tasks' rows.

    wideseek difficulty made --backend pages/

Scripted policies play the questions made by rules, whatever words a model found for them later: how
wide a task is, and not how it is said, is what they tell.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec
from tyro.conf import Positional

from agents.evaluate import Exam
from agents.policy import Policy
from agents.rollout import rollout
from agents.scripted import POLICIES as SCRIPTED
from benchmarks.compare.policies import POLICIES, entry_of
from wideseek_env.backends.named import backend_named
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, InFolder, Seed, check_values
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import Interrupted, WideSeekError
from wideseek_env.jsonlines import cut_tail
from wideseek_env.plugins import check
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Task
from wideseek_env.tasks.source import TaskSource
from wideseek_env.tasks.synthesis.card import TASKS, TEST
from wideseek_env.tasks.synthesis.difficulty import (
    DIFFICULTY,
    Played,
    keep_difficulty,
    made_tasks,
    read_difficulty,
)
from wideseek_env.tasks.synthesis.stages import CHECKED


@dataclass(frozen=True, kw_only=True)
class DifficultyOptions:
    """Plays made tasks and keeps how hard they are in their rows; a stopped run goes on."""

    made: Positional[InFolder]
    """Folder that `wideseek synthesize` wrote."""
    backend: str
    """The corpus that the tasks were made from: a file or folder of pages, or a Python path."""
    policies: tuple[str, ...] = ("solo", "fanout")
    """Who plays: names that `wideseek benchmark --list` tells, or Python paths of your own."""
    width: Count = 8
    """Subagents of policies that lead a team."""
    budget: Count | None = None
    """Search and open calls of an episode, all agents together; none: no limit."""
    seed: Seed = 0
    """Of the episodes."""

    def __post_init__(self) -> None:
        for name in self.policies:
            check("policies", name, POLICIES)
        check_values(self)


def run(options: DifficultyOptions) -> int:
    """Plays the tasks; returns the exit status."""
    folder = options.made
    tasks = [task for file in (TASKS, TEST) for task in made_tasks(folder, file)]
    if not tasks:
        raise WideSeekError(f"{folder} has no tasks to play")
    readable = readable_by_rules(folder, tasks)
    status = 0
    for name in options.policies:
        chosen = readable if name in SCRIPTED else tasks
        if len(chosen) < len(tasks):
            print(
                f"{name} plays {len(chosen):,} of {len(tasks):,} tasks: rules read questions about "
                "things of closed worlds, in English, alone"
            )
        if chosen:
            status |= _play(name, chosen, options)
    return status


def readable_by_rules(folder: Path, tasks: Sequence[Task]) -> list[Task]:
    """Returns the tasks whose question, as rules made it, scripted policies read."""
    wanted = {task.id for task in tasks}
    by_rules = (task for task in made_tasks(folder, CHECKED) if task.id in wanted)
    return [task for task in by_rules if parse_question(task.question)]


def _play(name: str, tasks: Sequence[Task], options: DifficultyOptions) -> int:
    entry = entry_of(name)
    width = 0 if entry.team == "alone" else options.width
    player = f"{name} {width}" if width else name
    known = read_difficulty(options.made)
    left = [task for task in tasks if player not in known.get(task.id, ())]
    path = options.made / DIFFICULTY
    cut_tail(path)
    try:
        with progress(player, len(left)) as advance, path.open("ab", buffering=0) as file:

            def keep(row: Played) -> None:
                file.write(msgspec.json.encode(row) + b"\n")
                advance()

            if left:
                exam = _exam(left, width, options)
                asyncio.run(play(exam, entry.make(left), player, entry.max_concurrent, keep))
    except KeyboardInterrupt as error:
        raise Interrupted(f"what was played is kept in {path}; the same command goes on") from error
    finally:
        keep_difficulty(options.made)
    known = read_difficulty(options.made)
    scores = [known[task.id][player] for task in tasks if player in known.get(task.id, ())]
    if scores:
        print(f"{player}: mean item F1 {fmean(scores):.3f} over {len(scores):,} tasks")
    if len(scores) < len(tasks):
        print(f"{player}: {len(tasks) - len(scores):,} episodes are invalid; play them again")
    return int(len(scores) < len(tasks))


def _exam(tasks: Sequence[Task], width: int, options: DifficultyOptions) -> Exam:
    source = TaskSource.listed(tasks, backend_named(options.backend))
    return Exam(source, width, budget=options.budget, seed=options.seed)


async def play(
    exam: Exam, policy: Policy, player: str, max_concurrent: int, keep: Callable[[Played], None]
) -> None:
    """Plays an exam, and hands over the score of each valid episode as it ends."""
    async with aclosing(rollout(exam, policy, max_concurrent=max_concurrent)) as episodes:
        async for episode in episodes:
            if episode.valid and episode.score:
                keep(Played(episode.task.id, player, round(episode.score.item_f1, 4)))


if __name__ == "__main__":
    sys.exit(run_command("difficulty"))
