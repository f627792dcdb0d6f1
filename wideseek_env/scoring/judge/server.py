"""The judge's line to its server: one question, asked again until the reply is usable.

`Judge` decides what to ask and what a usable reply is; nothing here knows of tables.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import aiohttp

from wideseek_env.errors import ScoringError

_Reply = TypeVar("_Reply")

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses after which the same request may succeed."""
_MAX_RETRY_AFTER_S = 60.0
"""What a server may ask us to wait; more is not believed."""
_AGAIN = "That was not the JSON object asked for ({problem}). Reply with the JSON object alone."


@dataclass(slots=True)
class JudgeUsage:
    """What a judge was asked and what it took."""

    num_questions: int = 0
    """Cells and keys that the rules left open."""
    num_cached: int = 0
    """Of those, answered by the cache."""
    num_accepted: int = 0
    """Of all, how many the judge found equal though the rules had not: how far it disagrees."""
    num_requests: int = 0
    """HTTP requests, repeated ones included."""
    num_retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Failed(Exception):
    """An attempt failed for a passing reason."""

    def __init__(self, problem: str, pause_s: float | None = None) -> None:
        super().__init__(problem)
        self.pause_s = pause_s


class ChatServer:
    """Asks an OpenAI-compatible server; the arguments are `Judge`'s."""

    def __init__(
        self,
        url: str,
        model: str,
        usage: JudgeUsage,
        *,
        key_variable: str,
        max_in_flight: int,
        max_retries: int,
        backoff_s: float,
        timeout_s: float,
    ) -> None:
        if max_in_flight < 1 or max_retries < 0:
            raise ValueError(
                "`max_in_flight` must be at least 1 and `max_retries` at least 0, got "
                f"{max_in_flight!r} and {max_retries!r}"
            )
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._usage = usage
        self._key = os.environ.get(key_variable)
        self._max_retries = max_retries
        self._backoff_s = backoff_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._max_in_flight = max_in_flight
        self._slots = asyncio.Semaphore(max_in_flight)
        self._session: aiohttp.ClientSession | None = None
        self._num_users = 0
        """Calls of `ask` that are running."""

    async def close(self) -> None:
        """Closes the connections; the next question opens others."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, system: str, user: str, read: Callable[[str], _Reply]) -> _Reply:
        """Returns what `read` makes of the reply.

        Args:
            system: the system message.
            user: the user's message.
            read: raises ValueError on a reply that is not usable; the model is told so once more
                at each further attempt.

        Raises:
            ScoringError: there was no usable reply in all attempts, or the server refuses.
        """
        if self._num_users == 0:  # connections and slots belong to one event loop, a run's
            self._slots = asyncio.Semaphore(self._max_in_flight)
        self._num_users += 1
        try:
            return await self._ask(system, user, read)
        finally:
            self._num_users -= 1
            if self._num_users == 0:
                await self.close()

    async def _ask(self, system: str, user: str, read: Callable[[str], _Reply]) -> _Reply:
        question = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        messages, problem = question, ""
        for attempt in range(self._max_retries + 1):
            self._usage.num_retries += attempt > 0
            pause_s = self._backoff_s * 2**attempt * random.uniform(0.5, 1.0)
            try:
                async with self._slots:
                    reply = await self._attempt(messages)
                return read(reply)
            except _Failed as error:
                problem = str(error)
                pause_s = pause_s if error.pause_s is None else error.pause_s
            except ValueError as error:
                problem = f"{error}, in the reply {reply[:100]!r}"
                messages = [*question, {"role": "user", "content": _AGAIN.format(problem=error)}]
                pause_s = 0.0
            if attempt < self._max_retries:
                await asyncio.sleep(pause_s)
        raise ScoringError(
            f"judge {self._model} at {self._url} gave no usable reply in {self._max_retries + 1} "
            f"attempts; the last time: {problem}"
        )

    async def _attempt(self, messages: list[dict[str, str]]) -> str:
        """Returns the text of one reply.

        Raises:
            _Failed: another attempt may succeed.
            ScoringError: none can.
        """
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._session = aiohttp.ClientSession(headers=headers, timeout=self._timeout)
        body = {"model": self._model, "temperature": 0, "messages": messages}
        self._usage.num_requests += 1
        try:
            async with self._session.post(self._url, json=body) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            raise _Failed(f"{type(error).__name__}: {error}") from error
        if response.status in _PASSING:
            pause_s = _retry_after(response.headers.get("Retry-After"))
            raise _Failed(f"HTTP {response.status}: {text[:200]}", pause_s)
        if response.status != 200:
            raise ScoringError(
                f"judge {self._model} at {self._url} refused with HTTP {response.status}: "
                f"{text[:200]!r}; check its URL, the model's name and the key"
            )
        try:
            answer = json.loads(text)
            content = answer["choices"][0]["message"]["content"]
            usage = answer.get("usage") or {}
            self._usage.prompt_tokens += int(usage.get("prompt_tokens") or 0)
            self._usage.completion_tokens += int(usage.get("completion_tokens") or 0)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _Failed(f"not a chat completion: {text[:100]!r}") from error
        if not isinstance(content, str):
            raise _Failed(f"a chat completion without text: {text[:100]!r}")
        return content


def _retry_after(value: str | None) -> float | None:
    """Returns the seconds of a Retry-After header; dates and nonsense are left to the backoff."""
    try:
        return min(max(float(value or ""), 0.0), _MAX_RETRY_AFTER_S)
    except ValueError:
        return None
