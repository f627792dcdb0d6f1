import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.backends.web.guard import ForbiddenUrl, UrlGuard, is_public

INSIDE = [
    "http://127.0.0.1/",
    "http://127.0.0.1:80/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0.0.0x1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://127.0.0.1./",
    "http://127.255.255.254/",
    "http://①②⑦.⓪.⓪.①/",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fec0::1]/",
    "http://[3fff::1]/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.example.org/",
    "http://x.onion/",
    "http://x.test/",
    "http://[ff02::1]/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://3232235777/",
    "http://0xc0a80101/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://169.254.170.2/v2/credentials",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/",
    "http://192.0.0.192/opc/v2/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://198.18.0.1/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://sub.localhost/",
    "http://router/",
    "http://printer.local/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://wiki.corp/",
    "http://nas.lan/",
    "http://1.0.0.127.in-addr.arpa/",
    "http://user@127.0.0.1/",
    "http://example.org@127.0.0.1/",
    "http://127.0.0.1#@example.org/",
    "http://127.0.0.1\\@example.org/",
    "http:127.0.0.1/",
    "http:///127.0.0.1/",
    "HTTP://127.0.0.1/",
]
OTHER = [
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "ftp://example.org/",
    "gopher://example.org:70/_x",
    "data:text/html,<b>x</b>",
    "javascript:alert(1)",
    "dict://example.org:11211/",
    "ws://example.org/",
    "//example.org/",
    "/etc/passwd",
    "",
    "http://",
    "https://user:secret@example.org/",
    "https://user@example.org/",
    "https://:secret@example.org/",
    "http://example.org:22/",
    "http://example.org:6379/",
    "http://example.org:99999/",
    "http://example.org:-1/",
    "http://exa mple.org/",
    "http://example.org\t@127.0.0.1/",
    "http://[::1",
    "http://example.org/" + "x" * 9000,
]
OUTSIDE = [
    "https://en.wikipedia.org/wiki/River",
    "http://example.org/",
    "HTTPS://EXAMPLE.ORG/",
    "https://example.org:443/a?b=c#d",
    "http://example.org:8080/",
    "https://zh.wikipedia.org/wiki/长城",
    "https://bücher.example.com/",
    "http://8.8.8.8/",
    "http://[2606:4700:4700::1111]/",
    "https://example.org/?next=http://127.0.0.1/",
    "https://127.0.0.1.example.org/",
    "https://localhost.example.org/",
    "https://example.org/@127.0.0.1",
]


@pytest.mark.parametrize("url", INSIDE + OTHER)
def test_url_that_leads_inside_or_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenUrl) as raised:
        UrlGuard().check(url)
    assert 10 < len(str(raised.value)) < 200


@pytest.mark.parametrize("url", OUTSIDE)
def test_url_of_the_public_web_is_allowed(url: str) -> None:
    assert UrlGuard().check(url).host


def test_at_least_sixty_spellings_of_the_inside_are_tried() -> None:
    assert len(set(INSIDE)) >= 60


def test_lists_of_hosts_cover_subdomains_and_nothing_else() -> None:
    guard = UrlGuard(allow=("wikipedia.org",), deny=("de.wikipedia.org",))
    assert guard.check("https://en.wikipedia.org/wiki/River")
    assert guard.check("https://wikipedia.org/")
    for host in ("de.wikipedia.org", "a.de.wikipedia.org", "example.org", "notwikipedia.org",
                 "wikipedia.org.example.com", "DE.WIKIPEDIA.ORG."):  # fmt: skip
        with pytest.raises(ForbiddenUrl, match="may not be opened"):
            guard.check(f"https://{host}/")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=examples(100), deadline=None)
def test_ipv4_inside_of_ipv6_counts_as_what_it_is(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    for prefix in ("::ffff:0:0", "64:ff9b::", "64:ff9b:1::"):
        wrapped = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number)
        assert is_public(wrapped) == is_public(plain)
    assert not is_public(plain) or plain.is_global


@given(st.text(max_size=60))
@settings(max_examples=examples(100), deadline=None)
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://{text}/a"):
        with contextlib.suppress(ForbiddenUrl):
            UrlGuard().check(url)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = web.Application()

    async def secret(request: web.Request) -> web.Response:
        return web.Response(text="secret")

    app.router.add_get("/", secret)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    await runner.cleanup()


async def ask(guard: UrlGuard, url: str) -> str:
    connector = aiohttp.TCPConnector(resolver=guard.resolver())
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as reply:
        return await reply.text()


async def test_name_that_points_inside_when_the_connection_is_made_gets_nowhere(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name is public, and what it resolves to at last is this machine."""

    async def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    url = f"http://rebound.example.com:{port}/"
    guard = UrlGuard(ports=(port,))
    assert guard.check(url)
    with pytest.raises(aiohttp.ClientConnectionError, match="Cannot connect to host rebound"):
        await ask(guard, url)
    assert await ask(UrlGuard(private=True), url) == "secret"


async def test_private_opens_this_machine(port: int) -> None:
    guard = UrlGuard(private=True)
    url = str(guard.check(f"http://127.0.0.1:{port}/"))
    assert await ask(guard, url) == "secret"
