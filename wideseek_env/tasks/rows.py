"""From the lines of a data set's file to tasks; a bad line is named, then skipped or raised."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_numbered_lines
from wideseek_env.records import Task

_LOG = logging.getLogger(__name__)
_Row = TypeVar("_Row")


def load_rows(
    path: Path,
    kind: type[_Row],
    make: Callable[[_Row, int], Task],
    *,
    strict: bool,
    skipped: list[DataError] | None,
) -> Iterator[Task]:
    """Yields the task of each line.

    Args:
        path: JSON lines, plain or `.gz`.
        kind: what a line must hold.
        make: from a line and its number, counted from 1, to its task; raises ValueError or
            DataError when there is none.
        strict: whether a bad line stops the reading.
        skipped: takes the errors of the lines left out; None: they are logged.

    Raises:
        DataError: the file cannot be read; or, when `strict`, a line holds no task.
    """
    line_of: dict[str, int] = {}
    for number, row in read_numbered_lines(path, kind):
        try:
            if isinstance(row, DataError):
                raise row
            task = make(row, number)
            if line_of.setdefault(task.id, number) != number:
                raise ValueError(f"the id {task.id!r} is that of line {line_of[task.id]}")
            yield task
        except (ValueError, DataError) as error:
            named = error if row is error else DataError(f"{path}, line {number}: {error}")
            if strict:
                raise named from error
            if skipped is None:
                _LOG.warning("left out: %s", named)
            else:
                skipped.append(DataError(str(named)))
