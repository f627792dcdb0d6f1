"""The files of an index on disk: sealed with checksums, watched while they are open, and locked.

tantivy maps its files into memory and believes what stands there: a flipped bit is another answer,
and a file that gets shorter ends the process. So an index is read through once when it is opened,
and its files are looked at before each search.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from wideseek_env.errors import BackendError

if sys.platform != "win32":
    import fcntl

_SEAL = "checksums"
_CHUNK_BYTES = 1 << 20


def seal(index_dir: Path) -> None:
    """Writes down size and checksum of every file of a finished index, which may not change after.

    Call it again when a file was added.
    """
    lines = [f"{_checksum(path)} {name}\n" for name, path in sorted(_files(index_dir).items())]
    (index_dir / _SEAL).write_text("".join([*lines, _own_line(lines)]), "utf-8")


def check_seal(index_dir: Path) -> None:
    """Compares the files of an index with what `seal` wrote down; extra files do not matter.

    Raises:
        OSError: a file is missing or cannot be read.
        ValueError: a file is not what it was.
    """
    *lines, own = (index_dir / _SEAL).read_text("utf-8").splitlines(keepends=True) or [""]
    if own != _own_line(lines):
        raise ValueError(f"the file {_SEAL!r} is damaged")
    for line in lines:
        size, checksum, name = line.rstrip("\n").split(" ", 2)
        if _checksum(index_dir / name) != f"{size} {checksum}":
            raise ValueError(f"the file {name!r} is damaged")


class Watch:
    """Tells when a file of an index that is open was changed.

    A file that was deleted or replaced is no change: whoever has it open keeps the old one.
    """

    def __init__(self, index_dir: Path) -> None:
        self._index_dir = index_dir
        self._states = {os.fspath(path): _state(path) for path in _files(index_dir).values()}

    def check(self) -> None:
        """Raises BackendError when a file was changed since this was made."""
        for path, (number, size, time) in self._states.items():
            try:
                now = _state(path)
            except FileNotFoundError:
                continue
            if now[0] == number and now != (number, size, time):
                raise BackendError(
                    f"{path!r} was changed while the index is open; delete "
                    f"{str(self._index_dir)!r} and build the index again"
                )


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Raises BackendError for what tantivy makes of a damaged index."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, ValueError) and not is_panic(error):
            raise
        raise BackendError(f"{what} is damaged ({error}); delete it and build it again") from error


def is_panic(error: BaseException) -> bool:
    """Returns whether Rust code panicked, which no `except Exception` catches."""
    return type(error).__name__ == "PanicException"


def is_damage(error: BaseException) -> bool:
    """Returns whether an error that reading an index raised shows that its files are damaged."""
    kinds = (OSError, ValueError, msgspec.DecodeError, sqlite3.Error)
    return isinstance(error, kinds) or is_panic(error)


def hold(path: Path, *, alone: bool, wait: bool = True) -> int | None:
    """Locks a file or folder against others, here or in other processes, who hold it likewise.

    Args:
        path: is only opened for reading; nothing is written.
        alone: whether nobody else may hold it.
        wait: whether to wait for that.

    Returns:
        A file descriptor: close it to let go. None where there are no such locks (Windows, some
        network file systems), and when there is no such file.

    Raises:
        BlockingIOError: others hold it, without `wait`.
    """
    if sys.platform == "win32":
        return None
    try:
        held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        fcntl.flock(held, kind if wait else kind | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return held


@contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Holds a file or folder alone; others who want it wait."""
    held = hold(path, alone=True)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _files(index_dir: Path) -> dict[str, Path]:
    """Returns all files of an index by their names in it, without the seal and hidden files."""
    paths = (path for path in index_dir.rglob("*") if path.is_file())
    files = {path.relative_to(index_dir).as_posix(): path for path in paths}
    return {name: path for name, path in files.items() if path.name[0] != "." and name != _SEAL}


def _own_line(lines: list[str]) -> str:
    return f"{zlib.crc32(''.join(lines).encode()):08x}\n"


def _state(path: Path | str) -> tuple[int, int, int]:
    stat = os.stat(path)
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _checksum(path: Path) -> str:
    """Returns size and CRC-32 of a file: made to find damage by accident."""
    checksum = size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
            size += len(chunk)
    return f"{size} {checksum:08x}"
