"""One table of messages as chat servers answer them, and what each means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wideseek_env.formats import OpenAI
from wideseek_env.records import ToolCall, ToolResult

FORMAT = OpenAI()
SEARCH = ToolCall("search", {"query": "rivers"})


def message(*arguments: str, name: str = "search", content: str | None = None) -> str:
    calls = [
        {"id": f"id{i}", "type": "function", "function": {"name": name, "arguments": text}}
        for i, text in enumerate(arguments)
    ]
    return json.dumps({"role": "assistant", "content": content, "tool_calls": calls})


READ: dict[str, tuple[str, list[ToolCall]]] = {
    "one": (message('{"query": "rivers"}'), [SEARCH]),
    "two": (message('{"query": "rivers"}', '{"query": "rivers"}'), [SEARCH, SEARCH]),
    "content beside it": (message('{"query": "rivers"}', content="I search"), [SEARCH]),
    "no arguments": (message(""), [ToolCall("search", {})]),
    "repaired arguments": (message('{"query": "rivers",}'), [SEARCH]),
    "content alone": (message(content="Alden"), [ToolCall("report", {"text": "Alden"})]),
    "plain text": ("Alden", [ToolCall("report", {"text": "Alden"})]),
    "other JSON is text": ('{"a": 1}', [ToolCall("report", {"text": '{"a": 1}'})]),
    "thinking stripped": (
        message(content="<think>x</think>Alden"),
        [ToolCall("report", {"text": "Alden"})],
    ),
    "thinking inside an argument stripped": (
        message('{"text": "<think>x</think>Alden"}', name="report"),
        [ToolCall("report", {"text": "Alden"})],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_parse_reads_the_calls(case: str) -> None:
    text, calls = READ[case]
    decision = FORMAT.parse(text, "subagent")
    assert decision.error is None
    assert list(decision.calls) == calls


@pytest.mark.parametrize(
    "text",
    [
        message('{"query": "riv'),
        message("[1]"),
        message('{"query": "a"}', name=""),
        json.dumps({"content": None, "tool_calls": ["a"]}),
        message(content=""),
        "",
    ],
    ids=["cut", "list", "no name", "no object", "empty content", "empty"],
)
def test_parse_says_what_is_wrong(text: str) -> None:
    decision = FORMAT.parse(text, "lead")
    assert decision.calls == ()
    assert decision.error


def test_parse_call_that_the_server_left_in_the_text_is_no_report() -> None:
    text = message(content='<tool_call>{"name": "search", "arguments": {"query": "a "b""}}')
    decision = FORMAT.parse(text, "subagent")
    assert decision.calls == ()
    assert decision.error
    assert "function-calling interface" in decision.error


def answers(*results: ToolResult, text: str) -> list[dict[str, Any]]:
    return FORMAT.messages(text, results)[1:]


def test_messages_every_id_has_one_answer() -> None:
    text = message('{"query": "a"}', '{"query": "b"}')
    found = ToolResult("found a", call=SEARCH)
    assert answers(found, ToolResult("one turn left", "notice"), text=text) == [
        {"role": "tool", "tool_call_id": "id0", "content": "found a"},
        {"role": "tool", "tool_call_id": "id1", "content": "Not carried out."},
        {"role": "user", "content": "one turn left"},
    ]


def test_messages_alias_that_is_several_calls_is_answered_under_its_id() -> None:
    text = message('{"queries": ["a", "b"]}', '{"query": "c"}')
    found = [ToolResult(name, call=SEARCH) for name in "abc"]
    assert answers(*found, text=text) == [
        {"role": "tool", "tool_call_id": "id0", "content": "a\n\nb"},
        {"role": "tool", "tool_call_id": "id1", "content": "c"},
    ]


def test_messages_without_calls_answers_as_user() -> None:
    assert answers(ToolResult("No tool call", "wrong"), text="hm") == [
        {"role": "user", "content": "No tool call"}
    ]


def test_render_is_read_back() -> None:
    calls = (SEARCH, ToolCall("report", {"text": 'é "b"\n <think> </think>'}))
    assert FORMAT.parse(FORMAT.render(calls), "subagent").calls == calls
