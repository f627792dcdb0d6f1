"""Tool calls under faults: `python -m benchmarks.speed.soak`.

Calls go from our client through a proxy that breaks them (resets, stalls, truncated bodies, wrong
encodings, HTML for JSON, too many requests) to our server, which is also restarted, and each answer
through the store of recorded calls. Every call has to end within its deadline with a result or an
error, the counts have to add up, what was recorded has to be what the pages say, and nothing may
leak: sockets, tasks, memory.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.backends.recording import CallStore, StoredBackend
from wideseek_env.backends.retrieval.client import ServerBackend
from wideseek_env.backends.retrieval.server import RetrievalServer
from wideseek_env.cli.options import Count, Natural, Positive, Share, check_values
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import BackendError, ToolError

_NUM_PAGES = 2_000
_SLACK_S = 2.0
"""What a busy machine may be late beyond a deadline."""
_RESTARTS = 4


@dataclass(frozen=True, kw_only=True)
class SoakOptions:
    """Makes tool calls through a proxy that breaks them, and checks that each one ends well."""

    num_calls: Count = 100_000
    """How many."""
    max_concurrent: Count = 200
    """At the same time."""
    faults: Share = 0.05
    """Share of the requests that are broken on their way."""
    deadline_s: Positive = 5.0
    """Of one call."""
    seed: Natural = 0
    """Of calls and faults."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: SoakOptions) -> int:
    """Makes the calls and prints what came of them; gives 1 when a check fails."""
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(_soak(options, Path(folder) / "calls.sqlite"))
    for line in wrong:
        print(f"WRONG: {line}")
    print("every call ended as it should" if not wrong else "the soak has failed")
    return 1 if wrong else 0


class _Proxy:
    """A server between client and server that breaks some of what passes."""

    def __init__(self, options: SoakOptions) -> None:
        self.target = ""
        self.num_faults: Counter[str] = Counter()
        self._faults = options.faults
        self._stall_s = 2 * options.deadline_s
        self._rng = random.Random(options.seed)
        self._running = set[asyncio.Task[None]]()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begins with one connection."""
        # As a coroutine, which asyncio takes too, each connection would print a traceback at Ctrl-C
        # in Python 3.11.
        task = asyncio.create_task(self._handle(reader, writer))
        self._running.add(task)  # asyncio itself holds it weakly
        task.add_done_callback(self._running.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes one connection's bytes on, or breaks it."""
        kinds = ("reset", "stall", "truncated", "encoding", "html", "busy")
        fault = self._rng.choice(kinds) if self._rng.random() < self._faults else None
        try:
            request = await _read_request(reader)
            if fault is not None:
                self.num_faults[fault] += 1
            if fault == "reset":
                writer.transport.abort()
            elif fault == "stall":
                await asyncio.sleep(self._stall_s)
            elif fault in _ANSWERS:
                writer.write(_ANSWERS[fault])
            else:
                await self._pass_on(request, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    async def _pass_on(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        reader, out = await asyncio.open_connection(host, int(port))
        try:
            out.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            writer.write(await reader.read(-1))
        finally:
            out.close()


_ANSWERS = {
    "truncated": b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"result": [[{"docu',
    "encoding": b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-16\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\xff\xfe\x0012",
    "html": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 19\r\n"
    b"Connection: close\r\n\r\n<html>later</html>\n",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n",
}


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return head + await reader.readexactly(size)


@asynccontextmanager
async def _serving(proxy: _Proxy, backend: PagesBackend) -> AsyncIterator[None]:
    runner = web.AppRunner(RetrievalServer(backend).app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    proxy.target = f"{host}:{port}"
    try:
        yield
    finally:
        await runner.cleanup()


async def _soak(options: SoakOptions, path: Path) -> list[str]:
    texts = {f"/p{i}": f"Page {i} says number{i} of {_NUM_PAGES}." for i in range(_NUM_PAGES)}
    pages = PagesBackend([RawPage(url, url, f"<p>{text}</p>") for url, text in texts.items()])
    proxy, ends, wrong = _Proxy(options), Counter[str](), list[str]()
    listener = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    client = ServerBackend(
        f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", deadline_s=options.deadline_s
    )
    with closing(CallStore(path)) as store:
        backend = StoredBackend(
            store, "soak", client, failure_ttl_s=0.0, deadline_s=options.deadline_s
        )
        before = _held()
        await _call_all(options, backend, (proxy, pages), texts, (ends, wrong))
        num_stored = len(store)
    await client.close()
    listener.close()
    await asyncio.sleep(2 * options.deadline_s + 0.5)  # stalled connections have to end, too
    wrong += _leaks(before, _held())
    if sum(ends.values()) != options.num_calls:
        wrong.append(f"{options.num_calls} calls were made, {sum(ends.values())} ended")
    faults = ", ".join(f"{number:,} {name}" for name, number in sorted(proxy.num_faults.items()))
    print(
        f"{options.num_calls:,} calls: "
        + ", ".join(f"{n:,} {end}" for end, n in ends.most_common())
    )
    print(f"faults on the way: {faults or 'none'}; {num_stored:,} different calls stored")
    return wrong


async def _call_all(
    options: SoakOptions,
    backend: StoredBackend,
    server: tuple[_Proxy, PagesBackend],
    texts: dict[str, str],
    told: tuple[Counter[str], list[str]],
) -> None:
    numbers = iter(range(options.num_calls))
    ends, wrong = told
    with progress("calls", options.num_calls) as advance:

        async def caller() -> None:
            for number in numbers:
                start_s = time.perf_counter()
                end, mistake = await _call(backend, number, options, texts)
                late_s = time.perf_counter() - start_s - options.deadline_s
                ends[end] += 1
                if late_s > _SLACK_S:
                    mistake = f"call {number} ended {late_s:.1f} s after its deadline"
                if mistake and len(wrong) < 20:
                    wrong.append(mistake)
                advance()

        callers = [asyncio.create_task(caller()) for _ in range(options.max_concurrent)]
        for part in range(_RESTARTS + 1):
            async with _serving(*server):
                while not all(task.done() for task in callers):
                    done = sum(ends.values())
                    if part < _RESTARTS and done >= options.num_calls * (part + 1) / (
                        _RESTARTS + 1
                    ):
                        break  # the server goes away in the middle of calls, and another comes
                    await asyncio.sleep(0.02)
        await asyncio.gather(*callers)


async def _call(
    backend: StoredBackend, number: int, options: SoakOptions, texts: dict[str, str]
) -> tuple[str, str | None]:
    """Makes one call; gives how it ended, and what is wrong with its answer."""
    rng = random.Random(f"{options.seed}:{number}")
    index = rng.randrange(_NUM_PAGES)
    url = f"/p{index}"
    try:
        async with asyncio.timeout(options.deadline_s):
            if rng.random() < 0.5:
                page = await backend.open(url)
                right = texts[url] in page.text
            else:
                hits = await backend.search(f"number{index} x{rng.randrange(50)}", 3)
                right = bool(hits) and hits[0].url == url
    except TimeoutError:
        return "deadline", None
    except ToolError:
        return "tool error", None
    except BackendError:
        return "backend error", None
    return "answered", None if right else f"call {number} for {url} got another page's answer"


def _held() -> tuple[int, int, float]:
    """Open files, tasks, and the greatest memory so far in MB."""
    gc.collect()
    files = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return files, len(asyncio.all_tasks()), memory


def _leaks(before: tuple[int, int, float], after: tuple[int, int, float]) -> list[str]:
    (files, tasks, memory), (files_after, tasks_after, memory_after) = before, after
    print(
        f"open files {files} -> {files_after}, tasks {tasks} -> {tasks_after}, memory "
        f"{memory:.0f} -> {memory_after:.0f} MB"
    )
    wrong = []
    if files_after > files:
        wrong.append(f"{files_after - files} files or sockets are open that were not before")
    if tasks_after > tasks:
        wrong.append(f"{tasks_after - tasks} tasks are left")
    if memory_after - memory > 300:
        wrong.append(f"memory grew by {memory_after - memory:.0f} MB")
    return wrong


if __name__ == "__main__":
    from wideseek_env.cli.commands import run_command

    sys.exit(run_command("speed soak"))
