"""A retrieval server as a backend: ours (`wideseek serve`), Search-R1's, RLinf's, or one like them.

    POST /retrieve   {"queries": ["..."], "topk": 3, "return_scores": true}
        -> {"result": [[{"document": {"id", "contents", "title"?, "url"?}, "score"}, ...]]}
    POST /access     {"urls": ["..."], "parts": [1]}
        -> {"result": [{"contents", "title"?, "part"?, "num_parts"?} or null]}

A server without `/access` (Search-R1's) has passages alone: `open` then gives those that a search
has shown, and a passage without a URL is called by its id. One that knows no parts sends the whole
page, which is cut here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from wideseek_env.backends import Hit, Page
from wideseek_env.backends.corpus.pagestore import encodable
from wideseek_env.backends.html.text import check_part_chars, one_line, split_parts
from wideseek_env.backends.http import HttpClient, HttpLimits
from wideseek_env.backends.replies import check_url, shown_url
from wideseek_env.errors import BackendError, HttpError, PageNotFound, ToolError

MAX_QUERY_CHARS = 8_000
"""Longer queries are cut: it is what our server takes, and nobody asks so much on purpose."""
_MAX_TITLE_CHARS = 300
_MAX_SNIPPET_CHARS = 4_000
_REFUSED = frozenset({400, 413, 414, 422})
"""Statuses of a request that is wrong; whatever else fails is the server's fault."""


class _Document(NamedTuple):
    url: str
    title: str
    text: str


class ServerBackend:
    """Asks a retrieval server.

    A call that the server refuses, or does not answer in time, is told to the agent. A server that
    is away, or answers something else, cannot answer any call: the episode is invalid.

    Args:
        url: of the server, with or without `/retrieve` at its end.
        part_chars: longest part of a page that comes whole, in characters; at least 200.
        deadline_s: of one call, over all tries; less than the game's `Limits.tool_timeout_s`, so
            that a server that is away is told from one that is slow.
        max_in_flight: calls at the same time; more wait here.
        max_kept_bytes: of passages that are kept for servers without `/access`.

    Raises:
        ValueError: the URL names no server, or a number is out of range.
    """

    def __init__(
        self,
        url: str,
        *,
        part_chars: int = 6000,
        deadline_s: float = 25.0,
        max_in_flight: int = 64,
        max_kept_bytes: int = 64 * 2**20,
    ) -> None:
        check_url(url)
        check_part_chars(part_chars)
        self._url = url.rstrip("/").removesuffix("/retrieve")
        self._part_chars = part_chars
        self._client = HttpClient(
            HttpLimits(
                max_in_flight=max_in_flight,
                max_tries=8,  # within the deadline a server has time to start again
                try_s=deadline_s / 2,  # one that hangs is asked once more
                deadline_s=deadline_s,
                max_bytes=32 * 2**20,
            )
        )
        self._shown: OrderedDict[str, _Document] = OrderedDict()
        self._max_kept_bytes = max_kept_bytes
        self._kept_bytes = 0

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Gives the server's passages in its order, of each page the first; see `Backend`."""
        if top_k < 1:
            raise ValueError(f"`top_k` must be at least 1, got {top_k!r}")
        asked = encodable(query)[:MAX_QUERY_CHARS]
        body = {"queries": [asked], "topk": top_k, "return_scores": True}
        try:
            answer = await self._client.post_json(f"{self._url}/retrieve", body)
        except HttpError as error:
            raise self._failure(error, "This search") from error
        hits: dict[str, Hit] = {}
        for item in self._only(answer, "/retrieve", list):
            document = _document(item)
            if document is None:
                raise self._other("/retrieve", "a list of documents", item)
            self._keep(document)
            snippet = " / ".join(filter(None, map(one_line, document.text.splitlines())))
            hit = Hit(document.url, document.title, snippet[:_MAX_SNIPPET_CHARS])
            hits.setdefault(document.url, hit)
        return list(hits.values())[:top_k]

    async def open(self, url: str, part: int = 1) -> Page:
        """Gives one part of a page; see `Backend`."""
        missing = PageNotFound(f"no page at {url[:200]!r} with a part {part}")
        if part < 1:
            raise missing
        body = {"urls": [encodable(url)], "parts": [part]}
        try:
            answer = await self._client.post_json(f"{self._url}/access", body)
        except HttpError as error:
            if error.status not in (404, 405):
                raise self._failure(error, "This page") from error
            document = self._shown.get(url)  # there is no such route
            if document is None:
                raise missing from error
            return self._part(document, part)
        page = self._only(answer, "/access", dict | str | None)
        if not page:
            raise missing
        document = _document({"contents": page} if isinstance(page, str) else page, url)
        if document is None:
            raise self._other("/access", "pages or null", page)
        numbers = (page.get("part"), page.get("num_parts")) if isinstance(page, dict) else ()
        match numbers:
            case (int() as number, int() as num_parts) if number == part <= num_parts:
                return Page(url, document.title, document.text, number, num_parts)
        return self._part(document, part)

    async def close(self) -> None:
        """Closes the connections; see `Backend`."""
        await self._client.close()

    def _part(self, document: _Document, part: int) -> Page:
        parts = split_parts(document.text, self._part_chars)
        if part > len(parts):
            raise PageNotFound(f"part {part} of {document.url}: it has parts 1 to {len(parts)}")
        return Page(document.url, document.title, parts[part - 1], part, len(parts))

    def _only(self, answer: Mapping[str, Any], route: str, kind: Any) -> Any:
        """The result of the only query or URL."""
        result = answer.get("result")
        if not isinstance(result, list) or len(result) != 1 or not isinstance(result[0], kind):
            raise self._other(route, '{"result": [...]} with one entry', answer)
        return result[0]

    def _keep(self, document: _Document) -> None:
        old = self._shown.pop(document.url, None)
        self._shown[document.url] = document
        self._kept_bytes += _size(document) - (_size(old) if old else 0)
        while self._kept_bytes > self._max_kept_bytes and self._shown:
            self._kept_bytes -= _size(self._shown.popitem(last=False)[1])

    def _failure(self, error: HttpError, what: str) -> ToolError | BackendError:
        if error.late:
            return ToolError(f"{what} took too long; try again, or something else.")
        if error.status in _REFUSED:
            return ToolError(f"{what} is refused by the server: {one_line(error.text)[:200]}")
        return BackendError(str(error))

    def _other(self, route: str, expected: str, got: object) -> BackendError:
        return BackendError(
            f"expected {expected} from {shown_url(self._url)}{route}, got {str(got)[:200]!r}; is a "
            "retrieval server there?"
        )


def _document(item: object, url: str | None = None) -> _Document | None:
    """A document as servers write them, with or without a score; None: it is none.

    Args:
        item: what stands in the reply.
        url: what it was asked for by; None: its own URL or id.
    """
    if isinstance(item, dict) and isinstance(item.get("document"), dict):
        item = item["document"]
    if not isinstance(item, dict):
        return None
    text = item.get("contents", item.get("text", item.get("content")))
    name = url or item.get("url") or item.get("id", item.get("title"))
    if not isinstance(text, str) or isinstance(name, bool) or not isinstance(name, str | int):
        return None
    url = str(name)
    # Title and text are one field, the title first and often in quotes, in the corpora of both.
    first, _, rest = text.partition("\n")
    title = item.get("title")
    if not isinstance(title, str) or not title:
        quoted = len(first) > 2 and first[0] == first[-1] == '"'
        title = first[1:-1] if quoted else url
    if first.strip().strip('"') == title.strip().strip('"'):
        text = rest
    return _Document(encodable(url), one_line(encodable(title))[:_MAX_TITLE_CHARS], encodable(text))


def _size(document: _Document) -> int:
    return 4 * sum(map(len, document)) + 200  # at most four bytes a character
