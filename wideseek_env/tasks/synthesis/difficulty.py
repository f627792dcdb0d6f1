"""How hard tasks turned out to be for who played them, kept beside the tasks and in their rows.

`wideseek difficulty` plays them; here is where that is kept, so that a synthesis that writes its
tasks again has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode, read_json_lines
from wideseek_env.records import Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.card import TASKS, TEST
from wideseek_env.worlds.files import write_lines

DIFFICULTY = "difficulty.jsonl"


class Played(msgspec.Struct, frozen=True):
    """What a player reached on one task."""

    id: str
    player: str
    """Such as `solo`, or `fanout 8` with its number of subagents."""
    item_f1: float


def read_difficulty(folder: Path) -> Mapping[str, dict[str, float]]:
    """Returns item F1 by player for each task that was played, by its id."""
    known: dict[str, dict[str, float]] = defaultdict(dict)
    if (folder / DIFFICULTY).exists():
        for row in read_json_lines(folder / DIFFICULTY, Played):
            if not isinstance(row, DataError):
                known[row.id][row.player] = row.item_f1
    return known


def with_difficulty(task: Task, known: Mapping[str, dict[str, float]]) -> Task:
    """Returns the task with what is known of it under `metadata.synthesis.difficulty.played`."""
    if task.id not in known:
        return task
    about = task.metadata["synthesis"]
    hard = about["difficulty"] | {"played": known[task.id]}
    metadata = {**task.metadata, "synthesis": about | {"difficulty": hard}}
    return replace(task, metadata=metadata)


def made_tasks(folder: Path, file: str) -> list[Task]:
    """Returns the tasks of a file of a folder of synthesis; none of an empty one.

    Raises:
        DataError: the file is not there, or a line of it is no task.
    """
    path = folder / file
    if not path.is_file():
        raise DataError(f"expected {path}, which `wideseek synthesize --out {folder}` writes")
    return list(load_tasks(path, strict=True)) if path.stat().st_size else []


def keep_difficulty(folder: Path) -> None:
    """Writes what is known into the rows of the tasks."""
    known = read_difficulty(folder)
    for file in (TASKS, TEST):
        tasks = made_tasks(folder, file)
        write_lines(folder / file, (encode(with_difficulty(task, known)) for task in tasks))
