"""A small OpenAI-compatible server on loopback that misbehaves on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from agents.llm.tokenizers import ByteTokenizer

TOKENIZER = ByteTokenizer()

Reply = Callable[[str], str]


class ChatServer:
    """Answers what `reply` makes of the prompt; `faults` are used up first, one a request.

    A fault is "slow", "half" (JSON that ends early), "drop" (the connection is cut), "list" (JSON
    of another kind), "empty", or an HTTP status; ("429", {"Retry-After": "0.2"}) has headers.

    Args:
        reply: from the prompt as text to the turn.
        ids: whether it tells token ids, as vLLM does.
    """

    def __init__(self, reply: Reply, *, ids: bool = True) -> None:
        self.faults: list[Any] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.running = 0
        self.max_running = 0
        self.slow_s = 1.0
        self.alive = True
        """False: every connection is cut, as when the process behind it has died."""
        self.models = ["tiny"]
        self.port = 0
        self._reply = reply
        self._ids = ids
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/completions", self._serve)
        app.router.add_post("/v1/chat/completions", self._serve)
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    async def __aenter__(self) -> ChatServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _models(self, request: web.Request) -> web.Response:
        data = [{"id": name, "object": "model"} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        try:
            return await self._answer(request, self.bodies[-1])
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        fault = "drop" if not self.alive else self.faults.pop(0) if self.faults else None
        good = self._good(body)
        if fault is None:
            await asyncio.sleep(0.005)
            return await _streamed(request, good) if body.get("stream") else web.json_response(good)
        if fault == "slow":
            await asyncio.sleep(self.slow_s)
            return web.json_response(good)
        if fault == "half":
            return web.Response(text=json.dumps(good)[:40], content_type="application/json")
        if fault == "list":
            return web.json_response([good])
        if fault == "empty":
            return web.json_response({"choices": []})
        if fault == "drop":
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        status, headers = fault if isinstance(fault, tuple) else (fault, {})
        text = headers.pop("text", "no")
        return web.Response(status=int(status), text=text, headers=headers)

    def _good(self, body: dict[str, Any]) -> dict[str, Any]:
        if "prompt" in body:
            prompt = list(body["prompt"])
            text = self._reply(TOKENIZER.decode(prompt))
        else:
            prompt = TOKENIZER.encode(TOKENIZER.render(body["messages"]))
            text = self._reply(TOKENIZER.decode(prompt))
        ids = [*TOKENIZER.encode(text), 257][: body.get("max_tokens")]
        finish = "stop" if ids[-1] == 257 else "length"
        usage = {
            "prompt_tokens": len(prompt),
            "completion_tokens": len(ids),
            "prompt_tokens_details": {"cached_tokens": 3},
        }
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        told = {"token_ids": ids} if self._ids else {}
        if "prompt" in body:
            choice |= told | {"text": text, "logprobs": {"token_logprobs": [-0.25] * len(ids)}}
            if self._ids:
                choice["prompt_token_ids"] = prompt
            return {"choices": [choice], "usage": usage}
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if text.startswith("{"):  # a message of its own: native tool calls, reasoning
            message = json.loads(text)
        choice |= told | {
            "message": message,
            "logprobs": {"content": [{"logprob": -0.25} for _ in ids]},
        }
        answer: dict[str, Any] = {"choices": [choice], "usage": usage}
        if self._ids:
            answer["prompt_token_ids"] = prompt
        return answer


async def _streamed(request: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
    """Sends a chat answer as server-sent events: the text in two pieces, then the end and usage."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    (choice,) = answer["choices"]
    text = choice["message"]["content"]
    shared = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny"}
    deltas = [{"role": "assistant", "content": text[:5]}, {"content": text[5:]}, {}]
    for delta in deltas:
        end = None if delta else choice["finish_reason"]
        part = {"index": 0, "delta": delta, "finish_reason": end}
        chunk = {**shared, "choices": [part]}
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    usage = {**answer["usage"], "total_tokens": 1}
    chunk = {**shared, "choices": [], "usage": usage}
    await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response
