"""`wideseek tasks`: writes tasks about a closed world, one JSON line each."""

from __future__ import annotations

from dataclasses import dataclass

from wideseek_env.cli.options import Count, OutFile, Seed
from wideseek_env.cli.world import WhichWorld
from wideseek_env.errors import Interrupted
from wideseek_env.jsonlines import encode
from wideseek_env.worlds import TaskKind
from wideseek_env.worlds.files import write_lines


@dataclass(frozen=True, kw_only=True)
class TasksOptions(WhichWorld):
    """Writes tasks about a closed world, one JSON line each."""

    out: OutFile
    """File that the tasks are written to."""
    num_tasks: Count = 100
    """How many."""
    kind: TaskKind = "wide"
    """Tables, single answers, or both in turn."""
    task_seed: Seed = 0
    """Of the tasks."""


def run(options: TasksOptions) -> int:
    """Writes the tasks; returns the exit status."""
    tasks = options.made().tasks(options.num_tasks, seed=options.task_seed, kind=options.kind)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        print(f"wrote {write_lines(options.out, map(encode, tasks)):,} tasks to {options.out}")
    except KeyboardInterrupt as error:
        raise Interrupted(f"{options.out} is as it was") from error
    return 0
