"""Verdicts that were given before, in a SQLite file that several processes may share."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wideseek_env.errors import DataError, ScoringError

_MAX_IN_QUERY = 500


class VerdictStore:
    """Key to verdict; failures are never stored.

    Args:
        path: the file, made when missing; None keeps verdicts in memory. It may be one of recorded
            tool calls.
        must_exist: whether a missing file is an error, as for replay.

    Raises:
        DataError: the file is missing, no such store, or cannot be opened.
    """

    def __init__(self, path: Path | str | None, *, must_exist: bool = False) -> None:
        self.path = path or "in memory"
        if must_exist and path is not None and not Path(path).is_file():
            raise DataError(f"expected a file of recorded verdicts at {path}, found none")
        try:
            # Of any thread: an environment in a notebook scores in a thread of its own.
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=30.0, check_same_thread=False
            )
            with self._connection:
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, verdict TEXT)"
                )
        except sqlite3.Error as error:
            raise DataError(
                f"cannot use {path} as a cache of verdicts: {error}; delete it or name another"
            ) from error

    def read(self, keys: Sequence[str]) -> dict[str, Any]:
        """Returns the verdicts that are known.

        Raises:
            ScoringError: the file cannot be read.
        """
        known: dict[str, Any] = {}
        for start in range(0, len(keys), _MAX_IN_QUERY):
            some = keys[start : start + _MAX_IN_QUERY]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, verdict FROM verdicts WHERE key IN ({marks})"
            with self._working():
                found = self._connection.execute(query, some).fetchall()
            for key, text in found:
                # What is no JSON was not written here; it is asked for again, and replaced.
                with suppress(ValueError, TypeError, RecursionError):
                    known[key] = json.loads(text)
        return known

    def write(self, verdicts: Mapping[str, Any]) -> None:
        """Stores verdicts.

        Raises:
            ScoringError: the file cannot be written.
        """
        rows = [(key, json.dumps(verdict)) for key, verdict in verdicts.items()]
        with self._working(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?)", rows)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ScoringError(
                f"cannot use the cache of verdicts {self.path}: {error}; look whether its disk is "
                "full, or another process holds it"
            ) from error
