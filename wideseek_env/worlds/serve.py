"""A world over HTTP: pages for a browser, and the two routes that retrieval servers have.

    GET  /search?q=...      results, for people
    GET  /<url of a page>   the page
    POST /retrieve          {"queries": [...], "topk": 3, "return_scores": false}
    POST /access            {"urls": [...]}

The POST routes answer as the servers of Search-R1 and ASearcher do: `{"result": [...]}`, one entry
for each query or URL. All pages are kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from wideseek_env.backends.pages import PagesBackend, RawPage
from wideseek_env.errors import PageNotFound

_MAX_TOP_K = 100
_NUM_HITS = 10
"""Results on the search page."""
_MAX_LINKS = 500
"""Links on the home page."""


_Body = TypeVar("_Body")


class _Retrieve(msgspec.Struct):
    queries: list[str]
    topk: int = 3
    return_scores: bool = False


class _Access(msgspec.Struct):
    urls: list[str]


def make_app(pages: Iterable[RawPage], title: str) -> web.Application:
    """Returns the web application of a world.

    Args:
        pages: all pages; their URLs become paths.
        title: what the home page is called.

    Raises:
        DataError: there are no pages.
    """
    site = _Site({page.url: page for page in pages}, title)
    app = web.Application()
    app.add_routes(
        [
            web.get("/", site.home),
            web.get("/style.css", site.style),
            web.get("/search", site.search),
            web.post("/retrieve", site.retrieve),
            web.post("/access", site.access),
            web.get("/{path:.+}", site.page),
        ]
    )
    return app


class _Site:
    def __init__(self, pages: dict[str, RawPage], title: str) -> None:
        self._pages = pages
        self._title = title
        self._backend = PagesBackend(pages.values(), links=True)
        self._css = files("wideseek_env.worlds").joinpath("style.css").read_text("utf-8")

    async def home(self, request: web.Request) -> web.Response:
        """Shows a search field, and where to begin: portals, or first pages of lists."""
        portals = [page for page in self._pages.values() if page.url.count("/") == 1]
        lists = [page for page in self._pages.values() if page.url.endswith("/1")]
        items = "".join(
            f"<li>{_link(page.url, page.title)}</li>" for page in (portals or lists)[:_MAX_LINKS]
        )
        return _html(self._title, f"<p>{len(self._pages):,} pages.</p>{_FORM}<ul>{items}</ul>")

    async def style(self, request: web.Request) -> web.Response:
        """Returns the style sheet of all pages."""
        return web.Response(text=self._css, content_type="text/css")

    async def search(self, request: web.Request) -> web.Response:
        """Shows search results to a person."""
        query = request.query.get("q", "")
        hits = await self._backend.search(query, _NUM_HITS) if query.strip() else []
        items = "".join(
            f"<li>{_link(hit.url, hit.title)}<p>{escape(hit.snippet)}</p></li>" for hit in hits
        )
        body = f"{_FORM}<ol class=hits>{items}</ol>" if hits else f"{_FORM}<p>Nothing found.</p>"
        return _html(f"Search: {query}", body)

    async def page(self, request: web.Request) -> web.Response:
        """Returns a page as it is."""
        page = self._pages.get(request.path)
        if page is None:
            raise web.HTTPNotFound(text=f"There is no page {request.path!r} in this world.")
        html = page.html if isinstance(page.html, bytes) else page.html.encode()
        return web.Response(body=html, content_type="text/html", charset="utf-8")

    async def retrieve(self, request: web.Request) -> web.Response:
        """Answers queries with whole documents; scores are 1 / rank."""
        asked = await _read(request, _Retrieve)
        if not 1 <= asked.topk <= _MAX_TOP_K:
            raise web.HTTPBadRequest(
                text=f"`topk` must be from 1 to {_MAX_TOP_K}, got {asked.topk}"
            )
        result = []
        for query in asked.queries:
            hits = await self._backend.search(query, asked.topk)
            documents: list[Any] = [await self._document(hit.url) for hit in hits]
            if asked.return_scores:
                documents = [
                    {"document": document, "score": 1 / rank}
                    for rank, document in enumerate(documents, 1)
                ]
            result.append(documents)
        return web.json_response({"result": result})

    async def access(self, request: web.Request) -> web.Response:
        """Answers URLs with documents, null where there is no such page."""
        asked = await _read(request, _Access)
        result: list[dict[str, str] | None] = []
        for url in asked.urls:
            try:
                result.append(await self._document(url))
            except PageNotFound:
                result.append(None)
        return web.json_response({"result": result})

    async def _document(self, url: str) -> dict[str, str]:
        first = await self._backend.open(url)
        texts = [first.text]
        for part in range(2, first.num_parts + 1):
            texts.append((await self._backend.open(url, part)).text)
        contents = "\n".join([first.title, *texts])
        return {"id": url, "url": url, "title": first.title, "contents": contents}


_FORM = '<form action="/search"><input name="q" autofocus> <button>Search</button></form>'


async def _read(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        fields = ", ".join(kind.__annotations__)
        raise web.HTTPBadRequest(text=f"expected a JSON object with {fields}: {error}") from error


def _html(title: str, body: str) -> web.Response:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="/style.css"></head><body><nav>{_link("/", "Home")}</nav>'
        f"<h1>{escape(title)}</h1><main>{body}</main></body></html>"
    )
    return web.Response(text=html, content_type="text/html")


def _link(url: str, words: str) -> str:
    return f'<a href="{escape(url)}">{escape(words)}</a>'
