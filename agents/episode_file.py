"""A file of episodes, one JSON line each, that survives Ctrl-C, a full disk and a second writer.

Each episode carries its job's key in `metadata["key"]`. Reopening the file keeps the valid episodes
and drops what must be run again: invalid episodes and a line that was cut off by a kill.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from wideseek_env.errors import DataError
from wideseek_env.records import Episode, decode_episode, encode


def read_episodes(path: Path) -> Iterator[Episode]:
    """Yields the episodes of a file; a last line without a line feed was cut off and is left out.

    Raises:
        DataError: a line is no episode, or one of another record version.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield decode_episode(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number}: {error}") from error


class EpisodeFile:
    """Appends episodes to a file; a context manager that holds the file's lock.

    Args:
        path: the file; made with its folder when it is not there.

    Raises:
        DataError: another process writes to the file, or it holds something else than episodes.
        OSError: the file cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file of its own, never removed: the episodes' file is replaced when it is reopened.
        self._lock = path.with_name(f".{path.name}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise DataError(
                f"another run writes to {path}; wait for it, or give this one another name"
            ) from error
        try:
            self.keys = self._keep_valid() if path.exists() else set()
            self._file = path.open("ab", buffering=0)
        except BaseException:
            self._lock.close()
            raise

    def append(self, episode: Episode) -> None:
        """Writes one episode, whole, before it returns.

        Raises:
            OSError: the line could not be written (disk full); what was written of it is taken
                back, so the file still holds whole lines only.
        """
        line = encode(episode) + b"\n"
        size_bytes = self._file.tell()
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written to {self.path}")
        except OSError:
            self._file.truncate(size_bytes)
            raise

    def __enter__(self) -> EpisodeFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._lock.close()

    def _keep_valid(self) -> set[str]:
        """Rewrites the file with its valid episodes alone; returns their keys."""
        keys: set[str] = set()
        kept = self.path.with_name(self.path.name + ".part")
        with kept.open("wb") as file:
            for episode in read_episodes(self.path):
                key = str(episode.metadata.get("key", ""))
                if episode.valid and key not in keys:
                    keys.add(key)
                    file.write(encode(episode) + b"\n")
        os.replace(kept, self.path)
        return keys
