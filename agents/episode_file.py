"""A file of episodes, one JSON line each, that survives Ctrl-C, a full disk and a second writer.

Each episode carries its job's key in `metadata["key"]`. Reopening the file keeps the valid episodes
and drops what must be run again: invalid episodes, a line that was cut off by a kill, and damaged
lines, of which a copy stays. Token ids and log-probabilities go into a file beside it
(`tokens_file.py`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from agents.tokens_file import (
    join_tokens,
    open_tokens,
    read_tokens,
    split_tokens,
    tokens_path,
)
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import Episode


def read_episodes(
    path: Path, *, tokens: bool = False, broken: list[DataError] | None = None
) -> Iterator[Episode]:
    """Yields the episodes of a file, each trial once; see `scan_episodes`.

    Args:
        path: the file.
        tokens: whether to join the tokens that lie beside it.
        broken: is told the lines that cannot be read; None: the first one raises.

    Raises:
        DataError: a line is no episode, or one of another record version; or the tokens are of
            another run.
    """
    beside = tokens_path(path)
    lines = read_tokens(beside) if tokens and beside.exists() else {}
    for _, episode in scan_episodes(path, broken=broken):
        joined = lines.get(_key(episode))
        yield join_tokens(episode, joined) if joined else episode


def scan_episodes(
    path: Path, *, broken: list[DataError] | None = None
) -> Iterator[tuple[int, Episode]]:
    """Yields the episodes of a file, each with the byte at which its line begins.

    A last line without a line feed was cut off and is left out. A trial that is there twice, as
    files that were put together have it, is yielded once: the first that is valid, else an invalid
    one, which comes after all others.

    Args:
        path: the file.
        broken: is told the lines that cannot be read; None: the first one raises.

    Raises:
        DataError: a line is no episode, or one of another record version.
    """
    valid: set[str] = set()
    invalid: dict[str, tuple[int, Episode]] = {}
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            at, offset = offset, offset + len(line)
            try:
                episode = decode_episode(line)
            except ValueError as error:
                named = DataError(f"{path}, line {number}: {error}")
                if broken is None:
                    raise named from error
                broken.append(named)
                continue
            key = _key(episode)
            if not episode.valid and key:
                invalid.setdefault(key, (at, episode))
            elif not key or key not in valid:
                valid.add(key)
                yield at, episode
    yield from (found for key, found in invalid.items() if key not in valid)


def _key(episode: Episode) -> str:
    """Returns the key of the episode's job; "" when who made it gave none."""
    return str(episode.metadata.get("key", ""))


def lock_of(path: Path) -> FileLock:
    """Makes the lock that whoever writes to a file of episodes holds; taking it does not wait."""
    # A file of its own: the episodes' file is replaced when it is reopened.
    return FileLock(path.with_name(f".{path.name}.lock"), blocking=False)


def locked(path: Path) -> FileLock:
    """Takes the lock of a file that a run writes to, until it is released.

    Raises:
        DataError: another run holds it.
    """
    lock = lock_of(path)
    try:
        lock.acquire()
    except Timeout as error:
        raise DataError(
            f"another run writes to {path}; wait for it, or give this one another name"
        ) from error
    return lock


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
        self._lock = locked(path)
        try:
            self.keys = self._keep_valid() if path.exists() else set()
            self._file = path.open("ab", buffering=0)
            self._tokens_file: RawIOBase | None = None
        except BaseException:
            self._lock.release()
            raise

    def append(self, episode: Episode) -> None:
        """Writes one episode, whole, before it returns.

        Raises:
            OSError: the line could not be written (disk full); what was written of it is taken
                back, so the file still holds whole lines only.
        """
        bare, tokens = split_tokens(episode)
        if tokens is not None:
            if self._tokens_file is None:
                self._tokens_file = open_tokens(self.path)
            self._write(self._tokens_file, tokens)  # first: an episode in the file has its tokens
        self._write(self._file, encode(bare))

    def _write(self, file: RawIOBase, line: bytes) -> None:
        size_bytes = file.tell()
        try:
            written = file.write(line + b"\n")
            if written != len(line) + 1:
                raise OSError(
                    f"only {written} of {len(line) + 1} bytes were written into "
                    f"{self.path.parent}; make room on its disk"
                )
        except OSError:
            file.truncate(size_bytes)
            file.seek(size_bytes)  # or a second failure would take back less than it wrote
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
        if self._tokens_file is not None:
            self._tokens_file.close()
        self._lock.release()

    def _keep_valid(self) -> set[str]:
        """Rewrites the file with its valid episodes alone; returns their keys."""
        keys: set[str] = set()
        broken: list[DataError] = []
        num_read = 0
        kept = self.path.with_name(self.path.name + ".part")
        with kept.open("wb") as file:
            for episode in read_episodes(self.path, broken=broken):
                num_read += 1
                if episode.valid:
                    keys.add(_key(episode))
                    file.write(encode(episode) + b"\n")
        if broken and not num_read:
            kept.unlink()
            raise broken[0]  # a file of something else, or of another release
        if broken:
            before = self.path.with_name(self.path.name + ".broken")
            os.replace(self.path, before)
            warnings.warn(
                f"{len(broken)} lines of {self.path} cannot be read, and their episodes are played "
                f"again; the file as it was is now {before.name}. The first: {broken[0]}",
                stacklevel=3,
            )
        os.replace(kept, self.path)
        return keys
