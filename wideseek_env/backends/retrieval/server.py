"""A retrieval server over any backend, as Search-R1 and RLinf ask theirs.

    POST /retrieve   {"queries": [...], "topk": 3, "return_scores": false}
    POST /access     {"urls": [...]}, or {"urls": [...], "parts": [...]} for numbered parts
    GET  /health     200 when ready, 503 while the index is opened
    GET  /metrics    counters of all processes, in Prometheus's text format

A reply is `{"result": [...]}`, one entry for each query or URL. A document is `{"id", "url",
"title", "contents"}`: the passage that matched for `/retrieve`, the page for `/access`.
What is too much is refused (400 for one request, 429 for all together), and never makes the server
slow for others. `workers.py` runs several processes on one port and one mapped index.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from wideseek_env.backends import Backend
from wideseek_env.errors import BackendError, PageNotFound, ToolError

_Body = TypeVar("_Body")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_STATUSES = (200, 400, 429, 500, 503)
_COUNTERS = (*(f"status_{code}" for code in _STATUSES), "queries", "urls", "pending", "seconds")
NUM_NUMBERS = len(_COUNTERS) + len(_BOUNDS_S)
"""Numbers that one process counts."""
PENDING = _COUNTERS.index("pending")
"""Which of them is the number of requests that wait."""


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """What one request, and all together, may ask for."""

    max_queries: int = 64
    """Queries of one request."""
    max_query_chars: int = 8_000
    """Characters of one query."""
    max_top_k: int = 100
    """Results of one query."""
    max_results: int = 1_000
    """Results of one request: queries times `topk`."""
    max_urls: int = 64
    """URLs of one request."""
    max_reply_chars: int = 8_000_000
    """Characters of the pages of one reply; what does not fit comes as null."""
    max_pending: int = 256
    """Requests that wait in one process; further ones are answered 429."""
    max_body_bytes: int = 4 * 2**20
    """Of one request."""


class _Retrieve(msgspec.Struct):
    queries: list[str]
    topk: int | None = None
    return_scores: bool = False


class _Access(msgspec.Struct):
    urls: list[str]
    parts: list[int] | None = None


class RetrievalServer:
    """Answers the routes of a retrieval server from a backend.

    Args:
        backend: what answers, or what opens it: in a thread, once the server listens.
        limits: what may be asked for.
        top_k: results of a query that does not say how many.
        numbers: counters of all processes, `NUM_NUMBERS` each; None: this one is alone.
        row: which of these are this process's.
    """

    def __init__(
        self,
        backend: Backend | Callable[[], Backend],
        limits: ServeLimits | None = None,
        *,
        top_k: int = 3,
        numbers: Any = None,
        row: int = 0,
    ) -> None:
        self._limits = limits or ServeLimits()
        self._top_k = top_k
        self._numbers = numbers if numbers is not None else [0.0] * NUM_NUMBERS
        self._first = row * NUM_NUMBERS
        self._backend = backend if isinstance(backend, Backend) else None
        self._open: Callable[[], Backend] | None = None if isinstance(backend, Backend) else backend
        self._failure: str | None = None

    def app(self) -> web.Application:
        """Makes the web application."""
        app = web.Application(
            middlewares=[self._watched], client_max_size=self._limits.max_body_bytes
        )
        app.add_routes(self.routes())
        app.cleanup_ctx.append(self.running)
        return app

    def routes(self) -> list[web.RouteDef]:
        """Lists the routes, for an application that has others as well."""
        return [
            web.post("/retrieve", self.retrieve),
            web.post("/access", self.access),
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
        ]

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """Opens the backend while the server runs already, and closes it at the end."""

        def opened(task: asyncio.Future[Backend]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._failure = f"{type(error).__name__}: {error}"
            elif not task.cancelled():
                self._backend = task.result()

        opening = asyncio.ensure_future(asyncio.to_thread(self._open)) if self._open else None
        if opening is not None:
            opening.add_done_callback(opened)
        yield
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        if self._backend is not None:
            await self._backend.close()

    # Routes.

    async def retrieve(self, request: web.Request) -> web.Response:
        """Answers queries with the passages that match; scores are 1 / rank."""
        asked = await _read(request, _Retrieve)
        top_k = self._top_k if asked.topk is None else asked.topk
        limits = self._limits
        _check("`topk`", top_k, 1, limits.max_top_k)
        _check("the number of queries", len(asked.queries), 0, limits.max_queries)
        _check("queries times `topk`", len(asked.queries) * top_k, 0, limits.max_results)
        longest = max(map(len, asked.queries), default=0)
        _check("the length of a query", longest, 0, limits.max_query_chars)
        self._count("queries", len(asked.queries))
        backend = self._ready()
        result: list[list[Any]] = []
        for query in asked.queries:
            hits = await _asked(backend.search(query, top_k))
            documents = [_document(hit.url, hit.title, hit.snippet) for hit in hits or ()]
            result.append(
                [{"document": each, "score": 1 / rank} for rank, each in enumerate(documents, 1)]
                if asked.return_scores
                else documents
            )
        return _json({"result": result})

    async def access(self, request: web.Request) -> web.Response:
        """Answers URLs with pages or numbered parts of them; null where there is none."""
        asked = await _read(request, _Access)
        _check("the number of URLs", len(asked.urls), 0, self._limits.max_urls)
        parts = asked.parts if asked.parts is not None else [None] * len(asked.urls)
        if len(parts) != len(asked.urls):
            raise _bad(f"expected a part for each of {len(asked.urls)} URLs, got {len(parts)}")
        self._count("urls", len(asked.urls))
        backend = self._ready()
        left, result = self._limits.max_reply_chars, list[dict[str, Any] | None]()
        for url, part in zip(asked.urls, parts, strict=True):
            page = await _page(backend, url, part, left)
            left -= len(page["contents"]) if page else 0
            result.append(page)
        return _json({"result": result})

    async def health(self, request: web.Request) -> web.Response:
        """Tells whether queries can be answered."""
        if self._failure is not None:
            return web.json_response({"status": "failed", "reason": self._failure}, status=500)
        ready = self._backend is not None
        return web.json_response(
            {"status": "ready" if ready else "loading", "pid": os.getpid()},
            status=200 if ready else 503,
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """Gives the counters of all processes together."""
        sums = [
            sum(self._numbers[i] for i in range(column, len(self._numbers), NUM_NUMBERS))
            for column in range(NUM_NUMBERS)
        ]
        counters = dict(zip(_COUNTERS, sums, strict=False))
        lines = ["# TYPE wideseek_requests_total counter"]
        lines += [
            f'wideseek_requests_total{{status="{code}"}} {counters[f"status_{code}"]:.0f}'
            for code in _STATUSES
        ]
        for name in ("queries", "urls"):
            lines += [f"# TYPE wideseek_{name}_total counter"]
            lines += [f"wideseek_{name}_total {counters[name]:.0f}"]
        lines += ["# TYPE wideseek_pending gauge", f"wideseek_pending {counters['pending']:.0f}"]
        total = sum(counters[f"status_{code}"] for code in _STATUSES)
        lines += ["# TYPE wideseek_request_seconds histogram"]
        lines += [
            f'wideseek_request_seconds_bucket{{le="{bound:g}"}} {number:.0f}'
            for bound, number in zip(_BOUNDS_S, sums[len(_COUNTERS) :], strict=True)
        ]
        lines += [
            f'wideseek_request_seconds_bucket{{le="+Inf"}} {total:.0f}',
            f"wideseek_request_seconds_sum {counters['seconds']:.6f}",
            f"wideseek_request_seconds_count {total:.0f}",
        ]
        return web.Response(text="\n".join(lines) + "\n")

    # What every request goes through.

    @web.middleware
    async def _watched(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.method != "POST":
            return await handler(request)
        start_s, status = time.perf_counter(), 500
        self._count("pending", 1)
        try:
            if self._numbers[self._first + PENDING] > self._limits.max_pending:
                raise web.HTTPTooManyRequests(
                    text="too many requests wait; ask again later", headers={"Retry-After": "1"}
                )
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            self._count("pending", -1)
            self._tell(status, time.perf_counter() - start_s)

    def _ready(self) -> Backend:
        if self._backend is None:
            why = self._failure or "the index is being opened"
            raise web.HTTPServiceUnavailable(text=why, headers={"Retry-After": "1"})
        return self._backend

    def _count(self, name: str, number: float) -> None:
        self._numbers[self._first + _COUNTERS.index(name)] += number

    def _tell(self, status: int, seconds: float) -> None:
        known = status if status in _STATUSES else (400 if status < 500 else 500)
        self._count(f"status_{known}", 1)
        self._count("seconds", seconds)
        for index, bound in enumerate(_BOUNDS_S):
            if seconds <= bound:
                self._numbers[self._first + len(_COUNTERS) + index] += 1


async def _page(
    backend: Backend, url: str, part: int | None, max_chars: int
) -> dict[str, Any] | None:
    """A page, or one part of it; None: there is none, or it has more characters than may be."""
    first = await _asked(backend.open(url, 1 if part is None else part))
    if first is None:
        return None
    texts, size = [first.text], len(first.text)
    for number in range(2, first.num_parts + 1 if part is None else 0):
        if size > max_chars:
            break
        following = await _asked(backend.open(url, number))
        texts.append("" if following is None else following.text)
        size += len(texts[-1])
    if size > max_chars:
        return None
    numbers = {} if part is None else {"part": first.part, "num_parts": first.num_parts}
    return {**_document(url, first.title, "\n".join(texts)), **numbers}


_T = TypeVar("_T")


async def _asked(answer: Awaitable[_T]) -> _T | None:
    """What the backend says; None: this one call cannot be answered."""
    try:
        return await answer
    except PageNotFound:
        return None
    except (ToolError, BackendError) as error:
        raise web.HTTPServiceUnavailable(text=str(error), headers={"Retry-After": "1"}) from error


def _document(url: str, title: str, contents: str) -> dict[str, Any]:
    return {"id": url, "url": url, "title": title, "contents": f"{title}\n{contents}"}


async def _read(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        fields = ", ".join(kind.__annotations__)
        raise _bad(f"expected a JSON object with {fields}: {str(error)[:200]}") from error


def _check(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise _bad(f"{what} must be from {least} to {most}, got {number}")


def _bad(text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=text)


def _json(reply: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(reply), content_type="application/json")
