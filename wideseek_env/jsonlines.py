"""JSON lines: records in and out, checked, and files of them, plain or gzipped.

A broken line is named; the caller decides whether it ends the work or is counted.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from wideseek_env.errors import DataError
from wideseek_env.records import RECORD_VERSION, Episode, Score, Task

_Line = TypeVar("_Line")
_Record = TypeVar("_Record")


def read_json_lines(path: Path, kind: type[_Line]) -> Iterator[_Line | DataError]:
    """Yields what each line holds, or, for a broken line, the error that says which and why.

    Empty lines are left out. The caller decides whether to raise the errors or to count them.

    Args:
        path: a file; gzipped when its name ends in `.gz`.
        kind: a msgspec struct or dataclass that each line must hold; further keys are ignored.

    Raises:
        DataError: the file cannot be read, or its gzip stream is broken.
    """
    for _, line in read_numbered_lines(path, kind):
        yield line


def read_numbered_lines(path: Path, kind: type[_Line]) -> Iterator[tuple[int, _Line | DataError]]:
    """Yields as `read_json_lines`, each with the number of its line, from 1."""
    decoder = msgspec.json.Decoder(kind)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    yield number, decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    yield (
                        number,
                        DataError(
                            f"{path}, line {number}: expected one JSON object, got "
                            f"{line[:60]!r}: {error}"
                        ),
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}; make or download it again") from error


def encode(record: Task | Episode | Score) -> bytes:
    """Returns the record as one line of JSON, without the line feed."""
    return msgspec.json.encode(record)


def decode_episode(line: bytes | str) -> Episode:
    """Returns the episode that a JSON line holds.

    Raises:
        ValueError: the line is no episode, or one of another record version.
    """
    try:
        version = msgspec.json.decode(line, type=_Version).version
    except (msgspec.DecodeError, RecursionError):
        version = RECORD_VERSION  # no JSON: `_decode` says so
    if version != RECORD_VERSION:
        raise ValueError(
            f"expected an episode of record version {RECORD_VERSION}, got {version}; play it again "
            "(the same task, seed and limits give the same decisions), or read it with the release "
            "that wrote it"
        )
    return _decode(line, Episode)


class _Version(msgspec.Struct):
    version: int = RECORD_VERSION


def decode_task(line: bytes | str) -> Task:
    """Returns the task that a JSON line holds.

    Raises:
        ValueError: the line is no task, or its parts do not fit together.
    """
    return _decode(line, Task)


def _decode(line: bytes | str, kind: type[_Record]) -> _Record:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(
            f"expected one line of JSON that holds a {kind.__name__}, got {line[:80]!r}: {error}"
        ) from error
