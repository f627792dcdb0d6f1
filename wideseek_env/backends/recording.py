"""Record and replay: every `search` and `open` of a run in one SQLite file, and again from it.

A live run becomes an offline evaluation that anybody can repeat to the bit: `StoredBackend` asks a
backend what the file does not know, and the file alone when there is no backend. A judge's cache
may be the same file (`scoring/judge/verdicts.py` keeps a table of its own).
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from wideseek_env.backends import Backend, Hit, Page
from wideseek_env.errors import BackendError, DataError, PageNotFound, ToolError

STORE_VERSION = 1

Failure: TypeAlias = Literal["tool", "not_found", "deadline"]
_Answer = TypeVar("_Answer", list[Hit], Page)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    key BLOB PRIMARY KEY, request TEXT NOT NULL, body BLOB, failure TEXT, message TEXT,
    stored_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bodies (hash BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS costs (
    service TEXT PRIMARY KEY, num_calls INTEGER NOT NULL, usd REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, num INTEGER NOT NULL) WITHOUT ROWID;
"""
_COUNT = """
INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET num = num + excluded.num
"""
_MAX_UNCOUNTED = 500
"""Answers of the file between two writes of their number: it is no reason to write at each."""
# A failure gives way to whatever comes later; an answer stays, so that a run sees one world.
_INSERT = """
INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET
    body = excluded.body, failure = excluded.failure, message = excluded.message,
    stored_s = excluded.stored_s
WHERE calls.failure IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """What the store knows of one call."""

    data: bytes | None
    """The answer as JSON; None: the call failed."""
    failure: Failure | None
    message: str
    """What the agent was told of a failure."""
    stored_s: float
    """When, in seconds since the epoch."""


class CallStore:
    """Calls and their answers in a SQLite file, content-addressed; processes may share it.

    An answer that several calls gave is kept once. The file survives a kill at any moment: a call
    is in it whole or not at all.

    Args:
        path: the file, made when missing.
        must_exist: whether a missing file is an error, as for replay.

    Raises:
        DataError: the file is missing, no such store, or of another version.
    """

    def __init__(self, path: Path | str, *, must_exist: bool = False) -> None:
        self.path = Path(path)
        if must_exist and not self.path.is_file():
            raise DataError(f"expected a file of recorded tool calls at {path}, found none")
        self._lock = threading.Lock()
        self._num_uncounted = 0
        try:
            self._connection = sqlite3.connect(path, timeout=30.0, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, STORE_VERSION):
                raise DataError(
                    f"{path} holds tool calls of version {version}, expected {STORE_VERSION}; "
                    "record the run again, or read it with the release that wrote it"
                )
            with self._connection:
                self._connection.executescript(_SCHEMA)
                self._connection.execute(f"PRAGMA user_version = {STORE_VERSION}")
        except sqlite3.Error as error:
            raise DataError(
                f"cannot use {path} as a file of recorded tool calls: {error}; name another"
            ) from error

    def read(self, key: bytes) -> StoredCall | None:
        """Looks a call up; None: the store does not know it.

        Raises:
            BackendError: the file cannot be read.
        """
        query = (
            "SELECT data, failure, message, stored_s FROM calls LEFT JOIN bodies ON hash = body "
            "WHERE key = ?"
        )
        with self._working():
            row = self._connection.execute(query, (key,)).fetchone()
            if row is None:
                return None
            data, failure, message, stored_s = row
            if failure is not None:
                return StoredCall(None, failure, message, stored_s)
            return StoredCall(zlib.decompress(data), None, "", stored_s)

    def write(
        self, key: bytes, request: str, data: bytes | None, failure: Failure | None, message: str
    ) -> None:
        """Stores a call, unless an answer to it is there already.

        Raises:
            BackendError: the file cannot be written.
        """
        body = None if data is None else hashlib.blake2b(data, digest_size=20).digest()
        with self._working(), self._connection:
            if data is not None:
                self._connection.execute(
                    "INSERT OR IGNORE INTO bodies VALUES (?, ?)", (body, zlib.compress(data))
                )
            row = (key, request, body, failure, message, time.time())
            self._connection.execute(_INSERT, row)
            self._connection.execute(_COUNT, ("asked", 1))
            self._count_known()

    def count_known(self) -> None:
        """Counts a call that the file answered while there was a backend to ask; for `told`."""
        self._num_uncounted += 1
        if self._num_uncounted >= _MAX_UNCOUNTED:
            with self._working(), self._connection:
                self._count_known()

    def _count_known(self) -> None:
        if self._num_uncounted:
            self._connection.execute(_COUNT, ("known", self._num_uncounted))
            self._num_uncounted = 0

    def pay(self, service: str, price_usd: float, cap_usd: float | None = None) -> bool:
        """Books one call to a service before it is made; all processes and runs of the file count.

        Args:
            service: its name.
            price_usd: of the call.
            cap_usd: most that all services together may cost; None is no bound.

        Returns:
            Whether it is booked; it is not where it would exceed the cap.

        Raises:
            BackendError: the file cannot be written.
        """
        with self._working(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            (spent,) = self._connection.execute("SELECT TOTAL(usd) FROM costs").fetchone()
            if cap_usd is not None and spent + price_usd > cap_usd + 1e-9:
                return False
            self._connection.execute(
                "INSERT INTO costs VALUES (?, 1, ?) ON CONFLICT (service) DO UPDATE SET "
                "num_calls = num_calls + 1, usd = usd + excluded.usd",
                (service, price_usd),
            )
            return True

    def costs(self) -> dict[str, tuple[int, float]]:
        """Tells how many calls each service was paid for, and what they cost in US dollars."""
        with self._working():
            rows = self._connection.execute("SELECT service, num_calls, usd FROM costs").fetchall()
        return {service: (num, usd) for service, num, usd in rows}

    def told(self) -> str:
        """Says in one line what was asked, what the file answered, and what each service cost."""
        with self._working():
            counts = dict(self._connection.execute("SELECT name, num FROM counts").fetchall())
        asked, known = counts.get("asked", 0), counts.get("known", 0)
        parts = [f"{asked:,} calls asked and {known:,} answered from {self.path}"]
        for service, (num, usd) in sorted(self.costs().items()):
            parts.append(f"{service} {num:,} searches, {usd:.4g} USD")
        return "; ".join(parts)

    def __len__(self) -> int:
        """Counts the calls that are stored, failures included."""
        with self._working():
            return int(self._connection.execute("SELECT COUNT(*) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Closes the file; a second time does nothing."""
        with suppress(sqlite3.ProgrammingError, BackendError), self._working(), self._connection:
            self._count_known()
        self._connection.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, zlib.error) as error:
                raise BackendError(
                    f"cannot use the recorded tool calls in {self.path}: {error}; look whether its "
                    "disk is full or the file damaged"
                ) from error


class StoredBackend:
    """Answers from a store; asks a backend what the store does not know, and stores that.

    The first answer to a call is the one that every later call gets, so that a run sees one state
    of the web and a replay sees the same. Failures are kept as failures and never as content.

    Args:
        store: the recorded calls; may be shared by the backends of several worlds.
        scope: tells this backend's pages from those of others in the store, such as a world's name.
        backend: asked what the store does not know; None: such a call ends its episode as invalid,
            because what it would have said cannot be known.
        failure_ttl_s: seconds after which a stored failure is tried again, where there is a
            backend; at least 0.
        deadline_s: the game's `Limits.tool_timeout_s`; a call that is given up after so long is
            stored as a failure, too, so that a replay sees the same.

    Raises:
        ValueError: a number is negative.
    """

    def __init__(
        self,
        store: CallStore,
        scope: str,
        backend: Backend | None = None,
        *,
        failure_ttl_s: float = 3600.0,
        deadline_s: float = 30.0,
    ) -> None:
        if not failure_ttl_s >= 0 or not deadline_s >= 0:
            raise ValueError(
                f"`failure_ttl_s` and `deadline_s` must be at least 0 seconds, got "
                f"{failure_ttl_s!r} and {deadline_s!r}"
            )
        self._store = store
        self._scope = scope
        self._backend = backend
        self._failure_ttl_s = failure_ttl_s
        self._deadline_s = deadline_s

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Gives the hits that are stored, or asks for them."""
        ask = None if self._backend is None else self._backend.search
        return await self._answer(list[Hit], "search", (query, top_k), ask)

    async def open(self, url: str, part: int = 1) -> Page:
        """Gives the page that is stored, or asks for it."""
        ask = None if self._backend is None else self._backend.open
        return await self._answer(Page, "open", (url, part), ask)

    async def _answer(
        self,
        kind: type[_Answer],
        name: str,
        arguments: tuple[Any, ...],
        ask: Callable[..., Awaitable[_Answer]] | None,
    ) -> _Answer:
        request = msgspec.json.encode([self._scope, name, *map(_printable, arguments)]).decode()
        key = hashlib.blake2b(request.encode(), digest_size=20).digest()
        known = await asyncio.to_thread(self._store.read, key)
        if known is not None and (ask is None or self._holds(known)):
            if ask is not None:  # a replay leaves the file as it is
                self._store.count_known()
            return _give(known, kind)
        if ask is None:
            raise BackendError(
                f"the recorded tool calls in {self._store.path} do not hold {request}; replay the "
                "run that they are from, or give a backend to ask"
            )
        data, failure, message = await self._ask(ask, arguments, (key, request))
        await asyncio.to_thread(self._store.write, key, request, data, failure, message)
        stored = await asyncio.to_thread(self._store.read, key)  # another process may be first
        return _give(stored or StoredCall(data, failure, message, 0.0), kind)

    def _holds(self, known: StoredCall) -> bool:
        return known.failure is None or time.time() - known.stored_s < self._failure_ttl_s

    async def _ask(
        self,
        ask: Callable[..., Awaitable[Any]],
        arguments: tuple[Any, ...],
        address: tuple[bytes, str],
    ) -> tuple[bytes | None, Failure | None, str]:
        start_s = time.monotonic()
        try:
            return msgspec.json.encode(await ask(*arguments)), None, ""
        except PageNotFound as error:
            return None, "not_found", str(error)
        except ToolError as error:
            return None, "tool", str(error)
        except asyncio.CancelledError:
            if time.monotonic() - start_s >= 0.95 * self._deadline_s:
                self._store.write(*address, None, "deadline", "")
            raise

    async def close(self) -> None:
        """Closes the backend that is asked; the store belongs to who made it."""
        if self._backend is not None:
            await self._backend.close()


def _give(call: StoredCall, kind: type[_Answer]) -> _Answer:
    """Gives the answer, or fails as the call had failed."""
    if call.failure == "deadline":
        raise TimeoutError  # the game tells the agent in the words of its own deadline
    if call.failure == "not_found":
        raise PageNotFound(call.message)
    if call.data is None:
        raise ToolError(call.message)
    return msgspec.json.decode(call.data, type=kind)


def _printable(argument: object) -> object:
    """Replaces lone surrogates, which JSON in UTF-8 cannot hold."""
    if isinstance(argument, str):
        return argument.encode("utf-8", "backslashreplace").decode()
    return argument
