"""The live web as a backend: a search service, and pages fetched directly or through Jina Reader.

Every URL, redirects too, passes the guard; `robots.txt` is honoured; sizes, types and times are
bounded. Record a run with `recording.StoredBackend`, as the web is never the same twice.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from wideseek_env.backends import Hit, Page
from wideseek_env.backends.html.text import check_part_chars, one_line, read_html, split_parts
from wideseek_env.backends.http import HttpClient, HttpLimits, Patience
from wideseek_env.backends.replies import HttpReply
from wideseek_env.backends.web.guard import ForbiddenUrl, UrlGuard
from wideseek_env.backends.web.pdf import read_pdf
from wideseek_env.backends.web.search import CostLedger, SearchApi, WebSearch
from wideseek_env.errors import HttpError, PageNotFound, ToolError

USER_AGENT = "wideseek/0.1 (research; reads single pages for one question)"
_MAX_REDIRECTS = 5
_MAX_TRIES = 3
"""Of one request."""
_ROBOTS_KEPT_S = 3600.0
_JINA = "https://r.jina.ai/"
_HTML = ("text/html", "application/xhtml+xml", "")
_TEXT = ("text/plain", "text/markdown", "text/csv", "application/json")


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How pages of the web are fetched."""

    reader: Literal["direct", "jina"] = "direct"
    """Fetches pages itself, or lets Jina Reader (r.jina.ai; JINA_API_KEY is optional) do it."""
    robots: bool = True
    """Whether pages that `robots.txt` keeps from programs stay closed; for `direct`."""
    deadline_s: float = 25.0
    """Of one call over all its requests; below `Limits.tool_timeout_s`, so that the agent is told
    what went wrong."""
    max_page_bytes: int = 10 * 2**20
    """Larger pages are refused, as sent and after decompression."""
    max_text_chars: int = 400_000
    """Of a page's text; the rest is cut."""
    part_chars: int = 6_000
    """Longest part that `open` shows."""
    max_cache_bytes: int = 64 * 2**20
    """Of texts of pages that are kept, so that an agent can turn to the next part."""
    max_concurrent: int = 64
    """Requests at the same time, and 4 to one host."""

    def __post_init__(self) -> None:
        for name in ("max_page_bytes", "max_text_chars", "max_cache_bytes", "max_concurrent"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}")
        check_part_chars(self.part_chars)
        if not self.deadline_s > 0:
            raise ValueError(f"`deadline_s` must be above 0 seconds, got {self.deadline_s!r}")


class _Text(NamedTuple):
    url: str
    title: str
    parts: tuple[str, ...]


class WebBackend:
    """Answers `search` from a service and `open` from the web.

    Args:
        api: search service: serper, brave, tavily, searxng, or the import path of a `SearchApi`.
        base_url: of a service that one runs oneself, such as SearXNG.
        config: how pages are fetched.
        guard: which addresses are open to the model.
        ledger: books what searches cost, and stops at its cap; None: one without a cap.

    Raises:
        ValueError: as `WebSearch` raises it.
    """

    def __init__(
        self,
        api: str | SearchApi,
        *,
        base_url: str | None = None,
        config: WebConfig | None = None,
        guard: UrlGuard | None = None,
        ledger: CostLedger | None = None,
    ) -> None:
        self.config = config or WebConfig()
        self._guard = guard or UrlGuard()
        limits = HttpLimits(
            max_in_flight=self.config.max_concurrent,
            max_per_host=4,
            try_s=self.config.deadline_s,
            max_bytes=self.config.max_page_bytes,
        )
        self._pages = HttpClient(
            limits, headers={"User-Agent": USER_AGENT}, resolver=self._guard.resolver
        )
        # Not guarded: the service's address is the user's choice, and may be on this machine.
        self._services = HttpClient(HttpLimits(max_in_flight=self.config.max_concurrent))
        self.ledger = ledger or CostLedger()
        self._search = WebSearch(
            api, self._services, base_url=base_url, ledger=self.ledger, guard=self._guard
        )
        self._texts: OrderedDict[str, _Text] = OrderedDict()
        self._text_bytes = 0
        self._robots: dict[str, tuple[float, RobotFileParser]] = {}

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Gives the service's hits, each page once, at most `top_k`."""
        return await self._search.search(query, top_k, self._patience())

    async def open(self, url: str, part: int = 1) -> Page:
        """Gives one part of a page's text.

        Raises:
            PageNotFound: there is no such page or part.
            ToolError: it may not be opened, or gives no text in time.
        """
        text = self._texts.get(url)
        if text is None:
            text = await self._read(url)
            self._keep(url, text)
        if not 1 <= part <= len(text.parts):
            raise PageNotFound(f"This page has {len(text.parts)} parts, not a part {part}.")
        return Page(url, text.title, text.parts[part - 1], part, len(text.parts))

    async def close(self) -> None:
        """Closes all connections."""
        await self._pages.close()
        await self._services.close()

    def _patience(self) -> Patience:
        return Patience(_MAX_TRIES, self.config.deadline_s)

    def _keep(self, url: str, text: _Text) -> None:
        self._texts[url] = text
        self._text_bytes += 4 * sum(map(len, text.parts))
        while self._text_bytes > self.config.max_cache_bytes and len(self._texts) > 1:
            _, old = self._texts.popitem(last=False)
            self._text_bytes -= 4 * sum(map(len, old.parts))

    # Fetching.

    async def _read(self, url: str) -> _Text:
        self._guard.check(url)
        patience = self._patience()
        try:
            if self.config.reader == "jina":
                return self._split(*await self._through_jina(url, patience))
            reply = await self._fetch(url, patience, robots=self.config.robots)
            return self._split(*await self._text_of(reply, patience))
        except HttpError as error:
            if error.status in (404, 410):
                raise PageNotFound("There is no page at this URL.") from error
            status = f" (HTTP {error.status})" if error.status else ""
            raise ToolError(f"This page cannot be fetched{status}.") from error

    async def _fetch(self, url: str, patience: Patience, *, robots: bool) -> HttpReply:
        for _ in range(_MAX_REDIRECTS + 1):
            address = str(self._guard.check(url))
            if robots and not await self._may_read(address, patience):
                raise ToolError("The site's robots.txt does not let programs read this page.")
            try:
                tries = Patience(_MAX_TRIES, patience.left_s)
                return await self._pages.get(address, patience=tries)
            except HttpError as error:
                if not error.location:
                    raise
                url = _joined(address, error.location)
        raise ToolError(f"This page redirects more than {_MAX_REDIRECTS} times.")

    async def _may_read(self, url: str, patience: Patience) -> bool:
        site = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        kept_s, rules = self._robots.get(site, (0.0, None))
        if rules is None or time.monotonic() - kept_s > _ROBOTS_KEPT_S:
            rules = await self._rules(site, patience)
            if len(self._robots) >= 10_000:
                self._robots.clear()
            self._robots[site] = (time.monotonic(), rules)
        return rules.can_fetch(USER_AGENT, url)

    async def _rules(self, site: str, patience: Patience) -> RobotFileParser:
        """The rules of a site: all is open where there are none, closed where nobody can tell.

        Source: RFC 9309, section 2.3.1.
        """
        rules = RobotFileParser()
        try:
            reply = await self._fetch(f"{site}/robots.txt", patience, robots=False)
        except HttpError as error:
            absent = error.status is not None and error.status < 500
            rules.parse([] if absent else ["User-agent: *", "Disallow: /"])
        except ToolError:  # it redirects without end, or to where nobody may go
            rules.parse([])
        else:
            rules.parse(reply.text()[:500_000].splitlines())
        return rules

    async def _text_of(self, reply: HttpReply, patience: Patience) -> tuple[str, str, str]:
        kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "application/pdf" or reply.body.startswith(b"%PDF-"):
            title, text = await read_pdf(
                reply.body, max_chars=self.config.max_text_chars, deadline_s=patience.left_s
            )
            return reply.url, title, text
        if kind in _TEXT:
            return reply.url, "", reply.text()
        if kind not in _HTML:
            raise ToolError(f"This is no page of text but {kind[:60]}.")
        read = await asyncio.to_thread(read_html, reply.body, links=True)
        return reply.url, read.title, read.text

    async def _through_jina(self, url: str, patience: Patience) -> tuple[str, str, str]:
        key = os.environ.get("JINA_API_KEY", "").strip()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        reply = await self._services.get(_JINA + url, headers=headers, patience=patience)
        head, _, text = reply.text().partition("Markdown Content:")
        if not text:
            return url, "", head
        title = next((row[6:] for row in head.splitlines() if row.startswith("Title:")), "")
        return url, title, text

    def _split(self, url: str, title: str, text: str) -> _Text:
        parts = split_parts(text.strip()[: self.config.max_text_chars], self.config.part_chars)
        return _Text(url, one_line(title)[:300] or url, tuple(parts))


def _joined(url: str, location: str) -> str:
    """Where a redirect leads; raises ForbiddenUrl when a page wrote no URL."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ForbiddenUrl("This page redirects to what is no URL.") from error
