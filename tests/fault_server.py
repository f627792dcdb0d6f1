"""A server on loopback that fails in every way a server can, on request."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]
GOOD = {"answer": "good"}


class FaultServer:
    """Plays `script`, one fault a request, then answers as `otherwise` does."""

    def __init__(self, otherwise: Fault | None = None) -> None:
        self.script: list[Fault] = []
        self.otherwise = otherwise or json_of(GOOD)
        self.requests: list[web.BaseRequest] = []
        self.running = 0
        self.max_running = 0
        self.url = ""
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._running = TestServer(app)

    async def __aenter__(self) -> FaultServer:
        await self._running.start_server(shutdown_timeout=0.0)
        self.url = str(self._running.make_url("/v1"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.requests.append(request)
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        fault = self.script.pop(0) if self.script else self.otherwise
        try:
            return await fault(request)
        finally:
            self.running -= 1


def json_of(value: object, **options: Any) -> Fault:
    return reply(json.dumps(value).encode(), "application/json", **options)


def reply(body: bytes = b"", content_type: str = "", status: int = 200, **headers: str) -> Fault:
    """A whole reply; the label is sent as it is, and so is every header (`_` for `-`)."""

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type:
            named["Content-Type"] = content_type
        return web.Response(status=status, body=body, headers=named)

    return answer


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def stall(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30.0)
    return web.Response()


def raw(sent: bytes, *, stay: bool = False) -> Fault:
    """Bytes in place of HTTP, and then the end (or nothing more)."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(sent)
        if stay:
            await asyncio.sleep(30.0)
        request.transport.close()
        return web.Response()

    return answer


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PASSING_FAULTS: dict[str, Fault] = {
    "reset": reset,
    "hang up": hang_up,
    "stall": stall,
    "stall within the body": raw(HEAD + b"Content-Length: 90\r\n\r\n{", stay=True),
    "half a body": raw(HEAD + b'Content-Length: 90\r\n\r\n{"answer": '),
    "half a chunk": raw(HEAD + b'Transfer-Encoding: chunked\r\n\r\n40\r\n{"answer"'),
    "half a body without a length": raw(HEAD + b'\r\n{"answer": "go'),
    "no HTTP": raw(b"\x15\x03\x01\x00\x02\x02\x50 what?\r\n\r\n"),
    "chunk of no number": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "header without end": raw(HEAD + b"X: " + b"x" * 100_000),
    "no gzip": reply(b"no gzip at all", Content_Encoding="gzip"),
    "half a gzip": raw(
        HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(json.dumps(GOOD).encode())[:-14]
    ),
    "empty": reply(b""),
    "HTML": reply(b"<html><h1>504 Gateway Time-out</h1>", "text/html"),
    "a list": json_of([GOOD]),
    "a text": json_of("good"),
    "null": json_of(None),
    "half a JSON": reply(b'{"answer": "go', "application/json"),
    "two JSON": reply(b'{"answer": 1}{"answer": 2}', "application/json"),
    "brackets": reply(b"[" * 200_000, "application/json"),
    "braces": reply(b'{"a":' * 200_000, "application/json"),
    "a key twice": reply(b'{"answer": "good", "answer": "bad"}', "application/json"),
    "digits without end": reply(b'{"answer": ' + b"1" * 9_000 + b"}", "application/json"),
    "bytes of no text": reply(b'{"answer": "\xff\xfe\xff"', "application/json"),
    "nothing (204)": reply(status=204),
}


def num_sockets() -> int:
    """Sockets that this process holds."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:  # the folder's own, gone by now
            continue
    return count
