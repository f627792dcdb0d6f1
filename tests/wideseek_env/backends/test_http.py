"""The HTTP client against a real server on loopback, well-behaved and not."""

from __future__ import annotations

import asyncio
import copy
import gc
import gzip
import json
import logging
import pickle
import random
import socket
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver
from aiohttp.test_utils import unused_port
from fault_server import (
    GOOD,
    PASSING_FAULTS,
    Fault,
    FaultServer,
    num_sockets,
    raw,
    reply,
    stall,
)
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wideseek_env.backends.http import HttpClient, HttpLimits, Patience
from wideseek_env.backends.replies import bearer
from wideseek_env.errors import HttpError

SECRET = "sk-s3cr3t-k3y"


def client_with(**limits: Any) -> HttpClient:
    named = {"backoff_s": 0.001, "max_tries": 3, "try_s": 5.0, **limits}
    return HttpClient(HttpLimits(**named), headers=bearer(SECRET, "SOME_KEY"))


@asynccontextmanager
async def served(**limits: Any) -> AsyncIterator[tuple[FaultServer, HttpClient]]:
    async with FaultServer() as server:
        client = client_with(**limits)
        try:
            yield server, client
        finally:
            await client.close()


async def failing(client: HttpClient, url: str, **options: Any) -> HttpError:
    """The error of a request, whose message any person may read."""
    with pytest.raises(HttpError) as raised:
        await client.post_json(url, {"question": 1}, **options)
    message = str(raised.value)
    assert SECRET not in message + raised.value.text + raised.value.location
    assert message.isprintable()
    assert len(message) < 1_000
    return raised.value


async def test_json_goes_there_and_back() -> None:
    async with served() as (server, client):
        assert await client.post_json(server.url, {"text": "é\ud800"}) == GOOD
        (request,) = server.requests
        assert json.loads(await request.text()) == {"text": "é\ud800"}
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        found = await client.get(server.url, headers={"X-Own": "1"})
        assert (found.status, json.loads(found.body)) == (200, GOOD)
        assert server.requests[1].headers["X-Own"] == "1"
        assert (client.num_requests, client.num_retries) == (2, 0)


@pytest.mark.parametrize("name", PASSING_FAULTS)
async def test_what_may_pass_is_tried_again(name: str) -> None:
    async with served(try_s=0.3 if "stall" in name else 5.0) as (server, client):
        server.script = [PASSING_FAULTS[name]] * 2
        assert await client.post_json(server.url, {}) == GOOD
        assert (client.num_requests, client.num_retries) == (3, 2)


@pytest.mark.parametrize("name", PASSING_FAULTS)
async def test_what_does_not_pass_is_one_error_that_names_the_url(name: str) -> None:
    async with served(max_tries=2, try_s=0.1 if "stall" in name else 5.0) as (server, client):
        server.otherwise = PASSING_FAULTS[name]
        error = await failing(client, f"{server.url}?token={SECRET}")
        assert f"POST {server.url}: no answer after 2 attempts; the last one: " in str(error)
        assert error.passing
        assert len(server.requests) == 2


PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 525, 527, 529, 530)
FINAL = (400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 415, 418, 422, 431, 451, 501, 505, 511)


@pytest.mark.parametrize("status", PASSING)
async def test_statuses_that_may_pass(status: int) -> None:
    async with served() as (server, client):
        server.script = [reply(b"busy", status=status)] * 2
        assert await client.post_json(server.url, {}) == GOOD
        server.script = [reply(b"busy", status=status)] * 3
        error = await failing(client, server.url)
        assert (error.status, error.text, error.passing) == (status, "busy", True)
        assert f"HTTP {status}: busy" in str(error)


@pytest.mark.parametrize("status", FINAL)
async def test_statuses_that_are_final(status: int) -> None:
    async with served() as (server, client):
        server.script = [reply(b"no such model", status=status)]
        error = await failing(client, server.url)
        assert len(server.requests) == 1
        assert (error.status, error.text, error.passing) == (status, "no such model", False)
        assert f"HTTP {status}: no such model; " in str(error)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_redirects_are_shown_and_not_followed(status: int) -> None:
    async with served() as (server, client):
        server.script = [reply(status=status, Location=f"https://u:p@x.org/v1?key={SECRET}")]
        error = await failing(client, server.url)
        assert "points to https://x.org/v1; " in str(error)
        assert error.location == "https://u:p@x.org/v1?key=[key]"
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        reply(b"x" * 200_000),
        reply(gzip.compress(bytes(20_000_000)), Content_Encoding="gzip"),
        reply(zlib.compress(bytes(20_000_000)), Content_Encoding="deflate"),
        raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", stay=True),
    ],
    ids=["plain", "gzip", "deflate", "no length", "length alone"],
)
async def test_reply_that_is_too_large_is_not_read(fault: Fault) -> None:
    async with served(max_bytes=100_000) as (server, client):
        server.script = [fault]
        error = await failing(client, server.url)
        assert "larger than 100,000 bytes" in str(error)
        assert len(server.requests) == 1


async def test_reply_without_end_is_left_at_the_limit() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(10_000))
            await asyncio.sleep(0)

    async with served(max_bytes=100_000) as (server, client):
        server.otherwise = endless
        assert "larger than 100,000 bytes" in str(await failing(client, server.url))


async def test_reply_at_the_limit_is_read() -> None:
    async with served(max_bytes=100_000) as (server, client):
        body = b'{"a": "' + b"x" * 99_991 + b'"}'
        for headers in ({}, {"Content_Encoding": "gzip"}):
            server.script = [reply(gzip.compress(body) if headers else body, **headers)]
            assert len((await client.post_json(server.url, {}))["a"]) == 99_991


async def test_bomb_that_comes_with_a_bad_status_is_cut() -> None:
    async with served() as (server, client):
        bomb = gzip.compress(b"no " * 30_000_000)
        server.script = [reply(bomb, status=400, Content_Encoding="gzip")]
        assert len((await failing(client, server.url)).text) <= 65_536


async def test_retry_after_is_waited_for_in_both_forms() -> None:
    async with served() as (server, client):
        for value, least_s in (("0.4", 0.4), (formatdate(time.time() + 3, usegmt=True), 1.9)):
            server.script = [reply(status=429, Retry_After=value)]
            started_s = time.perf_counter()
            assert await client.post_json(server.url, {}) == GOOD
            assert least_s <= time.perf_counter() - started_s < least_s + 1.5


@pytest.mark.parametrize(
    "value", ["nan", "-5", "soon", "", "-inf", "Wed, 21 Oct 2015 07:28:00 GMT"]
)
async def test_retry_after_that_says_nothing_costs_nothing(value: str) -> None:
    async with served() as (server, client):
        server.script = [reply(status=503, Retry_After=value)]
        started_s = time.perf_counter()
        assert await client.post_json(server.url, {}) == GOOD
        assert time.perf_counter() - started_s < 1.0


@pytest.mark.parametrize(
    "value", ["inf", "1e400", "9" * 400, "3600", "Fri, 01 Jan 9999 00:00:00 GMT"]
)
async def test_retry_after_beyond_the_deadline_ends_the_request_at_once(value: str) -> None:
    async with served(deadline_s=5.0) as (server, client):
        server.script = [reply(b"busy", status=429, Retry_After=value)]
        started_s = time.perf_counter()
        error = await failing(client, server.url)
        assert time.perf_counter() - started_s < 1.0
        assert "the deadline of 5 s leaves no time" in str(error)
        assert error.retry_after_s == 60.0


async def test_longest_pause_bounds_what_is_believed() -> None:
    async with served(max_retry_after_s=0.1) as (server, client):
        server.script = [reply(status=429, Retry_After="3600")]
        started_s = time.perf_counter()
        assert await client.post_json(server.url, {}) == GOOD
        assert 0.1 <= time.perf_counter() - started_s < 2.0


@pytest.mark.parametrize("fault", [stall, raw(b"HTTP/1.1 200 OK\r\n", stay=True)])
async def test_deadline_holds_over_all_tries(fault: Fault) -> None:
    async with served(max_tries=99, try_s=0.2, deadline_s=0.5) as (server, client):
        server.otherwise = fault
        started_s = time.perf_counter()
        error = await failing(client, server.url)
        assert 0.4 <= time.perf_counter() - started_s < 3.0
        assert "no answer after 3 attempts" in str(error)
        started_s = time.perf_counter()
        await failing(client, server.url, patience=Patience(99, 0.1))
        assert time.perf_counter() - started_s < 3.0


async def test_deadline_holds_in_the_queue() -> None:
    async with served(max_per_host=1, try_s=9.0) as (server, client):
        server.otherwise = stall
        first = asyncio.create_task(client.post_json(server.url, {}))
        await asyncio.sleep(0.05)
        started_s = time.perf_counter()
        error = await failing(client, server.url, patience=Patience(3, 0.2))
        assert time.perf_counter() - started_s < 3.0
        assert "the deadline was reached" in str(error)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_patience_is_used_up_by_all_that_share_it() -> None:
    async with served() as (server, client):
        patience = Patience(3)
        server.script = [reply(status=500)]
        await client.post_json(server.url, {}, patience=patience)
        assert patience.tries_left == 1
        server.script = [reply(status=500)]
        error = await failing(client, server.url, patience=patience)
        assert "after 3 attempts; the last one: HTTP 500" in str(error)
        error = await failing(client, server.url, patience=patience)
        assert "after 3 attempts; the last one: not asked" in str(error)
        assert len(server.requests) == 3


async def test_limits_hold_globally_and_for_each_host() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return web.json_response(GOOD)

    async with FaultServer(slow) as one, FaultServer(slow) as other:
        client = client_with(max_in_flight=3, max_per_host=2, try_s=5.0)
        urls = [one.url, one.url, other.url] * 8
        assert await asyncio.gather(*(client.post_json(url, {}) for url in urls)) == [GOOD] * 24
        assert one.max_running == other.max_running == 2
        client_wide = client_with(max_in_flight=3, try_s=5.0)
        one.max_running = 0
        await asyncio.gather(*(client_wide.post_json(one.url, {}) for _ in range(20)))
        assert one.max_running == 3
        await client.close()
        await client_wide.close()


async def test_slow_host_keeps_nobody_from_others() -> None:
    async with FaultServer(stall) as slow, FaultServer() as quick:
        client = client_with(max_in_flight=3, max_per_host=2, try_s=9.0, max_tries=1)
        waiting = [asyncio.create_task(client.post_json(slow.url, {})) for _ in range(10)]
        await asyncio.sleep(0.05)
        started_s = time.perf_counter()
        await client.post_json(quick.url, {})
        assert time.perf_counter() - started_s < 3.0
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await client.close()


async def test_server_that_is_not_there_is_said_while_it_is_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    client = client_with()
    with caplog.at_level(logging.WARNING):
        error = await failing(client, f"{url}?key={SECRET}")
        await failing(client, url)
    assert f"POST {url}: no answer after 3 attempts; the last one: cannot connect" in str(error)
    assert "look whether the server runs" in str(error)
    # Once, and not for each try of each of a thousand agents.
    (line,) = caplog.messages
    assert line.startswith(f"POST {url}: cannot connect")
    assert "trying again in" in line
    assert line.endswith("(try 2 of 3)")


async def test_plain_server_that_is_asked_over_tls_is_named() -> None:
    async with served() as (server, client):
        error = await failing(client, server.url.replace("http://", "https://"))
        assert "cannot connect" in str(error)
        assert client.num_requests == 3


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "localhost:8000/v1", "ftp://x.org", "file:///etc/passwd", "http://", "http:///v1",
        "http://x.org:99999/", "http://x.org:port/", "http://[::1/", "http://a b/", "//x.org",
        f"http://user:{SECRET}@/v1", "http://\ud800.org/", "http://x..org/", "http://127.0.0.1:0/",
        "http://\0/", "http://" + "x" * 300 + "/", "http://xn--a.org/", "http://%zz/",
    ],
)  # fmt: skip
async def test_urls_of_no_server_are_final_or_cannot_be_reached(url: str) -> None:
    client = client_with(max_tries=1)
    error = await failing(client, url)
    assert str(error).startswith("POST")
    await client.close()


async def test_keys_are_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    async with served(max_tries=2) as (server, client):
        echo = f"no such key: {SECRET}, Bearer {SECRET}"
        url = server.url.replace("http://", "http://user:passw0rd@")
        server.script = [reply(f"{echo} passw0rd".encode(), status=500)] * 2
        client._headers = {"X-Key": SECRET}
        error = await failing(client, url + f"/{{}}?key={SECRET}#{SECRET}")
    for shown in (str(error), error.text, *caplog.messages):
        assert SECRET not in shown
        assert "passw0rd" not in shown
        assert "user:" not in shown
    assert "[key]" in str(error)


async def test_text_of_others_steers_no_terminal() -> None:
    async with served() as (server, client):
        server.script = [reply("\x1b[2J\x07\n\u202eevil".encode(), status=400)]
        assert "HTTP 400: [2J evil; " in str(await failing(client, server.url))


LABELS = (
    "undefined", "rot13", "rot_13", "base64", "hex", "zlib", "idna", "punycode", "nul\0l", "utf-99",
    "", '"utf-8"', "UTF8", "ansi_x3.4-1968", "raw_unicode_escape", "x" * 5_000, "mbcs", "é",
)  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
async def test_json_is_utf8_whatever_its_label(label: str) -> None:
    sent = json.dumps({"a": "é長"}, ensure_ascii=False).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(sent)}\r\nContent-Type: application/json; "
    async with served(max_tries=1) as (server, client):
        server.script = [raw(f"{head}charset={label}\r\n\r\n".encode() + sent)]
        if "\0" in label:  # no header may hold one
            await failing(client, server.url)
        else:
            assert await client.post_json(server.url, {}) == {"a": "é長"}
        server.script = [
            raw(f"HTTP/1.1 400 No\r\nContent-Type: text/plain; charset={label}\r\n\r\n".encode())
        ]
        await failing(client, server.url)


async def test_text_follows_a_label_that_python_knows() -> None:
    async with served() as (server, client):
        for label, sent in (("gbk", "长城".encode("gbk")), ("latin-1", "é".encode("latin-1"))):
            server.script = [reply(sent, f"text/html; charset={label}")]
            assert (await client.get(server.url)).text() == sent.decode(label)
        server.script = [reply("长城".encode(), "text/html; charset=undefined")]
        assert (await client.get(server.url)).text() == "长城"
        server.script = [reply(json.dumps({"a": "长"}).encode("utf-16"), "application/json")]
        assert await client.post_json(server.url, {}) == {"a": "长"}


async def test_cancelled_request_ends_at_once_and_gives_its_slot_back() -> None:
    async with served(max_per_host=1, try_s=20.0) as (server, client):
        server.script = [stall]
        task = asyncio.create_task(client.post_json(server.url, {}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await client.post_json(server.url, {}) == GOOD


async def test_close_leaves_no_socket_and_the_client_usable() -> None:
    async with FaultServer() as server:
        client = client_with()
        await client.close()
        before = num_sockets()
        for _ in range(3):
            await asyncio.gather(*(client.post_json(server.url, {}) for _ in range(9)))
            assert num_sockets() > before
            await client.close()
            await client.close()
            await asyncio.sleep(0.05)  # the server closes its own ends
            assert num_sockets() == before


async def test_client_that_is_dropped_leaves_no_socket() -> None:
    async with FaultServer() as server:
        await asyncio.sleep(0.05)
        before = num_sockets()
        for _ in range(3):
            client = client_with()
            await asyncio.gather(*(client.post_json(server.url, {}) for _ in range(9)))
            assert num_sockets() > before
            del client
            gc.collect()
            await asyncio.sleep(0.05)
            assert num_sockets() == before


def test_one_event_loop_after_another_without_close_leaves_no_socket() -> None:
    client = client_with()

    async def ask() -> None:
        async with FaultServer() as server:
            await asyncio.gather(*(client.post_json(server.url, {}) for _ in range(9)))

    asyncio.run(ask())
    before = num_sockets()
    for _ in range(5):
        asyncio.run(ask())
    assert num_sockets() <= before


async def test_event_loops_at_the_same_time() -> None:
    async with FaultServer() as server:
        client = client_with(try_s=5.0)

        async def ask() -> None:
            for _ in range(20):
                assert await client.post_json(server.url, {}) == GOOD

        await asyncio.gather(ask(), *(asyncio.to_thread(asyncio.run, ask()) for _ in range(4)))
        assert client.num_requests == 100
        await client.close()


async def test_close_in_the_middle_of_requests_ends_them_or_starts_them_again() -> None:
    async with served(max_tries=5, try_s=5.0) as (server, client):

        async def slow(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(0.02)
            return web.json_response(GOOD)

        server.otherwise = slow
        tasks = [asyncio.create_task(client.post_json(server.url, {})) for _ in range(20)]
        await asyncio.sleep(0.01)
        await client.close()
        assert await asyncio.gather(*tasks) == [GOOD] * 20


async def test_addresses_come_from_the_resolver_that_is_given() -> None:
    class Elsewhere(ThreadedResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            return await super().resolve("127.0.0.1", port, family)

    async with FaultServer() as server:
        client = HttpClient(resolver=Elsewhere)
        assert await client.post_json(server.url.replace("127.0.0.1", "no.example"), {}) == GOOD
        await client.close()


async def test_copies_have_connections_of_their_own() -> None:
    async with served() as (server, client):
        await client.post_json(server.url, {})
        for other in (copy.deepcopy(client), pickle.loads(pickle.dumps(client))):
            assert await other.post_json(server.url, {}) == GOOD
            await other.close()


@pytest.mark.parametrize(
    "bad",
    [
        {"max_tries": 0}, {"max_in_flight": 0}, {"max_per_host": -1}, {"max_bytes": 0},
        {"try_s": 0}, {"deadline_s": float("nan")}, {"connect_s": -1}, {"backoff_s": -1},
        {"backoff_s": float("inf")}, {"max_retry_after_s": float("nan")},
    ],
)  # fmt: skip
def test_limits_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        HttpLimits(**bad)


@pytest.mark.parametrize("key", ["a\nb", "a\x00", "é", "a\x7f"])
def test_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match=r"\$SOME_KEY must hold") as raised:
        bearer(key, "SOME_KEY")
    assert key not in str(raised.value)
    assert bearer(" abc\n", "SOME_KEY") == {"Authorization": "Bearer abc"}
    assert bearer(None, "SOME_KEY") == bearer(" ", "SOME_KEY") == {}


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Content-Type", "Content-Encoding", "Content-Length", "Retry-After", "Location",
             "Transfer-Encoding", "Date", "Set-Cookie", "Connection", "X"]
        ),
        st.sampled_from(["gzip", "br", "chunked", "-1", "5", "x, y", "application/json", "close"])
        | st.binary(max_size=12).map(lambda raw: raw.decode("latin-1")),
    ),
    max_size=4,
)  # fmt: skip
BODIES = st.binary(max_size=60) | st.sampled_from(
    [b"{}", b'{"a": 1}', b"[1]", gzip.compress(b"{}"), b"5\r\n{}   \r\n0\r\n\r\n", b"[" * 5_000]
)


@pytest.mark.hypothesis
def test_no_bytes_of_any_server_are_more_than_an_error() -> None:
    async def play(status: int, headers: list[tuple[str, str]], body: bytes, whole: bool) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers)]
        if whole:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        async with FaultServer(raw(head + body)) as server:
            client = client_with(max_tries=1, max_bytes=5_000, try_s=2.0)
            try:
                assert isinstance(await client.post_json(server.url, {}), dict)
            except HttpError as error:
                assert str(error).startswith(f"POST {server.url}: ")  # noqa: PT017
                assert str(error).isprintable()  # noqa: PT017
            await client.close()

    statuses = st.sampled_from([200, 201, 204, 206, 301, 304, 400, 429, 500, 522, 99, 999])

    @settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
    @given(statuses, HEADERS, BODIES, st.booleans())
    def fuzz(status: int, headers: list[tuple[str, str]], body: bytes, whole: bool) -> None:
        asyncio.run(play(status, headers, body, whole))

    fuzz()


@pytest.mark.slow
async def test_soak_counts_add_up_and_nothing_is_left() -> None:
    """Thousands of requests under all faults: each ends in time, with its own reply or an error."""
    rng = random.Random(5)
    faults = [f for name, f in PASSING_FAULTS.items() if "stall" not in name]
    faults += [reply(status=s, Retry_After=v) for s, v in ((429, "0"), (503, "nan"), (522, "-1"))]
    faults += [reply(status=400), reply(status=301, Location="/x")]
    played: Counter[str] = Counter()

    async def echo(request: web.Request) -> web.StreamResponse:
        if rng.random() < 0.4:
            played["fault"] += 1
            return await rng.choice(faults)(request)
        if rng.random() < 0.0005:
            played["fault"] += 1
            return await stall(request)
        played["good"] += 1
        return web.json_response(await request.json())

    async with FaultServer(echo) as server:
        client = client_with(max_in_flight=64, max_tries=4, try_s=2.0, deadline_s=30.0)
        before = num_sockets()

        async def ask(number: int) -> str:
            started_s = time.perf_counter()
            try:
                answer = await client.post_json(server.url, {"number": number})
                assert answer == {"number": number}
                return "good"
            except HttpError:
                return "error"
            finally:
                assert time.perf_counter() - started_s < 31.0

        ends: Counter[str] = Counter()
        for start in range(0, 4_000, 1_000):
            ends += Counter(await asyncio.gather(*map(ask, range(start, start + 1_000))))
        await client.close()
        await asyncio.sleep(0.1)
        assert ends.total() == 4_000
        assert ends["good"] == played["good"]
        assert client.num_requests == played.total() == len(server.requests)
        assert client.num_retries == client.num_requests - 4_000
        assert num_sockets() <= before
        assert len(asyncio.all_tasks()) <= 2
