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

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agents.llm.engines import Completion, ContextOverflow, Request
from agents.llm.engines.fleet import Fleet
from agents.llm.engines.openai_reply import read_chat, read_tokens
from agents.llm.tokenizers import Tokenizer
from wideseek_env.backends.http import HttpClient, HttpLimits, together
from wideseek_env.backends.replies import bearer, check_url, shown_url
from wideseek_env.errors import HttpError, PolicyError

_TOO_LONG = re.compile(r"context.{0,12}length|maximum context|too long", re.IGNORECASE)


class OpenAIEngine:
    """Asks a server.

    Args:
        model: what the server calls the model.
        base_url: up to and including `/v1`; of several servers, see `fleet.py`.
        tokenizer: of the model; then prompts are sent as ids.
        token_ids: without a tokenizer: ask the server for the ids (vLLM).
        logprobs: without a tokenizer: ask the server for log-probabilities.
        key_variable: environment variable that holds the key; none is sent when it is not set.
        max_in_flight: requests that are sent at once to a server, at least 1; more wait here.
        max_retries: further attempts after a passing failure, at least 0; each is at all servers.
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
        base_url: str | Sequence[str] = "http://127.0.0.1:8000/v1",
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
        urls = (base_url,) if isinstance(base_url, str) else tuple(base_url)
        for url in urls:
            check_url(url, "base_url")
        if max_retries < 0:
            raise ValueError(f"`max_retries` must be at least 0, got {max_retries!r}")
        self.name = f"openai {model}"
        self.tokenizer = tokenizer
        self.max_context_tokens: int | None = None
        self._model = model
        self._token_ids = token_ids
        self._logprobs = logprobs
        self._extra = dict(extra or {})
        limits = HttpLimits(
            max_in_flight=max_in_flight * max(len(urls), 1),
            max_per_host=max_in_flight,
            max_tries=max_retries + 1,
            backoff_s=backoff_s,
            try_s=timeout_s,
        )
        self._client = HttpClient(
            limits, headers=bearer(os.environ.get(key_variable), key_variable)
        )
        self._fleet = Fleet(self._client, urls)

    @property
    def num_retries(self) -> int:
        """Attempts that were made again since the engine was made."""
        return self._client.num_retries + self._fleet.num_moves

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns one completion for each request, in their order.

        Raises:
            ContextOverflow: the server says that a prompt is too long.
            PolicyError: the server refuses, does not answer after all attempts, or answers
                something that this engine cannot use.
        """
        return await together(self._complete(request) for request in requests)

    async def close(self) -> None:
        """Closes the connections; the next request opens others."""
        await self._client.close()

    async def _complete(self, request: Request) -> Completion:
        path = "/chat/completions" if self.tokenizer is None else "/completions"
        body = self._chat_body(request) if self.tokenizer is None else self._token_body(request)
        try:
            answer, url = await self._fleet.post_json(
                path, {**body, **self._extra}, request.conversation
            )
        except HttpError as error:
            if error.status == 400 and _TOO_LONG.search(error.text):
                raise ContextOverflow(f"{self.name}: {error}") from error
            raise PolicyError(f"{self.name}: {error}") from error
        try:
            if self.tokenizer is None:
                return read_chat(answer, token_ids=self._token_ids)
            return read_tokens(answer, self.tokenizer)
        except PolicyError as error:
            raise PolicyError(
                f"{self.name} at {shown_url(url)}: not the answer of {path}: {error}"
            ) from error

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


async def served_model(*base_urls: str) -> str:
    """Asks servers for the name of their model; one that does not answer is left out.

    Args:
        *base_urls: up to and including `/v1`.

    Raises:
        ValueError: one is no address.
        PolicyError: no server answers, or they have none or several models.
    """
    for url in base_urls:
        check_url(url, "base_url")
    shown = ", ".join(map(shown_url, base_urls))
    client = HttpClient(headers=bearer(os.environ.get("OPENAI_API_KEY"), "OPENAI_API_KEY"))

    async def asked(url: str) -> list[str] | HttpError:
        try:
            data = (await client.get(f"{url.rstrip('/')}/models")).json_object().get("data")
        except HttpError as error:
            return error
        ids = [entry.get("id") for entry in data if isinstance(entry, dict)] if (
            isinstance(data, list)
        ) else []  # fmt: skip
        return [name for name in ids if isinstance(name, str)]

    try:
        answers = await together(map(asked, base_urls))
    finally:
        await client.close()
    failures = [str(answer) for answer in answers if isinstance(answer, HttpError)]
    if len(failures) == len(answers):
        raise PolicyError(f"which model does {shown} serve? {'; '.join(failures)}")
    names = list(dict.fromkeys(n for a in answers if not isinstance(a, HttpError) for n in a))
    if len(names) != 1:
        raise PolicyError(
            f"expected one model at {shown}, got {names[:20]}; name the one that is meant"
        )
    return names[0]
