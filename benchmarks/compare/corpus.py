"""A folder of real pages with what is asked about them, for `--corpus`."""

from __future__ import annotations

import random
from pathlib import Path

from wideseek_env.backends.folder import FolderBackend
from wideseek_env.errors import DataError
from wideseek_env.records import Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.page_tables import page_table_tasks


def corpus_backend(folder: Path) -> FolderBackend:
    """Returns the backend over the folder's pages; its index is kept beside them.

    Raises:
        DataError: the folder holds no pages, or the index cannot be written there.
    """
    return FolderBackend(folder, links=True)


def corpus_tasks(
    folder: Path, num: int, seed: int, file: Path | None = None, tables: Path | None = None
) -> tuple[Task, ...]:
    """Returns `num` tasks about the folder's pages, none twice; fewer if it has fewer.

    Tasks are those of `file`, or of `tasks.jsonl` in the folder when it is there, else made from
    the tables in `tables.jsonl` or `tables.jsonl.gz`, which must stand on the pages.

    Args:
        folder: of the pages.
        num: tasks wanted.
        seed: chooses them.
        file: a file of tasks in any format that `wideseek_env.tasks.files` reads.
        tables: folder of the gold tables, which WideSearch's format needs.

    Raises:
        DataError: the folder has none of these files, one is broken, or no task comes out.
    """
    tasks = list(load_tasks(file, tables, strict=True)) if file else _all_tasks(folder)
    if not tasks:
        raise DataError(f"expected at least one task about the pages in {folder}, got none")
    chosen = random.Random(seed).sample(range(len(tasks)), min(num, len(tasks)))
    return tuple(tasks[index] for index in sorted(chosen))


def _all_tasks(folder: Path) -> list[Task]:
    given = folder / "tasks.jsonl"
    if given.exists():
        return list(load_tasks(given, strict=True))
    for name in ("tables.jsonl", "tables.jsonl.gz"):
        if (folder / name).exists():
            return list(page_table_tasks(folder / name))
    raise DataError(
        f"expected {folder} to say what to ask about its pages: tasks.jsonl, tables.jsonl or "
        "tables.jsonl.gz; found none of them"
    )
