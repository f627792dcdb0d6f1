"""The HTTP client of the judge, the OpenAI engine and every backend that asks a server.

A server may refuse, stall, hang up, send half a reply, a bomb, HTML for JSON or a wrong label: each
of these ends, within the deadline, as a reply or as one `HttpError` that names the URL (without
credentials), what came and what to do. Failures that may pass are tried again, with jitter, after
as long as `Retry-After` asks; the first of them and one every ten seconds are logged as warnings.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver

from wideseek_env.backends.replies import (
    HttpReply,
    check_url,
    hider,
    refused,
    shown_url,
)
from wideseek_env.errors import HttpError

_T = TypeVar("_T")

_log = logging.getLogger(__name__)
_TELL_EVERY_S = 10.0
_MAX_ERROR_BYTES = 65_536
"""What is read of a reply that says what went wrong."""
_SHOWN_CHARS = 200
_FAULTS = (aiohttp.ClientError, OSError, ValueError, TypeError, LookupError, RuntimeError)
"""What aiohttp raises on hostile bytes, broken connections and requests that nobody can send."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How much, how long and how often a client asks."""

    max_in_flight: int = 256
    """Requests at the same time; more wait in the client."""
    max_per_host: int = 256
    """Of these, to one host and port."""
    max_tries: int = 6
    """Of one request, the first one counted."""
    try_s: float = 60.0
    """Longest time of one try, from connecting to the last byte."""
    connect_s: float = 10.0
    """Of this, to connect."""
    deadline_s: float = math.inf
    """Longest time of a request over all tries, pauses and the wait for its turn."""
    backoff_s: float = 0.5
    """Pause before the second try; doubles each time, with jitter, up to 30 s."""
    max_retry_after_s: float = 60.0
    """The longest `Retry-After` that is believed; after this long the next try is made anyway."""
    max_bytes: int = 64 * 2**20
    """Largest reply, as sent and after decompression."""

    def __post_init__(self) -> None:
        for name in ("max_in_flight", "max_per_host", "max_tries", "max_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}")
        for name in ("try_s", "connect_s", "deadline_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0 seconds, got {getattr(self, name)!r}")
        for name in ("backoff_s", "max_retry_after_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"`{name}` must be 0 seconds or more, got {getattr(self, name)!r}")


class Patience:
    """Tries and time for one question; requests that are given the same one use it up together.

    Args:
        max_tries: at least 1.
        deadline_s: from now on.
    """

    def __init__(self, max_tries: int, deadline_s: float = math.inf) -> None:
        self.max_tries = self.tries_left = max_tries
        self.deadline_s = deadline_s
        self._end_s = time.monotonic() + deadline_s

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; 0 after it."""
        return max(0.0, self._end_s - time.monotonic())


class _Request(NamedTuple):
    method: str
    url: str
    data: bytes | None
    headers: Mapping[str, str]


@dataclass(slots=True)
class _Line:
    """What belongs to one event loop."""

    session: aiohttp.ClientSession
    life: AsyncGenerator[None, None]
    slots: asyncio.Semaphore
    hosts: WeakValueDictionary[str, asyncio.Semaphore]


class HttpClient:
    """Asks servers; one client serves any number of tasks, and one event loop after another.

    Connections are kept until `close`, or until the client is dropped, or their event loop ends as
    `asyncio.run` ends one.

    Args:
        limits: how much, how long and how often.
        headers: of every request; their values are never shown in a message.
        resolver: makes what finds the addresses of hosts, such as `UrlGuard.resolver`; None: the
            system's.
    """

    def __init__(
        self,
        limits: HttpLimits | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        resolver: Callable[[], AbstractResolver] | None = None,
    ) -> None:
        self.limits = limits or HttpLimits()
        self.num_requests = 0
        """Tries that were made."""
        self.num_retries = 0
        """Of these, those after a failed one."""
        self._headers = dict(headers or {})
        self._resolver = resolver
        self._lines: dict[asyncio.AbstractEventLoop, _Line] = {}
        self._told_s: dict[str, float] = {}
        weakref.finalize(self, _hang_up, self._lines).atexit = False

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_lines": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        weakref.finalize(self, _hang_up, self._lines).atexit = False

    async def close(self) -> None:
        """Closes the connections of this event loop; the next request opens others."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.life.aclose()

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
    ) -> HttpReply:
        """Fetches a URL; redirects are not followed.

        Raises:
            HttpError: there was no reply with a status from 200 to 299.
        """
        request = _Request("GET", url, None, {**self._headers, **(headers or {})})
        return await self._ask(request, patience, lambda reply: reply)

    async def post_json(
        self,
        url: str,
        body: object,
        *,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
    ) -> dict[str, Any]:
        """Sends JSON and gives the JSON object that comes back.

        Args:
            url: of the server.
            body: what `json.dumps` takes.
            headers: further ones.
            patience: tries and time left; by default those of `limits`.

        Raises:
            HttpError: no JSON object came back.
        """
        headers = {"Content-Type": "application/json", **self._headers, **(headers or {})}
        request = _Request("POST", url, json.dumps(body).encode(), headers)
        return await self._ask(request, patience, HttpReply.json_object)

    async def _ask(
        self, request: _Request, patience: Patience | None, read: Callable[[HttpReply], _T]
    ) -> _T:
        """Tries until `read` takes a reply; its ValueError is a failure that may pass."""
        patience = patience or Patience(self.limits.max_tries, self.limits.deadline_s)
        place = f"{request.method} {shown_url(request.url)}"
        hide = hider(request.url, request.headers)
        num_tries, last = 0, HttpError("not asked")
        while patience.tries_left > 0 and patience.left_s > 0:
            patience.tries_left -= 1
            num_tries += 1
            try:
                async with asyncio.timeout(_finite(patience.left_s)) as scope:
                    return await self._try(request, read, again=num_tries > 1)
            except aiohttp.ConnectionTimeoutError:
                last = HttpError("cannot connect (no reply to the greeting)", passing=True)
            except TimeoutError:
                over = "the deadline was reached" if scope.expired() else "no reply in time"
                last = HttpError(over, passing=True, late=True)
            except HttpError as error:
                last = error
            except _FAULTS as error:
                last = _failure(error)
            if not last.passing:
                raise _reworded(last, f"{place}: {last}", hide)
            pause_s = self.pause_s(num_tries, last.retry_after_s)
            if patience.tries_left < 1 or pause_s >= patience.left_s:
                break
            self._tell(place, hide(f"{last}; trying again in {pause_s:.1f} s"), patience)
            await asyncio.sleep(pause_s)
        num_made = patience.max_tries - patience.tries_left
        attempts = "1 attempt" if num_made == 1 else f"{num_made} attempts"
        ended = patience.tries_left > 0
        limit = f", and the deadline of {patience.deadline_s:g} s leaves no time" if ended else ""
        message = (
            f"{place}: no answer after {attempts}{limit}; the last one: {last}; look whether the "
            "server runs, and is not overloaded"
        )
        raise _reworded(last, message, hide)

    async def _try(self, request: _Request, read: Callable[[HttpReply], _T], *, again: bool) -> _T:
        check_url(request.url)
        limits = self.limits
        async with self._slot(request.url):
            line = await self._line()
            self.num_requests += 1
            self.num_retries += again
            async with line.session.request(
                request.method,
                request.url,
                data=request.data,
                headers=request.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(limits.try_s, sock_connect=limits.connect_s),
            ) as response:
                if not 200 <= response.status < 300:
                    raise await _refusal(response, limits.max_retry_after_s)
                body = await _read_body(response, limits.max_bytes)
                reply = HttpReply(request.url, response.status, response.headers, body)
        try:
            return read(reply)
        except ValueError as error:
            text = reply.text()[:_SHOWN_CHARS]
            said = f"HTTP {reply.status}, but not the reply asked for ({error}): {text}"
            raise HttpError(said, status=reply.status, text=text, passing=True) from error

    @asynccontextmanager
    async def _slot(self, url: str) -> AsyncIterator[None]:
        line = await self._line()
        host = urlsplit(url).netloc
        # The host's first: who waits for a slow host keeps nobody from others.
        slot = line.hosts.setdefault(host, asyncio.Semaphore(self.limits.max_per_host))
        async with slot, line.slots:
            yield

    async def _line(self) -> _Line:
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            for other in list(self._lines):
                if other.is_closed():
                    self._lines.pop(other, None)
            resolver = self._resolver() if self._resolver else None
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, resolver=resolver),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            slots = asyncio.Semaphore(self.limits.max_in_flight)
            line = _Line(session, _until_the_loop_ends(session), slots, WeakValueDictionary())
            self._lines[loop] = line
            await anext(line.life)
        return line

    def pause_s(self, num_tries: int, asked_s: float) -> float:
        """Gives the seconds before another try; `asked_s` is what the server asks for, or 0."""
        # Jitter, so that many that failed together do not come back together. It decides when a
        # request is sent and nothing that is in an episode, so it needs no seed.
        backoff_s = self.limits.backoff_s
        if asked_s > 0:
            return asked_s + random.uniform(0.0, backoff_s)
        return float(min(30.0, backoff_s * 2 ** min(num_tries - 1, 30)) * random.uniform(0.5, 1.5))

    def _tell(self, place: str, what: str, patience: Patience) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s.get(place, -math.inf) < _TELL_EVERY_S:
            return
        self._told_s = {p: s for p, s in self._told_s.items() if now_s - s < _TELL_EVERY_S}
        self._told_s[place] = now_s
        number = patience.max_tries - patience.tries_left + 1
        _log.warning("%s: %s (try %d of %d)", place, what, number, patience.max_tries)


async def _until_the_loop_ends(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    # An event loop that is shut down closes its async generators, and so this session: a client
    # that nobody closed leaves no sockets behind `asyncio.run`.
    try:
        yield
    finally:
        await session.close()


def _hang_up(lines: dict[asyncio.AbstractEventLoop, _Line]) -> None:
    """Closes the connections of a client that is gone, each in its own event loop."""
    for loop, line in lines.items():
        with suppress(RuntimeError):  # it is closed, and so are they
            loop.call_soon_threadsafe(loop.create_task, line.life.aclose())


async def _read_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    chunks, size = [], response.content_length or 0
    if size <= max_bytes:
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > max_bytes:
                break
            chunks.append(chunk)
    if size > max_bytes:
        raise HttpError(
            f"the reply is larger than {max_bytes:,} bytes; ask for less", status=response.status
        )
    return b"".join(chunks)


async def _refusal(response: aiohttp.ClientResponse, max_retry_after_s: float) -> HttpError:
    """The error for a status that is no success, with what the server says about it."""
    body = b""
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) >= _MAX_ERROR_BYTES:
                break
    except (aiohttp.ClientError, OSError, ValueError):
        pass  # the status says enough
    reply = HttpReply(str(response.url), response.status, response.headers, body[:_MAX_ERROR_BYTES])
    return refused(reply, max_retry_after_s)


def _failure(error: Exception) -> HttpError:
    """The error of one try as a sentence; passing unless another try must end in the same way."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return HttpError("this is no URL of a server; it must begin with http:// or https://")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return HttpError(f"its certificate is not accepted ({said}); check host and certificate")
    if isinstance(error, aiohttp.ClientConnectorError):
        return HttpError(f"cannot connect ({error.strerror or said})", passing=True)
    if isinstance(error, ValueError | TypeError) and not isinstance(error, aiohttp.ClientError):
        return HttpError(f"this request cannot be sent ({said}); check URL, key and headers")
    return HttpError(f"the reply broke off or is no HTTP ({said})", passing=True)


def _reworded(error: HttpError, message: str, hide: Callable[[str], str]) -> HttpError:
    """The same error with a message for people, and nothing secret in any field."""
    return HttpError(
        hide(message),
        status=error.status,
        text=hide(error.text),
        location=hide(error.location),
        passing=error.passing,
        late=error.late,
        retry_after_s=error.retry_after_s,
    )


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


async def together(coroutines: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Waits for all; the first that fails ends the others, so that nobody asks on in vain."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
