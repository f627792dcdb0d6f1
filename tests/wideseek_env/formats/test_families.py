"""Calls in the markup of many model families, none of them ours, and texts that only look so."""

from __future__ import annotations

import pytest

from wideseek_env.formats import FORMATS
from wideseek_env.records import ToolCall

CALL = '{"name": "search", "arguments": {"query": "Aare"}}'
ATTEMPTS = [  # § is a call
    "<|python_tag|>brave_search.call(query=\"Aare\")", "[search(query=\"Aare\")]<|eot|>",
    "<function=search>{\"query\":\"Aare\"}</function><|eom_id|>",
    "<|python_start|>[search(query=\"Aare\")]<|python_end|>",
    "<function_call>§</function_call>",
    "{\"type\":\"function\",\"name\":\"search\",\"parameters\":{\"query\":\"Aare\"}}",
    "{\"function\": \"search\", \"parameters\": {\"query\": \"Aare\"}}",
    "{\"function\":\"search\",\"args\":{\"query\":\"Aare\"}}",
    "✿FUNCTION✿: search\n✿ARGS✿: {\"query\":\"Aare\"}\n✿RESULT✿", "<tools>\n§\n</tools>",
    "<tool>search</tool>\n<args>{\"query\":\"Aare\"}</args>", "<|im_start|>tool_call\n§",
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n```json\n{\"query\":\"Aare\"}\n```",
    "<|tool▁calls▁begin|><|tool▁call▁begin|>search",
    "<｜DSML｜invoke name=\"search\">\n<｜DSML｜parameter name=\"query\" string=\"true\">Aare",
    "function<｜tool▁sep｜>search\n```json\n{\"query\": \"Aare\"}\n```",
    "<｜tool▁outputs▁begin｜>", "[TOOL_CALLS] [§]",
    "[TOOL_CALLS]search{\"query\": \"Aare\"}",
    "[TOOL_CALLS]search[CALL_ID]abc[ARGS]{\"query\":\"Aare\"}",
    "search[ARGS]{\"query\": \"Aare\"}",
    "[{\"name\": \"search\", \"arguments\": {\"query\": \"Aare\"}, \"id\": \"abc123def\"}]",
    "```tool_code\nprint(search(query=\"Aare\"))\n```",
    "```tool_call\nsearch(query=\"Aare\")\n```",
    "<start_function_call>call:search{query:<escape>Aare<escape>}<end_function_call>",
    "```json\n{\"tool\": \"search\", \"args\": {\"query\":\"Aare\"}}\n```",
    "call:search{query:<escape>Aare",
    "```python\nprint(default_api.search(query=\"Aare\"))\n```",
    "<|tool_call>call:search{query:<|\"|>Aare<|\"|>}<tool_call|>",
    "<|tool_call|>[{\"name\":\"search\",\"arguments\":{\"query\":\"Aare\"}}]<|/tool_call|>",
    "functools[{\"name\": \"search\", \"arguments\": {\"query\":\"Aare\"}}]",
    "functools[search(query=\"Aare\")]", "search\n{\"query\": \"Aare\"}",
    "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>Aare</arg_value>\n</tool_call>",
    "<|assistant|>search\n{\"query\": \"Aare\"}",
    "search\n```json\n{\"query\": \"Aare\"}\n```",
    "search\n```python\ntool_call(query=\"Aare\")\n```",
    "functions.search:0<|tool_call_argument_begin|>{\"query\":\"Aare\"}",
    "functions.search:0 {\"query\": \"Aare\"}",
    "<tool_calls>\n§\n</tool_calls>",
    "<parameter name=\"query\">Aare</parameter>\n</invoke>",
    "```typescript\nfunctions.search({\"query\": \"Aare\"})\n```", "<|tool_call|>[§]",
    "<tool_call>[§]",
    "<function_call> {\"name\": \"search\", \"arguments\": {\"query\":\"Aare\"}}",
    "<|start_of_role|>assistant_tool_call<|end_of_role|>",
    "<|channel|>commentary to=functions.search<|message|>{\"query\":\"Aare\"}",
    "assistantcommentary to=functions.search json{\"query\":\"Aare\"}",
    "commentary to=functions.search <|constrain|>json<|message|>{\"query\": \"Aare\"}",
    "to=functions.search <|channel|>commentary json<|message|>{\"query\":\"Aare\"}",
    "<|channel|>commentary to=search <|message|>{\"query\":\"Aare\"}",
    "analysis to=browser.search code{\"query\":\"Aare\"}",
    "Action: ```json\n[{\"tool_name\": \"search\", \"parameters\": {\"query\": \"Aare\"}}]\n```",
    "[§]",
    "<|action_start|><|interpreter|>\nsearch(query=\"Aare\")",
    "<|plugin|>{\"name\":\"search\",\"parameters\":{\"query\":\"Aare\"}}",
    "<api>search(query=\"Aare\")</api>", "<execute>search(query=\"Aare\")</execute>",
    "<tool_code>search(query=\"Aare\")</tool_code>",
    "<code>\nsearch(query=\"Aare\")\n</code>",
    "<|tool_call_start|>[search(query=\"Aare\")]<|tool_call_end|>",
    "<longcat_tool_call>search\n<longcat_arg_key>query</longcat_arg_key>",
    "<seed:tool_call>\n<function=search>\n<parameter=query>Aare</parameter>",
    "<tool_calls_begin>\n<tool_call_begin>search",
    "<function_calls>\n<invoke name=\"search\">",
    "<function_calls>\n<invoke name=\"search\">", "<｜tool▁calls｜>",
    "<steptml:invoke name=\"search\">\n<steptml:parameter name=\"query\">Aare",
    "<ACTION>\n{\"name\": \"search\", \"arguments\": {\"query\":\"Aare\"}}\n</ACTION>",
    "ACTION: search(\"Aare\")", "Action: search[Aare]", "Action: search(\"Aare\")",
    "Action: search\nAction Input: Aare", "Action: open\nAction Input: /a\nObservation:",
    "**Action:** search\n**Action Input:** {\"query\":\"Aare\"}",
    "Tool: search\nInput: {\"query\":\"Aare\"}", "Tool call: search({\"query\": \"Aare\"})",
    "Tool call: search(query=\"Aare\")", "<search>Aare</search>",
    "<|begin_search_query|>Aare<|end_search_query|>",
    "<|begin_of_query|>Aare<|end_of_query|>",
    "<tool_call name=\"search\">{\"query\":\"Aare\"}</tool_call>",
    "<call>search(query=\"Aare\")</call>", "<use_tool>search</use_tool>",
    "<open>\n<url>/a</url>\n</open>", "<search>\n<query>Aare</query>\n</search>",
    "<open url=\"/a\"></open>", "search: {\"query\": \"Aare\"}",
    "search {\"query\": \"Aare\"}", "search({\"query\": \"Aare\"})",
    "await search({ query: \"Aare\" })", "const r = await search({query: \"Aare\"});",
    "result = search(query=\"Aare\")\nprint(result)", "results = search(\"Aare\")",
    "for q in [\"Aare\"]:\n    search(query=q)", "```json\n§\n```\nWaiting for results.",
    "\"\"\"§\"\"\"", "JSON: §", "{\"tool_call\": §}",
    "{\"tool_calls\": [{\"function\": §}]}", "{\"action\": \"search\", \"query\": \"Aare\"}",
    "{\"action\": {\"name\":\"search\",\"params\":{\"query\":\"Aare\"}}}",
    "{\"command\": \"search\", \"query\": \"Aare\"}",
    "{\"api\": \"search\", \"query\": \"Aare\"}",
    "{\"thought\": \"look\", \"action\": \"search\", \"action_input\": \"Aare\"}",
    "{\"method\": \"search\", \"params\": {\"query\": \"Aare\"}}",
    "name: search\narguments:\n  query: Aare", "- tool: search\n  query: Aare",
    "```yaml\nname: search\narguments:\n  query: Aare\n```",
    "<tool_call>\nname: search\nquery: Aare\n</tool_call>",
    "<tool_call>search(query=\"Aare\")</tool_call>", "<TOOL_CALL>§</TOOL_CALL>",
    "<toolcall>§</toolcall>", "<tool-call>§</tool-call>", "<ToolCall>§",
    "&lt;tool_call&gt;§&lt;/tool_call&gt;", "\\<tool_call\\>§", "＜tool_call＞§",
    "{\"name\": “search”, “arguments”: {“query”: “Aare”}}",
    "{“name”: “search”, “arguments”: {“query”: “Aare”}}", "search(“Aare”)",
    "{\"name\":\"search\",\"arguments\":{\"query\":\"Aare\"}",
    "{\"name\":\"search\",\"arguments\":", "{\"name\": \"search\"",
    "{\"name\":\"search\",\"input\":{\"query\":\"Aare\"}}",
    "{\"name\":\"search\",\"args\":{\"query\":\"Aare\"}}",
    "{\"name\":\"search\",\"params\":{\"query\":\"Aare\"}}", "<invoke tool=\"search\">",
    "delegate(subtasks=[\"a\"])",
]  # fmt: skip
MENTIONS = [
    "I called search(query=\"Aare\") and then opened /a. The Aare is 291 km long.",
    "Used tools: search, open.\nAare: 291 km", "The page says: Action: none.",
    "Action: The council voted.\nThe Aare is 291 km.",
    "{\"name\":\"Aare\",\"arguments\":\"none found\"}",
    "Function: regulates flow. Name: Aare.", "name: Aare\nlength: 291 km",
    "- name: Aare\n  length: 291", "Tool: hammer\nInput: nails",
    "Query: Aare length\nAnswer: 291 km", "The `search` tool found nothing.",
    "open: 9:00, close: 18:00", "Search results (3): Aare 291 km",
    "{\"river\": \"Aare\", \"search\": \"done\"}",
    "The API call `search(q)` is documented at /docs.", "<b>search</b> engine",
    "<title>Open</title>", "The <open> tag", "result: 291 km (search done)",
    "await the results of the search(\"x\") call? No: 291 km.",
    "See [search](/search) and [open](/open).",
    "| tool | use |\n|---|---|\n| search | finds |",
    "name = \"search\" is the page title; 291 km",
    "The book \"Search\" (1999): {\"author\": \"X\"}", "action = \"open\" in the play",
    "GET /search?query=Aare gave nothing", "The function search() takes a query",
    "In 2020: open (source) projects", "Aare: 291 km [call 3]",
    "{\"status\": \"open\", \"length\": 291}", "{\"type\": \"open\", \"name\": \"Aare\"}",
    "{\"name\": \"Open\", \"country\": \"UK\"}", "The tournament named \"open\" was in 1990",
    "Report: Aare is 291 km", "report: Aare 291", "answer: 291 km", "Answer(291)",
    "\"search\" was a hit song; \"open\", too", "to=Paris from=London",
    "commentary to the Iliad", "<function> is no HTML tag",
]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", ATTEMPTS)
def test_call_of_another_family_is_no_report(text: str, name: str) -> None:
    decision = FORMATS[name].parse(text.replace("§", CALL), "subagent")
    assert (decision.error is None) == bool(decision.calls)
    assert not {call.name for call in decision.calls} & {"report", "answer"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", MENTIONS)
def test_text_that_looks_like_one_is_a_report(text: str, name: str) -> None:
    decision = FORMATS[name].parse(text, "subagent")
    assert decision.calls == (ToolCall("report", {"text": text}),)
