"""Which addresses a model may reach: it chooses the URLs, so the inside of a network is closed.

`UrlGuard.check` looks at a URL as the HTTP library itself reads it, `UrlGuard.resolver` at the
addresses of every connection that is made, so that a name which points inside, or elsewhere between
the check and the connection, gets nowhere. Redirects are checked like any URL.
"""

from __future__ import annotations

import ipaddress
import socket
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
            "fec0::/10",  # of a site, as fc00::/7 is now
            "3fff::/20",  # documentation; older Pythons take it for global
            "5f00::/16",  # segment routing
        ),
    )
)
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.ip_network("::/96")
_INSIDE = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "localdomain",
    "test",
    "invalid",
    "onion",
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

    def check(self, url: str) -> URL:
        """Reads a URL that may be asked for, in the form in which it is asked for.

        Raises:
            ForbiddenUrl: it may not: scheme, credentials, port, host or address are not allowed.
        """
        if len(url) > MAX_URL_CHARS:
            raise ForbiddenUrl(f"The URL is longer than {MAX_URL_CHARS} characters.")
        try:
            read = URL(url)
            scheme, host, port = read.scheme, (read.host or "").rstrip("."), read.port
        except (ValueError, UnicodeError) as error:
            raise ForbiddenUrl(f"This is no URL of a page: {str(error)[:100]}.") from error
        if scheme not in _PORTS or not host:
            raise ForbiddenUrl("Only http:// and https:// URLs with a host can be opened.")
        if read.user is not None or read.password is not None:
            raise ForbiddenUrl("A URL with a user name or password cannot be opened.")
        zoned = host.partition("%")[0] if ":" in host else host
        if any(character <= " " or character in "%\\\x7f" for character in zoned):
            raise ForbiddenUrl("The host of this URL is no name.")
        if not self.private and port not in self.ports:
            raise ForbiddenUrl(f"Port {port} cannot be opened.")
        self._check_host(host.lower())
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
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _CLOUDS)
    )


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64 or compatible."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in (*_NAT64, _COMPATIBLE)):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


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
