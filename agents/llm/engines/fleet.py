"""Several servers of one model behind one engine.

A conversation begins at the server that is least busy and stays there, where the keys and values of
its prompt are kept. What a server fails to answer is asked of another one, and the conversation
stays with that. A server that failed is left alone for a while, and then tried with one request at
a time until it answers.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wideseek_env.backends.http import HttpClient, Patience
from wideseek_env.errors import HttpError

_AWAY_S = 15.0
"""How long a server that failed is left alone."""
_MAX_HOMES = 100_000
"""Conversations that are remembered; who is forgotten begins anew."""


@dataclass(slots=True, eq=False)
class _Server:
    url: str
    num_running: int = 0
    num_asked: int = 0
    away_until_s: float | None = None
    """Until when it is left alone, on the monotonic clock; None: it answers."""

    def may_be_asked(self, now_s: float) -> bool:
        if self.away_until_s is None:
            return True
        return now_s >= self.away_until_s and not self.num_running


class Fleet:
    """Asks servers; a single one is asked as the client does by itself.

    Args:
        client: whose `max_tries` counts rounds over all servers, with its pauses between them.
        urls: of the servers, at least one.

    Raises:
        ValueError: there is no server.
    """

    def __init__(self, client: HttpClient, urls: Sequence[str]) -> None:
        if not urls:
            raise ValueError("`base_url` must name at least one server, got none")
        self.num_moves = 0
        """Requests that were asked of another server after a failure."""
        self._client = client
        self._servers = [_Server(url.rstrip("/")) for url in urls]
        self._homes: OrderedDict[str, _Server] = OrderedDict()

    async def post_json(
        self, path: str, body: Mapping[str, Any], conversation: str
    ) -> tuple[dict[str, Any], str]:
        """Gives the JSON object that a server answers, and the server's address.

        Args:
            path: behind the address.
            body: what is sent.
            conversation: names what the request continues.

        Raises:
            HttpError: a server refuses, or none answers.
        """
        if len(self._servers) == 1:
            (server,) = self._servers
            return await self._client.post_json(server.url + path, body), server.url
        failures: dict[_Server, HttpError] = {}
        for num_rounds in range(1, self._client.limits.max_tries + 1):
            failures = {}
            while (server := self._pick(conversation, failures)) is not None:
                try:
                    return await self._ask(server, path, body), server.url
                except HttpError as error:
                    if not error.passing:
                        raise
                    failures[server] = error
                    self.num_moves += 1
            if num_rounds < self._client.limits.max_tries:
                asked_s = min(error.retry_after_s for error in failures.values())
                await asyncio.sleep(self._client.pause_s(num_rounds, asked_s))
        told = "; ".join(str(error) for error in failures.values())
        raise HttpError(f"none of {len(failures)} servers answers: {told}", passing=True)

    def _pick(self, conversation: str, tried: Collection[_Server]) -> _Server | None:
        """Chooses among the servers that were not tried, and makes it the conversation's."""
        now_s = time.monotonic()
        left = [server for server in self._servers if server not in tried]
        if not left:
            return None
        good = [server for server in left if server.may_be_asked(now_s)] or left
        home = self._homes.pop(conversation, None)
        if home is None or home not in good:
            # Chance decides between equals, so that many processes do not all begin with the first.
            home = min(good, key=lambda s: (s.num_running, s.num_asked, random.random()))
        self._homes[conversation] = home
        if len(self._homes) > _MAX_HOMES:
            self._homes.popitem(last=False)
        return home

    async def _ask(self, server: _Server, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        server.num_running += 1
        server.num_asked += 1
        try:
            answer = await self._client.post_json(server.url + path, body, patience=Patience(1))
        except HttpError as error:
            if error.passing:  # 429 is the answer of a server that is well
                away_s = 0.0 if error.status == 429 else _AWAY_S
                server.away_until_s = time.monotonic() + max(away_s, error.retry_after_s)
            raise
        finally:
            server.num_running -= 1
        server.away_until_s = None
        return answer
