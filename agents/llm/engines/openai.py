"""The OpenAI engine: any server that speaks the OpenAI API (vLLM, SGLang, llama.cpp, hosted ones).

Two ways to use a server:

- with `tokenizer`: prompts are sent as ids to `/completions`, and the server answers ids. This is
  token-exact and needs `return_token_ids`, which vLLM has since 0.10.2.
- without: messages are sent to `/chat/completions`. With `token_ids=True` the server is asked for
  ids there as well, and refused when it gives none; without, episodes can be scored but not trained
  on.

A request that fails for a passing reason is sent again, a bounded number of times; when the server
stays away, the episodes in flight become invalid, and are played again when the run is resumed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from agents.llm.engines import Completion, ContextOverflow, Request
from agents.llm.tokenizers import Tokenizer
from wideseek_env.errors import PolicyError

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses after which the same request may succeed."""
_TOO_LONG = re.compile(r"context.{0,12}length|maximum context|too long", re.IGNORECASE)
_MAX_RETRY_AFTER_S = 60.0
"""What a server may ask us to wait; more is not believed."""


class OpenAIEngine:
    """Asks a server.

    Args:
        model: what the server calls the model.
        base_url: up to and including `/v1`.
        tokenizer: of the model; then prompts are sent as ids.
        token_ids: without a tokenizer: ask the server for the ids (vLLM).
        logprobs: without a tokenizer: ask the server for log-probabilities.
        key_variable: environment variable that holds the key; none is sent when it is not set.
        max_in_flight: requests that are sent at once, at least 1; more wait here.
        max_retries: further attempts after a passing failure, at least 0.
        backoff_s: pause before the first further attempt; doubles each time, with jitter.
        timeout_s: of one attempt.
        extra: further fields of every request, for example `{"top_k": 20}`.

    Raises:
        ValueError: a bound is out of range, or `base_url` is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = "http://127.0.0.1:8000/v1",
        tokenizer: Tokenizer | None = None,
        token_ids: bool = False,
        logprobs: bool = False,
        key_variable: str = "OPENAI_API_KEY",
        max_in_flight: int = 256,
        max_retries: int = 6,
        backoff_s: float = 0.5,
        timeout_s: float = 300.0,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if max_in_flight < 1 or max_retries < 0:
            raise ValueError(
                "`max_in_flight` must be at least 1 and `max_retries` at least 0, got "
                f"{max_in_flight!r} and {max_retries!r}"
            )
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(
                f"`base_url` must begin with http:// or https://, got {base_url!r}; for example "
                "http://127.0.0.1:8000/v1"
            )
        self.name = f"openai {model}"
        self.tokenizer = tokenizer
        self.max_context_tokens: int | None = None
        self.num_retries = 0
        """Attempts that were made again since the engine was made."""
        self._model = model
        self._url = base_url.rstrip("/")
        self._token_ids = token_ids
        self._logprobs = logprobs
        self._key_variable = key_variable
        self._max_in_flight = max_in_flight
        self._max_retries = max_retries
        self._backoff_s = backoff_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._extra = dict(extra or {})
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(max_in_flight)
        self._num_users = 0
        """Calls of `generate` that are running."""

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns one completion for each request, in their order.

        Raises:
            ContextOverflow: the server says that a prompt is too long.
            PolicyError: the server refuses, does not answer after all attempts, or answers
                something that this engine cannot use.
        """
        if self._num_users == 0:
            self._open()
        self._num_users += 1
        try:
            return list(await asyncio.gather(*(self._complete(request) for request in requests)))
        finally:
            self._num_users -= 1
            if self._num_users == 0 and self._session is not None:
                await self._session.close()

    async def close(self) -> None:
        """Does nothing: connections live as long as requests are in flight."""

    def _open(self) -> None:
        # Not kept for longer: a run after this one has another event loop.
        key = os.environ.get(self._key_variable)
        self._slots = asyncio.Semaphore(self._max_in_flight)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_in_flight),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self._timeout,
        )

    async def _complete(self, request: Request) -> Completion:
        if self.tokenizer is None:
            path, body, read = "/chat/completions", self._chat_body(request), self._read_chat
        else:
            path, body, read = "/completions", self._token_body(request), self._read_tokens
        answer = await self._post(path, {**body, **self._extra})
        try:
            return read(answer)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            text = json.dumps(answer)[:200]
            raise PolicyError(f"{self.name}: not the answer of {path}: {text}") from error

    # What is sent.

    def _body(self, request: Request) -> dict[str, Any]:
        return {
            "model": self._model,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
        }

    def _chat_body(self, request: Request) -> dict[str, Any]:
        body = self._body(request) | {"messages": list(request.messages)}
        if request.tools:
            body["tools"] = list(request.tools)
        if self._logprobs:
            body["logprobs"] = True
        if self._token_ids:
            body["return_token_ids"] = True
        return body

    def _token_body(self, request: Request) -> dict[str, Any]:
        stop_ids = self.tokenizer.stop_ids if self.tokenizer else ()
        return self._body(request) | {
            "prompt": list(request.prompt_ids),
            "logprobs": 1,
            "return_token_ids": True,
            "stop_token_ids": sorted(stop_ids),
            "skip_special_tokens": False,
        }

    # What comes back.

    def _read_chat(self, answer: Mapping[str, Any]) -> Completion:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        ids, prompt_ids = choice.get("token_ids"), answer.get("prompt_token_ids")
        if self._token_ids and (ids is None or prompt_ids is None):
            raise PolicyError(
                f"{self.name}: expected `token_ids` and `prompt_token_ids` in the answer, which "
                "the server does not give; use vLLM 0.10.2 or later, or leave `token_ids` out: "
                "episodes then have no tokens and can be scored but not trained on"
            )
        message = choice["message"]
        content = message.get("content") or ""
        thinking = message.get("reasoning_content") or message.get("reasoning")
        if message.get("tool_calls"):
            kept = {"content": message.get("content"), "tool_calls": message["tool_calls"]}
            text = json.dumps(kept, ensure_ascii=False)
        else:
            text = f"<think>{thinking}</think>{content}" if thinking else content
        logprobs = (choice.get("logprobs") or {}).get("content") or ()
        return Completion(
            text=text,
            ids=tuple(ids or ()),
            logprobs=tuple(item["logprob"] for item in logprobs),
            finish="length" if choice.get("finish_reason") == "length" else "stop",
            prompt_ids=None if prompt_ids is None else tuple(prompt_ids),
            **_counts(usage),
        )

    def _read_tokens(self, answer: Mapping[str, Any]) -> Completion:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        if self.tokenizer is None or choice.get("token_ids") is None:
            raise PolicyError(
                f"{self.name}: expected `token_ids` in the answer, which the server does not give; "
                "use vLLM 0.10.2 or later, or leave `tokenizer` out and play by messages"
            )
        ids = tuple(choice["token_ids"])
        logprobs = (choice.get("logprobs") or {}).get("token_logprobs") or ()
        stopped = choice.get("finish_reason") != "length"
        text_ids = ids[:-1] if ids and ids[-1] in self.tokenizer.stop_ids else ids
        prompt_ids = choice.get("prompt_token_ids")
        return Completion(
            text=self.tokenizer.decode(text_ids),
            ids=ids,
            logprobs=tuple(logprobs) if len(logprobs) == len(ids) else (),
            finish="stop" if stopped else "length",
            prompt_ids=None if prompt_ids is None else tuple(prompt_ids),
            **_counts(usage),
        )

    # Getting it there.

    async def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the server's answer; tries again after failures that may pass."""
        last = ""
        async with self._slots:
            for attempt in range(self._max_retries + 1):
                asked_s = 0.0
                try:
                    status, asked_s, text = await self._send(path, body)
                    if status == 200:
                        answer = json.loads(text)
                        if isinstance(answer, dict):
                            return answer
                    last = f"HTTP {status}: {text[:200]}"
                    if status == 400 and _TOO_LONG.search(text):
                        raise ContextOverflow(f"{self.name}: {last}")
                    if status not in _PASSING and status != 200:
                        raise PolicyError(f"{self.name} at {self._url}: {last}")
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    last = f"{type(error).__name__}: {error}"
                if attempt < self._max_retries:
                    self.num_retries += 1
                    await asyncio.sleep(max(asked_s, self._pause_s(attempt)))
        raise PolicyError(
            f"{self.name} at {self._url}: no answer after {self._max_retries + 1} attempts; "
            f"the last one: {last}"
        )

    async def _send(self, path: str, body: Mapping[str, Any]) -> tuple[int, float, str]:
        """Returns status, seconds that the server asks us to wait, and the body."""
        if self._session is None:
            raise PolicyError(f"{self.name}: asked outside of `generate`")
        async with self._session.post(self._url + path, json=body) as response:
            text = await response.text()
            return response.status, _retry_after_s(response.headers.get("Retry-After")), text

    def _pause_s(self, attempt: int) -> float:
        # Jitter, so that many agents that failed together do not come back together. It decides
        # when a request is sent and nothing that is in an episode, so it needs no seed.
        pause_s: float = min(30.0, self._backoff_s * 2**attempt) * random.uniform(0.5, 1.5)
        return pause_s


def _retry_after_s(header: str | None) -> float:
    """Returns the seconds of a `Retry-After`; 0 for none, and for a date, which nobody sends."""
    try:
        return min(max(float(header or 0), 0.0), _MAX_RETRY_AFTER_S)
    except ValueError:
        return 0.0


def _counts(usage: Mapping[str, Any]) -> dict[str, int]:
    details = usage.get("prompt_tokens_details") or {}
    return {
        "num_prompt_tokens": int(usage.get("prompt_tokens") or 0),
        "num_new_tokens": int(usage.get("completion_tokens") or 0),
        "num_cached_tokens": int(details.get("cached_tokens") or 0),
    }
