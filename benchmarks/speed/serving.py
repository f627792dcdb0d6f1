"""How fast the retrieval server is: `python -m benchmarks.speed.serving`.

It serves 80,000 passages with two processes to 64 clients, which are a process of their own and ask
questions that are all different, so that no cache answers. `--peer` runs, after it, a server as
Search-R1 writes one (a blocking FastAPI endpoint over bm25s, one process) on the same passages.

Source: Search-R1 (github.com/PeterGriffinJin/Search-R1), its retrieval server's design.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
import numpy as np
from msgspec import Meta

from wideseek_env.backends.corpus.folder import FolderBackend
from wideseek_env.backends.corpus.index import passages
from wideseek_env.backends.html.text import read_html
from wideseek_env.cli.options import Count, Natural, Positive, check_values
from wideseek_env.plugins import require
from wideseek_env.worlds import World
from wideseek_env.worlds.files import write_world

_STOP_S = 15.0


@dataclass(frozen=True, kw_only=True)
class ServingOptions:
    """Measures the retrieval server: queries a second and how long a client waits."""

    num_passages: Count = 80_000
    """Passages that are served; they are made from a closed world."""
    num_workers: Count = 2
    """Processes of the server."""
    num_clients: Count = 64
    """Clients that ask at the same time, each one query after another."""
    seconds: Positive = 15.0
    """How long they ask, after three seconds that do not count."""
    port: Annotated[int, Meta(ge=1, le=65534)] = 8765
    """Of our server; the peer's is the next one."""
    seed: Natural = 0
    """Of the queries."""
    peer: bool = False
    """Measures the peer's server as well; needs `pip install fastapi uvicorn bm25s`."""

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load of queries met."""

    rate: float
    """Queries answered in a second."""
    p50_ms: float
    p99_ms: float
    num_failed: int

    def text(self) -> str:
        """Says it in one line."""
        return (
            f"{self.rate:,.0f} queries a second, p50 {self.p50_ms:.0f} ms, p99 {self.p99_ms:.0f} "
            f"ms, {self.num_failed} failed"
        )


def run(options: ServingOptions) -> int:
    """Measures and prints; gives 1 when a target is missed."""
    if options.peer:
        for module in ("fastapi", "uvicorn", "bm25s"):
            require(module, "dev")
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder)
        words = _write_corpus(corpus, options.num_passages)
        FolderBackend(corpus)  # indexes it
        ours = [sys.executable, "-m", "wideseek_env", "serve", str(corpus),
                "--port", str(options.port), "--num-workers", str(options.num_workers)]  # fmt: skip
        load = _measured(ours, options.port, words, options)
        print(f"ours, {options.num_workers} processes: {load.text()}")
        if options.peer:
            port = options.port + 1
            theirs = [sys.executable, "-m", "benchmarks.speed.serving_peer", str(corpus), str(port)]
            peer = _measured(theirs, port, words, options)
            print(f"peer, 1 process: {peer.text()}")
            print(f"ratio {load.rate / peer.rate:.1f}")
    reached = load.rate >= 1000 and load.p99_ms < 150 and load.num_failed == 0
    print(f"target: 1,000 queries a second, p99 under 150 ms: {'reached' if reached else 'MISSED'}")
    return 0 if reached else 1


def _write_corpus(folder: Path, num_passages: int) -> list[str]:
    """Writes pages until they have enough passages; gives words to ask for."""
    num_pages = max(200, num_passages // 3)
    while True:
        world = World("default", num_pages=num_pages)
        path = folder / "pages.jsonl"
        write_world(world, path)
        lines = path.read_bytes().splitlines()
        texts = [read_html(msgspec.json.decode(line)["html"]).text for line in lines]
        count = sum(sum(1 for _ in passages(text)) for text in texts)
        if count >= num_passages:
            break
        num_pages = int(num_pages * 1.1 * num_passages / count)
    found = {
        word for text in texts[:: len(texts) // 500 + 1] for word in text.split() if word.isalpha()
    }
    print(f"{count:,} passages of {len(texts):,} pages")
    return sorted(found)


def _measured(command: list[str], port: int, words: list[str], options: ServingOptions) -> Load:
    with _running(command, port):
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:  # a process of its own, as clients have
            return pool.apply(_load, (port, words, options))


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(_until_ready(port, server))
        yield
    finally:
        server.terminate()
        server.wait(_STOP_S)


async def _until_ready(port: int, server: subprocess.Popen[Any]) -> None:
    async with aiohttp.ClientSession() as session:
        while server.poll() is None:
            try:
                async with session.get(f"http://127.0.0.1:{port}/health") as reply:
                    if reply.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise OSError(f"the server ended with {server.returncode} before it was ready")


def _load(port: int, words: list[str], options: ServingOptions) -> Load:
    return asyncio.run(_ask_all(port, words, options))


async def _ask_all(port: int, words: list[str], options: ServingOptions) -> Load:
    waits_s: list[float] = []
    failed = 0
    begin_s = time.perf_counter() + 3.0
    end_s = begin_s + options.seconds

    async def client(number: int) -> None:
        nonlocal failed
        rng = random.Random(f"{options.seed}:{number}")
        while (start_s := time.perf_counter()) < end_s:
            body = {"queries": [" ".join(rng.choices(words, k=4))], "topk": 3}
            async with session.post(f"http://127.0.0.1:{port}/retrieve", json=body) as reply:
                answer = await reply.read()
            if start_s < begin_s:
                continue
            failed += reply.status != 200 or not answer.startswith(b'{"result"')
            waits_s.append(time.perf_counter() - start_s)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(client(number) for number in range(options.num_clients)))
    p50, p99 = np.percentile(waits_s, [50, 99]) * 1000
    return Load(len(waits_s) / options.seconds, float(p50), float(p99), failed)


if __name__ == "__main__":
    from wideseek_env.cli.commands import run_command

    sys.exit(run_command("speed serving"))
