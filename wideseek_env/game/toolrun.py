"""Carries out calls for information against a backend, at the same time, each with a deadline.

Called by `episode.py`, which has checked the calls before.
"""

from __future__ import annotations

import asyncio
import time

from wideseek_env.backends import Backend
from wideseek_env.errors import BackendError, ToolError, contained
from wideseek_env.game.tools import ToolOutput, tools_of
from wideseek_env.jsonlines import utf8
from wideseek_env.records import Limits, ResultStatus, ToolCall, ToolResult


class ToolRunner:
    """Answers tool calls from a backend, within an episode's limits."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits
        self._tools = tools_of("subagent", limits, n_subagents=1)

    async def run(self, calls: list[ToolCall]) -> list[ToolResult]:
        """Gives the answers to calls for information, in their order.

        Raises:
            BackendError: the backend is broken; raised once every call has come to its end.
        """
        if len(calls) <= 1:
            return [await self._run_one(call) for call in calls]
        # gather waits for all even when one has failed: no call outlives its turn.
        answers = await asyncio.gather(
            *(self._run_one(call) for call in calls), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if isinstance(answer, ToolResult)]

    async def _run_one(self, call: ToolCall) -> ToolResult:
        start_s = time.perf_counter()
        status: ResultStatus
        try:
            async with asyncio.timeout(self._limits.tool_timeout_s):
                output, status = await self._ask(call), "ok"
        except TimeoutError:
            text = f"`{call.name}` gave no answer within {self._limits.tool_timeout_s:g} s."
            output, status = ToolOutput(text), "failed"
        except ToolError as error:
            output, status = ToolOutput(utf8(str(error))), "failed"
        seconds = time.perf_counter() - start_s
        return ToolResult(output.text, status, call, output.urls, seconds)

    async def _ask(self, call: ToolCall) -> ToolOutput:
        run = self._tools[call.name].run
        if run is None:
            raise RuntimeError(f"`{call.name}` steers the game, no tool answers it")
        with contained(BackendError, f"the backend, asked to `{call.name}`,"):
            output = await run(self._backend, call.arguments, self._limits)
        texts = (output.text, *output.urls)
        if not all(isinstance(text, str) for text in texts):
            raise BackendError(
                f"expected a text and URLs as the answer to `{call.name}`, got {texts!r:.200}; "
                "every hit and page needs a URL, a title and a text"
            )
        return ToolOutput(utf8(output.text), tuple(map(utf8, output.urls)))
