"""A tool-call format of one's own: one call a line, `tool: {"argument": ...}`.

    python examples/tool_format.py
    wideseek benchmark --policies llm --format examples.tool_format:Lines --model ... ...

A format says how a model writes the calls of a turn and how answers are shown to it. It only reads
what is written; whether a tool exists and has these arguments is checked by the game.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wideseek_env.formats import get_format
from wideseek_env.records import Decision, Role, ToolCall, ToolResult

_CALL = re.compile(r"^(\w+): (\{.*\})$")


class Lines:
    """Calls as lines; a turn without any is the agent's text."""

    name = "lines"
    native_tools = False

    def parse(self, text: str, role: Role) -> Decision:
        """Reads the calls of a turn; never raises, as whatever a model writes is a legal turn."""
        calls = []
        for name, written in (m.groups() for m in map(_CALL.match, text.splitlines()) if m):
            try:
                arguments = json.loads(written)
            except (ValueError, RecursionError):
                return Decision(text=text, error=f"The arguments of {name} are not valid JSON.")
            calls.append(ToolCall(name, arguments))
        if calls:
            return Decision(calls=tuple(calls), text=text)
        end, argument = ("answer", "text") if role == "lead" else ("report", "text")
        return Decision(calls=(ToolCall(end, {argument: text}),), text=text)

    def render(self, calls: Sequence[ToolCall]) -> str:
        """Writes the calls of a turn; `parse` reads the same calls back."""
        return "\n".join(f"{call.name}: {json.dumps(dict(call.arguments))}" for call in calls)

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Tells a model how to call."""
        names = ", ".join(tool["function"]["name"] for tool in tools)
        return f'Call tools line by line, as in `search: {{"query": "rivers"}}`. Tools: {names}.'

    def messages(self, text: str, results: Sequence[ToolResult]) -> list[dict[str, Any]]:
        """Shows a turn and the answers to it."""
        shown = "\n\n".join(result.text for result in results)
        return [{"role": "assistant", "content": text}, {"role": "user", "content": shown}]


def main() -> None:
    """Writes calls and reads them back, found by the path that a command would be given."""
    lines = get_format("examples.tool_format:Lines")
    calls = (ToolCall("search", {"query": "rivers"}), ToolCall("open", {"url": "/a", "part": 2}))
    print(lines.render(calls))
    print(lines.parse(lines.render(calls), "subagent").calls == calls)


if __name__ == "__main__":
    main()
