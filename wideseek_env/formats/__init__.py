"""Tool-call formats: how a model writes the calls of a turn, and how answers are shown to it.

A format is a small class without state, which is named by its path (`my_package.formats:Mine`); one
of ours is a module here, a row in `FORMATS` and a table of texts in `tests/`. Formats only read
what is written; whether a tool exists and has these arguments is checked by the game (`tools.py`),
the paper's aliases included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from wideseek_env.formats.hermes import Hermes
from wideseek_env.formats.openai import OpenAI
from wideseek_env.formats.plain_json import PlainJson
from wideseek_env.plugins import resolve
from wideseek_env.records import Decision, Role, ToolCall, ToolResult

__all__ = ["FORMATS", "Hermes", "OpenAI", "PlainJson", "ToolCallFormat", "get_format"]


class ToolCallFormat(Protocol):
    """Between the text of a turn and its tool calls."""

    name: str
    native_tools: bool
    """Whether the engine is given the schemas itself, beside the messages."""
    tags: tuple[str, ...]
    """Markup of its own, which pages and reports must not be able to write."""

    def parse(self, text: str, role: Role) -> Decision:
        """Returns the calls of a turn, or `Decision.error` with what was wrong; never raises."""
        ...

    def render(self, calls: Sequence[ToolCall]) -> str:
        """Returns the text of a turn that makes these calls: the inverse of `parse`."""
        ...

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Writes the part of a system prompt from which a model learns this format.

        Args:
            tools: JSON schemas, as `tools.json_schemas` gives them.
        """
        ...

    def messages(self, text: str, results: Sequence[ToolResult]) -> list[dict[str, Any]]:
        """Returns a turn and the answers to it as chat messages, the assistant's message first."""
        ...


_ALL: tuple[ToolCallFormat, ...] = (Hermes(), PlainJson(), OpenAI())
FORMATS: Mapping[str, ToolCallFormat] = {format.name: format for format in _ALL}


def get_format(name: str) -> ToolCallFormat:
    """Finds a format by its name here, its Python path, or the name that its package gave it.

    Raises:
        ValueError: there is none; the message lists them.
    """
    found: Any = resolve("formats", name, FORMATS)
    format: ToolCallFormat = found() if isinstance(found, type) else found
    return format
