"""One table of turns as models write them, and what each means."""

from __future__ import annotations

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.formats import Hermes
from wideseek_env.records import ToolCall, ToolResult

FORMAT = Hermes()
SEARCH = ToolCall("search", {"query": "rivers"})
OPEN = ToolCall("open", {"url": "/a", "part": 2})
GOOD = '<tool_call>\n{"name": "search", "arguments": {"query": "rivers"}}\n</tool_call>'
OPENED = '<tool_call>{"name": "open", "arguments": {"url": "/a", "part": 2}}</tool_call>'
BODY = '{"name": "search", "arguments": {"query": "rivers"}}'
TABLE = "| Name | Length |\n|---|:--:|\n| Alden | 12 km |"

READ = {
    "one call": (GOOD, [SEARCH]),
    "two calls": (GOOD + "\n" + OPENED, [SEARCH, OPEN]),
    "talk around it": (f"I will look.\n{GOOD}\nThen I go on.", [SEARCH]),
    "thinking is not read": (f"<think>{OPENED}</think>{GOOD}", [SEARCH]),
    "thinking opened by the prompt": (f"maybe {OPENED}\n</think>\n{GOOD}", [SEARCH]),
    "two thoughts": (f"<think>a</think>{GOOD}<think>b</think>{OPENED}", [SEARCH, OPEN]),
    "no closing tag at all": ("<tool_call>\n" + BODY, [SEARCH]),
    "next call closes the one before": (f"<tool_call>{BODY}\n{OPENED}", [SEARCH, OPEN]),
    "tags doubled around a list": (f"<tool_call>[{BODY}, {BODY}]</tool_call>", [SEARCH, SEARCH]),
    "one call a line": (f"<tool_call>\n{BODY}\n{BODY}\n</tool_call>", [SEARCH, SEARCH]),
    "bare object": (BODY, [SEARCH]),
    "bare object in a fence": (f"```json\n{BODY}\n```", [SEARCH]),
    "opening tag missing": (f"{BODY}\n</tool_call>", [SEARCH]),
    "fence inside the tags": (f"<tool_call>\n```json\n{BODY}\n```\n</tool_call>", [SEARCH]),
    "parameters": (f"<tool_call>{BODY.replace('arguments', 'parameters')}</tool_call>", [SEARCH]),
    "arguments as text": (
        r'<tool_call>{"name": "search", "arguments": "{\"query\": \"rivers\"}"}</tool_call>',
        [SEARCH],
    ),
    "no arguments": ('<tool_call>{"name": "search"}</tool_call>', [ToolCall("search", {})]),
    "a brace missing": (f"<tool_call>{BODY[:-1]}</tool_call>", [SEARCH]),
    "a brace too many": (f"<tool_call>{BODY}}}</tool_call>", [SEARCH]),
    "a bracket missing inside": (
        '<tool_call>{"name": "delegate", "arguments": {"subtasks": ["a", "b"}}</tool_call>',
        [ToolCall("delegate", {"subtasks": ["a", "b"]})],
    ),
    "trailing commas": (
        '<tool_call>{"name": "search", "arguments": {"query": "a,]}",},}</tool_call>',
        [ToolCall("search", {"query": "a,]}"})],
    ),
    "python spelling": (
        "<tool_call>{'name': 'open', 'arguments': {'url': '/a', 'part': 2}}</tool_call>",
        [OPEN],
    ),
    "line break in a string": (
        '<tool_call>{"name": "report", "arguments": {"text": "a\nb"}}</tool_call>',
        [ToolCall("report", {"text": "a\nb"})],
    ),
    "escape that JSON lacks": (
        r'<tool_call>{"name": "report", "arguments": {"text": "a\_b \\_ \n"}}</tool_call>',
        [ToolCall("report", {"text": "a\\_b \\_ \n"})],
    ),
    "boxed with one backslash": (
        r'<tool_call>{"name": "answer", "arguments": {"text": "\boxed{Alden}"}}</tool_call>',
        [ToolCall("answer", {"text": "\\boxed{Alden}"})],
    ),
    "tags inside a string": (
        '<tool_call>{"name": "report", "arguments": {"text": "<tool_call></tool_call>"}}'
        "</tool_call>",
        [ToolCall("report", {"text": "<tool_call></tool_call>"})],
    ),
    "lone surrogate in an escape": (
        r'<tool_call>{"name": "search", "arguments": {"query": "a\ud83d"}}</tool_call>',
        [ToolCall("search", {"query": "a\ufffd"})],
    ),
    "report without a call": ("Alden: 12 km", [ToolCall("report", {"text": "Alden: 12 km"})]),
    "thinking stripped from a report": (
        "<think>hm</think>\nAlden: 12 km",
        [ToolCall("report", {"text": "Alden: 12 km"})],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_parse_reads_the_calls(case: str) -> None:
    text, calls = READ[case]
    decision = FORMAT.parse(text, "subagent")
    assert decision.error is None
    assert list(decision.calls) == calls
    assert decision.text == text


REFUSED = {
    "open string": '<tool_call>{"name": "search", "arguments": {"query": "riv</tool_call>',
    "quote inside a string": (
        '<tool_call>{"name": "search", "arguments": {"query": "a "b" c"}}</tool_call>'
    ),
    "missing comma": '<tool_call>{"name": "search" "arguments": {"query": "a"}}</tool_call>',
    "key given twice": (
        '<tool_call>{"name": "search", "arguments": {"query": "a", "query": "b"}}</tool_call>'
    ),
    "cut inside a list": (
        '<tool_call>{"name": "delegate", "arguments": {"subtasks": ["List the rivers"'
    ),
    "no name": '<tool_call>{"arguments": {"query": "a"}}</tool_call>',
    "name is no text": '<tool_call>{"name": 7, "arguments": {}}</tool_call>',
    "arguments are a list": '<tool_call>{"name": "search", "arguments": ["a"]}</tool_call>',
    "not an object": "<tool_call>search rivers</tool_call>",
    "empty": "<tool_call></tool_call>",
    "NaN": '<tool_call>{"name": "open", "arguments": {"part": NaN}}</tool_call>',
    "number too large": (
        '<tool_call>{"name": "open", "arguments": {"part": ' + "9" * 30 + "}}</tool_call>"
    ),
    "nested a thousand deep": '<tool_call>{"name": "a", "arguments": '
    + "[" * 5000
    + "</tool_call>",
    "one good and one bad": GOOD + "<tool_call>{oops</tool_call>",
    "opening tag missing, quote inside": (
        '{"name": "search", "arguments": {"query": "a "b" c"}}</tool_call>'
    ),
    "talk and a call without tags": f"I will search:\n```json\n{BODY}\n```",
    "nothing": "",
    "thinking only": "<think>I should search",
}


@pytest.mark.parametrize("case", REFUSED)
def test_parse_says_what_is_wrong(case: str) -> None:
    decision = FORMAT.parse(REFUSED[case], "subagent")
    assert decision.calls == ()
    assert decision.error is not None
    assert "<tool_call>" in decision.error
    assert len(decision.error.split()) <= 60


def test_parse_bad_second_call_is_named() -> None:
    decision = FORMAT.parse(GOOD + "<tool_call>{oops</tool_call>", "subagent")
    assert decision.error is not None
    assert decision.error.startswith("Tool call 2 of 2 is not valid JSON")


def test_parse_unclosed_call_is_called_cut_off() -> None:
    decision = FORMAT.parse('<tool_call>{"name": "search", "argum', "subagent")
    assert decision.error is not None
    assert "cut off" in decision.error


@pytest.mark.parametrize("text", [TABLE, f"Here:\n```markdown\n{TABLE}\n```", "So \\boxed{Alden}"])
def test_parse_lead_text_with_a_result_is_its_answer(text: str) -> None:
    decision = FORMAT.parse(f"<think>so</think>{text}", "lead")
    assert decision.calls == (ToolCall("answer", {"text": text}),)


@pytest.mark.parametrize("text", ["I will delegate now.", "a | b", "---", "a\n---\n"])
def test_parse_lead_text_without_a_result_is_an_error(text: str) -> None:
    decision = FORMAT.parse(text, "lead")
    assert decision.calls == ()
    assert decision.error is not None
    assert '"answer"' in decision.error


def test_parse_lone_surrogate_in_the_text_is_replaced() -> None:
    assert FORMAT.parse("Alden \ud83d", "subagent").text == "Alden \ufffd"
    assert FORMAT.parse("\ud83d\ude00", "subagent").text == "\U0001f600"


def test_messages_wraps_answers_but_not_notices() -> None:
    results = [ToolResult("found", call=SEARCH), ToolResult("3 turns left", "notice")]
    assert FORMAT.messages(GOOD, results) == [
        {"role": "assistant", "content": GOOD},
        {"role": "user", "content": "<tool_response>\nfound\n</tool_response>\n3 turns left"},
    ]


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_calls = st.lists(
    st.builds(ToolCall, st.text(min_size=1, max_size=9), st.dictionaries(st.text(), _values)),
    min_size=1,
    max_size=4,
)


def test_parse_reads_back_thinking_tags_in_arguments() -> None:
    call = ToolCall("report", {"text": "a <think> b </think> \\<think>"})
    assert FORMAT.parse(FORMAT.render([call]), "subagent").calls == (call,)


@given(_calls)
@settings(max_examples=examples(200), deadline=None)
def test_parse_reads_back_what_render_wrote(calls: list[ToolCall]) -> None:
    assert FORMAT.parse(FORMAT.render(calls), "lead").calls == tuple(calls)


@given(st.text(alphabet='{}[]",:\\\n<>think/tool_calnamergus|-\ud83d', max_size=80))
@settings(max_examples=examples(300), deadline=None)
def test_parse_never_raises(text: str) -> None:
    for role in ("lead", "subagent"):
        decision = FORMAT.parse(text, role)
        assert (decision.error is None) == bool(decision.calls)
