"""The backend of a retrieval server: ours over the contract's pages, and others' in every form."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES
from fault_server import (
    PASSING_FAULTS,
    Fault,
    FaultServer,
    deep,
    in_a_thread,
    json_of,
    num_sockets,
    reply,
    stall,
)
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.rollout import Job, run_episode
from agents.scripted.solo import SoloPolicy
from wideseek_env.backends import Hit, Page
from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.backends.named import backend_named
from wideseek_env.backends.retrieval.client import ServerBackend
from wideseek_env.backends.retrieval.server import RetrievalServer
from wideseek_env.environment import parallel_env
from wideseek_env.errors import BackendError, PageNotFound, ToolError
from wideseek_env.records import Column, Task
from wideseek_env.worlds import World


@pytest.fixture(scope="module")
def served_at() -> Iterator[str]:
    app = RetrievalServer(PagesBackend(CONTRACT_PAGES)).app()
    with in_a_thread(TestServer(app)) as running:
        yield str(running.make_url("/"))


@pytest.fixture
async def backend(served_at: str) -> AsyncIterator[ServerBackend]:
    backend = ServerBackend(served_at)
    yield backend
    await backend.close()


@asynccontextmanager
async def answering(*faults: Fault, **options: Any) -> AsyncIterator[ServerBackend]:
    """A backend of a server that answers each call in turn, the last one for ever."""
    async with FaultServer(faults[-1]) as server:
        server.script = list(faults)
        backend = ServerBackend(server.url, **options)
        backend._client.limits = backend._client.limits.__class__(
            max_tries=2, backoff_s=0.001, try_s=options.get("deadline_s", 5.0), deadline_s=5.0
        )
        try:
            yield backend
        finally:
            await backend.close()


def found(*documents: object) -> Fault:
    return json_of({"result": [list(documents)]})


WIKI = {"id": "17", "contents": '"Alden"\nAlden is a river.\nIt is long.'}
HIT = Hit("17", "Alden", "Alden is a river. / It is long.")

DOCUMENTS: dict[str, tuple[dict[str, Any], Hit]] = {
    "Search-R1": ({"document": WIKI, "score": 0.83}, HIT),
    "without scores": (WIKI, HIT),
    "a number as id": (WIKI | {"id": 17}, HIT),
    "RLinf": (
        {"document": WIKI | {"url": "https://w/a", "title": "Alden"}, "score": 1},
        Hit("https://w/a", "Alden", "Alden is a river. / It is long."),
    ),
    "title apart": (
        {"id": "17", "title": "Alden", "contents": "It is long."},
        Hit("17", "Alden", "It is long."),
    ),
    "title not in quotes": (
        {"id": "17", "title": "Alden", "contents": "Alden\nIt is long."},
        Hit("17", "Alden", "It is long."),
    ),
    "no title": ({"id": "17", "contents": "It is long."}, Hit("17", "17", "It is long.")),
    "null title": (WIKI | {"title": None}, HIT),
    "title of a number": (WIKI | {"title": 5}, HIT),
    "text for contents": (
        {"id": "17", "title": "Alden", "text": "It is long."},
        Hit("17", "Alden", "It is long."),
    ),
    "title alone": ({"id": "17", "contents": '"Alden"'}, Hit("17", "Alden", "")),
    "called by its title": (
        {"title": "Alden", "contents": "It is long."},
        Hit("Alden", "Alden", "It is long."),
    ),
    "lone surrogates": (
        {"id": "17", "title": "A\ud800", "contents": "x\udfff"},
        Hit("17", "A?", "x?"),
    ),
}


@pytest.mark.parametrize("form", DOCUMENTS)
async def test_documents_of_every_form(form: str) -> None:
    document, hit = DOCUMENTS[form]
    async with answering(found(document)) as backend:
        assert await backend.search("river", 3) == [hit]


async def test_what_is_sent_is_what_peers_read() -> None:
    async with FaultServer(found(WIKI)) as server:
        for at in (server.url, server.url + "/", server.url + "/retrieve"):
            backend = ServerBackend(at)
            await backend.search("ri\ud800ver" + "x" * 9_000, 3)
            request = server.requests[-1]
            assert request.path == "/v1/retrieve"
            asked = json.loads(await request.text())
            assert asked == {
                "queries": ["ri?ver" + "x" * 7_994],
                "topk": 3,
                "return_scores": True,
            }
            await backend.close()


async def test_passages_of_one_page_are_one_hit_and_never_more_than_top_k() -> None:
    documents = [{"url": f"/{n // 2}", "contents": f"passage {n}"} for n in range(10)]
    async with answering(found(*documents)) as backend:
        hits = await backend.search("x", 3)
        assert [(hit.url, hit.snippet) for hit in hits] == [
            ("/0", "passage 0"),
            ("/1", "passage 2"),
            ("/2", "passage 4"),
        ]


async def test_server_without_pages_gives_the_passages_that_it_has_shown() -> None:
    for status in (404, 405):
        async with answering(found(WIKI), reply(b"Not Found", status=status)) as backend:
            await backend.search("river", 3)
            assert await backend.open("17") == Page("17", "Alden", "Alden is a river.\nIt is long.")
            for missing in (("17", 2), ("18", 1)):
                with pytest.raises(PageNotFound):
                    await backend.open(*missing)


async def test_passages_are_kept_within_bounds() -> None:
    async with FaultServer() as server:
        backend = ServerBackend(server.url, max_kept_bytes=10_000)
        for number in range(50):
            document = {"id": f"{number}", "contents": "x" * 400}
            server.script = [found(document, document)]
            await backend.search("x", 3)
            assert backend._kept_bytes <= 10_000
        assert list(backend._shown) == ["45", "46", "47", "48", "49"]
        await backend.close()


PAGES: dict[str, object] = {
    "with its URL": {"url": "/a", "title": "Alden", "contents": "Alden\nA river."},
    "without": {"title": "Alden", "contents": "A river."},
    "quoted title": {"contents": '"Alden"\nA river.'},
    "another id": {"id": "9", "title": "Alden", "contents": "A river."},
    "in a document": {"document": {"title": "Alden", "contents": "A river."}},
    "numbers of no part": {
        "title": "Alden",
        "contents": "A river.",
        "part": "x",
        "num_parts": None,
    },
}


@pytest.mark.parametrize("form", PAGES)
async def test_pages_of_every_form(form: str) -> None:
    async with answering(json_of({"result": [PAGES[form]]})) as backend:
        assert await backend.open("/a") == Page("/a", "Alden", "A river.")
        with pytest.raises(PageNotFound, match="has parts 1 to 1"):
            await backend.open("/a", 2)


async def test_page_that_comes_whole_is_cut_into_parts() -> None:
    text = "\n".join(f"line {n}" for n in range(200))
    async with answering(json_of({"result": [text]}), part_chars=300) as backend:
        first = await backend.open("/a")
        parts = [await backend.open("/a", n) for n in range(1, first.num_parts + 1)]
        assert "\n".join(part.text for part in parts) == text
        assert first.num_parts > 5


@pytest.mark.parametrize("page", [None, "", {}])
async def test_page_that_is_not_there(page: object) -> None:
    async with answering(json_of({"result": [page]})) as backend:
        with pytest.raises(PageNotFound, match="no page at '/a'"):
            await backend.open("/a")


NO_RESULTS: dict[str, object] = {
    "nothing": {}, "null": {"result": None}, "text": {"result": "x"}, "none": {"result": []},
    "two": {"result": [[], []]}, "number": {"result": [5]}, "number inside": {"result": [[5]]},
    "null inside": {"result": [[None]]}, "list inside": {"result": [[[]]]},
    "no text": {"result": [[{"id": "1"}]]}, "text of a number": {"result": [[{"contents": 5}]]},
    "no name": {"result": [[{"contents": "x"}]]}, "an error": {"error": "no index"},
    "deep": {"result": deep(400)}, "name of a list": {"result": [[{"id": [], "contents": "x"}]]},
    "true": {"result": [True]}, "name true": {"result": [[{"id": True, "contents": "x"}]]},
}  # fmt: skip


@pytest.mark.parametrize("name", NO_RESULTS)
async def test_answers_of_no_retrieval_server_break_the_backend(name: str) -> None:
    async with answering(json_of(NO_RESULTS[name])) as backend:
        with pytest.raises(BackendError, match="is a retrieval server there") as raised:
            await backend.search("river", 3)
        assert len(str(raised.value)) < 500
        if not isinstance(NO_RESULTS[name].get("result"), list):  # type: ignore[attr-defined]
            with pytest.raises(BackendError, match="is a retrieval server there"):
                await backend.open("/a")


@pytest.mark.parametrize("name", [name for name in PASSING_FAULTS if "stall" not in name])
async def test_server_that_fails_is_tried_again_and_then_broken(name: str) -> None:
    fault = PASSING_FAULTS[name]
    async with answering(fault, found(WIKI), fault) as backend:
        assert await backend.search("river", 3) == [HIT]
        with pytest.raises(BackendError, match="no answer after 2 attempts"):
            await backend.search("other", 3)
        with pytest.raises(BackendError, match="no answer after 2 attempts"):
            await backend.open("/a")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 522, 401, 403, 501])
async def test_server_that_is_ill_or_closed_is_broken(status: int) -> None:
    async with answering(reply(b"no", status=status)) as backend:
        for call in (backend.search("river", 3), backend.open("/a")):
            with pytest.raises(BackendError, match=f"HTTP {status}: no"):
                await call


@pytest.mark.parametrize("status", [400, 413, 414, 422])
async def test_request_that_is_refused_is_told_to_the_agent(status: int) -> None:
    async with answering(reply(b"query too\nlong", status=status)) as backend:
        with pytest.raises(ToolError, match="This search is refused by the server: query too long"):
            await backend.search("river", 3)
        with pytest.raises(ToolError, match="This page is refused by the server: query too long"):
            await backend.open("/a")


async def test_server_that_is_slow_is_told_to_the_agent() -> None:
    async with answering(stall, deadline_s=0.1) as backend:
        with pytest.raises(ToolError, match="This search took too long"):
            await backend.search("river", 3)


async def test_server_that_is_not_there_is_broken() -> None:
    backend = ServerBackend(f"http://127.0.0.1:{unused_port()}", deadline_s=1.0)
    with pytest.raises(BackendError, match="cannot connect"):
        await backend.search("river", 3)
    await backend.close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://x", "http://"])
def test_url_of_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="`url` must begin with"):
        ServerBackend(url)


def test_name_is_the_url() -> None:
    assert isinstance(backend_named("http://127.0.0.1:8000"), ServerBackend)


def test_environment_that_is_closed_leaves_no_socket(served_at: str) -> None:
    task = Task("t", "Which rivers?", (Column("Name"),), ("Name",), (("Alden",),))
    before = num_sockets()
    for _ in range(2):
        env = parallel_env(1, tasks=[task], backend=ServerBackend(served_at))
        env.reset(seed=0)
        env.step({"lead": [{"name": "delegate", "arguments": {"subtasks": ["rivers"]}}]})
        found = env.step({"subagent_0": [{"name": "search", "arguments": {"query": "river"}}]})
        assert "http://w.example/alden" in found[0]["subagent_0"]["text"]
        assert num_sockets() > before
        env.close()
    time.sleep(0.1)  # the server closes its own ends
    assert num_sockets() == before


async def test_episode_through_a_server_is_the_episode_without() -> None:
    world = World("starter", seed=3)
    (task,) = world.tasks(1, seed=3)
    near = await run_episode(Job(task, world.backend(), 0, world.preset.limits), SoloPolicy())
    async with TestServer(RetrievalServer(world.backend()).app()) as server:
        far = ServerBackend(str(server.make_url("/")))
        episode = await run_episode(Job(task, far, 0, world.preset.limits), SoloPolicy())
        await far.close()
    assert episode.valid
    assert episode.score == near.score
    assert [t.decision.calls for each in episode.trajectories for t in each.turns] == [
        t.decision.calls for each in near.trajectories for t in each.turns
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["document", "id", "url", "title", "contents", "part", "num_parts"]),
            inner,
        )
    ),
    max_leaves=8,
)


@pytest.mark.hypothesis
def test_no_answer_of_any_server_is_more_than_an_error() -> None:
    async def play(answer: object) -> None:
        before = num_sockets()
        async with answering(json_of(answer)) as backend:
            try:
                for hit in await backend.search("river", 3):
                    json.dumps([hit.url, hit.title, hit.snippet]).encode()
                    assert "\n" not in hit.snippet + hit.title
                    hit.url.encode()
            except (ToolError, BackendError):
                pass
            try:
                page = await backend.open("/a")
                assert 1 == page.part <= page.num_parts
                page.text.encode()
            except (ToolError, BackendError):
                pass
        await asyncio.sleep(0)
        assert num_sockets() <= before

    @settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        JSON | JSON.map(lambda v: {"result": v}) | JSON.map(lambda v: {"result": [v]})
        | JSON.map(lambda v: {"result": [[v]]})
    )  # fmt: skip
    def fuzz(answer: object) -> None:
        asyncio.run(play(answer))

    fuzz()


NUM_SOAK_CALLS = 5_000


@pytest.mark.slow
async def test_soak_under_faults_and_restarts_every_call_ends_rightly_or_as_an_error() -> None:
    rng = random.Random(3)
    faults = [fault for name, fault in PASSING_FAULTS.items() if "stall" not in name]

    @web.middleware
    async def faulty(request: web.Request, handler: Any) -> web.StreamResponse:
        drawn = rng.random()
        if drawn < 0.1:
            await request.read()
            return await rng.choice(faults)(request)
        await asyncio.sleep(0.5 if drawn < 0.101 else 0.0)
        return await handler(request)

    async def start(port: int) -> TestServer:
        app = RetrievalServer(pages).app()
        app.middlewares.insert(0, faulty)
        server = TestServer(app, port=port)
        await server.start_server(shutdown_timeout=0.1)
        return server

    async def call(number: int) -> str:
        name = ("alden", "brook", "cities", "none")[number % 4]
        start_s = time.perf_counter()
        try:
            if number % 2:
                page = await backend.open(f"http://w.example/{name}")
                assert page.url == f"http://w.example/{name}"
            else:
                hits = await backend.search("Alden" if number % 4 else "Brook", 1)
                assert [hit.title for hit in hits] == ["Alden" if number % 4 else "Brook"]
            return "answered"
        except PageNotFound:
            assert name == "none"
            return "answered"
        except (ToolError, BackendError) as error:
            return type(error).__name__
        finally:
            assert time.perf_counter() - start_s < 35.0

    pages = PagesBackend(CONTRACT_PAGES)
    before = num_sockets()
    server = await start(0)
    port = server.port or 0
    backend = ServerBackend(f"http://127.0.0.1:{port}", deadline_s=30.0)
    ends: Counter[str] = Counter()
    for first in range(0, NUM_SOAK_CALLS, 500):
        calls = [asyncio.create_task(call(first + number)) for number in range(500)]
        await asyncio.sleep(0.3)
        await server.close()
        server = await start(port)
        ends += Counter(await asyncio.gather(*calls))
    await backend.close()
    await server.close()
    await asyncio.sleep(0.1)
    assert backend._client.num_requests - backend._client.num_retries <= NUM_SOAK_CALLS
    assert ends.total() == NUM_SOAK_CALLS
    assert set(ends) <= {"answered", "ToolError", "BackendError"}
    assert ends["answered"] > 0.98 * NUM_SOAK_CALLS
    assert num_sockets() <= before
