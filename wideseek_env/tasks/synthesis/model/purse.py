"""What a run may spend: nothing is asked that could take it over a cap."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_PER = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens, in any currency."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Returns what so many tokens cost."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / _PER


class CapReached(Exception):
    """The next request could cost more than is left."""


class Purse:
    """Counts what was spent, and holds back what requests under way may still cost.

    A prompt is taken to have at most one token for each of its bytes, and a reply as many as it may
    have, so the caps hold whatever comes back.

    Args:
        prices: of tokens.
        max_cost: at most so much; what was spent in earlier runs counts.
        max_tokens: at most so many tokens, of prompts and replies together.
    """

    def __init__(
        self, prices: Prices, max_cost: float = math.inf, max_tokens: float = math.inf
    ) -> None:
        self.prices = prices
        self.cost = 0.0
        self.tokens = 0
        self._max_cost, self._max_tokens = max_cost, max_tokens
        self._held_cost, self._held_tokens, self._num_held = 0.0, 0, 0
        self._changed = asyncio.Condition()

    def spend(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Adds what a reply took."""
        self.cost += self.prices.of(prompt_tokens, completion_tokens)
        self.tokens += prompt_tokens + completion_tokens

    @asynccontextmanager
    async def held(self, prompt_bytes: int, max_reply_tokens: int) -> AsyncIterator[None]:
        """Holds back what a request may cost; waits while others might leave enough for it.

        Raises:
            CapReached: there is not enough left, and no request is under way.
        """
        cost, tokens = (
            self.prices.of(prompt_bytes, max_reply_tokens),
            prompt_bytes + max_reply_tokens,
        )
        async with self._changed:
            while not self._fits(cost, tokens):
                if self._num_held == 0:
                    raise CapReached
                await self._changed.wait()
            self._hold(cost, tokens, 1)
        try:
            yield
        finally:
            self._hold(-cost, -tokens, -1)
            async with self._changed:
                self._changed.notify_all()

    def _fits(self, cost: float, tokens: int) -> bool:
        return (
            self.cost + self._held_cost + cost <= self._max_cost
            and self.tokens + self._held_tokens + tokens <= self._max_tokens
        )

    def _hold(self, cost: float, tokens: int, num: int) -> None:
        self._held_cost += cost
        self._held_tokens += tokens
        self._num_held += num
        if self._num_held == 0:
            self._held_cost = 0.0  # sums of fractions leave a rest
