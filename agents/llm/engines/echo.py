"""A test double that answers what a function makes of the prompt; needs no model and no torch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agents.llm.engines import Completion, Request
from agents.llm.tokenizers import ByteTokenizer, Tokenizer


class EchoEngine:
    """Answers each request with `reply(prompt)`.

    Args:
        reply: from the prompt's text to the turn; the default says it back.
        tokenizer: makes the ids; bytes by default.
        latency_s: how long an answer takes, at least 0; requests wait side by side.

    Example:
        >>> engine = EchoEngine(lambda prompt: "done")
        >>> request = Request("a", tuple(engine.tokenizer.encode("hello")))
        >>> asyncio.run(engine.generate([request]))[0].text
        'done'
    """

    name = "echo"
    max_context_tokens: int | None = None

    def __init__(
        self,
        reply: Callable[[str], str] = lambda prompt: prompt,
        tokenizer: Tokenizer | None = None,
        latency_s: float = 0.0,
    ) -> None:
        self.tokenizer: Tokenizer = tokenizer or ByteTokenizer()
        self._reply = reply
        self._latency_s = latency_s
        self.num_running = 0
        self.max_running = 0
        """Most requests that were in flight at once."""

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns the replies, cut to `max_tokens`; every token has log-probability 0."""
        self.num_running += len(requests)
        self.max_running = max(self.max_running, self.num_running)
        try:
            await asyncio.sleep(self._latency_s)
            return [self._complete(request) for request in requests]
        finally:
            self.num_running -= len(requests)

    async def close(self) -> None:
        """Does nothing: there is nothing to free."""

    def _complete(self, request: Request) -> Completion:
        stop = min(self.tokenizer.stop_ids)
        text = self._reply(self.tokenizer.decode(request.prompt_ids))
        ids = (*self.tokenizer.encode(text), stop)
        cut = len(ids) > request.max_tokens
        if cut:
            ids = ids[: request.max_tokens]
            text = self.tokenizer.decode(ids)
        return Completion(
            text=text,
            ids=ids,
            logprobs=(0.0,) * len(ids),
            finish="length" if cut else "stop",
            prompt_ids=request.prompt_ids,
            num_prompt_tokens=len(request.prompt_ids),
            num_new_tokens=len(ids),
        )
