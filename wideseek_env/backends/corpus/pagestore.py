"""Texts of pages by number and by URL: in memory, or in one SQLite file for corpora of any size.

SQLite rather than tantivy's own store: it finds a page by URL or by number in one look-up, refuses
a second page of the same URL without a set of all URLs in memory, and any tool can read the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote

from wideseek_env.errors import BackendError, DataError


class StoredPage(NamedTuple):
    """A page as text."""

    url: str
    title: str
    text: str


class PageStore(Protocol):
    """Pages numbered from 0 in the order in which they were added."""

    def add(self, page: StoredPage) -> int | None:
        """Returns the page's number; None when there is already a page with this URL."""
        ...

    def get(self, number: int) -> StoredPage:
        """Returns a page by its number."""
        ...

    def find(self, url: str) -> StoredPage | None:
        """Returns a page by its URL, in any spelling that `url_key` takes for the same."""
        ...

    def close(self) -> None:
        """Frees what is open; the next look-up opens it again."""
        ...

    def __len__(self) -> int: ...


def url_key(url: str) -> str:
    """Reduces the spellings of one URL to one.

    Agents copy URLs from text and from memory: with and without scheme, fragment, last slash and
    percent signs.
    """
    key = encodable(url).strip().partition("#")[0]
    scheme, slashes, rest = key.partition("//")
    if slashes and scheme.lower() in ("", "http:", "https:"):
        key = rest
    key = unquote(key) if "%" in key else key
    return key.rstrip("/") or key


def encodable(text: str) -> str:
    """Returns the text with lone surrogates, which no file can hold, as question marks."""
    return text.encode("utf-8", "replace").decode()


class MemoryStore:
    """Pages in a list."""

    def __init__(self) -> None:
        self._pages: list[StoredPage] = []
        self._numbers: dict[str, int] = {}

    def add(self, page: StoredPage) -> int | None:
        """See `PageStore`."""
        number = len(self._pages)
        if self._numbers.setdefault(url_key(page.url), number) != number:
            return None
        self._pages.append(page)
        return number

    def get(self, number: int) -> StoredPage:
        """See `PageStore`."""
        return self._pages[number]

    def find(self, url: str) -> StoredPage | None:
        """See `PageStore`."""
        number = self._numbers.get(url_key(url))
        return None if number is None else self._pages[number]

    def close(self) -> None:
        """Frees nothing: there is no file."""

    def __len__(self) -> int:
        return len(self._pages)


_PAGES_TABLE = (
    "CREATE TABLE IF NOT EXISTS pages (number INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, "
    "url TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL)"
)


class SqliteStore:
    """Pages in a SQLite file.

    Args:
        path: the file; it must not exist when `create` is set, and must when it is not.
        create: whether to write a new file. It is not safe against a crash until `finish`: build
            it where a half-written file is thrown away.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._path = path
        self._connection = self._connect("rwc" if create else "ro&immutable=1")
        self._is_open = True
        if create:
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(_PAGES_TABLE)
        count = self._connection.execute("SELECT COUNT(*) FROM pages").fetchone()
        self._size: int = count[0]
        self._next: int = self._size

    def add(self, page: StoredPage) -> int | None:
        """See `PageStore`.

        Raises:
            DataError: the file cannot be written, so for a full disk.
        """
        row = (self._next, url_key(page.url), *page)
        try:
            added = self._connection.execute(
                "INSERT OR IGNORE INTO pages VALUES (?, ?, ?, ?, ?)", row
            ).rowcount
        except sqlite3.Error as error:
            raise self._not_written(error) from error
        if not added:
            return None
        self._size += 1
        self._next += 1
        return self._next - 1

    def get(self, number: int) -> StoredPage:
        """See `PageStore`."""
        page = self._select("number = ?", number)
        if page is None:
            raise BackendError(f"page {number} is gone from {self._path}; build the index again")
        return page

    def find(self, url: str) -> StoredPage | None:
        """See `PageStore`."""
        return self._select("key = ?", url_key(url))

    def finish(self) -> None:
        """Writes what was added to the file.

        Raises:
            DataError: the file cannot be written, so for a full disk.
        """
        try:
            self._connection.commit()
        except sqlite3.Error as error:
            raise self._not_written(error) from error

    def close(self) -> None:
        """See `PageStore`."""
        self._is_open = False
        self._connection.close()

    def _connect(self, mode: str) -> sqlite3.Connection:
        # Reads from several threads are safe: SQLite serialises them.
        uri = f"{self._path.resolve().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, uri=True, check_same_thread=False)

    def _select(self, condition: str, value: int | str) -> StoredPage | None:
        query = f"SELECT url, title, text FROM pages WHERE {condition}"
        try:
            if not self._is_open:
                self._connection = self._connect("ro&immutable=1")
                self._is_open = True
            row = self._connection.execute(query, (value,)).fetchone()
        except sqlite3.Error as error:
            raise BackendError(f"cannot read pages from {self._path}: {error}") from error
        return None if row is None else StoredPage(*row)

    def _not_written(self, error: sqlite3.Error) -> DataError:
        return DataError(f"cannot write pages to {self._path} ({error}); is the disk full?")

    def __len__(self) -> int:
        return self._size


class GrowingStore(SqliteStore):
    """Pages in a SQLite file that grows in batches; a kill loses what came after the last `commit`.

    With them it keeps how far the work is, so that neither can be ahead of the other.

    Args:
        path: the file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = self._connect("rwc")
        self._is_open = True
        for statement in (
            "PRAGMA synchronous = FULL",
            _PAGES_TABLE,
            "CREATE TABLE IF NOT EXISTS building (id INTEGER PRIMARY KEY, state TEXT NOT NULL)",
            "CREATE TABLE IF NOT EXISTS replaced (number INTEGER PRIMARY KEY)",
        ):
            self._connection.execute(statement)
        count = "SELECT COUNT(*), COALESCE(MAX(number) + 1, 0) FROM pages"
        self._size, self._next = self._connection.execute(count).fetchone()

    @property
    def next_number(self) -> int:
        """Number of the next page."""
        return self._next

    def put(self, page: StoredPage, first: int) -> tuple[int | None, int | None]:
        """Adds a page in place of one of the same URL whose number is lower than `first`.

        Returns:
            Its number, None when there is a page of this URL that stays; and the number of the
            page that it replaced.

        Raises:
            DataError: the file cannot be written, so for a full disk.
        """
        number = self.add(page)
        if number is not None:
            return number, None
        key = url_key(page.url)
        try:
            find = "SELECT number FROM pages WHERE key = ?"
            old: int = self._connection.execute(find, (key,)).fetchone()[0]
            if old >= first:
                return None, None
            self._connection.execute("DELETE FROM pages WHERE number = ?", (old,))
            self._connection.execute("INSERT INTO replaced VALUES (?)", (old,))
        except sqlite3.Error as error:
            raise self._not_written(error) from error
        self._size -= 1
        return self.add(page), old

    def state(self) -> str | None:
        """Returns what the last `commit` was given, None before the first."""
        row = self._connection.execute("SELECT state FROM building").fetchone()
        return None if row is None else str(row[0])

    def commit(self, state: str) -> None:
        """Writes what was added to the file, and with it how far the work is.

        Raises:
            DataError: the file cannot be written, so for a full disk.
        """
        try:
            self._connection.execute("REPLACE INTO building VALUES (0, ?)", (state,))
        except sqlite3.Error as error:
            raise self._not_written(error) from error
        self.finish()

    def replaced(self) -> list[int]:
        """Lists the numbers of the pages that others replaced."""
        return [row[0] for row in self._connection.execute("SELECT number FROM replaced")]

    def pages_from(self, number: int) -> Iterator[tuple[int, StoredPage]]:
        """Yields the pages with this number or a higher one."""
        query = "SELECT number, url, title, text FROM pages WHERE number >= ? ORDER BY number"
        for found, *page in self._connection.execute(query, (number,)):
            yield found, StoredPage(*page)
