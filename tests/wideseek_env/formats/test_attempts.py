"""Texts that were meant as calls, in any model's spelling, and texts that only look like it."""

from __future__ import annotations

import time

import pytest

from wideseek_env.formats import FORMATS, get_format
from wideseek_env.formats.attempts import is_attempt
from wideseek_env.records import Role, ToolCall

CALL = '{"name": "search", "arguments": {"query": "Aare"}}'
PARAMETERS = '{"name": "search", "parameters": {"query": "Aare"}}'
XML = "<function=search>\n<parameter=query>\nAare\n</parameter>\n</function>"
SEARCH = ToolCall("search", {"query": "Aare"})

ATTEMPTS = {
    "tagged by a function, Qwen3-Coder": [
        XML,
        f"I'll look.\n\n{XML}\n</tool_call>",
        f"<tool_call>\n{XML}\n</tool_call>",
        "<function=search>\n<parameter=query>\nAar",
        '<function=search>{"query": "Aare"}</function>',
        "So: <function=open><parameter=url>/a</parameter>",
        "<function=delegate>\n<parameter=subtasks>\n[]",
        "<parameter=query>Aare</parameter>\n</function>",
        "<function=search>",
        "<function=nosuch>\n</function>",
        "| a |\n|---|\n| 1 |\n<function=answer>",
    ],
    "Llama": [
        f"<|python_tag|>{PARAMETERS}",
        '<|python_tag|>search.call(query="Aare")',
        f"Let me search.\n{PARAMETERS}",
        PARAMETERS,
        f"[{PARAMETERS}, {PARAMETERS}]",
        f"{PARAMETERS}; {PARAMETERS}",
        f"```json\n{PARAMETERS}\n```",
        f"```\n{PARAMETERS}\n```",
        '[search(query="Aare")]',
        '[search(query="Aare"), open(url="/a")]',
        f"{PARAMETERS}<|eom_id|>",
    ],
    "Python's spelling": [
        CALL.replace('"', "'"),
        PARAMETERS.replace('"', "'"),
        f"I search:\n{CALL.replace(chr(34), chr(39))}",
        "{'name': 'search', 'arguments': {'query': \"Aare\"}}",
        "{'name': 'open', 'arguments': {'url': '/a', 'part': None}}",
        "{'arguments': {'query': 'Aare'}, 'name': 'search'}",
        "```python\n{'name': 'search', 'arguments': {'query': 'Aare'}}\n```",
        "{name: 'search', arguments: {query: 'Aare'}}",
        "search({'query': 'Aare'})",
        "{'tool': 'search', 'query': 'Aare'}",
    ],
    "called as a function": [
        'search(query="Aare")',
        '```tool_code\nsearch(query="Aare")\n```',
        '```tool_code\nprint(search(query="Aare"))\n```',
        '```python\nsearch(query="Aare length")\n```',
        'I will search now.\n\nsearch(query="Aare")',
        'Calling: search("Aare")',
        '`search(query="Aare")`',
        'functions.search({"query": "Aare"})',
        "default_api.open(url='/a')",
        'delegate(["List the rivers.", "List the lakes."])',
        'search(query="Aar',
        'search(query="Aare")\nopen(url="/a")',
        'report(text="Aare: 291 km")',
    ],
    "other models' markers": [
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.search:0",  # Kimi
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n{CALL}",
        f"[TOOL_CALLS][{CALL}]",  # Mistral
        '[TOOL_CALLS]search[ARGS]{"query": "Aare"}',
        "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>Aare</arg_value>",  # GLM
        "search\n<arg_key>query</arg_key>\n<arg_value>Aare</arg_value>\n</tool_call>",
        '<invoke name="search"><parameter name="query">Aare</parameter></invoke>',  # Claude
        '<minimax:tool_call>\n<invoke name="search">',  # MiniMax
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="search">',  # DeepSeek V3.2
        '<|channel|>commentary to=functions.search <|message|>{"query": "Aare"}',  # gpt-oss
        f"<TOOLCALL>[{CALL}]</TOOLCALL>",  # Nemotron
        f"<tool_calls>[{CALL}]</tool_calls>",  # Hunyuan, Jamba
        f"<|tool_call|>[{CALL}]",  # Granite, Phi
        f"<functioncall> {CALL}",  # Glaive
        f"<|action_start|><|plugin|>\n{PARAMETERS}",  # InternLM
        '<|tool_call_start|>[search(query="Aare")]<|tool_call_end|>',  # LFM
        "<start_function_call>call:search{query:<escape>Aare<escape>}",  # FunctionGemma
        '✿FUNCTION✿: search\n✿ARGS✿: {"query": "Aare"}',  # Qwen-Agent
        f"[TOOL_REQUEST]{CALL}[END_TOOL_REQUEST]",  # LM Studio
        'Thought: look\nAction: search\nAction Input: {"query": "Aare"}',  # ReAct
        '```json\n{"action": "search", "action_input": "Aare"}\n```',  # LangChain
        '[{"tool_name": "search", "parameters": {"query": "Aare"}}]',  # Command R
        "<search> Aare length </search>",  # Search-R1
        '<search query="Aare"/>',
        '<tool_use>\n<tool_name>search</tool_name>\n<arguments>{"query": "Aare"}</arguments>',
        '{"search": {"query": "Aare"}}',
        '{"recipient_name": "functions.search", "parameters": {"query": "Aare"}}',
    ],
    "no tags, or half of them": [
        CALL,
        f"I will search:\n```json\n{CALL}\n```",
        f"{CALL}\n</tool_call>",
        f"Sure!\n{CALL}",
        f"{CALL}\n\nI wait for the result.",
        f'{{"type": "function", "function": {CALL}}}',
        '{"name": "search", "query": "Aare"}',
        '{"name": "search", "arguments": "{\\"query\\": \\"Aare\\"}"}',
        f'{{"tool_calls": [{CALL}]}}',
        '{"name": "find_rivers", "arguments": {"query": "Aare"}}',
        '{"arguments": {"query": "Aare"}, "name": "search"}',
        '{\\"name\\": \\"search\\", \\"arguments\\": {\\"query\\": \\"Aare\\"}}',
        CALL[:-1],
        CALL[:-12],
    ],
}

MENTIONS = {
    "rows as JSON": [
        '{"name": "Aare", "length": "291 km"}',
        '{"name": "Aare"}',
        '[{"name": "Aare", "length": 291}, {"name": "Reuss", "length": 164}]',
        "{'name': 'Aare', 'length': 291}",
        '```json\n{"name": "Aare", "parameters": {"length": 291}}\n```',
        'Found: {"name": "Aare", "length": 291}, and no other.',
        'Found: {"name": ..., "length": ...} for each river.',
        '{"name": "Aare", "arguments": 3}',
        '{"rivers": [{"name": "Aare"}]}',
        '{"query": "none", "rows": []}',
        '{"name": "Search Island", "area": 5}',
        '{"text": "Aare: 291 km"}',
    ],
    "talk of calls": [
        "I used search and open on ten pages. Aare: 291 km.",
        'search(query="Aare") found nothing, so I opened the list: 291 km.',
        'After search("Aare") and open("/a"): 291 km.',
        "The page documents the `<tool_call>` tag and the `<function=name>` tag.",
        "The open (and the close) of the day: 3, 4.",
        "search: Aare | 1. Aare | /a | 291 km",
        "Functions of the tool: cutting, sawing.",
        "The tool calls for care. Function call overhead: 3 ns.",
        "Action: none needed. Name: search party.",
        "open(2) and search(3) are in the manual: no rivers there.",
        "f(x) = 3x, open() takes a path (see above)",
    ],
    "markup that is no call": [
        "x < y and y > z; a <b> c",
        "<answer>Aare: 291 km</answer>",
        "<report>Aare: 291 km</report>",
        "<table><tr><td>Aare</td></tr></table>",
        "```\nAare 291 km\n```",
        "```json\n[1, 2]\n```",
        "[1] Aare [2] Reuss [note: tools]",
        "<search> is an element of HTML5.",
        "The HTML element <tools> does not exist.",
        "| a |\n|---|\n| <i>Aare</i> |",
        "TOOL_CALLS is a constant.",
        "<|endoftext|>",
    ],
}


def pairs(table: dict[str, list[str]]) -> list[object]:
    return [
        pytest.param(text, id=f"{kind} {number}")
        for kind, texts in table.items()
        for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("role", ["lead", "subagent"])
@pytest.mark.parametrize("text", pairs(ATTEMPTS))
def test_text_that_was_meant_as_a_call_is_no_report_and_no_answer(
    text: str, role: Role, name: str
) -> None:
    decision = get_format(name).parse(text, role)
    assert (decision.error is None) == bool(decision.calls)
    assert all(shown_of(call) != text.strip() for call in decision.calls)


def shown_of(call: ToolCall) -> object:
    return call.arguments.get("text")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", pairs(MENTIONS))
def test_text_that_only_speaks_of_calls_is_a_report(text: str, name: str) -> None:
    decision = get_format(name).parse(text, "subagent")
    assert decision.calls == (ToolCall("report", {"text": text}),)


@pytest.mark.parametrize("name", ["hermes", "openai"])
def test_call_in_inline_code_is_a_quotation(name: str) -> None:
    text = f"The manual says that `{CALL}` is a call. Aare: 291 km."
    assert get_format(name).parse(text, "subagent").calls == (ToolCall("report", {"text": text}),)


@pytest.mark.parametrize("name", FORMATS)
def test_table_after_talk_of_calls_is_the_answer_of_a_lead(name: str) -> None:
    text = "I used search(query='a'), so:\n| River |\n|---|\n| Aare |"
    assert get_format(name).parse(text, "lead").calls == (ToolCall("answer", {"text": text}),)


@pytest.mark.parametrize("name", FORMATS)
def test_attempt_in_thinking_is_not_seen(name: str) -> None:
    decision = get_format(name).parse(f"<think>{XML}</think>Aare: 291 km", "subagent")
    assert decision.calls == (ToolCall("report", {"text": "Aare: 291 km"}),)


@pytest.mark.parametrize("text", [CALL, PARAMETERS, CALL.replace('"', "'"), f"```\n{CALL}\n```"])
def test_hermes_turn_that_is_nothing_but_a_call_is_read(text: str) -> None:
    assert get_format("hermes").parse(text, "subagent").calls == (SEARCH,)


@pytest.mark.parametrize(
    "piece",
    [
        *("<search>", "<search ", "search(", ':search("', "`", '"name": "', "{'name':", "<tool"),
        *("[", '{"', "to=", "Action ", "<|channel|> ", "✿", '"arguments" :', "\n\n"),
    ],
)
def test_is_attempt_takes_linear_time(piece: str) -> None:
    start_s = time.process_time()
    is_attempt(piece * (200_000 // len(piece)))
    assert time.process_time() - start_s < 0.3
