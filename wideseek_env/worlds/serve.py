"""A world over HTTP: pages for a browser, beside the routes of a retrieval server.

    GET  /search?q=...      results, for people
    GET  /<url of a page>   the page

The other routes are those of `backends/retrieval/server.py`. All pages are kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

from aiohttp import web

from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.backends.retrieval.server import RetrievalServer

_NUM_HITS = 10
"""Results on the search page."""
_MAX_LINKS = 500
"""Links on the home page."""


def make_app(pages: Iterable[RawPage], title: str) -> web.Application:
    """Returns the web application of a world.

    Args:
        pages: all pages; their URLs become paths.
        title: what the home page is called.

    Raises:
        DataError: there are no pages.
    """
    site = _Site({page.url: page for page in pages}, title)
    server = RetrievalServer(site.backend)
    app = server.app()
    app.add_routes(
        [
            web.get("/", site.home),
            web.get("/style.css", site.style),
            web.get("/search", site.search),
            web.get("/{path:.+}", site.page),
        ]
    )
    return app


class _Site:
    def __init__(self, pages: dict[str, RawPage], title: str) -> None:
        self._pages = pages
        self._title = title
        self.backend = PagesBackend(pages.values(), links=True)
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
        hits = await self.backend.search(query, _NUM_HITS) if query.strip() else []
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


_FORM = '<form action="/search"><input name="q" autofocus> <button>Search</button></form>'


def _html(title: str, body: str) -> web.Response:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="/style.css"></head><body><nav>{_link("/", "Home")}</nav>'
        f"<h1>{escape(title)}</h1><main>{body}</main></body></html>"
    )
    return web.Response(text=html, content_type="text/html")


def _link(url: str, words: str) -> str:
    return f'<a href="{escape(url)}">{escape(words)}</a>'
