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
    "http://[64:ff9b:1:7f00:0:100::]/",
    "http://[64:ff9b:1:fffe:7f:0:100:0]/",
    "http://[2606:4700::5efe:127.0.0.1]/",
    "http://[2606:4700::200:5efe:10.0.0.1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::ffff:0x7f.1]/",
    "http://[::ffff:0177.0.0.1]/",
    "http://[v1.127.0.0.1]/",
    "http://[vF.::1]/",
    "http://١٢٧.٠.٠.١/",
    "http://१२७.०.०.१/",
    "http://xn--9hbcp.xn--8hb.xn--8hb.xn--9hb/",
    "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
    "http://127｡0｡0｡1/",
    "http://127.0.0.1../",
    "http://127.0.0.1。/",
    "http://.127.0.0.1/",
    "http://127..0.0.1/",
    "http://127.0.0.08/",
    "http://09.0.0.1/",
    "http://383.0.0.1/",
    "http://0x17f000001/",
    "http://0x.0x.0x.0x/",
    "http://127.0.0.1.0x/",
    "http://1.2.3.4.5/",
    "http://example.123/",
    "http://example.0x7f/",
    "http://127.0.0.1;.example.org/",
    "http://example.org,127.0.0.1/",
    "http://{127.0.0.1}/",
    "http://'127.0.0.1'/",
    "http://$(id).example.org/",
    "http://*.example.org/",
    "http://192.88.99.1/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://wiki.private/",
    "http://kubernetes.default.svc/",
    "http://x.alt/",
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
    "http://example.org:٨٠/",
    "http://example.org:+80/",
    "http://example.org:8_0/",
    "http://example.org:80 /",
    "http://" + "x" * 64 + ".org/",
    "http://" + "x.y" * 90 + ".org/",
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
    "https://example.org./",
    "https://example.org:/",
    "https://example.org:443/a:+80",
    "https://example.org?a=:8_0",
    "https://under_score.example.org/",
    "https://127-0-0-1.example.org/",
    "https://0x7f.example.org/",
    "https://1.2.3.4.org/",
    "https://٧.example.org/",
    "https://xn--bcher-kva.example.com/",
    "https://пример.рф/",
    "http://[64:ff9b::8.8.8.8]/",
    "http://[2002:808:808::1]/",
    "http://0x8.8.8.8/",
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


@pytest.mark.parametrize(
    ("listed", "host"),
    [
        ("Example.org", "www.example.org"),
        ("example.org.", "EXAMPLE.ORG"),
        ("example.org", "ｅxample。org"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "BÜCHER.de"),
        ("8.8.8.8", "134744072"),
        ("8.8.8.8", "0x8.010.8.8"),
        ("8.8.8.8", "[::ffff:8.8.8.8]"),
        ("[2606:4700::1]", "[2606:4700:0:0::1]"),
        ("2606:4700::1", "[2606:4700::0.0.0.1]"),
    ],
)
def test_lists_of_hosts_know_a_host_in_any_spelling(listed: str, host: str) -> None:
    with pytest.raises(ForbiddenUrl, match="may not be opened"):
        UrlGuard(deny=(listed,)).check(f"http://{host}/")
    assert UrlGuard(allow=(listed,)).check(f"http://{host}/")
    assert UrlGuard(deny=(listed,)).check("http://another.org/")


@pytest.mark.parametrize(
    "entry",
    [
        *("", "*.example.org", ".example.org", "https://example.org", "example.org/wiki"),
        *("a@example.org", "exa mple.org"),
    ],
)
def test_list_entry_that_is_no_host_is_named(entry: str) -> None:
    for lists in ({"allow": (entry,)}, {"deny": ("x.org", entry)}):
        with pytest.raises(ValueError, match=r"must hold hosts such as 'wikipedia\.org', got"):
            UrlGuard(**lists)


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
