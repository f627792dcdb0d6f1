"""A backend over files of pages, with its index kept on disk beside them.

A corpus is a JSON lines file, or a folder of them and of plain HTML files. The index is built at
the first use and built again when a file of the corpus changes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from wideseek_env.backends.corpus.indexfiles import held_alone, hold, seal
from wideseek_env.backends.corpus.lines import has_pages, read_pages
from wideseek_env.backends.corpus.pages import (
    ABOUT_FILE,
    INDEX_VERSION,
    PagesBackend,
    RawPage,
    build_index,
    reading_index,
)
from wideseek_env.backends.html.source import MAX_HTML_CHARS
from wideseek_env.backends.html.text import check_part_chars
from wideseek_env.errors import DataError

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 10_000  # pages
_BUILDING = ".building-"
_BROKEN_LINES_FILE = "broken_lines"
_JSON_LINES = (".jsonl", ".jsonl.gz")
_HTML = (".html", ".htm")
_MAX_HTML_BYTES = 4 * MAX_HTML_CHARS
_WAITS_S = (0.1, 0.3, 1.0, 3.0)  # for whoever is writing a corpus
_PAUSE_NS = 300_000_000  # between two writes of theirs
_Listing: TypeAlias = list[tuple[str, int, int, int]]
"""Path, inode, size and time of each file of a corpus."""


class FolderBackend(PagesBackend):
    """Answers from the pages of a corpus on disk.

    Broken lines are left out and counted in `num_broken_lines`; of two pages with one URL the first
    in order of file name and line is kept. JSON lines files in a folder whose lines are no pages
    (tables, tasks) are no part of the corpus.

    Args:
        path: a `.jsonl` or `.jsonl.gz` file whose lines `lines.py` reads (HTML, text, or
            passages of Wikipedia); or a folder that holds such files and `.html` files, at any
            depth. The URL of an HTML file is its path in the folder.
        index_dir: where indexes are kept, one folder for each state of each corpus; by default
            `.wideseek_index` beside the file or inside the folder.
        links: whether text keeps links, as `[text](url)`.
        part_chars: longest part that `open` shows, in characters; at least 200.
        strict: whether a broken line raises.
        on_page: called with the number of pages read so far while the index is built. Progress is
            logged as well.

    Raises:
        DataError: there is no such corpus, it has no pages, the index cannot be written there, or,
            with `strict`, a line is broken.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        index_dir: Path | str | None = None,
        links: bool = False,
        part_chars: int = 6000,
        strict: bool = False,
        on_page: Callable[[int], None] | None = None,
    ) -> None:
        check_part_chars(part_chars)
        path = Path(path)
        with held_alone(path):  # two who open a corpus at once build one index
            corpus, kept = _index_of(path, index_dir, links, strict, on_page)
            self._open_index(kept, part_chars)
            if index_dir is None:
                _remove_old(corpus, kept.parent)
        if strict and self.num_broken_lines:  # left out when the index was built, without `strict`
            raise DataError(
                f"expected no broken lines in {str(path)!r}, got {self.num_broken_lines}; delete "
                f"{str(kept)!r} to see which"
            )

    def _open_index(self, index_dir: Path, part_chars: int) -> None:
        held = hold(index_dir / ABOUT_FILE, alone=False)  # for as long as nobody may remove it
        if held is not None:
            weakref.finalize(self, os.close, held)
        super()._open_index(index_dir, part_chars)
        with reading_index(index_dir):
            self.num_broken_lines = int((index_dir / _BROKEN_LINES_FILE).read_text())


class Corpus:
    """The files of a corpus, in order."""

    def __init__(self, path: Path, strict: bool) -> None:
        if not path.exists():
            raise DataError(f"expected a file or folder of pages, got {str(path)!r}: not there")
        self._path = path
        self.name = path.resolve().name
        self.home = path if path.is_dir() else path.parent
        self.num_broken_lines = 0
        self._strict = strict
        self._files = [path] if path.is_file() else _page_files(path)
        if not self._files or not all(
            file.name.endswith(_JSON_LINES + _HTML) for file in self._files
        ):
            raise DataError(
                f"expected pages in {str(path)!r}: JSON lines files with `url` and `html`, or "
                f"`contents` ({', '.join(_JSON_LINES)}), or HTML files ({', '.join(_HTML)}); found "
                "none"
            )

    def fingerprint(self) -> str:
        """Returns 16 characters that change with the corpus or with how it is indexed."""
        state = hashlib.sha256(f"index version {INDEX_VERSION}\n".encode())
        for file in self._files:
            stat = file.stat()
            name = file.relative_to(self.home).as_posix()
            state.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return state.hexdigest()[:16]

    def pages(self, skip: int = 0) -> Iterator[RawPage]:
        """Yields all pages but the first `skip`; counts broken lines, or raises when strict."""
        self.num_broken_lines, num_pages = 0, 0
        for file in self._files:
            if file.name.endswith(_HTML):
                num_pages += 1
                if num_pages <= skip:
                    continue
                url = file.relative_to(self.home).as_posix()
                with file.open("rb") as html:
                    yield RawPage(url, "", html.read(_MAX_HTML_BYTES))
                continue
            for page in read_pages(file):
                if not isinstance(page, DataError):
                    num_pages += 1
                    if num_pages > skip:
                        yield page
                elif self._strict:
                    raise page
                else:
                    self.num_broken_lines += 1
                    _LOG.warning("left out: %s", page)
        if not num_pages:
            raise DataError(
                f"expected pages in {str(self._path)!r}, a JSON object with `url` and `html`, or "
                f"`contents`, in each line; found none, and {self.num_broken_lines} broken lines "
                "(the log says which)"
            )


def _page_files(folder: Path) -> list[Path]:
    files = []
    for file in _inside(folder):
        if file.name.endswith(_JSON_LINES) and not has_pages(file):
            _LOG.info("the first line of %s is no page", file)
        elif file.name.endswith(_JSON_LINES + _HTML):
            files.append(file)
    return files


def _inside(folder: Path) -> list[Path]:
    """Returns the files of a folder, at any depth: no hidden ones, none that only a link leads to.

    A link may lead to any file of this machine, and an agent would read it.
    """
    files, home = [], folder.resolve()
    for file in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if is_hidden or not file.is_file():
            continue
        if file.is_symlink() and not file.resolve().is_relative_to(home):
            _LOG.warning("left out: %s is a link to a file outside of %s", file, folder)
        else:
            files.append(file)
    return files


def _index_of(
    path: Path,
    index_dir: Path | str | None,
    links: bool,
    strict: bool,
    on_page: Callable[[int], None] | None,
) -> tuple[Corpus, Path]:
    """Returns a corpus and the folder of its index, which is built when it is not there.

    A corpus that is being written meanwhile is read again from the beginning.
    """
    for wait_s in (*_WAITS_S, None):
        before = _listing(path)
        try:
            corpus = Corpus(path, strict)
            home = corpus.home / ".wideseek_index" if index_dir is None else Path(index_dir)
            kept = home / f"{corpus.name}-{corpus.fingerprint()}{'-links' if links else ''}"
            if kept.is_dir():
                return corpus, kept
            _build(corpus, kept, links, on_page)
            if _listing(path) == before:
                return corpus, kept
            shutil.rmtree(kept, ignore_errors=True)  # may be of pages that were written half
        except (DataError, OSError):
            now = _listing(path)
            if wait_s is None or (now == before and not _just_written(now)):
                raise
        if wait_s is not None:
            _LOG.info("%s changed while it was read; reading it again", path)
            time.sleep(wait_s)
    raise DataError(f"{str(path)!r} is changed all the time; open it when it has been written")


def _listing(path: Path) -> _Listing | None:
    """Lists what is different once a corpus was changed; None when a file goes meanwhile."""
    try:
        files = [path] if path.is_file() else _inside(path)
        stats = [(file, file.stat()) for file in files if file.name.endswith(_JSON_LINES + _HTML)]
    except FileNotFoundError:
        return None
    return [(str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns) for file, stat in stats]


def _just_written(listing: _Listing | None) -> bool:
    """Returns whether somebody may be in the middle of writing, and only pauses."""
    since_ns = time.time_ns() - _PAUSE_NS
    return any(written_ns > since_ns for *_, written_ns in listing or ())


def _build(corpus: Corpus, kept: Path, links: bool, on_page: Callable[[int], None] | None) -> None:
    """Builds an index aside and moves it to `kept` whole, so that nobody finds half an index."""

    def progress(count: int) -> None:
        if count % _LOG_EVERY == 0:
            _LOG.info("indexing %s: %d pages", corpus.name, count)
        if on_page is not None:
            on_page(count)

    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_by_killed(kept.parent)
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=kept.parent))
    except OSError as error:
        raise DataError(
            f"cannot write the index of {corpus.name!r} to {str(kept.parent)!r} ({error}); give a "
            "folder that can be written as `index_dir`"
        ) from error
    _LOG.info("indexing %s in %s", corpus.name, kept)
    held = hold(building, alone=True)  # a kill lets go of it, and the next who builds removes it
    try:
        build_index(corpus.pages(), building / "index", links=links, on_page=progress)
        (building / "index" / _BROKEN_LINES_FILE).write_text(str(corpus.num_broken_lines))
        seal(building / "index")  # again, with this file
        _move(building / "index", kept)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        if held is not None:
            os.close(held)


def _move(built: Path, kept: Path) -> None:
    try:
        os.rename(built, kept)
    except OSError:
        if not kept.is_dir():
            raise
        # Another process was quicker with the same corpus; its index is as good.


def _remove_left_by_killed(home: Path) -> None:
    """Removes what those have begun who were killed while they built, any corpus's."""
    for building in home.glob(f"{_BUILDING}*"):
        try:
            held = hold(building, alone=True, wait=False)
        except BlockingIOError:
            continue
        if held is None:
            continue  # gone, or there are no locks here: nobody knows whether it is still built
        # One that is empty may be made this moment, and not be held yet.
        if any(building.iterdir()):
            shutil.rmtree(building, ignore_errors=True)
        os.close(held)


def _remove_old(corpus: Corpus, home: Path) -> None:
    """Removes indexes of earlier states of this corpus that nobody has open."""
    old = re.compile(rf"{re.escape(corpus.name)}-(?!{corpus.fingerprint()})[0-9a-f]{{16}}(-links)?")
    for folder in home.iterdir():
        if not old.fullmatch(folder.name):
            continue
        try:
            held = hold(folder / ABOUT_FILE, alone=True, wait=False)
        except BlockingIOError:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)
