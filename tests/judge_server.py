"""A server on loopback for the judge: it plays a script, then answers rightly."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from wideseek_env.scoring.judge.judge import Judge

Reply = web.StreamResponse
Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[Reply]]


def chat(content: object) -> web.Response:
    text = content if isinstance(content, str) else json.dumps(content)
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    return web.json_response({"choices": [{"message": {"content": text}}], "usage": usage})


def verdicts_of(body: dict[str, Any]) -> dict[str, Any]:
    """Answers rightly: cells are the same when they begin with the same letter; so are names."""
    data = json.loads(body["messages"][1]["content"])
    if "pairs" in data:
        return {
            "verdicts": {
                number: pair["answer"][:1].lower() == pair["reference"][:1].lower()
                for number, pair in data["pairs"].items()
            }
        }
    first = {name[:1].lower(): int(number) for number, name in data["references"].items()}
    return {"matches": {n: first.get(q["name"][:1].lower()) for n, q in data["names"].items()}}


async def honest(request: web.Request, body: dict[str, Any]) -> Reply:
    return chat(verdicts_of(body))


async def error_500(request: web.Request, body: dict[str, Any]) -> Reply:
    return web.Response(status=500, text="out of memory")


class JudgeServer:
    """Plays the behaviours one after the other, then answers as `otherwise` does."""

    def __init__(self) -> None:
        self.script: list[Behaviour] = []
        self.otherwise: Behaviour = honest
        self.bodies: list[dict[str, Any]] = []
        self.url = ""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._handle)
        self._running = TestServer(app)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What each request was about."""
        return [json.loads(body["messages"][1]["content"]) for body in self.bodies]

    async def __aenter__(self) -> JudgeServer:
        await self._running.start_server()
        self.url = str(self._running.make_url("/v1"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.close()

    async def _handle(self, request: web.Request) -> Reply:
        body = await request.json()
        self.bodies.append(body)
        behaviour = self.script.pop(0) if self.script else self.otherwise
        return await behaviour(request, body)


def judge_at(server: JudgeServer, **options: Any) -> Judge:
    return Judge(server.url, "m", **{"backoff_s": 0.001, "max_retries": 3, **options})
