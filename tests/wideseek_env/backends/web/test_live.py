import asyncio
import contextlib
import gzip
import io
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from matplotlib.figure import Figure
from yarl import URL

from wideseek_env.backends import Backend, Hit
from wideseek_env.backends.named import backend_named
from wideseek_env.backends.recording import CallStore
from wideseek_env.backends.web import live
from wideseek_env.backends.web.guard import ForbiddenUrl, UrlGuard
from wideseek_env.backends.web.live import WebBackend, WebConfig
from wideseek_env.backends.web.pdf import read_pdf
from wideseek_env.backends.web.search import SEARCH_APIS, CostLedger, SearchApi
from wideseek_env.errors import BackendError, PageNotFound, ToolError

KEY = "s3cret-key"
ITEMS = [("https://example.org/a", "A <b>page</b>", "Rivers &amp; lakes"),
         ("https://example.org/a", "again", "twice"),
         ("http://127.0.0.1/inside", "inside", "no"),
         ("https://example.org/b", "B", "more"),
         ("https://example.org/c", "C", "most")]  # fmt: skip


class Site:
    """A real server on loopback that is a search service and a web site."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.bodies: list[Any] = []
        self.search_reply: Any = None
        self.search_status = 200
        self.robots: tuple[int, str] = (404, "")
        self.url = ""
        self.pdf = b""

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"http://127.0.0.1:{port}"
        return runner

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        path = request.path
        if path == "/robots.txt":
            return web.Response(status=self.robots[0], text=self.robots[1])
        if path.startswith("/search"):
            self.bodies.append(await request.json() if request.method == "POST" else request.query)
            return web.Response(
                status=self.search_status,
                text=self.search_reply if isinstance(self.search_reply, str)
                else json.dumps(self.search_reply),
                content_type="application/json",
            )  # fmt: skip
        return await getattr(self, f"page_{path.strip('/').partition('/')[0]}", self.nothing)(
            request
        )

    async def nothing(self, request: web.Request) -> web.Response:
        return web.Response(status=404, text="not here")

    async def page_html(self, request: web.Request) -> web.Response:
        rows = "".join(f"<tr><td>{i}<td>row {i}" for i in range(900))
        html = f"<title>Rivers</title><p>See <a href='/b'>b</a>.<table>{rows}</table>"
        return web.Response(text=html, content_type="text/html")

    async def page_text(self, request: web.Request) -> web.Response:
        return web.Response(text="plain words")

    async def page_pdf(self, request: web.Request) -> web.Response:
        return web.Response(body=self.pdf, content_type="application/pdf")

    async def page_picture(self, request: web.Request) -> web.Response:
        return web.Response(body=b"\x89PNG", content_type="image/png")

    async def page_moved(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/html"})

    async def page_loop(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/loop"})

    async def page_inside(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest"})

    async def page_file(self, request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "file:///etc/passwd"})

    async def page_to(self, request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": request.query["url"]})

    async def page_bomb(self, request: web.Request) -> web.Response:
        body = gzip.compress(b"x" * (64 << 20))
        return web.Response(
            body=body, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"}
        )

    async def page_stall(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    async def page_down(self, request: web.Request) -> web.Response:
        return web.Response(status=503, text="down")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    runner = await site.start()
    yield site
    await runner.cleanup()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for api in SEARCH_APIS.values():
        if api.key_variable:
            monkeypatch.setenv(api.key_variable, KEY)


def service(site: Site, name: str) -> SearchApi:
    """The real row of the table, at the address of our server."""
    return replace(SEARCH_APIS[name], url=f"{site.url}/search")


def backend(site: Site, name: str = "serper", **settings: Any) -> WebBackend:
    config = settings.pop("config", WebConfig(deadline_s=5.0))
    guard = settings.pop("guard", UrlGuard(private=True))
    return WebBackend(service(site, name), config=config, guard=guard, **settings)


def reply_of(api: SearchApi) -> Any:
    """What the service sends, by its own documentation, for `ITEMS`."""
    found: Any = [
        {api.url_field: url, api.title_field: title, api.snippet_field: snippet, "position": 1}
        for url, title, snippet in ITEMS
    ]
    for key in reversed(api.results):
        found = {key: found, "other": {}}
    return found


@pytest.mark.parametrize("name", sorted(SEARCH_APIS))
async def test_search_services_are_asked_and_read_as_they_document(site: Site, name: str) -> None:
    site.search_reply = reply_of(SEARCH_APIS[name])
    web = backend(site, name, guard=UrlGuard())
    hits = await web.search("rivers  in\nVarnia", 2)
    await web.close()
    assert hits == [Hit("https://example.org/a", "A page", "Rivers & lakes"),
                    Hit("https://example.org/b", "B", "more")]  # fmt: skip
    assert "rivers in Varnia" in dict(site.bodies[0]).values()
    api = SEARCH_APIS[name]
    if api.key_variable:
        assert site.seen[0].headers[api.key_header] == f"{api.key_prefix}{KEY}"


@pytest.mark.parametrize(
    "reply",
    ["", "<html>busy</html>", "[1, 2]", '{"organic": 7}', '{"organic": [7, null, {}]}',
     "[" * 99_999, '{"organic": [{"link": 7}]}', '{"organic": [{"link": "http://[::1"}]}', "null",
     "{}"],
)  # fmt: skip
async def test_any_reply_of_a_search_service_is_hits_or_a_tool_error(
    site: Site, reply: str
) -> None:
    site.search_reply = reply
    web = backend(site, config=WebConfig(deadline_s=0.5))
    with contextlib.suppress(ToolError):
        assert await web.search("q", 3) == []
    await web.close()


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_refused_key_ends_the_run_and_is_not_shown(
    site: Site, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    site.search_status, site.search_reply = status, {"message": f"bad key {KEY}"}
    web = backend(site)
    with caplog.at_level(logging.DEBUG), pytest.raises(BackendError) as raised:
        await web.search("q", 3)
    await web.close()
    assert "refuses to search" in str(raised.value)
    assert KEY not in str(raised.value) + caplog.text


async def test_cap_stops_before_it_is_exceeded(site: Site) -> None:
    site.search_reply = reply_of(SEARCH_APIS["serper"])
    web = backend(site, ledger=CostLedger(0.0025))
    for _ in range(2):
        await web.search("q", 3)
    with pytest.raises(BackendError, match=r"cap of 0\.0025 USD is reached"):
        await web.search("q", 3)
    await web.close()
    assert len(site.bodies) == 2
    assert web.ledger.costs() == {"serper": (2, pytest.approx(0.002))}


async def test_cap_holds_for_all_who_share_a_store(site: Site, tmp_path: Path) -> None:
    site.search_reply = reply_of(SEARCH_APIS["serper"])
    store, again = CallStore(tmp_path / "calls"), CallStore(tmp_path / "calls")
    first = backend(site, ledger=CostLedger(0.0025, store))
    other = backend(site, ledger=CostLedger(0.0025, again))  # another process, or the next run
    await first.search("a", 3)
    await other.search("b", 3)
    for each in (first, other):
        with pytest.raises(BackendError, match=r"0\.002 USD spent"):
            await each.search("c", 3)
        await each.close()
    assert store.costs() == {"serper": (2, pytest.approx(0.002))}
    store.close()
    again.close()


@pytest.mark.parametrize(
    ("name", "base_url", "told"),
    [
        ("serper", None, "SERPER_API_KEY"),
        ("searxng", None, "runs where you say"),
        ("brave", "http://127.0.0.1", "has a URL of its own"),
        ("gogle", None, "searches: expected one of serper"),
    ],
)
def test_wrong_services_are_named_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, base_url: str | None, told: str
) -> None:
    monkeypatch.delenv("SERPER_API_KEY")
    with pytest.raises(ValueError, match=told):
        WebBackend(name, base_url=base_url)


async def test_page_comes_in_parts_and_is_fetched_once(site: Site) -> None:
    web = backend(site)
    assert isinstance(web, Backend)
    first = await web.open(f"{site.url}/html")
    second = await web.open(f"{site.url}/html", 2)
    await web.close()
    assert (first.title, first.num_parts > 1, second.part) == ("Rivers", True, 2)
    assert "See [b](/b)." in first.text
    assert "0 | row 0" in first.text
    assert sum(request.path == "/html" for request in site.seen) == 1


@pytest.mark.parametrize(
    ("path", "error", "told"),
    [
        ("/none", PageNotFound, "no page"),
        ("/picture", ToolError, "no page of text but image/png"),
        ("/loop", ToolError, "redirects more than"),
        ("/bomb", ToolError, "cannot be fetched"),
        ("/stall", ToolError, "cannot be fetched"),
        ("/down", ToolError, "HTTP 503"),
        ("/file", ForbiddenUrl, "Only http"),
    ],
)
async def test_what_cannot_be_read_is_said_within_the_deadline(
    site: Site, path: str, error: type[ToolError], told: str
) -> None:
    web = backend(site, config=WebConfig(deadline_s=1.5, max_page_bytes=1 << 20))
    async with asyncio.timeout(4.0):
        with pytest.raises(error, match=told) as raised:
            await web.open(site.url + path)
    await web.close()
    assert len(str(raised.value)) < 200


async def test_text_and_redirected_pages_are_read(site: Site) -> None:
    web = backend(site)
    assert (await web.open(f"{site.url}/text")).text == "plain words"
    assert (await web.open(f"{site.url}/moved")).title == "Rivers"
    with pytest.raises(PageNotFound, match="1 parts, not a part 2"):
        await web.open(f"{site.url}/text", 2)
    await web.close()


async def test_this_machine_is_closed_unless_it_is_opened(site: Site) -> None:
    web = backend(site, guard=UrlGuard(ports=(int(site.url.rpartition(":")[2]),)))
    with pytest.raises(ForbiddenUrl):
        await web.open(f"{site.url}/html")
    await web.close()
    assert site.seen == []


async def test_redirect_goes_through_the_same_guard(site: Site) -> None:
    web = backend(site, guard=UrlGuard(private=True, allow=("127.0.0.1",)))
    with pytest.raises(ForbiddenUrl, match="169"):
        await web.open(f"{site.url}/inside")
    await web.close()
    assert [r.path for r in site.seen if r.path != "/robots.txt"] == ["/inside"]


@pytest.mark.parametrize(
    "location",
    [
        "http://[",
        "http://[::1",
        "//[x]/",
        "http://127.1/html",
        "//2130706433/html",
        "http://[::ffff:7f00:1]/html",
        "http://localhost/html",
        "http://user@127.0.0.1/html",
        "/\\\\localhost",
        "http:\\\\127.0.0.1\\html",
        "data:text/html,x",
        "http://",
    ],
)
async def test_redirect_to_the_inside_in_any_spelling_is_told(site: Site, location: str) -> None:
    class SiteOnly(UrlGuard):
        """The tests' own site is open, and what is public."""

        def check(self, url: str) -> URL:
            own = url.startswith(f"{site.url}/")
            return UrlGuard(private=own).check(url)

    web = backend(site, guard=SiteOnly(private=True))
    with pytest.raises(ToolError) as raised:
        await web.open(f"{site.url}/to?url={quote(location)}")
    await web.close()
    assert len(str(raised.value)) < 200
    assert "/html" not in {request.path for request in site.seen}


@pytest.mark.parametrize(
    ("robots", "opened"),
    [
        ((404, ""), True),
        ((200, "User-agent: *\nDisallow: /html"), False),
        ((200, "User-agent: *\nDisallow: /other"), True),
        ((200, "User-agent: wideseek\nDisallow: /"), False),
        ((200, "\x00\xff nonsense" * 1000), True),
        ((503, ""), False),
    ],
)
async def test_robots_txt_is_honoured(site: Site, robots: tuple[int, str], opened: bool) -> None:
    site.robots = robots
    config = WebConfig(deadline_s=1.0)
    for honoured in (True, False):
        web = backend(site, config=replace(config, robots=honoured))
        if opened or not honoured:
            assert (await web.open(f"{site.url}/html")).title == "Rivers"
        else:
            with pytest.raises(ToolError, match=r"robots\.txt"):
                await web.open(f"{site.url}/html")
        await web.close()


async def test_jina_reader_is_asked_and_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def jina(request: web.Request) -> web.Response:
        text = "Title: Rivers\n\nURL Source: x\n\nMarkdown Content:\n# Rivers\nlong"
        return web.Response(text=text)

    site.page_jina = jina  # type: ignore[attr-defined]
    monkeypatch.setattr(live, "_JINA", f"{site.url}/jina/")
    monkeypatch.setenv("JINA_API_KEY", KEY)
    web_ = backend(site, config=WebConfig(reader="jina"), guard=UrlGuard())
    page = await web_.open("https://example.org/rivers?a=b")
    assert (page.title, page.text) == ("Rivers", "# Rivers\nlong")
    assert site.seen[-1].headers["Authorization"] == f"Bearer {KEY}"
    with pytest.raises(ForbiddenUrl):
        await web_.open("http://127.0.0.1/inside")
    await web_.close()


async def test_texts_that_are_kept_are_bounded_by_bytes(site: Site) -> None:
    web = backend(site, config=WebConfig(max_cache_bytes=60_000))
    for number in range(20):
        await web.open(f"{site.url}/html/{number}")
    await web.close()
    assert web._text_bytes <= 60_000
    assert 1 <= len(web._texts) < 20


def made_pdf(words: str) -> bytes:
    file = io.BytesIO()
    figure = Figure()
    figure.text(0.1, 0.5, words)
    figure.savefig(file, format="pdf", metadata={"Title": "Of rivers"})
    return file.getvalue()


async def test_pdf_is_read(site: Site) -> None:
    pytest.importorskip("pypdf")
    site.pdf = made_pdf("Alden is 210 km long")
    web = backend(site, config=WebConfig(deadline_s=20.0))
    page = await web.open(f"{site.url}/pdf")
    await web.close()
    assert page.title == "Of rivers"
    assert "Alden is 210 km long" in page.text


@pytest.mark.parametrize("pdf", [b"%PDF-1.7 broken", b"%PDF-" + bytes(range(256)) * 500, b""])
async def test_broken_pdf_is_a_tool_error(site: Site, pdf: bytes) -> None:
    pytest.importorskip("pypdf")
    site.pdf = pdf
    web = backend(site, config=WebConfig(deadline_s=20.0))
    with pytest.raises(ToolError, match="This PDF cannot be read"):
        await web.open(f"{site.url}/pdf")
    await web.close()


async def test_pdf_that_takes_too_long_is_ended(site: Site) -> None:
    pytest.importorskip("pypdf")
    with pytest.raises(ToolError, match="takes too long"):
        await read_pdf(made_pdf("x"), max_chars=100, deadline_s=0.001)


def test_the_web_has_a_name_for_the_command_line() -> None:
    assert isinstance(backend_named("web:serper"), WebBackend)
    assert isinstance(backend_named("web:searxng:http://127.0.0.1:8888"), WebBackend)
    with pytest.raises(ValueError, match="runs where you say"):
        backend_named("web:searxng")


def test_cap_of_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIDESEEK_CAP_USD", "1.5")
    made = backend_named("web:brave")
    assert isinstance(made, WebBackend)
    assert made.ledger.cap_usd == 1.5
    monkeypatch.setenv("WIDESEEK_CAP_USD", "much")
    with pytest.raises(ValueError, match="WIDESEEK_CAP_USD: expected a number of US dollars"):
        backend_named("web:tavily")
