"""Search services of the live web: one row of `SEARCH_APIS` each, and what a run spends on them.

A service of one's own is a `SearchApi`, named by its import path. Keys come from the environment
alone and stand in no message and no record.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode, urljoin

from wideseek_env.backends import Hit
from wideseek_env.backends.corpus.pagestore import encodable
from wideseek_env.backends.html.text import one_line, read_html
from wideseek_env.backends.http import HttpClient, Patience
from wideseek_env.backends.recording import CallStore
from wideseek_env.backends.web.guard import ForbiddenUrl, UrlGuard
from wideseek_env.errors import BackendError, HttpError, ToolError
from wideseek_env.plugins import resolve

_MAX_QUERY_CHARS = 2_000
_MAX_SNIPPET_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class SearchApi:
    """How a search service is asked and how it answers."""

    name: str
    url: str
    """Of its endpoint; where it starts with `/`, the user says whose it is (`base_url`)."""
    method: Literal["GET", "POST"]
    fields: Mapping[str, str | int]
    """Of the query string or the JSON body; `{query}` and `{count}` are filled in."""
    results: tuple[str, ...]
    """Keys that lead to the list of results."""
    url_field: str = "url"
    title_field: str = "title"
    snippet_field: str = "snippet"
    key_variable: str | None = None
    """Environment variable that holds the key; None: it needs none."""
    key_header: str = "Authorization"
    key_prefix: str = ""
    price_usd: float = 0.0
    """Of one search, by the list price of the day it was written down; for the ledger."""


SEARCH_APIS: Mapping[str, SearchApi] = {
    api.name: api
    for api in (
        SearchApi(
            "serper",
            "https://google.serper.dev/search",
            "POST",
            {"q": "{query}", "num": "{count}"},
            ("organic",),
            url_field="link",
            key_variable="SERPER_API_KEY",
            key_header="X-API-KEY",
            price_usd=0.001,
        ),
        SearchApi(
            "brave",
            "https://api.search.brave.com/res/v1/web/search",
            "GET",
            {"q": "{query}", "count": "{count}"},
            ("web", "results"),
            snippet_field="description",
            key_variable="BRAVE_API_KEY",
            key_header="X-Subscription-Token",
            price_usd=0.005,
        ),
        SearchApi(
            "tavily",
            "https://api.tavily.com/search",
            "POST",
            {"query": "{query}", "max_results": "{count}"},
            ("results",),
            snippet_field="content",
            key_variable="TAVILY_API_KEY",
            key_prefix="Bearer ",
            price_usd=0.008,
        ),
        SearchApi(
            "searxng",
            "/search",
            "GET",
            {"q": "{query}", "format": "json"},
            ("results",),
            snippet_field="content",
        ),
    )
}


class CostLedger:
    """What searches have cost, with a cap that they never exceed.

    Args:
        cap_usd: most that may be spent; None is no bound.
        store: keeps the ledger with the recorded calls, for all processes and for the same run
            when it goes on; None: it is this process's.

    Raises:
        ValueError: the cap is negative.
    """

    def __init__(self, cap_usd: float | None = None, store: CallStore | None = None) -> None:
        if cap_usd is not None and not cap_usd >= 0:
            raise ValueError(f"`cap_usd` must be at least 0, got {cap_usd!r}")
        self.cap_usd = cap_usd
        self._store = store
        self._costs: dict[str, tuple[int, float]] = {}

    def costs(self) -> dict[str, tuple[int, float]]:
        """Tells how many calls each service was paid for, and what they cost in US dollars."""
        return dict(self._costs) if self._store is None else self._store.costs()

    def pay(self, service: str, price_usd: float) -> None:
        """Books one call before it is made.

        Raises:
            BackendError: it would exceed the cap. Nothing is booked.
        """
        if not self._booked(service, price_usd):
            spent_usd = sum(usd for _, usd in self.costs().values())
            raise BackendError(
                f"the cap of {self.cap_usd:g} USD is reached ({spent_usd:.4g} USD spent); raise "
                "it, or go on from the recorded calls"
            )

    def _booked(self, service: str, price_usd: float) -> bool:
        if self._store is not None:
            return self._store.pay(service, price_usd, self.cap_usd)
        spent_usd = sum(usd for _, usd in self._costs.values())
        if self.cap_usd is not None and spent_usd + price_usd > self.cap_usd + 1e-9:
            return False
        num_calls, usd = self._costs.get(service, (0, 0.0))
        self._costs[service] = (num_calls + 1, usd + price_usd)
        return True


class WebSearch:
    """Asks one search service.

    Args:
        api: the service, a name of `SEARCH_APIS`, or the import path of a `SearchApi`.
        client: asks; its owner closes it.
        base_url: of a service that one runs oneself, such as SearXNG.
        ledger: books every search; None: one without a cap.
        guard: hits that it refuses are left out.

    Raises:
        ValueError: there is no such service, its key is not in the environment, or `base_url` is
            missing or too much.
    """

    def __init__(
        self,
        api: str | SearchApi,
        client: HttpClient,
        *,
        base_url: str | None = None,
        ledger: CostLedger | None = None,
        guard: UrlGuard | None = None,
    ) -> None:
        self.api: SearchApi = resolve("searches", api, SEARCH_APIS) if isinstance(api, str) else api
        self.ledger = ledger or CostLedger()
        self._client = client
        self._guard = guard or UrlGuard()
        if self.api.url.startswith("/") != (base_url is not None):
            raise ValueError(
                f"`base_url`: {self.api.name} "
                + ("runs where you say, got none" if base_url is None else "has a URL of its own")
            )
        self._url = urljoin(base_url, self.api.url) if base_url else self.api.url
        self._headers = _key_headers(self.api)

    async def search(self, query: str, count: int, patience: Patience | None = None) -> list[Hit]:
        """Gives at most `count` hits for a query, in the service's order, each URL once.

        Raises:
            ToolError: the service does not answer this query.
            BackendError: it answers none: the key is wrong, or the cap is reached.
        """
        query = encodable(one_line(query))[:_MAX_QUERY_CHARS]
        if not query:
            return []
        self.ledger.pay(self.api.name, self.api.price_usd)
        try:
            found = await self._ask(query, count, patience)
        except HttpError as error:
            if error.status in (401, 402, 403):
                raise BackendError(f"{self.api.name} refuses to search: {error}") from error
            raise ToolError(f"The search service {self.api.name} gave no answer.") from error
        return self._hits(found)[:count]

    async def _ask(self, query: str, count: int, patience: Patience | None) -> Any:
        filled = {key: _filled(value, query, count) for key, value in self.api.fields.items()}
        if self.api.method == "POST":
            return await self._client.post_json(
                self._url, filled, headers=self._headers, patience=patience
            )
        url = f"{self._url}?{urlencode(filled)}"
        reply = await self._client.get(url, headers=self._headers, patience=patience)
        try:
            return reply.json_object()
        except ValueError as error:
            raise HttpError(f"{self.api.name} sent something else than JSON: {error}") from error

    def _hits(self, found: Any) -> list[Hit]:
        for key in self.api.results:
            found = found.get(key) if isinstance(found, dict) else None
        hits: dict[str, Hit] = {}
        for item in found if isinstance(found, list) else ():
            if not isinstance(item, dict):
                continue
            url = item.get(self.api.url_field)
            if isinstance(url, str) and self._allowed(url):
                title, snippet = (
                    _plain(item.get(name))
                    for name in (self.api.title_field, self.api.snippet_field)
                )
                hits.setdefault(url, Hit(url, title or url, snippet[:_MAX_SNIPPET_CHARS]))
        return list(hits.values())

    def _allowed(self, url: str) -> bool:
        try:
            self._guard.check(url)
        except ForbiddenUrl:
            return False
        return True


def _key_headers(api: SearchApi) -> dict[str, str]:
    if api.key_variable is None:
        return {}
    key = os.environ.get(api.key_variable, "").strip()
    if not key:
        raise ValueError(f"{api.name} needs a key: set the environment variable {api.key_variable}")
    return {api.key_header: f"{api.key_prefix}{key}"}


def _filled(value: str | int, query: str, count: int) -> str | int:
    if value == "{count}":
        return count
    return query if value == "{query}" else value


def _plain(value: object) -> str:
    """The words of a title or snippet, which may be marked up."""
    text = value if isinstance(value, str) else ""
    return one_line(read_html(text).text if "<" in text or "&" in text else text)
