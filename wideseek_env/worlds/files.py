"""World files: JSON lines of `url`, `title` and `html`, which any reader of pages can read.

The first line says under `world` what made the file, so that a file of another version is noticed.
A file appears under its name only when it is whole.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines
from wideseek_env.worlds.world import WORLD_VERSION, World


class WorldHeader(msgspec.Struct, frozen=True):
    """What made a world file."""

    version: int
    preset: str
    seed: int
    split: str
    num_pages: int


class _Line(msgspec.Struct, omit_defaults=True):
    url: str
    title: str
    html: str
    world: WorldHeader | None = None


class _Version(msgspec.Struct):
    version: int


class _FirstLine(msgspec.Struct):
    world: _Version


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Writes lines to a file that appears, or replaces an older one, only when it is whole.

    Args:
        path: the file, or a link to it; no folder or device, for nothing may be put in its place.
        lines: without their line feeds.

    Returns:
        How many lines were written.

    Raises:
        OSError: the path is no file, its folder is missing or the disk is full; nothing is left
            behind.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(f"expected a file to write, got {path}, which is none; give another")
    path = path.resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"expected a folder for {path}, got none; make {path.parent} first")
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    num = 0
    try:
        with open(handle, "wb") as file:
            for line in lines:
                file.write(line + b"\n")
                num += 1
        os.chmod(partial, 0o644)  # mkstemp lets nobody else read
        os.replace(partial, path)
    except BaseException as error:
        os.unlink(partial)
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk does not say where
        raise
    return num


def write_world(world: World, path: Path, each: Callable[[], None] = lambda: None) -> int:
    """Writes all pages of a world to a file and returns their number.

    Args:
        world: whose pages.
        path: of the file.
        each: called after each page, to tell how far it is.

    Raises:
        OSError: the file cannot be written; nothing is left behind.
    """
    encode = msgspec.json.Encoder().encode
    header = WorldHeader(WORLD_VERSION, world.preset.name, world.seed, world.split, world.num_pages)

    def lines() -> Iterator[bytes]:
        first: WorldHeader | None = header
        for page in world.pages():
            yield encode(_Line(page.url, page.title, str(page.html), first))
            first = None
            each()

    return write_lines(path, lines())


def read_world(path: Path) -> Iterator[RawPage]:
    """Yields the pages of a world file.

    Raises:
        DataError: the file is missing, broken, cut short, no world, or of another version.
    """
    _check_version(path)
    expected, num = 0, 0
    for line in read_json_lines(path, _Line):
        if isinstance(line, DataError):
            raise line
        if line.world:
            expected = line.world.num_pages
        num += 1
        yield RawPage(line.url, line.title, line.html)
    if num != expected:
        raise DataError(f"{path}: expected {expected} pages, got {num}; write the world again")


def _check_version(path: Path) -> None:
    first = next(read_json_lines(path, _FirstLine), None)
    if not isinstance(first, _FirstLine):
        raise DataError(
            f"{path}: expected a world file, whose first line has `world`, got {first or 'nothing'}"
            "; write one with `wideseek world --out FILE`"
        )
    if first.world.version != WORLD_VERSION:
        raise DataError(
            f"{path}: expected a world of version {WORLD_VERSION}, got {first.world.version}; "
            "write it again, or read it with the release that wrote it"
        )
