import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

pytest.importorskip("mcp", reason="needs mcp, `pip install -e .[mcp]`")

from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError as McpToolError

from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.backends.mcp import McpBackend, tools_server
from wideseek_env.errors import BackendError, PageNotFound, ToolError


@pytest.fixture
async def backend() -> AsyncIterator[McpBackend]:
    backend = McpBackend(tools_server(PagesBackend(CONTRACT_PAGES)))
    yield backend
    await backend.close()


async def test_other_clients_are_told_both_tools_and_can_call_them() -> None:
    async with Client(tools_server(PagesBackend(CONTRACT_PAGES))) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "open"}
        assert tools["search"].input_schema["required"] == ["query"]
        found = await client.call_tool("search", {"query": "river in Torvia"})
        assert found.structured_content["result"][0]["url"] == "http://w.example/alden"
        page = await client.call_tool("open", {"url": "http://w.example/alden"})
        assert "Alden is a river in Torvia." in page.content[0].text
        wrong = await client.call_tool("open", {"url": "http://w.example/none"})
        assert wrong.is_error


def foreign() -> Any:
    """A server in another manner: JSON as text, ids for URLs, whole pages."""
    server = MCPServer("foreign")

    @server.tool(name="web_search", structured_output=False)
    async def web_search(q: str) -> str:
        if q == "fail":
            raise McpToolError("quota is used up")
        return '{"results": [{"id": "7", "name": "Seven", "text": "about seven"}, {"x": 1}, 3]}'

    @server.tool(name="fetch", structured_output=False)
    async def fetch(id: str) -> str:
        return "\n".join(f"line {number} of {id}" for number in range(500))

    return server


def test_parts_that_are_too_short_are_refused() -> None:
    with pytest.raises(ValueError, match="`part_chars` must be at least 200, got 0"):
        McpBackend(foreign(), part_chars=0)


async def test_foreign_tools_are_read() -> None:
    backend = McpBackend(foreign(), search_tool="web_search", open_tool="fetch", part_chars=2000)
    [hit] = await backend.search("anything", 5)
    assert (hit.url, hit.title, hit.snippet) == ("7", "Seven", "about seven")
    first, second = await backend.open("7"), await backend.open("7", 2)
    assert first.text.startswith("line 0 of 7")
    assert first.num_parts > 2
    assert second.text != first.text
    with pytest.raises(PageNotFound):
        await backend.open("7", 99)
    with pytest.raises(ToolError, match="quota is used up"):
        await backend.search("fail", 5)
    await backend.close()


async def test_missing_tool_is_named_with_those_that_there_are() -> None:
    backend = McpBackend(foreign())
    with pytest.raises(BackendError, match="the tool 'search', got web_search, fetch"):
        await backend.search("x", 3)
    await backend.close()


def test_one_event_loop_after_another() -> None:
    backend = McpBackend(tools_server(PagesBackend(CONTRACT_PAGES)))

    async def once() -> int:
        found = len(await backend.search("river", 5))
        await backend.close()
        return found

    assert asyncio.run(once()) == asyncio.run(once()) > 0


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "alden.html").write_text("<title>Alden</title><p>A river in Varnia.</p>")
    return tmp_path


@pytest.mark.slow
async def test_command_over_standard_input_and_output(corpus: Path) -> None:
    backend = McpBackend(f"{sys.executable} -m wideseek_env mcp {corpus}")
    [hit] = await backend.search("Varnia", 3)
    assert hit.url == "alden.html"
    assert "A river in Varnia." in (await backend.open(hit.url)).text
    await backend.close()


@pytest.mark.slow
async def test_command_over_http(corpus: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "wideseek_env", "mcp", str(corpus), "--transport", "http",
               "--port", str(port)]  # fmt: skip
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        backend = McpBackend(f"http://127.0.0.1:{port}/mcp")
        deadline_s = time.monotonic() + 60
        while True:
            try:
                [hit] = await backend.search("Varnia", 3)
                break
            except BackendError:
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.2)
        assert hit.title == "Alden"
        await backend.close()
    finally:
        server.terminate()
        server.wait(20)


async def test_server_that_is_away_is_a_backend_error() -> None:
    backend = McpBackend("http://127.0.0.1:9/mcp")
    with pytest.raises(BackendError, match="cannot connect to the MCP server"):
        await backend.search("x", 3)
    await backend.close()
