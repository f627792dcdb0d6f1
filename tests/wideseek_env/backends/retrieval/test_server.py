import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from ports import free_port

from wideseek_env.backends import Hit, Page
from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.backends.retrieval.server import RetrievalServer, ServeLimits
from wideseek_env.errors import BackendError

ROWS = "".join(f"<tr><td>{i}<td>row {i}" for i in range(900))
PAGES = [
    RawPage("/alden", "Alden", "<p>Alden is a river in Varnia.</p>"),
    RawPage("/brook", "Brook", "<p>Brook is a river, too.</p>"),
    RawPage("/long", "Long", f"<table>{ROWS}</table>"),
]


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    server = RetrievalServer(PagesBackend(PAGES), ServeLimits(max_reply_chars=20_000))
    async with TestClient(TestServer(server.app())) as client:
        yield client


async def result(client: TestClient[Any, Any], path: str, body: Any) -> Any:
    reply = await client.post(path, json=body)
    assert reply.status == 200, await reply.text()
    return (await reply.json())["result"]


async def test_retrieve_answers_with_passages_as_search_r1_reads_them(client) -> None:
    asked = {"queries": ["Varnia", "nothing has this"], "topk": 2, "return_scores": True}
    [[hit], nothing] = await result(client, "/retrieve", asked)
    assert hit == {
        "document": {
            "id": "/alden",
            "url": "/alden",
            "title": "Alden",
            "contents": "Alden\nAlden is a river in Varnia.",
        },
        "score": 1.0,
    }
    assert nothing == []
    [plain] = await result(client, "/retrieve", {"queries": ["river"]})
    assert {document["url"] for document in plain} == {"/alden", "/brook"}


async def test_access_gives_pages_parts_and_null(client) -> None:
    whole, missing = await result(client, "/access", {"urls": ["/long", "/none"]})
    assert missing is None
    assert "row 0" in whole["contents"]
    assert "row 899" in whole["contents"]
    asked = {"urls": ["/long", "/long", "/alden"], "parts": [2, 9, 1]}
    second, beyond, alden = await result(client, "/access", asked)
    assert beyond is None
    assert (second["part"], second["num_parts"] > 1, alden["num_parts"]) == (2, True, 1)


async def test_reply_is_bounded(client) -> None:
    pages = await result(client, "/access", {"urls": ["/long"] * 64})
    assert sum(page is not None for page in pages) == 1
    assert pages[1] is None
    after = await result(client, "/access", {"urls": ["/long", "/long", "/alden"]})
    assert [page is not None for page in after] == [True, False, True]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/retrieve", "{", "expected a JSON object with queries, topk, return_scores"),
        ("/retrieve", "[" * 100_000, "expected a JSON object"),
        ("/retrieve", '{"queries": "x"}', "expected a JSON object"),
        ("/retrieve", '{"queries": ["\\ud800"]}', "expected a JSON object"),
        ("/retrieve", '{"queries": [], "topk": 0}', "`topk` must be from 1 to 100, got 0"),
        ("/retrieve", '{"queries": ["a"], "topk": 101}', "`topk` must be from 1 to 100, got 101"),
        (
            "/retrieve",
            json.dumps({"queries": ["a"] * 65}),
            "number of queries must be from 0 to 64",
        ),
        (
            "/retrieve",
            json.dumps({"queries": ["a"] * 60, "topk": 100}),
            "times `topk` must be from",
        ),
        ("/retrieve", json.dumps({"queries": ["a" * 8001]}), "length of a query must be from"),
        ("/access", '{"urls": 3}', "expected a JSON object with urls, parts"),
        ("/access", '{"urls": ["/a"], "parts": []}', "a part for each of 1 URLs, got 0"),
        ("/access", json.dumps({"urls": ["/a"] * 65}), "number of URLs must be from 0 to 64"),
    ],
)
async def test_wrong_request_is_answered_by_what_was_expected(client, path, body, told) -> None:
    reply = await client.post(path, data=body)
    assert reply.status == 400
    assert told in await reply.text()


class Slow:
    """A backend whose answers wait for a signal."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.closed = False

    async def search(self, query: str, top_k: int) -> list[Hit]:
        if query == "broken":
            raise BackendError("the index is gone")
        await self.go.wait()
        return []

    async def open(self, url: str, part: int = 1) -> Page:
        return Page(url, "t", "x")

    async def close(self) -> None:
        self.closed = True


async def test_too_many_requests_are_refused_and_counted_and_others_answered() -> None:
    slow = Slow()
    server = RetrievalServer(slow, ServeLimits(max_pending=3))
    async with TestClient(TestServer(server.app())) as client:
        asked = [
            asyncio.create_task(client.post("/retrieve", json={"queries": ["a"]})) for _ in range(5)
        ]
        while sum(task.done() for task in asked) < 2:
            await asyncio.sleep(0.01)
        slow.go.set()
        replies = await asyncio.gather(*asked)
        assert sorted(reply.status for reply in replies) == [200, 200, 200, 429, 429]
        refused = next(reply for reply in replies if reply.status == 429)
        assert refused.headers["Retry-After"] == "1"
        broken = await client.post("/retrieve", json={"queries": ["broken"]})
        assert (broken.status, await broken.text()) == (503, "the index is gone")
        text = await (await client.get("/metrics")).text()
    assert 'wideseek_requests_total{status="200"} 3' in text
    assert 'wideseek_requests_total{status="429"} 2' in text
    assert 'wideseek_requests_total{status="503"} 1' in text
    assert "wideseek_queries_total 4" in text
    assert "wideseek_pending 0" in text
    assert "wideseek_request_seconds_count 6" in text
    assert slow.closed


async def test_server_lives_while_its_index_is_opened_and_says_when_that_fails() -> None:
    def open_slowly() -> PagesBackend:
        time.sleep(0.3)
        return PagesBackend(PAGES)

    async with TestClient(TestServer(RetrievalServer(open_slowly).app())) as client:
        assert (await client.get("/health")).status == 503
        early = await client.post("/retrieve", json={"queries": ["river"]})
        assert (early.status, await early.text()) == (503, "the index is being opened")
        while (await client.get("/health")).status != 200:
            await asyncio.sleep(0.02)
        assert await result(client, "/retrieve", {"queries": ["Varnia"]})

    def fail() -> PagesBackend:
        raise OSError("no such folder")

    async with TestClient(TestServer(RetrievalServer(fail).app())) as client:
        while (health := await client.get("/health")).status == 503:
            await asyncio.sleep(0.02)
        assert health.status == 500
        assert "no such folder" in await health.text()


def ask(port: int, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=10) as reply:
        return reply.read().decode()


def wait_until_ready(port: int) -> None:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        try:
            ask(port, "/health")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise TimeoutError


def pids_of(port: int, num: int, without: int = 0) -> set[int]:
    """The processes that answer, once there are so many; without one that was killed."""
    deadline_s = time.monotonic() + 60
    pids: set[int] = set()
    while time.monotonic() < deadline_s:
        try:
            pids = {json.loads(ask(port, "/health"))["pid"] for _ in range(40)}
        except (urllib.error.URLError, ConnectionError):
            pids = set()
        if len(pids) == num and without not in pids:
            return pids
        time.sleep(0.1)
    raise TimeoutError(f"expected {num} processes, got {pids}")


def test_command_serves_a_folder_with_several_processes_and_stops_when_told(
    tmp_path: Path,
) -> None:
    for page in PAGES:
        (tmp_path / f"{page.title}.html").write_text(str(page.html))
    port = free_port()
    command = [sys.executable, "-m", "wideseek_env", "serve", str(tmp_path),
               "--port", str(port), "--num-workers", "2"]  # fmt: skip
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_until_ready(port)
        hits = json.loads(ask(port, "/retrieve", {"queries": ["Varnia"]}))
        assert hits["result"][0][0]["url"] == "Alden.html"
        first = pids_of(port, 2)
        os.kill(min(first), signal.SIGKILL)  # a worker that dies is replaced
        assert min(first) not in pids_of(port, 2, without=min(first))
        assert re.search(r"wideseek_queries_total 1\n", ask(port, "/metrics"))  # of all processes
    finally:
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=30)
    assert server.returncode == 0
    assert f"serving at http://127.0.0.1:{port}" in said
    assert "Traceback" not in said
