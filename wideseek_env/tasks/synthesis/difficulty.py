"""How hard tasks turned out to be for who played them, kept beside the tasks and in their rows.

`wideseek difficulty` plays them; here is where that is written, so that a synthesis that writes its
tasks again keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines
from wideseek_env.records import Task
from wideseek_env.worlds.files import write_lines

DIFFICULTY = "difficulty.jsonl"


class Played(msgspec.Struct, frozen=True):
    """What players reached on one task."""

    id: str
    question: str
    """That was played: other words for it are another task to who reads them."""
    item_f1: dict[str, float]
    """By player, such as `solo` or `fanout 8`; mean over trials."""


def read_difficulty(folder: Path) -> dict[str, Played]:
    """Returns what is known of tasks, by id; nothing when none were played."""
    path = folder / DIFFICULTY
    rows = read_json_lines(path, Played) if path.exists() else ()
    return {row.id: row for row in rows if not isinstance(row, DataError)}


def write_difficulty(folder: Path, rows: Iterable[Played]) -> None:
    """Adds what was played to what is known."""
    known = read_difficulty(folder)
    for row in rows:
        old = known.get(row.id)
        before = old.item_f1 if old and old.question == row.question else {}
        known[row.id] = msgspec.structs.replace(row, item_f1=before | row.item_f1)
    write_lines(folder / DIFFICULTY, map(msgspec.json.encode, known.values()))


def with_difficulty(task: Task, known: Mapping[str, Played]) -> Task:
    """Returns the task with what is known of it under `metadata.synthesis.difficulty.played`."""
    row = known.get(task.id)
    if row is None or row.question != task.question:
        return task
    about = task.metadata["synthesis"]
    hard = about["difficulty"] | {"played": row.item_f1}
    metadata = {**task.metadata, "synthesis": {**about, "difficulty": hard}}
    return replace(task, metadata=metadata)
