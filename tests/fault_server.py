"""A server on loopback that fails in every way a server can, on request."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

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
        await self._running.start_server(shutdown_timeout=0.1)
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


_Server = TypeVar("_Server", bound=AbstractAsyncContextManager[Any])


@contextmanager
def in_a_thread(server: _Server) -> Iterator[_Server]:
    """Runs a server beside a program that has its own event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10.0)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10.0)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def completion(content: object, **fields: Any) -> dict[str, Any]:
    """A chat completion; `fields` are further ones of its choice."""
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {"choices": [choice | fields], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


def _part(text: str, kind: str = "text") -> dict[str, Any]:
    return {"type": kind, "text": text}


def contents(said: str, draft: str) -> dict[str, object]:
    """Forms of `content` that say `said`, some with `draft` in their thinking."""
    return {
        "text": said,
        "a part": [_part(said)],
        "parts": [_part(said[:4]), _part(said[4:])],
        "a part of text alone": [said],
        "a part without a kind": [{"text": said}],
        "output text": [_part(said, "output_text")],
        "empty part": [_part(""), _part(said)],
        "thinking of parts": [{"type": "thinking", "thinking": [_part(draft)]}, _part(said)],
        "thinking of text": [{"type": "thinking", "thinking": draft}, _part(said)],
        "reasoning": [{"type": "reasoning", "text": draft}, _part(said)],
        "thinking after": [_part(said), {"type": "thinking", "thinking": draft}],
        "text of parts": [{"type": "text", "text": [_part(said)]}],
        "a picture beside": [{"type": "image_url", "image_url": {"url": draft}}, _part(said)],
        "thinking of nothing": [{"type": "thinking", "thinking": None}, _part(said)],
    }


NO_CONTENTS: dict[str, object] = {
    "number": 5,
    "fraction": 0.5,
    "true": True,
    "false": False,
    "object": {"value": "fine"},
    "a list of numbers": [1, 2],
    "a list of null": [None],
    "a list of lists": [["fine"]],
    "infinity": float("inf"),
    "large": 10**30,
}
"""Forms of `content` that say nothing."""


def deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


NO_COMPLETIONS: dict[str, object] = {
    "empty": {},
    "no choices": {"choices": []},
    "null choices": {"choices": None},
    "choices of text": {"choices": "fine"},
    "a number in choices": {"choices": [5]},
    "null in choices": {"choices": [None]},
    "choices as an object": {"choices": {"0": {}}},
    "no message": {"choices": [{"text": "fine"}]},
    "null message": {"choices": [{"message": None}]},
    "message of text": {"choices": [{"message": "fine"}]},
    "message of parts": {"choices": [{"message": [_part("fine")]}]},
    "error for an answer": {"error": {"message": "overloaded", "code": 200}},
    "deep": {"choices": deep(500)},
}
"""Answers that are JSON objects and no chat completions."""

USAGES: dict[str, object] = {
    "none": None,
    "text": "many",
    "list": [],
    "texts": {"prompt_tokens": "many", "completion_tokens": None},
    "infinite": {"prompt_tokens": float("inf"), "completion_tokens": float("nan")},
    "negative": {"prompt_tokens": -5, "completion_tokens": -1},
    "too large": {"prompt_tokens": 10**40, "completion_tokens": 1e300},
    "objects": {"prompt_tokens": {}, "completion_tokens": []},
    "details of text": {"prompt_tokens": 5, "prompt_tokens_details": "x"},
    "cached of text": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": "x"}},
    "more cached than sent": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}},
}
"""Forms of `usage`; none of them is worth an episode."""
