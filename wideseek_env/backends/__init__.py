"""Where `search` and `open` get their answers: one protocol with three members.

Every backend (the closed world, a folder of pages, a server, the live web) is held to the same
contract by `tests/wideseek_env/backends/contract.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result."""

    url: str
    title: str
    snippet: str
    """The passage that matched, one line of plain text."""


@dataclass(frozen=True, slots=True)
class Page:
    """One numbered part of one page, as text."""

    url: str
    title: str
    text: str
    """Plain text; a table row is one line, cells between ` | `."""
    part: int = 1
    """1 .. num_parts."""
    num_parts: int = 1


@runtime_checkable
class Backend(Protocol):
    """Answers the two information tools.

    `search` and `open` raise `ToolError` when this call cannot be answered (the agent is told) and
    `BackendError` when none can (the episode is invalid).
    """

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Returns at most `top_k` pages for a query, best first, ties by URL; empty is legal."""
        ...

    async def open(self, url: str, part: int = 1) -> Page:
        """Returns one part of a page.

        Raises:
            PageNotFound: there is no page with this URL, or it has fewer parts.
        """
        ...

    async def close(self) -> None:
        """Frees connections and files; who made the backend calls it when nobody plays any more.

        Harmless twice; a later call opens again what it needs.
        """
        ...
