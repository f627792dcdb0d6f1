import asyncio
import contextlib
import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES
from smallweb import LENGTHS, small_backend

import wideseek_env
from agents.scripted.fanout import FanoutPolicy
from agents.stepping import step_through
from wideseek_env.backends import Hit, Page
from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.backends.named import backend_named
from wideseek_env.backends.recording import CallStore, StoredBackend
from wideseek_env.errors import BackendError, DataError, PageNotFound, ToolError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CallStore]:
    with contextlib.closing(CallStore(tmp_path / "calls.sqlite")) as store:
        yield store


@pytest.fixture
def backend(store: CallStore) -> StoredBackend:
    return StoredBackend(store, "contract", PagesBackend(CONTRACT_PAGES))


class Web:
    """A web that changes at every call and fails when told to."""

    def __init__(self) -> None:
        self.num_calls = 0
        self.error: BaseException | None = None
        self.delay_s = 0.0

    async def search(self, query: str, top_k: int) -> list[Hit]:
        return [Hit("/", query, str(await self._count()))]

    async def open(self, url: str, part: int = 1) -> Page:
        return Page(url, "title", str(await self._count()), part, 9)

    async def close(self) -> None:
        """Frees nothing: there is nothing to free."""

    async def _count(self) -> int:
        self.num_calls += 1
        await asyncio.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        return self.num_calls


async def test_first_answer_is_the_one_that_all_get_and_that_is_replayed(store: CallStore) -> None:
    web = Web()
    live = StoredBackend(store, "w", web)
    first = await live.search("rivers", 3)
    assert await live.search("rivers", 3) == first == [Hit("/", "rivers", "1")]
    assert await live.search("rivers", 4) != first
    page = await live.open("/a", 2)
    assert web.num_calls == 3
    replay = StoredBackend(store, "w")
    assert await replay.search("rivers", 3) == first
    assert await replay.open("/a", 2) == page
    assert len(store) == 3


async def test_replay_fails_loudly_on_what_was_not_recorded(store: CallStore) -> None:
    await StoredBackend(store, "w", Web()).open("/a")
    for call in (
        StoredBackend(store, "w").open("/b"),
        StoredBackend(store, "w").open("/a", 2),
        StoredBackend(store, "other world").open("/a"),
        StoredBackend(store, "w").search("/a", 1),
    ):
        with pytest.raises(BackendError, match="do not hold"):
            await call


@pytest.mark.parametrize(
    ("error", "kind"), [(ToolError("busy"), ToolError), (PageNotFound("no page"), PageNotFound)]
)
async def test_failure_is_replayed_as_a_failure_and_tried_again_when_old(
    store: CallStore, error: ToolError, kind: type[ToolError]
) -> None:
    web = Web()
    web.error = error
    live = StoredBackend(store, "w", web, failure_ttl_s=0.2)
    for backend in (live, live, StoredBackend(store, "w")):
        with pytest.raises(kind, match=str(error)):
            await backend.open("/a")
    assert web.num_calls == 1
    web.error = None
    await asyncio.sleep(0.25)
    with pytest.raises(kind):
        await StoredBackend(store, "w").open("/a")  # a replay has nobody to ask again
    assert (await live.open("/a")).text == "2"
    assert (await StoredBackend(store, "w").open("/a")).text == "2"


@pytest.mark.parametrize("error", [BackendError("down"), RuntimeError("bug")])
async def test_what_is_no_answer_is_not_stored(store: CallStore, error: Exception) -> None:
    web = Web()
    web.error = error
    with pytest.raises(type(error)):
        await StoredBackend(store, "w", web).open("/a")
    assert len(store) == 0


async def test_deadline_is_stored_and_a_call_that_nobody_waits_for_is_not(store: CallStore) -> None:
    web = Web()
    web.delay_s = 5.0
    live = StoredBackend(store, "w", web, deadline_s=0.1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await live.open("/ended before")
    assert len(store) == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.12):
            await live.open("/slow")
    with pytest.raises(TimeoutError):
        await StoredBackend(store, "w").open("/slow")


def test_episode_from_the_store_is_the_recorded_one(store: CallStore) -> None:
    def played(backend: StoredBackend) -> Any:
        env = wideseek_env.parallel_env(n_subagents=2, tasks=[LENGTHS], backend=backend)
        episode = step_through(env, FanoutPolicy(), seed=0)
        turns = [turn for trajectory in episode.trajectories for turn in trajectory.turns]
        texts = [result.text for turn in turns for result in turn.results]
        return [turn.decision.calls for turn in turns], texts, episode.score

    recorded = played(StoredBackend(store, "small", small_backend()))
    assert len(recorded[1]) > 3
    assert played(StoredBackend(store, "small")) == recorded


async def test_replay_is_fifty_times_as_fast_as_calls_of_100_ms(store: CallStore) -> None:
    web = Web()
    web.delay_s = 0.1
    live, replay = StoredBackend(store, "w", web), StoredBackend(store, "w")
    seconds = []
    for backend in (live, replay):
        start_s = time.perf_counter()
        for number in range(10):
            await backend.open(f"/{number}")
        seconds.append(time.perf_counter() - start_s)
    assert seconds[0] / seconds[1] > 50


def write_until_killed(path: Path, scope: str) -> None:
    async def write() -> None:
        backend = StoredBackend(CallStore(path), scope, Web())
        for number in range(1_000_000):
            await backend.open(f"/{number}")

    asyncio.run(write())


def test_two_processes_write_and_a_kill_leaves_whole_calls(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_until_killed, args=(path, s)) for s in ("a", "b")]
    for writer in writers:
        writer.start()
    deadline_s = time.monotonic() + 60
    with contextlib.closing(CallStore(path)) as store:
        while len(store) < 200:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
    for writer in writers:
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
    with contextlib.closing(CallStore(path)) as store:
        count = sqlite3.connect(path).execute(
            "SELECT COUNT(*) FROM calls JOIN bodies ON hash = body"
        )
        assert count.fetchone()[0] == len(store) >= 200
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_equal_answers_are_kept_once(store: CallStore) -> None:
    for number in range(5):
        store.write(bytes([number]), "request", b"the same page", None, "")
    connection = sqlite3.connect(store.path)
    assert connection.execute("SELECT COUNT(*) FROM bodies").fetchone() == (1,)
    connection.close()


def test_wrong_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough for a header" * 10)
    with pytest.raises(DataError, match="name another"):
        CallStore(tmp_path / "text")
    with pytest.raises(DataError, match="found none"):
        CallStore(tmp_path / "missing", must_exist=True)
    assert not (tmp_path / "missing").exists()
    connection = sqlite3.connect(tmp_path / "newer")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataError, match="version 99, expected 1"):
        CallStore(tmp_path / "newer")


def test_damaged_file_is_a_backend_error(store: CallStore) -> None:
    store.write(b"k", "request", b"page" * 1000, None, "")
    connection = sqlite3.connect(store.path)
    with connection:
        connection.execute("UPDATE bodies SET data = ?", (b"damaged",))
    connection.close()
    with pytest.raises(BackendError, match="damaged"):
        store.read(b"k")


def test_record_and_replay_have_names_for_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "alden.html").write_text("<title>Alden</title><p>A river.</p>")
    file = tmp_path / "calls.sqlite"
    recorded = backend_named(f"record:{file}:{tmp_path / 'pages'}")
    hits = asyncio.run(recorded.search("river", 3))
    assert asyncio.run(backend_named(f"replay:{file}").search("river", 3)) == hits != []
    with pytest.raises(BackendError, match="do not hold"):
        asyncio.run(backend_named(f"replay:{file}").search("lake", 3))
    for text, told in (
        (f"replay:{tmp_path / 'none'}", "found none"),
        ("record:calls.sqlite", "expected record:FILE:BACKEND"),
        (f"record:{file}:nosuch", "expected a folder or file of pages"),
    ):
        with pytest.raises((DataError, ValueError), match=told):
            backend_named(text)


def test_costs_are_booked_up_to_the_cap_and_no_further(store: CallStore) -> None:
    assert [store.pay("a", 0.4, cap_usd=1.0) for _ in range(3)] == [True, True, False]
    assert store.pay("b", 0.2, cap_usd=1.0)
    assert not store.pay("b", 0.01, cap_usd=1.0)
    assert store.costs() == {"a": (2, 0.8), "b": (1, 0.2)}
