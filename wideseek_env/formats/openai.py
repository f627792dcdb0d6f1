"""OpenAI's native tool calls: a turn is an assistant message with `tool_calls`, as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wideseek_env.formats.reading import (
    EXAMPLES,
    arguments_json,
    calls_of,
    clean,
    read_json,
    visible,
    without_call,
)
from wideseek_env.game.tools import expand
from wideseek_env.records import Decision, Role, ToolCall, ToolResult


class OpenAI:
    """The format of chat servers that read and write tool calls themselves.

    The text of a turn is the server's message object as JSON (`content`, `tool_calls`), so nothing
    of it is lost; a text that is no such object is a message with that content and no calls.

    Example:
        >>> call = ToolCall("open", {"url": "/a"})
        >>> OpenAI().parse(OpenAI().render([call]), "subagent").calls == (call,)
        True
    """

    name = "openai"
    native_tools = True
    tags: tuple[str, ...] = ()

    def parse(self, text: str, role: Role) -> Decision:
        """Returns the calls of a turn, or what its content means when it holds none."""
        text = clean(text)
        message = _message(text)
        if not message.get("tool_calls"):
            content = message.get("content") or ""
            example = f"`{EXAMPLES[role].name}` through the function-calling interface"
            return without_call(text, visible(content), role, example)
        calls: list[ToolCall] = []
        for item in message["tool_calls"]:
            found = calls_of(_function(item))
            if found is None:
                error = "A tool call's arguments are not a JSON object; nothing was run."
                return Decision(text=text, error=error)
            calls.extend(found)
        return Decision(calls=tuple(calls), text=text)

    def render(self, calls: Sequence[ToolCall]) -> str:
        """Returns the message that makes these calls; `parse` reads the same calls back."""
        tool_calls = [
            {
                "id": f"call_{index}",
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": arguments_json(dict(call.arguments)),
                },
            }
            for index, call in enumerate(calls)
        ]
        return json.dumps({"content": None, "tool_calls": tool_calls}, ensure_ascii=False)

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Returns nothing: the server is given the schemas and words them itself."""
        return ""

    def messages(self, text: str, results: Sequence[ToolResult]) -> list[dict[str, Any]]:
        """Returns a turn and the answers to it; every call id gets one `tool` message.

        Servers refuse a call without an answer, so one that was not run is answered as well.
        """
        message = _message(text)
        items = [item for item in message.get("tool_calls", ()) if isinstance(item, dict)]
        assistant: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
        if items:
            assistant["tool_calls"] = items
        answers = iter([result.text for result in results if result.call])
        messages = [assistant]
        for item in items:
            content = "\n\n".join(_take(answers, _num_answers(item))) or "Not carried out."
            messages.append({"role": "tool", "tool_call_id": item.get("id"), "content": content})
        others = [*answers, *(result.text for result in results if not result.call)]
        if others or not items:
            messages.append({"role": "user", "content": "\n\n".join(others)})
        return messages


def _message(text: str) -> dict[str, Any]:
    """Returns the message object; what is none is taken as the content of one.

    `content` is a text or null in it, also where a server sends a list of parts, and `tool_calls`
    a list.
    """
    value = read_json(text, ended=False) if text.lstrip().startswith("{") else None
    if not isinstance(value, dict) or not ("tool_calls" in value or "content" in value):
        return {"content": text}
    content, calls = value.get("content"), value.get("tool_calls") or []
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in content]
        content = "".join(text for text in texts if isinstance(text, str))
    return {
        **value,
        "content": content if isinstance(content, str) else None,
        "tool_calls": calls if isinstance(calls, list) else [calls],
    }


def _function(item: object) -> object:
    """Reads name and arguments of a call; thinking inside its arguments is not read."""
    function = item.get("function") if isinstance(item, dict) else None
    if isinstance(function, dict) and isinstance(function.get("arguments"), str):
        return {**function, "arguments": visible(function["arguments"])}
    return function


def _num_answers(item: Mapping[str, Any]) -> int:
    """Returns how many answers the game gives to one call: an alias may stand for several."""
    calls = calls_of(_function(item)) or ()
    return sum(len(expand(call)) for call in calls)


def _take(texts: Iterator[str], number: int) -> list[str]:
    return [text for _, text in zip(range(number), texts, strict=False)]
