"""Hermes / Qwen calls: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>` in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wideseek_env.formats.reading import (
    EXAMPLES,
    bare_calls,
    call_json,
    calls_of,
    clean,
    read_json,
    visible,
    without_call,
)
from wideseek_env.records import Decision, Role, ToolCall, ToolResult

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_DECODER = json.JSONDecoder()
_OPENING = re.compile(f"{_OPEN}(?!`(?!``))")
"""An opening tag, save one that stands alone as inline code: that one is spoken of."""


class Hermes:
    """The format that Qwen, Hermes and many other open models are trained on.

    Example:
        >>> Hermes().parse('<tool_call>{"name": "open", "arguments": {"url": "/a"}}</tool_call>',
        ...                "subagent").calls
        (ToolCall(name='open', arguments={'url': '/a'}),)
    """

    name = "hermes"
    native_tools = False
    tags: tuple[str, ...] = (
        *("<tools>", "</tools>", _OPEN, _CLOSE),
        *("<tool_response>", "</tool_response>", "<think>", "</think>"),
    )

    def parse(self, text: str, role: Role) -> Decision:
        """Returns the calls of a turn; an agent's thinking is not read."""
        text = clean(text)
        shown = visible(text)
        if not _OPENING.search(shown):
            body = shown.removesuffix(_CLOSE)
            if bare := bare_calls(read_json(body, ended=body != shown)):
                return Decision(calls=bare, text=text)  # a call without its tags, nothing else
            return without_call(text, shown, role, self.render([EXAMPLES[role]]))
        calls: list[ToolCall] = []
        for number, (body, ended) in enumerate(_blocks(shown), start=1):
            found = _read_block(body, ended)
            if found is None:
                total = len(_OPENING.findall(shown))
                return Decision(text=text, error=self._error(number, total, ended, role))
            calls.extend(found)
        return Decision(calls=tuple(calls), text=text)

    def _error(self, number: int, total: int, ended: bool, role: Role) -> str:
        which = f"Tool call {number} of {total}" if total > 1 else "The tool call"
        wrong = "is not valid JSON with `name` and `arguments`" if ended else "was cut off"
        return f"{which} {wrong}; nothing was run. Example: {self.render([EXAMPLES[role]])}"

    def render(self, calls: Sequence[ToolCall]) -> str:
        """Returns the text of a turn that makes these calls; `parse` reads the same calls back."""
        return "\n".join(f"{_OPEN}\n{call_json(call)}\n{_CLOSE}" for call in calls)

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Returns the part of a system prompt that tells how to call, worded as in training.

        Source: the chat template of Qwen2.5 and Qwen3, which render `tools` to this text.
        """
        schemas = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
        return (
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            "You are provided with function signatures within <tools></tools> XML tags:\n"
            f"<tools>\n{schemas}\n</tools>\n\n"
            "For each function call, return a json object with function name and arguments within "
            f"{_OPEN}{_CLOSE} XML tags:\n"
            f'{_OPEN}\n{{"name": <function-name>, "arguments": <args-json-object>}}\n{_CLOSE}'
        )

    def messages(self, text: str, results: Sequence[ToolResult]) -> list[dict[str, Any]]:
        """Returns a turn and the answers to it as chat messages.

        Answers go into one user message, which is what Qwen's template makes of `tool` messages
        and what templates that do not know `tool` take as well.
        """
        parts = [
            f"<tool_response>\n{result.text}\n</tool_response>" if result.call else result.text
            for result in results
        ]
        return [
            {"role": "assistant", "content": text},
            {"role": "user", "content": "\n".join(parts)},
        ]


def _blocks(shown: str) -> Iterator[tuple[str, bool]]:
    """Yields what each call's tags enclose, and whether its closing tag is there.

    A tag inside a JSON string is text: when a whole value can be read after an opening tag, the
    block reaches at least to its end.
    """
    opening = _OPENING.search(shown)
    close = -1
    while opening:
        begin = opening.end()
        after = _value_end(shown, begin)
        if close < after:
            close = shown.find(_CLOSE, after)
            close = len(shown) if close < 0 else close
        following = _OPENING.search(shown, after)
        if following and following.start() < close:
            yield shown[begin : following.start()], True  # the next call's tag ends this one
        else:
            yield shown[begin:close], close < len(shown)
        opening = following


def _value_end(text: str, begin: int) -> int:
    while begin < len(text) and text[begin].isspace():
        begin += 1
    try:
        return _DECODER.raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        return begin


def _read_block(body: str, ended: bool) -> tuple[ToolCall, ...] | None:
    """Returns the calls of one block: one value, or one value a line."""
    calls = calls_of(read_json(body, ended=ended))
    if calls is not None:
        return calls
    lines = [calls_of(read_json(line, ended=ended)) for line in body.splitlines() if line.strip()]
    if len(lines) < 2 or None in lines:
        return None
    return tuple(call for found in lines if found for call in found)
