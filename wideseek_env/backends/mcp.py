"""The Model Context Protocol, both ways: our pages for other agents, others' tools as our pages.

`tools_server` offers `search` and `open` of any backend to any MCP client; `McpBackend` answers
ours from the search and fetch tools of any MCP server. Needs the extra `mcp`.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wideseek_env.backends import Backend, Hit, Page
from wideseek_env.backends.html.text import check_part_chars, one_line, split_parts
from wideseek_env.errors import BackendError, PageNotFound, ToolError
from wideseek_env.plugins import require

_URL_FIELDS = ("url", "link", "id", "uri")
_TITLE_FIELDS = ("title", "name")
_TEXT_FIELDS = ("snippet", "text", "content", "description", "markdown", "contents", "body")
_MAX_CACHED_PAGES = 64
_MAX_TEXT_CHARS = 400_000


def tools_server(backend: Backend, *, top_k: int = 5) -> Any:
    """Makes an MCP server with the tools `search` and `open` over a backend.

    Args:
        backend: answers.
        top_k: hits of a search that does not say how many.

    Returns:
        An `mcp.server.mcpserver.MCPServer`; its `run` serves it.

    Raises:
        MissingExtra: mcp is not installed.
    """
    server = require("mcp.server.mcpserver", "mcp").MCPServer(
        "wideseek", instructions="Search a collection of pages, then open pages by their URL."
    )
    told = require("mcp.server.mcpserver.exceptions", "mcp").ToolError  # others' words are hidden

    async def search(query: str, count: int = top_k) -> list[dict[str, str]]:
        """Search the pages; gives URL, title and the passage that matches of each hit."""
        try:
            hits = await backend.search(query, max(1, min(count, 100)))
        except (ToolError, BackendError) as error:
            raise told(str(error)) from error
        return [{"url": hit.url, "title": hit.title, "snippet": hit.snippet} for hit in hits]

    async def open_(url: str, part: int = 1) -> dict[str, Any]:
        """Open a page by its URL; long pages come in numbered parts, from 1."""
        try:
            page = await backend.open(url, part)
        except (ToolError, BackendError) as error:
            raise told(str(error)) from error
        return {
            "url": page.url,
            "title": page.title,
            "text": page.text,
            "part": page.part,
            "num_parts": page.num_parts,
        }

    server.tool(name="search")(search)
    server.tool(name="open")(open_)
    return server


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    text_argument: str
    """Takes the query or the URL."""
    count_argument: str | None
    part_argument: str | None


@dataclass(slots=True)
class _Line:
    """The connection of one event loop; a task holds it open, as MCP's scopes belong to tasks."""

    client: Any
    search: _Tool
    open: _Tool
    task: asyncio.Task[None]
    stop: asyncio.Event


class McpBackend:
    """Answers `search` and `open` from two tools of an MCP server.

    Args:
        server: URL of a server (`http://127.0.0.1:8000/mcp`), the command line of one that talks
            over standard input and output, or what `mcp.Client` takes.
        search_tool: takes a query; gives hits with URL, title and snippet, as JSON.
        open_tool: takes a URL (or what the search gave in its place); gives a page's text.
        part_chars: longest part of a page that comes whole, at least 200.

    Raises:
        MissingExtra: mcp is not installed.
        ValueError: `part_chars` is too small.
    """

    def __init__(
        self,
        server: Any,
        *,
        search_tool: str = "search",
        open_tool: str = "open",
        part_chars: int = 6000,
    ) -> None:
        check_part_chars(part_chars)
        mcp = require("mcp", "mcp")
        if isinstance(server, str) and "://" not in server:
            command, *arguments = shlex.split(server)
            server = mcp.StdioServerParameters(command=command, args=arguments)
        self._make_client = mcp.Client
        self._server = server
        self._names = (search_tool, open_tool)
        self._part_chars = part_chars
        self._lines: dict[asyncio.AbstractEventLoop, asyncio.Future[_Line]] = {}
        self._pages: OrderedDict[str, tuple[str, list[str]]] = OrderedDict()

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Gives the server's hits, each page once, at most `top_k`."""
        if not query.strip():
            return []
        line = await self._line()
        count = {line.search.count_argument: top_k} if line.search.count_argument else {}
        found = await self._call(line, line.search, query, count)
        items = _items(found)
        hits = {url: hit for item in items if (hit := _hit(item)) for url in [hit.url]}
        return list(hits.values())[:top_k]

    async def open(self, url: str, part: int = 1) -> Page:
        """Gives one part of a page, as the server numbers parts, or as we cut the whole."""
        line = await self._line()
        if line.open.part_argument is not None:
            found = await self._call(line, line.open, url, {line.open.part_argument: part})
            numbers = found if isinstance(found, Mapping) else {}
            of = numbers.get("num_parts")
            num_parts = of if isinstance(of, int) and of >= 1 else part
            return Page(url, _title(found, url), _text(found), part, num_parts)
        if url not in self._pages:
            found = await self._call(line, line.open, url, {})
            parts = split_parts(_text(found)[:_MAX_TEXT_CHARS], self._part_chars)
            self._pages[url] = (_title(found, url), parts)
            if len(self._pages) > _MAX_CACHED_PAGES:
                self._pages.popitem(last=False)
        title, parts = self._pages[url]
        if not 1 <= part <= len(parts):
            raise PageNotFound(f"This page has {len(parts)} parts, not a part {part}.")
        return Page(url, title, parts[part - 1], part, len(parts))

    async def close(self) -> None:
        """Ends the connection of this event loop."""
        opening = self._lines.pop(asyncio.get_running_loop(), None)
        if opening is not None and opening.done() and not opening.exception():
            line = opening.result()
            line.stop.set()
            await asyncio.gather(line.task, return_exceptions=True)

    async def _call(self, line: _Line, tool: _Tool, text: str, more: Mapping[str, Any]) -> Any:
        try:
            result = await line.client.call_tool(tool.name, {tool.text_argument: text, **more})
        except (OSError, RuntimeError, ValueError) as error:
            raise BackendError(f"the MCP server does not answer: {error}") from error
        said = "\n".join(getattr(each, "text", "") for each in result.content)
        if result.is_error:
            kind = PageNotFound if tool is line.open else ToolError
            raise kind(one_line(said)[:200] or f"{tool.name} failed.")
        found = result.structured_content
        if found is not None:
            return found.get("result", found)
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            return said

    async def _line(self) -> _Line:
        loop = asyncio.get_running_loop()
        opening = self._lines.get(loop)
        if opening is None or (opening.done() and opening.exception()):
            for other in [other for other in self._lines if other.is_closed()]:
                del self._lines[other]
            opening = self._lines[loop] = asyncio.ensure_future(self._open_line())
        return await asyncio.shield(opening)

    async def _open_line(self) -> _Line:
        ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()

        async def hold() -> None:
            async with self._make_client(self._server) as client:
                ready.set_result(client)
                await stop.wait()

        task = asyncio.create_task(hold())
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise BackendError(f"cannot connect to the MCP server: {task.exception()}")
        client = ready.result()
        offered = {tool.name: tool for tool in (await client.list_tools()).tools}
        missing = [name for name in self._names if name not in offered]
        if missing:
            stop.set()
            raise BackendError(
                f"expected the MCP server to have the tool {missing[0]!r}, got "
                f"{', '.join(offered) or 'none'}; name its own with `search_tool` and `open_tool`"
            )
        search, open_ = (_read_tool(offered[name]) for name in self._names)
        return _Line(client, search, open_, task, stop)


def _read_tool(tool: Any) -> _Tool:
    """Finds out which argument of a tool is which."""
    properties = tool.input_schema.get("properties", {})
    required = tool.input_schema.get("required") or list(properties)
    names = {name.lower(): name for name in properties}

    def find(*wanted: str) -> str | None:
        return next((names[name] for name in wanted if name in names), None)

    text = find("query", "q", "url", "id", "uri") or (required[0] if required else "query")
    count = find("count", "top_k", "limit", "num", "max_results", "num_results")
    return _Tool(tool.name, text, count, find("part", "page", "offset_part"))


def _items(found: Any) -> list[Any]:
    if isinstance(found, Mapping):
        found = next((value for value in found.values() if isinstance(value, list)), [])
    return found if isinstance(found, list) else []


def _hit(item: Any) -> Hit | None:
    if not isinstance(item, Mapping):
        return None
    url, title, snippet = (
        _first(item, names) for names in (_URL_FIELDS, _TITLE_FIELDS, _TEXT_FIELDS)
    )
    return Hit(url, one_line(title) or url, one_line(snippet)) if url else None


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(item[name]) for name in names if isinstance(item.get(name), str | int)), "")


def _title(found: Any, url: str) -> str:
    return (one_line(_first(found, _TITLE_FIELDS)) if isinstance(found, Mapping) else "") or url


def _text(found: Any) -> str:
    if isinstance(found, Mapping):
        return _first(found, _TEXT_FIELDS) or json.dumps(found, ensure_ascii=False)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
