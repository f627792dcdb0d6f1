"""Which addresses a model may reach: it chooses the URLs, so the inside of a network is closed.

`UrlGuard.check` looks at a URL as the HTTP library itself reads it, `UrlGuard.resolver` at the
addresses of every connection that is made, so that a name which points inside, or elsewhere between
the check and the connection, gets nowhere. Redirects are checked like any URL.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from wideseek_env.errors import ToolError

Address: TypeAlias = IPv4Address | IPv6Address

MAX_URL_CHARS = 8_192
_PORTS = {"http": 80, "https": 443}
_CLOUDS = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's metadata and DNS, a public address
            "192.0.0.0/24",  # IETF's own; Oracle's old metadata
            "100.64.0.0/10",  # shared by carriers; Alibaba's metadata
            "192.88.99.0/24",  # relays of 6to4, given up
            "fec0::/10",  # of a site, as fc00::/7 is now
            "3fff::/20",  # documentation; older Pythons take it for global
            "5f00::/16",  # segment routing
        ),
    )
)
_LAST_BITS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/96", "::/96")))
"""NAT64 and compatible addresses: the last 32 bits are the IPv4 address."""
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
"""Of a site: outside of `_LAST_BITS` nobody can tell where in it the IPv4 address stands."""
_ISATAP = (0x5EFE, 0x2005EFE)
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_PORT = re.compile(r":[0-9]*\Z")
_INSIDE = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "lan",
    "home",
    "corp",
    "localdomain",
    "svc",
    "test",
    "invalid",
    "onion",
    "alt",
    "arpa",
)
"""Last labels of names that only mean something inside a network."""


class ForbiddenUrl(ToolError):
    """A URL that may not be opened; the agent is told why."""


@dataclass(frozen=True, slots=True)
class UrlGuard:
    """The rules for URLs and for the addresses behind them."""

    allow: tuple[str, ...] = ()
    """Hosts that may be reached, with their subdomains (`wikipedia.org`); empty: all."""
    deny: tuple[str, ...] = ()
    """Hosts that may not, with their subdomains; goes before `allow`."""
    ports: tuple[int, ...] = (80, 443, 8080, 8443)
    """Ports that pages are served at; others belong to other services."""
    private: bool = False
    """Opens private and loopback addresses and all ports. For tests and a company's own pages."""

    def __post_init__(self) -> None:
        for field in ("allow", "deny"):
            hosts = tuple(_listed(field, entry) for entry in getattr(self, field))
            object.__setattr__(self, field, hosts)

    def check(self, url: str) -> URL:
        """Reads a URL that may be asked for, in the form in which it is asked for.

        Raises:
            ForbiddenUrl: it may not: scheme, credentials, port, host or address are not allowed.
        """
        if len(url) > MAX_URL_CHARS:
            raise ForbiddenUrl(f"The URL is longer than {MAX_URL_CHARS} characters.")
        try:
            read = URL(url)
            port, host = read.port, _host(read)
        except (ValueError, UnicodeError) as error:
            raise ForbiddenUrl(f"This is no URL of a page: {str(error)[:100]}.") from error
        if read.scheme not in _PORTS or not host:
            raise ForbiddenUrl("Only http:// and https:// URLs with a host can be opened.")
        if read.user is not None or read.password is not None:
            raise ForbiddenUrl("A URL with a user name or password cannot be opened.")
        if not self.private and (port not in self.ports or not _has_plain_port(url, read)):
            raise ForbiddenUrl(f"Port {port} cannot be opened.")
        self._check_host(host)
        return read

    def _check_host(self, host: str) -> None:
        if _is_below(host, self.deny) or (self.allow and not _is_below(host, self.allow)):
            raise ForbiddenUrl(f"Pages of {host[:100]} may not be opened.")
        if self.private:
            return
        address = _address(host)
        if address is not None and not is_public(address):
            raise ForbiddenUrl("This address is not on the public web.")
        if address is None and (host.rpartition(".")[2] in _INSIDE or "." not in host):
            raise ForbiddenUrl("This name is not on the public web.")

    def resolver(self) -> AbstractResolver:
        """Makes the resolver that every connection must go through."""
        return ThreadedResolver() if self.private else _PublicResolver()


class _PublicResolver(AbstractResolver):
    """Gives the public addresses of a name; what is connected to is what was looked at."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [each for each in found if _is_public_text(each["host"])]
        if not public:
            raise OSError(f"{host} has no address on the public web")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def is_public(address: Address) -> bool:
    """Whether an address is one of the public web; IPv4 inside of IPv6 counts as what it is."""
    inner = _inner(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        return is_public(inner)
    if address in _LOCAL_NAT64:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _CLOUDS)
    )


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64 or ISATAP."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    if isatap or any(address in network for network in _LAST_BITS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _host(read: URL) -> str:
    """The host of a URL in the one spelling in which hosts are compared; "": there is none.

    Addresses have the canonical form, names lower-case Latin letters (IDNA). What is neither is
    refused: who connects could read it in another way than who checked it.

    Raises:
        ValueError: the host is no name and no address.
    """
    written = (read.raw_host or "").lower().rstrip(".")
    address = _address(written)
    if address is not None:
        inner = _inner(address) if isinstance(address, IPv6Address) else None
        return str(inner or address)
    if not written:
        return ""
    digits = "".join(str(unicodedata.decimal(each, each)) for each in read.host or "")
    last = digits.rstrip(".").rpartition(".")[2]
    if not _NAME.fullmatch(written) or _NUMBER.fullmatch(last.lower()):
        raise ValueError("its host is no name and no address")
    return written


def _has_plain_port(url: str, read: URL) -> bool:
    """Whether the port is written in digits, and not as Python's `int` would take it, too."""
    authority = re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]
    return read.explicit_port is None or _PORT.search(authority) is not None


def _listed(field: str, entry: str) -> str:
    """A host of a list, spelt as `_host` spells it."""
    try:
        bare = entry.strip("[]")
        host = _host(URL(f"http://[{bare}]/" if bare.count(":") > 1 else f"http://{bare}/"))
        if host and not set("/@?#") & set(entry):
            return host
    except (ValueError, UnicodeError):
        pass
    raise ValueError(f"`{field}` must hold hosts such as 'wikipedia.org', got {entry!r}")


def _address(host: str) -> Address | None:
    """The address that a host is, in any spelling that a resolver takes for one; None: a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # 2130706433, 0x7f.1, 0177.0.0.1, 127.1
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError, ValueError):
        return None


def _is_public_text(host: str) -> bool:
    address = _address(host)
    return address is not None and is_public(address)


def _is_below(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
