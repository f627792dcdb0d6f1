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
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from wideseek_env.backends.pages import (
    INDEX_VERSION,
    PagesBackend,
    RawPage,
    build_index,
    check_part_chars,
    reading_index,
)
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 10_000  # pages
_BROKEN_LINES_FILE = "broken_lines"
_JSON_LINES = (".jsonl", ".jsonl.gz")
_HTML = (".html", ".htm")


class FolderBackend(PagesBackend):
    """Answers from the pages of a corpus on disk.

    Broken lines are left out and counted in `num_broken_lines`; of two pages with one URL the first
    in order of file name and line is kept. JSON lines files in a folder whose lines have no `html`
    (tables, tasks) are no part of the corpus.

    Args:
        path: a `.jsonl` or `.jsonl.gz` file with `url`, `html` and, if you like, `title` in each
            line; or a folder that holds such files and `.html` files, at any depth. The URL of an
            HTML file is its path in the folder.
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
        corpus = _Corpus(Path(path), strict)
        home = corpus.home / ".wideseek_index" if index_dir is None else Path(index_dir)
        kept = home / f"{corpus.name}-{corpus.fingerprint()}{'-links' if links else ''}"
        if not kept.is_dir():
            _build(corpus, kept, links, on_page)
            if index_dir is None:
                _remove_old(corpus, home)
        self._open_index(kept, part_chars)
        if strict and self.num_broken_lines:  # left out when the index was built, without `strict`
            raise DataError(
                f"expected no broken lines in {str(path)!r}, got {self.num_broken_lines}; delete "
                f"{str(kept)!r} to see which"
            )

    def _open_index(self, index_dir: Path, part_chars: int) -> None:
        super()._open_index(index_dir, part_chars)
        with reading_index(index_dir):
            self.num_broken_lines = int((index_dir / _BROKEN_LINES_FILE).read_text())


class _Corpus:
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
                f"expected pages in {str(path)!r}: JSON lines files with `url` and `html` "
                f"({', '.join(_JSON_LINES)}) or HTML files ({', '.join(_HTML)}); found none"
            )

    def fingerprint(self) -> str:
        """Returns 16 characters that change with the corpus or with how it is indexed."""
        state = hashlib.sha256(f"index version {INDEX_VERSION}\n".encode())
        for file in self._files:
            stat = file.stat()
            name = file.relative_to(self.home).as_posix()
            state.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return state.hexdigest()[:16]

    def pages(self) -> Iterator[RawPage]:
        """Yields all pages; counts broken lines, or raises for the first when strict."""
        self.num_broken_lines, num_pages = 0, 0
        for file in self._files:
            if file.name.endswith(_HTML):
                num_pages += 1
                url = file.relative_to(self.home).as_posix()
                yield RawPage(url, "", file.read_bytes())
                continue
            for line in read_json_lines(file, _Line):
                if not isinstance(line, DataError):
                    num_pages += 1
                    yield RawPage(line.url, line.title, line.html)
                elif self._strict:
                    raise line
                else:
                    self.num_broken_lines += 1
                    _LOG.warning("left out: %s", line)
        if not num_pages:
            raise DataError(
                f"expected pages in {str(self._path)!r}, a JSON object with `url` and `html` in "
                f"each line; found none, and {self.num_broken_lines} broken lines (the log says "
                "which)"
            )


class _Line(msgspec.Struct):
    url: str
    html: str
    title: str = ""


def _page_files(folder: Path) -> list[Path]:
    files = []
    for file in sorted(folder.rglob("*")):
        is_kept = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not is_kept and file.is_file() and file.name.endswith(_JSON_LINES + _HTML):
            if file.name.endswith(_JSON_LINES) and not _has_html(file):
                _LOG.info("%s has no `html` in its first line: no pages", file)
            else:
                files.append(file)
    return files


def _has_html(file: Path) -> bool:
    for line in read_json_lines(file, dict):
        return isinstance(line, DataError) or "html" in line
    return False


def _build(corpus: _Corpus, kept: Path, links: bool, on_page: Callable[[int], None] | None) -> None:
    """Builds an index aside and moves it to `kept` whole, so that nobody finds half an index."""

    def progress(count: int) -> None:
        if count % _LOG_EVERY == 0:
            _LOG.info("indexing %s: %d pages", corpus.name, count)
        if on_page is not None:
            on_page(count)

    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=kept.parent))
    except OSError as error:
        raise DataError(
            f"cannot write the index of {corpus.name!r} to {str(kept.parent)!r} ({error}); give a "
            "folder that can be written as `index_dir`"
        ) from error
    _LOG.info("indexing %s in %s", corpus.name, kept)
    try:
        build_index(corpus.pages(), building / "index", links=links, on_page=progress)
        (building / "index" / _BROKEN_LINES_FILE).write_text(str(corpus.num_broken_lines))
        _move(building / "index", kept)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _move(built: Path, kept: Path) -> None:
    try:
        os.rename(built, kept)
    except OSError:
        if not kept.is_dir():
            raise
        # Another process was quicker with the same corpus; its index is as good.


def _remove_old(corpus: _Corpus, home: Path) -> None:
    """Removes indexes of earlier states of this corpus; whoever has one open keeps it."""
    old = re.compile(rf"{re.escape(corpus.name)}-(?!{corpus.fingerprint()})[0-9a-f]{{16}}(-links)?")
    for folder in home.iterdir():
        if old.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
