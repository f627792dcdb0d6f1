"""JSON lines: records in and out, checked, and files of them, plain or gzipped.

A broken line is named; the caller decides whether it ends the work or is counted.
"""

from __future__ import annotations

import codecs
import gzip
import json
import math
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from wideseek_env.errors import DataError
from wideseek_env.records import (
    RECORD_VERSION,
    Decision,
    Episode,
    Score,
    Task,
    ToolCall,
)

_MAX_DEPTH = 16
"""Levels of lists and objects that `plain` keeps."""
_BLOCK = 65_536
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SURROGATE = re.compile("[\ud800-\udfff]")

_Line = TypeVar("_Line")
_Record = TypeVar("_Record")


def read_json_lines(path: Path, kind: type[_Line]) -> Iterator[_Line | DataError]:
    """Yields what each line holds, or, for a broken line, the error that says which and why.

    Empty lines are left out. The caller decides whether to raise the errors or to count them. Read
    as well is what Python and other tools write although JSON lacks it: a byte order mark; `NaN`
    and infinities, which are null; half a surrogate pair, which is U+FFFD. A line that contradicts
    itself, with a key of the record twice and two values, is broken.

    Args:
        path: a UTF-8 file; gzipped when its name ends in `.gz`.
        kind: a msgspec struct or dataclass that each line must hold; further keys are ignored.

    Raises:
        DataError: the file cannot be read, or its gzip stream is broken.
    """
    for _, line in read_numbered_lines(path, kind):
        yield line


def read_numbered_lines(path: Path, kind: type[_Line]) -> Iterator[tuple[int, _Line | DataError]]:
    """Yields as `read_json_lines`, each with the number of its line, from 1."""
    decoder = msgspec.json.Decoder(kind)
    keys = _keys_of(kind)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.startswith(_UTF16):
                    raise OSError("it is UTF-16; save it as UTF-8")
                written = line.removeprefix(codecs.BOM_UTF8)
                if not written.strip():
                    continue
                try:
                    yield number, _decode_line(written, decoder, keys)
                except (msgspec.DecodeError, ValueError, RecursionError) as error:
                    yield (
                        number,
                        DataError(
                            f"{path}, line {number}: expected one JSON object, got "
                            f"{line[:60]!r}: {error}"
                        ),
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}; make or download it again") from error


def _keys_of(kind: type) -> tuple[bytes, ...]:
    """The quoted keys that a record is made of; none for a record of any keys."""
    about = msgspec.inspect.type_info(kind)
    if not isinstance(about, msgspec.inspect.StructType | msgspec.inspect.DataclassType):
        return ()
    return tuple(f'"{field.encode_name}"'.encode() for field in about.fields)


def _decode_line(
    line: bytes, decoder: msgspec.json.Decoder[_Line], keys: tuple[bytes, ...]
) -> _Line:
    if not keys or any(line.count(key) > 1 for key in keys):
        json.loads(line.decode(), object_pairs_hook=unambiguous, parse_constant=lambda name: None)
    try:
        return decoder.decode(line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        value = json.loads(line.decode(), parse_constant=lambda name: None)
        return decoder.decode(utf8(json.dumps(value, ensure_ascii=False)))


def unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON (`object_pairs_hook`); raises ValueError when it contradicts itself."""
    found = dict(pairs)
    if len(found) != len(pairs):
        for key, value in pairs:
            if found[key] != value:
                raise ValueError(f"the key {key[:50]!r} stands twice with different values")
    return found


def cut_tail(path: Path) -> None:
    """Cuts off what a kill left of the last line of a file that is appended to, if there is one."""
    if not path.exists():
        return
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at > 0:
            start = max(0, at - _BLOCK)
            file.seek(start)
            found = file.read(at - start).rfind(b"\n")
            if found >= 0:
                at = start + found + 1
                break
            at = start
    os.truncate(path, at)


def encode(record: Task | Episode | Score | Decision | tuple[list[Decision], Episode]) -> bytes:
    """Returns the record as one line of JSON, without the line feed; numpy's numbers as numbers.

    Raises:
        TypeError, ValueError, OverflowError: it holds something that JSON cannot.
    """
    return msgspec.json.encode(record, enc_hook=_without_numpy)


def _without_numpy(value: object) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def utf8(text: str) -> str:
    """Returns the text with U+FFFD for each lone surrogate, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def storable(decision: Decision) -> Decision:
    """Returns the decision, with text and calls changed where JSON could not hold them.

    What a model writes is legal, whatever it is: half a surrogate pair or a number of a thousand
    digits in a call is answered by the game and may not cost the record.
    """
    try:
        msgspec.json.encode((decision.text, decision.error, decision.calls))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return replace(
            decision,
            text=plain(decision.text),
            error=plain(decision.error),
            calls=tuple(
                ToolCall(plain(call.name), plain(call.arguments)) for call in decision.calls
            ),
        )
    return decision


def plain(value: object, depth: int = _MAX_DEPTH) -> Any:
    """Returns the value as JSON can hold it: what it cannot becomes a text about it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return utf8(str(value))
    if isinstance(value, int):
        fits = -(2**63) <= value < 2**63
        return int(value) if fits else f"a number of {value.bit_length()} bits"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist(), depth)
    if isinstance(value, Mapping | list | tuple) and not depth:
        return "…"
    if isinstance(value, Mapping):
        return {utf8(str(key)): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth - 1) for item in value]
    return f"a {type(value).__name__}"


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
