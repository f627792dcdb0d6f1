"""A backend over pages that the caller has: read once, indexed, then answered from here.

Closed worlds hand in the pages that they generate; `folder` adds files and an index that lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from wideseek_env.backends import Hit, Page
from wideseek_env.backends.caching import ByteCache
from wideseek_env.backends.corpus.index import Boosts, PassageIndex
from wideseek_env.backends.corpus.indexfiles import Watch, answering, check_seal, is_damage, seal
from wideseek_env.backends.corpus.pagestore import (
    MemoryStore,
    PageStore,
    SqliteStore,
    StoredPage,
    encodable,
)
from wideseek_env.backends.html.text import (
    check_part_chars,
    one_line,
    read_html,
    split_parts,
    without_links,
)
from wideseek_env.errors import DataError, PageNotFound

INDEX_VERSION = 4
"""Raised whenever text, passages or words change, so that indexes on disk are built again."""
ABOUT_FILE = "index.json"
"""What an index on disk is; there once it is finished."""
_CACHED_SEARCHES_BYTES = 32 << 20
_CACHED_PAGES_BYTES = 48 << 20
_LINE_JOIN = " / "  # between the lines of a snippet


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page before it is read."""

    url: str
    title: str
    """Empty: taken from the HTML, else from the URL."""
    html: str | bytes


class PagesBackend:
    """Answers `search` and `open` from pages; both complete without suspending.

    Two pages with one URL: the first is kept, the others are counted in `num_duplicates`. Pickled,
    it carries the texts alone and builds its index again (or opens it, when it is on disk).

    Args:
        pages: any number of pages, read one at a time.
        part_chars: longest part that `open` shows, in characters; at least 200.
        links: whether text keeps links, as `[text](url)`.
        index_dir: a new or empty folder for texts and index, so that memory stays bounded; open it
            again with `PagesBackend.load`. None keeps everything in memory.
        on_page: called with the number of pages read so far, after each page.

    Raises:
        DataError: there are no pages, or `index_dir` is not empty.

    Example:
        >>> import asyncio
        >>> backend = PagesBackend([RawPage("w/elba", "Elba", "<p>Elba is an island.</p>")])
        >>> [hit] = asyncio.run(backend.search("Which islands are there?", top_k=3))
        >>> hit.title, hit.snippet
        ('Elba', 'Elba is an island.')
    """

    def __init__(
        self,
        pages: Iterable[RawPage],
        *,
        part_chars: int = 6000,
        links: bool = False,
        index_dir: Path | None = None,
        on_page: Callable[[int], None] | None = None,
    ) -> None:
        check_part_chars(part_chars)
        if index_dir is None:
            store, index = MemoryStore(), PassageIndex()
            self.num_duplicates = _fill(store, index, pages, links, on_page)
            self._attach(store, index, part_chars, None)
        else:
            build_index(pages, index_dir, links=links, on_page=on_page)
            self._open_index(index_dir, part_chars)

    @classmethod
    def load(cls, index_dir: Path, *, part_chars: int = 6000) -> Self:
        """Returns a backend over an index that an earlier `PagesBackend(index_dir=...)` wrote.

        Raises:
            DataError: the folder holds no finished index of this version.
        """
        check_part_chars(part_chars)
        backend = cls.__new__(cls)
        backend._open_index(index_dir, part_chars)
        return backend

    def _open_index(self, index_dir: Path, part_chars: int) -> None:
        with reading_index(index_dir):
            about = _read_about(index_dir)
            check_seal(index_dir)
            watch = Watch(index_dir)
            self.num_duplicates = about.num_duplicates
            store = SqliteStore(index_dir / "pages.sqlite")
            index = PassageIndex(index_dir / "words", about.boosts)
            if len(store) != about.num_pages or not len(index):
                raise ValueError(
                    f"{len(store)} of {about.num_pages} pages and {len(index)} passages are there"
                )
        self._attach(store, index, part_chars, index_dir, watch)

    def _attach(
        self,
        store: PageStore,
        index: PassageIndex,
        part_chars: int,
        index_dir: Path | None,
        watch: Watch | None = None,
    ) -> None:
        self._store, self._index, self._watch = store, index, watch
        self._part_chars, self._index_dir = part_chars, index_dir
        # Groups of episodes ask the same questions again and again.
        self._searches: ByteCache[tuple[Hit, ...]] = ByteCache(_CACHED_SEARCHES_BYTES)
        self._parts: ByteCache[tuple[StoredPage, list[str]]] = ByteCache(_CACHED_PAGES_BYTES)

    def __len__(self) -> int:
        """Number of pages."""
        return len(self._store)

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Returns at most `top_k` pages that share words with the query, ties by URL."""
        if top_k < 1:
            raise ValueError(f"`top_k` must be at least 1, got {top_k!r}")
        return list(self._searches.get((query, top_k), self._search))

    async def open(self, url: str, part: int = 1) -> Page:
        """Returns one part of a page; see `Backend`."""
        page, parts = self._parts.get((url,), self._split_page)
        if not 1 <= part <= len(parts):
            raise PageNotFound(f"part {part} of {page.url}: it has parts 1 to {len(parts)}")
        return Page(page.url, page.title, parts[part - 1], part, len(parts))

    async def close(self) -> None:
        """Closes the files of an index on disk; see `Backend`."""
        self._store.close()

    def _search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        if self._watch is not None:
            self._watch.check()
        with answering(f"the index in {str(self._index_dir)!r}"):
            matches = self._index.search(query, top_k)
        found = [(-match.score, self._store.get(match.page), match) for match in matches]
        found.sort(key=lambda each: (each[0], each[1].url))
        words = self._index.words(query)
        return tuple(
            Hit(page.url, page.title, _snippet(page.text[match.start : match.end], words))
            for _, page, match in found[:top_k]
        )

    def _split_page(self, url: str) -> tuple[StoredPage, list[str]]:
        if self._watch is not None:
            self._watch.check()
        page = self._store.find(url)
        if page is None:
            raise PageNotFound(f"no page at {url[:200]!r}; open a URL that a search has shown")
        return page, split_parts(page.text, self._part_chars)

    def __getstate__(self) -> dict[str, Any]:
        store = self._store if self._index_dir is None else None
        return {
            "store": store,
            "part_chars": self._part_chars,
            "index_dir": self._index_dir,
            "num_duplicates": self.num_duplicates,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        store: PageStore | None = state["store"]
        if store is None:
            self._open_index(state["index_dir"], state["part_chars"])
            return
        self.num_duplicates = state["num_duplicates"]
        index = PassageIndex()
        with index.writing() as writer:
            for number in range(len(store)):
                page = store.get(number)
                writer.add(number, page.title, page.text)
        self._attach(store, index, state["part_chars"], None)


class About(msgspec.Struct):
    """What `index.json` in a finished index says."""

    version: int
    num_pages: int
    num_duplicates: int
    boosts: Boosts = Boosts()


def build_index(
    pages: Iterable[RawPage],
    index_dir: Path,
    *,
    links: bool = False,
    on_page: Callable[[int], None] | None = None,
) -> None:
    """Writes texts and index of pages into a new or empty folder; arguments as `PagesBackend` has.

    Raises:
        DataError: the folder is not empty, or there are no pages.
    """
    index_dir.mkdir(parents=True, exist_ok=True)
    if any(index_dir.iterdir()):
        raise DataError(
            f"expected a new or empty folder for the index, got {str(index_dir)!r}; open the index "
            "in it with PagesBackend.load, or give another folder"
        )
    words = index_dir / "words"
    words.mkdir()
    store, index = SqliteStore(index_dir / "pages.sqlite", create=True), PassageIndex(words)
    try:
        num_duplicates = _fill(store, index, pages, links, on_page)
        store.finish()
    finally:
        store.close()
    finish_index(index_dir, About(INDEX_VERSION, len(store), num_duplicates))


def finish_index(index_dir: Path, about: About) -> None:
    """Writes what tells a finished index from the remains of a broken run, and seals it."""
    (index_dir / ABOUT_FILE).write_bytes(msgspec.json.encode(about))
    seal(index_dir)


def stored_page(page: RawPage, *, links: bool) -> StoredPage:
    """Reads a page: its text, and a title in any case."""
    read = read_html(page.html, links=links)
    name = page.title.strip() or read.title or page.url.rstrip("/").rpartition("/")[2]
    return StoredPage(encodable(page.url), encodable(one_line(name)), read.text)


@contextmanager
def reading_index(index_dir: Path) -> Iterator[None]:
    """Raises DataError for whatever shows that an index on disk is unfinished or damaged."""
    try:
        yield
    except BaseException as error:
        if not is_damage(error):
            raise
        raise DataError(
            f"expected a finished index in {str(index_dir)!r} ({error}); delete this folder and "
            "build the index again"
        ) from error


def _read_about(index_dir: Path) -> About:
    about = msgspec.json.decode((index_dir / ABOUT_FILE).read_bytes(), type=About)
    if about.version != INDEX_VERSION:
        raise ValueError(f"its version must be {INDEX_VERSION}, got {about.version}")
    return about


def _fill(
    store: PageStore,
    index: PassageIndex,
    pages: Iterable[RawPage],
    links: bool,
    on_page: Callable[[int], None] | None,
) -> int:
    num_duplicates = 0
    with index.writing() as writer:
        for count, page in enumerate(pages, 1):
            stored = stored_page(page, links=links)
            number = store.add(stored)
            if number is None:
                num_duplicates += 1
            else:
                writer.add(number, stored.title, stored.text)
            if on_page is not None:
                on_page(count)
    if not len(store):
        raise DataError("expected at least one page, got none; a backend has to know something")
    return num_duplicates


def _snippet(passage: str, words: list[str]) -> str:
    """Returns the passage as one line that begins with the line that matches best."""
    lines = without_links(passage).split("\n")
    if len(lines) > 1:
        scores = [sum(word in line.lower() for word in words) for line in lines]
        lines = lines[scores.index(max(scores)) :]
    return _LINE_JOIN.join(line for line in lines if line)
