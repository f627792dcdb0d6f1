"""`wideseek mcp`: our `search` and `open` for other agents, over the Model Context Protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from wideseek_env.backends.mcp import tools_server
from wideseek_env.backends.named import backend_named
from wideseek_env.cli.options import Count, check_values
from wideseek_env.cli.world import Port


@dataclass(frozen=True, kw_only=True)
class McpOptions:
    """Offers `search` and `open` over pages to any MCP client; needs the extra mcp."""

    backend: Positional[str]
    """Pages: a folder or file of pages, indexed first if need be, or a backend's name."""
    transport: Literal["stdio", "http"] = "stdio"
    """How clients reach it: as a program that they start, or at http://HOST:PORT/mcp."""
    host: str = "127.0.0.1"
    """Address to listen at, for http."""
    port: Port = 8001
    """Port to listen at, for http."""
    top_k: Count = 5
    """Hits of a search that does not say how many."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: McpOptions) -> int:
    """Serves until it is stopped; returns the exit status."""
    server = tools_server(backend_named(options.backend), top_k=options.top_k)
    if options.transport == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host=options.host, port=options.port)
    return 0
