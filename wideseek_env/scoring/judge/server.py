"""The judge's line to its server: one question, asked again until the reply is usable.

`Judge` decides what to ask and what a usable reply is; nothing here knows of tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from wideseek_env.backends.http import HttpClient, HttpLimits, Patience
from wideseek_env.backends.replies import bearer, check_url, count, message_text, shown_url
from wideseek_env.errors import HttpError, ScoringError

_Reply = TypeVar("_Reply")

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
        check_url(url, "url")
        if max_retries < 0:
            raise ValueError(f"`max_retries` must be at least 0, got {max_retries!r}")
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._usage = usage
        self._max_tries = max_retries + 1
        limits = HttpLimits(max_in_flight=max_in_flight, backoff_s=backoff_s, try_s=timeout_s)
        self._client = HttpClient(
            limits, headers=bearer(os.environ.get(key_variable), key_variable)
        )

    async def close(self) -> None:
        """Closes the connections; the next question opens others."""
        await self._client.close()

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
        question = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        messages, problem, patience = question, "", Patience(self._max_tries)
        while patience.tries_left:
            answer = await self._send(messages, patience)
            try:
                reply = _content(answer)
            except ValueError as error:
                problem = str(error)
                continue
            try:
                return read(reply)
            except ValueError as error:
                problem = f"{error}, in the reply {reply[:100]!r}"
                messages = [*question, {"role": "user", "content": _AGAIN.format(problem=error)}]
        raise ScoringError(
            f"judge {self._model} at {shown_url(self._url)} gave no usable reply in "
            f"{self._max_tries} attempts; the last time: {problem}; look whether this model can "
            "answer in JSON, or take another"
        )

    async def _send(self, messages: list[dict[str, str]], patience: Patience) -> dict[str, Any]:
        body = {"model": self._model, "temperature": 0, "messages": messages}
        tries_left = patience.tries_left
        try:
            answer = await self._client.post_json(self._url, body, patience=patience)
        except HttpError as error:
            raise ScoringError(f"judge {self._model}: {error}") from error
        finally:
            # The first try of all is the question; whatever follows is asked again.
            self._usage.num_requests += tries_left - patience.tries_left
            first = tries_left == self._max_tries
            self._usage.num_retries += tries_left - patience.tries_left - first
        usage = answer.get("usage")
        if isinstance(usage, dict):
            self._usage.prompt_tokens += count(usage.get("prompt_tokens"))
            self._usage.completion_tokens += count(usage.get("completion_tokens"))
        return answer


def _content(answer: dict[str, Any]) -> str:
    """The text of a chat completion, without what stands apart as thinking.

    Raises:
        ValueError: it is none, or has no text.
    """
    try:
        content = answer["choices"][0]["message"]["content"]
    except (LookupError, TypeError) as error:
        raise ValueError(f"not a chat completion: {str(answer)[:100]!r}") from error
    text = message_text(content)[1]
    if not text.strip():
        raise ValueError(f"a chat completion without text: {str(answer)[:100]!r}")
    return text
