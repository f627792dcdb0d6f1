"""What a cell says as URLs: the set of the addresses in it, each as a host, a path and a query."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from wideseek_env.scoring.text import stream_safe

Address: TypeAlias = tuple[str, str]
"""Host, and path with query."""

_MAX_CHARS = 10_000
"""A longer cell is text."""
_URL = re.compile(r"(?:https?:)?//[^\s<>\"'|\[\]]+", re.IGNORECASE)
_BARE_URL = re.compile(
    r"(?<![\w@/.-])(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,24}(?::\d{1,5})?(?:/[^\s<>\"'|\[\],;]*)?"
    r"(?![\w@])"
)


def read_urls(cell: str) -> frozenset[Address] | None:
    """Returns the addresses in a cell: those with a scheme, else those without; None: none."""
    if len(cell) > _MAX_CHARS:
        return None
    text = cell.replace("\\", "")
    found = _URL.findall(text) or [f"//{url}" for url in _BARE_URL.findall(text)]
    addresses = frozenset(address for url in found if (address := _address(url)))
    return addresses or None


def _address(url: str) -> Address | None:
    url = url.rstrip(".,;*")
    while url.endswith(")") and url.count("(") < url.count(")"):
        url = url[:-1].rstrip(".,;*")
    try:
        parts = urlsplit(url if "://" in url else f"http:{url}")
        host = (parts.hostname or "").removeprefix("www.").rstrip(".")
        port = parts.port
    except ValueError:
        return None
    if not host:
        return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    if port not in (None, 80, 443):
        host = f"{host}:{port}"
    query = "&".join(f"{k}={v}" for k, v in sorted(parse_qsl(parts.query, keep_blank_values=True)))
    path = unquote(parts.path).rstrip("/")
    whole = f"{path}?{query}" if query else path
    return host, unicodedata.normalize("NFC", stream_safe(whole))
