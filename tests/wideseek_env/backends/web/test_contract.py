"""The live web keeps the contract of all backends: a search service and a web site on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES

from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.backends.html.text import read_html
from wideseek_env.backends.web import live
from wideseek_env.backends.web.guard import UrlGuard
from wideseek_env.backends.web.live import WebBackend, WebConfig
from wideseek_env.backends.web.search import SEARCH_APIS

PAGES = {page.url: page for page in CONTRACT_PAGES}


class HereResolver(AbstractResolver):
    """Every host is the server of this test."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=2, proto=0,
                              flags=0)]  # fmt: skip

    async def close(self) -> None:
        """Holds nothing."""


@dataclass(frozen=True, slots=True)
class HereGuard(UrlGuard):
    """The rules of the public web; only where names lead differs."""

    port: int = 0

    def resolver(self) -> AbstractResolver:
        return HereResolver(self.port)


class Web:
    """A SearXNG, the pages themselves, and Jina's reader of them."""

    def __init__(self) -> None:
        self._search = PagesBackend(CONTRACT_PAGES)

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/search":
            hits = await self._search.search(request.query["q"], 10)
            results = [{"url": h.url, "title": h.title, "content": h.snippet} for h in hits]
            return web.json_response({"results": results})
        if page := PAGES.get(f"http://{request.host}{request.path}"):
            html = f"<title>{page.title}</title>{page.html}"
            return web.Response(text=html, content_type="text/html")
        if page := PAGES.get(request.path[1:]):
            read = read_html(page.html, links=True)
            return web.Response(text=f"Title: {page.title}\n\nMarkdown Content:{read.text}")
        return web.Response(status=404)


@pytest.fixture(params=["direct", "jina"])
async def backend(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WebBackend]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", Web().answer)
    server = TestServer(app)
    await server.start_server()
    url = str(server.make_url("/"))
    monkeypatch.setattr(live, "_JINA", url)
    api = replace(SEARCH_APIS["searxng"], url=f"{url}search")
    guard = HereGuard(port=server.port or 0)
    backend = WebBackend(api, config=WebConfig(reader=request.param), guard=guard)
    yield backend
    await backend.close()
    await server.close()
