"""Plain JSON calls, without tags: `{"name": ..., "arguments": {...}}`, for small models."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wideseek_env.formats.attempts import is_attempt
from wideseek_env.formats.reading import (
    EXAMPLES,
    bare_calls,
    call_json,
    clean,
    read_json,
    visible,
    without_call,
)
from wideseek_env.records import Decision, Role, ToolCall, ToolResult

_START = re.compile(r"""\{\s*+(["'])name\1\s*+:""")
_DECODER = json.JSONDecoder(strict=False)


class PlainJson:
    """Calls as bare JSON objects, one after another; the fewest tokens a call can have.

    A turn is read as calls when an object with a name and arguments is in it, and as text
    otherwise; what stands around the objects is not read.

    Example:
        >>> PlainJson().parse('{"name": "search", "arguments": {"query": "a"}}', "subagent").calls
        (ToolCall(name='search', arguments={'query': 'a'}),)
    """

    name = "json"
    native_tools = False
    tags: tuple[str, ...] = ()

    def parse(self, text: str, role: Role) -> Decision:
        """Returns the calls of a turn; an agent's thinking is not read."""
        text = clean(text)
        shown = visible(text)
        example = self.render([EXAMPLES[role]])
        start = _START.search(shown)
        calls: list[ToolCall] = []
        while start is not None:
            end = _object_end(shown, start.start())
            written = shown[start.start() : end]
            value = read_json(written, ended=False)
            found = bare_calls(value)
            cut = value is None and "}" not in written
            if found is None and (cut or is_attempt(written)):
                wrong = "A tool call is not valid JSON with `name` and `arguments`, or was cut off"
                return Decision(text=text, error=f"{wrong}; nothing was run. Example: {example}")
            calls.extend(found or ())  # an object with other keys is data, and no call
            start = _START.search(shown, end)
        if not calls:
            return without_call(text, shown, role, example)
        return Decision(calls=tuple(calls), text=text)

    def render(self, calls: Sequence[ToolCall]) -> str:
        """Returns the text of a turn that makes these calls; `parse` reads the same calls back."""
        return "\n".join(call_json(call) for call in calls)

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Returns the part of a system prompt that tells how to call, in few tokens."""
        lines = [
            f"{function['name']}({', '.join(function['parameters']['properties'])}): "
            f"{function['description']}"
            for function in (tool["function"] for tool in tools)
        ]
        return (
            'Call a tool by writing {"name": ..., "arguments": {...}}; several in a turn run at '
            "the same time.\n" + "\n".join(lines)
        )

    def messages(self, text: str, results: Sequence[ToolResult]) -> list[dict[str, Any]]:
        """Returns a turn and the answers to it, as one user message, in chat form."""
        return [
            {"role": "assistant", "content": text},
            {"role": "user", "content": "\n\n".join(result.text for result in results)},
        ]


def _object_end(text: str, begin: int) -> int:
    """Returns where the object ends; one that cannot be read ends where the next call begins."""
    try:
        return _DECODER.raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        following = _START.search(text, begin + 1)
        return following.start() if following else len(text)
