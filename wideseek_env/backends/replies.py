"""What servers say, read with suspicion: bodies, labels, pauses, URLs and keys.

Nothing here trusts a byte. Readers raise ValueError or fall back on something usable, and what is
shown to people is one printable line without secrets.
"""

from __future__ import annotations

import codecs
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from wideseek_env.errors import HttpError
from wideseek_env.jsonlines import unambiguous

_SHOWN_CHARS = 200
_PASSING = frozenset({408, 409, 425, 429})
_FINAL_5XX = frozenset({501, 505, 506, 508, 510, 511, 526})
"""The server cannot do it, or asks for something else first; every other 5xx may pass."""
_WHAT_TO_DO = {
    401: "check the key",
    403: "check the key, and whether it may do this",
    404: "check the URL and the names in the request",
    413: "send less at once",
}


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What a server sent with a status from 200 to 299."""

    url: str
    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes

    def text(self) -> str:
        """The body by its charset label, or as UTF-8 where the label is none; never fails."""
        return decoded(self.body, self.headers.get("Content-Type", ""))

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ValueError: it is anything else.
        """
        try:  # JSON is UTF-8 (RFC 8259) whatever the label says
            value = parse_json(self.body)
        except UnicodeDecodeError:
            value = parse_json(self.text())
        if not isinstance(value, dict):
            raise ValueError(f"a JSON object was expected, a {type(value).__name__} came")
        return value


def parse_json(text: str | bytes) -> Any:
    """Reads JSON that says one thing.

    Raises:
        ValueError: it is no JSON, its brackets are too deep, or a key stands twice in one object
            with different values.
    """
    try:
        return json.loads(text, object_pairs_hook=unambiguous)
    except RecursionError:
        raise ValueError("its brackets are too deep") from None


def refused(reply: HttpReply, longest_s: float) -> HttpError:
    """The error that a reply is whose status is no success.

    Args:
        reply: its body may be cut.
        longest_s: the longest `Retry-After` that is believed.
    """
    status, headers, text = reply.status, reply.headers, reply.text()
    location = headers.get("Location", "") if 300 <= status < 400 else ""
    passing = status in _PASSING or (500 <= status < 600 and status not in _FINAL_5XX)
    if location:
        advice = f"it points to {shown_url(location)}; if that is right, give that URL"
    else:
        advice = _WHAT_TO_DO.get(status, "the server refuses this request")
    said = f"HTTP {status}: {text[:_SHOWN_CHARS]}"
    return HttpError(
        said if passing else f"{said}; {advice}",
        status=status,
        text=text,
        location=location,
        passing=passing,
        retry_after_s=retry_after_s(headers.get("Retry-After"), headers.get("Date"), longest_s),
    )


def message_text(content: object) -> tuple[str, str]:
    """Thinking and text of a chat message's `content`: text, nothing, a part, or a list of parts.

    Raises:
        ValueError: it is anything else.
    """
    if content is None or isinstance(content, str):
        return "", content or ""
    if isinstance(content, dict) and "text" in content:
        content = [content]
    if not isinstance(content, list):
        raise ValueError(f"text or a list of parts was expected, a {type(content).__name__} came")
    said: dict[str, list[str]] = {"thinking": [], "text": []}
    for part in content:
        if isinstance(part, str):
            said["text"].append(part)
        elif isinstance(part, dict):
            kind = part.get("type", "text")
            if kind in ("thinking", "reasoning"):
                said["thinking"].append(_inner_text(part.get(kind, part.get("text"))))
            elif kind in ("text", "output_text"):
                said["text"].append(_inner_text(part.get("text")))
            # Others (pictures, sound) say nothing that can be read here.
        else:
            raise ValueError(f"a part must be text or an object, a {type(part).__name__} came")
    return "".join(said["thinking"]), "".join(said["text"])


def _inner_text(value: object) -> str:
    """The text of a part: as it is, or once more in parts."""
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, str):
        return value
    texts = (
        [item.get("text") for item in value if isinstance(item, dict)]
        if isinstance(value, list)
        else []
    )
    return "".join(text for text in texts if isinstance(text, str))


def count(value: object) -> int:
    """A count of tokens as servers tell it; 0 for what is none."""
    try:
        return min(max(int(value), 0), 2**53) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):  # text, NaN, infinity
        return 0


def retry_after_s(value: str | None, date: str | None = None, longest_s: float = 60.0) -> float:
    """Seconds that a `Retry-After` asks for, from 0 to `longest_s`; 0 for one that says nothing.

    Args:
        value: a number of seconds, or an HTTP date.
        date: the reply's `Date`, which a date is counted from, so that clocks may differ.
        longest_s: more is not believed.
    """
    if value is None:
        return 0.0
    try:
        asked_s = float(value)
    except ValueError:
        moment, now = _moment_s(value), _moment_s(date)
        asked_s = moment - (time.time() if math.isnan(now) else now)
    return 0.0 if math.isnan(asked_s) else min(max(asked_s, 0.0), longest_s)


def _moment_s(date: str | None) -> float:
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError, LookupError, OSError):
        return math.nan


def bearer(key: str | None, name: str) -> dict[str, str]:
    """The header that carries a key; none without one.

    Args:
        key: as it came; blanks around it are dropped.
        name: of the variable that it came from.

    Raises:
        ValueError: no header can carry it.
    """
    key = (key or "").strip()
    if not key.isascii() or not key.isprintable():
        raise ValueError(f"${name} must hold a key of printable ASCII characters alone")
    return {"Authorization": f"Bearer {key}"} if key else {}


def check_url(url: str, name: str = "url") -> None:
    """Raises ValueError unless the URL names a host over http or https."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            f"`{name}` must begin with http:// or https:// and a host, got {shown_url(url)!r}; for "
            "example http://127.0.0.1:8000/v1"
        )


def shown_url(url: str) -> str:
    """A URL for messages: without user, password, query and fragment, which may hold keys."""
    head = url.partition("#")[0].partition("?")[0]
    scheme, slashes, rest = head.rpartition("://") if "://" in head else ("", "", head)
    place, slash, path = rest.partition("/")
    return printable(f"{scheme}{slashes}{place.rpartition('@')[2]}{slash}{path}")[:_SHOWN_CHARS]


def printable(text: str) -> str:
    """Text of others on one line, without characters that steer a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def hider(url: str, headers: Mapping[str, str]) -> Callable[[str], str]:
    """Makes text of others fit for messages: printable, and without the secrets of the request."""
    try:
        secrets = {urlsplit(url).password or ""}
    except ValueError:
        secrets = set()
    for name, value in headers.items():
        if name.lower() not in ("content-type", "accept", "user-agent"):
            secrets |= {value, value.rpartition(" ")[2]}
    secrets = {secret for secret in secrets if len(secret) > 3}

    def hide(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "[key]")
        return printable(text)

    return hide


def decoded(body: bytes, content_type: str) -> str:
    """Text by the label of a Content-Type; UTF-8 where there is no label that Python can use."""
    label = content_type.lower().partition("charset=")[2].partition(";")[0].strip(" \t\"'")
    try:
        if codecs.lookup(label or "utf-8").name != "undefined":
            return body.decode(label or "utf-8", "replace")
    except (LookupError, ValueError, TypeError):
        pass  # no such label, one with a NUL, or a codec that is none of text
    return body.decode("utf-8", "replace")
