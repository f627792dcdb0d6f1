"""One table of turns as small models write them, and what each means."""

from __future__ import annotations

import pytest

from wideseek_env.formats import PlainJson
from wideseek_env.game.tools import TOOLS, json_schemas
from wideseek_env.records import ToolCall, ToolResult

FORMAT = PlainJson()
SEARCH = ToolCall("search", {"query": "rivers"})
BODY = '{"name": "search", "arguments": {"query": "rivers"}}'

READ = {
    "one": (BODY, [SEARCH]),
    "two lines": (f"{BODY}\n{BODY}", [SEARCH, SEARCH]),
    "two without a break": (f"{BODY}{BODY}", [SEARCH, SEARCH]),
    "talk around it": (f"First I search.\n{BODY} so.", [SEARCH]),
    "compact": (BODY.replace(" ", ""), [SEARCH]),
    "thinking is not read": (f"<think>{BODY}</think>{BODY}", [SEARCH]),
    "trailing comma": (BODY.replace("}}", "},}"), [SEARCH]),
    "a call quoted in an argument": (
        '{"name": "report", "arguments": {"text": "{\\"name\\": \\"x\\"}"}}',
        [ToolCall("report", {"text": '{"name": "x"}'})],
    ),
    "text with braces is a report": ("a {b} c", [ToolCall("report", {"text": "a {b} c"})]),
}


@pytest.mark.parametrize("case", READ)
def test_parse_reads_the_calls(case: str) -> None:
    text, calls = READ[case]
    decision = FORMAT.parse(text, "subagent")
    assert decision.error is None
    assert list(decision.calls) == calls


@pytest.mark.parametrize(
    "text",
    [BODY[:-1], '{"name": "search", "arg', BODY + '{"name": "open", "arguments": [1]}', "", "{"],
    ids=["brace missing", "cut", "second bad", "empty", "brace"],
)
def test_parse_says_what_is_wrong(text: str) -> None:
    decision = FORMAT.parse(text, "lead")
    assert decision.calls == ()
    assert decision.error is not None
    assert '{"name": "answer"' in decision.error


def test_render_is_read_back() -> None:
    calls = (SEARCH, ToolCall("report", {"text": 'a "b" {"name": 1}\n<think>é'}))
    assert FORMAT.parse(FORMAT.render(calls), "subagent").calls == calls


def test_instructions_name_every_tool_and_argument() -> None:
    text = FORMAT.instructions(json_schemas([TOOLS["search"], TOOLS["open"]]))
    assert "search(query): " in text
    assert "open(url, part): " in text


def test_messages_joins_the_answers() -> None:
    results = [ToolResult("a", call=SEARCH), ToolResult("b", "notice")]
    assert FORMAT.messages(BODY, results) == [
        {"role": "assistant", "content": BODY},
        {"role": "user", "content": "a\n\nb"},
    ]
