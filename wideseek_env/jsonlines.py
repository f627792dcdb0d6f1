"""Reads JSON lines files, plain or gzipped, and says which line is broken."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from wideseek_env.errors import DataError

_Line = TypeVar("_Line")


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
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    yield (
                        number,
                        DataError(
                            f"{path}, line {number}: expected one JSON object, got "
                            f"{line[:60]!r}: {error}"
                        ),
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}; make or download it again") from error
