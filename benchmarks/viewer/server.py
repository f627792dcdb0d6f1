"""The viewer's server: one page, its scripts, and the episodes as JSON and CSV.

    GET /                   the page; its address holds all that is shown
    GET /static/NAME        scripts and styles
    GET /api/runs           the runs, how far they are read, and a number that grows with changes
    GET /api/episodes       a part of the list, and the counts beside each filter
    GET /api/episodes.csv   the whole list
    GET /api/episode        one episode whole

Texts of episodes were written by models and strangers: they leave here as JSON alone, which the
page shows as text, and the policy in every answer's headers lets no other script run. A Host header
that is no address and no name of this server is refused, so that no web site can read the episodes
through a name of its own that leads here (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import multiprocessing
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Any

from aiohttp import web

from benchmarks.viewer.index import Fact, RunIndex, fates_at
from benchmarks.viewer.query import Query, row_of, to_csv
from benchmarks.viewer.view import view
from wideseek_env.errors import DataError

MAX_ROWS = 500
"""Most rows of the list in one answer."""
_FOLLOW_S = 0.5
"""Between two looks at whether a file has grown."""
_BATCH = 4
"""Episodes whose cells are traced in one go."""
_STATIC = {
    "base.css": "text/css",
    "episode.css": "text/css",
    "viewer.css": "text/css",
    "common.js": "text/javascript",
    "episode.js": "text/javascript",
    "compare.js": "text/javascript",
    "viewer.js": "text/javascript",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_app(runs: Sequence[RunIndex], hosts: Sequence[str] = ()) -> web.Application:
    """Makes the application; it follows the runs' files while it runs.

    Args:
        runs: what is shown.
        hosts: names under which this server may be asked, besides `localhost` and addresses.
    """
    viewer = _Viewer(runs)
    app = web.Application(middlewares=[_guard(frozenset(("localhost", *hosts)))])
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/static/{name}", _static),
            web.get("/api/runs", viewer.runs),
            web.get("/api/episodes", viewer.episodes),
            web.get("/api/episodes.csv", viewer.csv),
            web.get("/api/episode", viewer.episode),
        ]
    )
    app.cleanup_ctx.append(viewer.following)
    return app


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _guard(names: frozenset[str]) -> Any:
    """Returns what every request passes: the check of its host, errors in words, headers."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            host = request.url.host or ""
            if host not in names and not _is_address(host):
                raise web.HTTPMisdirectedRequest(text=f"this server is not called {host!r}\n")
            response = await handler(request)
        except ValueError as error:
            response = _json({"error": str(error)}, status=400)
        except (LookupError, DataError) as error:
            response = _json({"error": str(error.args[0])}, status=404)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
        response.headers.update(_HEADERS)
        return response

    return guard


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class _Viewer:
    """Answers from the indices of the runs, and keeps them up to date."""

    def __init__(self, runs: Sequence[RunIndex]) -> None:
        self._runs = list(runs)
        self._by_name = {run.name: run for run in runs}

    async def following(self, app: web.Application) -> AsyncIterator[None]:
        """Reads the files, and on as they grow, while the server runs."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(1, context)
        tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._trace(pool))]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pool.shutdown(wait=True, cancel_futures=True)

    async def _follow(self) -> None:
        while True:
            more = [run.step() for run in self._runs]
            await asyncio.sleep(0 if any(more) else _FOLLOW_S)

    async def _trace(self, pool: ProcessPoolExecutor) -> None:
        """Finds out what became of the cells, in a process of its own: it takes a while."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(_FOLLOW_S)  # the page comes first
        with _interrupt_ignored():
            pool.submit(int)  # starts the process, to which a Ctrl-C of the terminal goes, too
        with suppress(BrokenExecutor):  # its process was killed: the list does without
            while True:
                run = next((run for run in self._runs if run.untraced), None)
                if run is None:
                    await asyncio.sleep(_FOLLOW_S)
                    continue
                batch = [run.untraced.popleft() for _ in range(min(_BATCH, len(run.untraced)))]
                offsets = [fact.offset for fact in batch]
                counts = await loop.run_in_executor(pool, fates_at, run.path, offsets)
                for fact, count in zip(batch, counts, strict=True):
                    run.set_fates(fact, count or {})

    async def runs(self, request: web.Request) -> web.Response:
        """Says which runs there are, and how far they are read."""
        return _json({"runs": [_state(run) for run in self._runs], "version": self._version()})

    async def episodes(self, request: web.Request) -> web.Response:
        """Returns a part of the list."""
        words = [(name, text) for name, text in request.query.items()]
        query = Query.of(words)
        start, count = (
            _natural(request, name, usual) for name, usual in (("start", 0), ("count", 100))
        )
        found = query.select(self._runs)
        scored = [fact.item_f1 for _, fact in found if fact.item_f1 is not None]
        return _json(
            {
                "version": self._version(),
                "total": sum(len(run.facts) for run in self._runs),
                "matched": len(found),
                "mean": sum(scored) / len(scored) if scored else None,
                "rows": [row_of(*shown) for shown in found[start : start + min(count, MAX_ROWS)]],
                "choices": query.choices(self._runs) if "choices" in request.query else None,
            }
        )

    async def csv(self, request: web.Request) -> web.Response:
        """Returns the whole list as CSV."""
        text = to_csv(Query.of(list(request.query.items())).select(self._runs))
        named = {"Content-Disposition": 'attachment; filename="episodes.csv"'}
        return web.Response(text=text, content_type="text/csv", headers=named)

    async def episode(self, request: web.Request) -> web.Response:
        """Returns one episode whole, and its neighbours in the list that the filters give."""
        name, number = request.query.get("of", ""), request.query.get("id", "")
        run = self._by_name.get(name)
        if run is None:
            raise LookupError(f"run: expected one of {', '.join(self._by_name)}, got {name!r}")
        fact = run.facts.get(number)
        if fact is None:
            wait = "" if run.whole else ", or it is not read yet"
            raise LookupError(f"{name} has no episode {number!r}{wait}")
        near = self._neighbours(request, run, fact)
        if fact.end == "damaged":
            return _json({"error": fact.error, **near})
        shown = await asyncio.to_thread(lambda: view(run.read(fact)))
        return _json({**shown, "run": run.name, "id": fact.id, **near})

    def _neighbours(self, request: web.Request, run: RunIndex, fact: Fact) -> dict[str, str | None]:
        found = Query.of(list(request.query.items())).select(self._runs)
        keys = [f"{each.name}/{other.id}" for each, other in found]
        key = f"{run.name}/{fact.id}"
        at = keys.index(key) if key in keys else None
        return {
            "before": keys[at - 1] if at else None,
            "after": keys[at + 1] if at is not None and at + 1 < len(keys) else None,
        }

    def _version(self) -> int:
        return sum(run.num_changes for run in self._runs)


def _state(run: RunIndex) -> dict[str, Any]:
    facts = run.facts.values()
    return {
        "name": run.name,
        "path": str(run.path),
        "num_episodes": len(facts),
        "num_expected": run.num_expected(),
        "whole": run.whole,
        "num_untraced": sum(fact.fates is None and fact.item_f1 is not None for fact in facts),
    }


def _natural(request: web.Request, name: str, usual: int) -> int:
    text = request.query.get(name, str(usual))
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{name}: expected a whole number from 0 on, got {text!r}")
    return int(text)


def _json(data: dict[str, Any], status: int = 200) -> web.Response:
    text = json.dumps(data, separators=(",", ":"))
    response = web.Response(text=text, status=status, content_type="application/json")
    response.enable_compression()
    return response


async def _page(request: web.Request) -> web.Response:
    return web.Response(text=_file("viewer.html"), content_type="text/html")


async def _static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in _STATIC:
        raise web.HTTPNotFound(text=f"there is no {name}\n")
    return web.Response(text=_file(name), content_type=_STATIC[name])


@cache
def _file(name: str) -> str:
    return files("benchmarks.viewer").joinpath("templates", name).read_text("utf-8")


@contextmanager
def _interrupt_ignored() -> Iterator[None]:
    """Lets processes that are started meanwhile ignore Ctrl-C; the server ends them itself."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
