from typing import Any

import pytest

from wideseek_env.backends import Hit, Page
from wideseek_env.game.tools import (
    TOOLS,
    check,
    expand,
    json_schemas,
    render_hits,
    render_page,
    tool_names,
)
from wideseek_env.records import Limits, ToolCall


@pytest.mark.parametrize(
    ("role", "lead_tools", "n_subagents", "names"),
    [
        ("lead", False, 8, ("delegate", "answer")),
        ("lead", True, 8, ("delegate", "answer", "search", "open")),
        ("lead", False, 0, ("answer", "search", "open")),
        ("subagent", True, 8, ("search", "open", "report")),
    ],
)
def test_tool_names_by_role(
    role: Any, lead_tools: bool, n_subagents: int, names: tuple[str, ...]
) -> None:
    assert tool_names(role, Limits(lead_tools=lead_tools), n_subagents) == names


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("open", {"url": "/a", "part": 0}, "`part` of `open` must be a whole number from 1."),
        ("open", {"url": "/a", "part": True}, "must be a whole number from 1."),
        ("open", {"url": ["/a"]}, "`url` of `open` must be a text"),
        ("search", {}, '`search` needs `query`. Example: {"query"'),
        ("search", {"query": "q", "top": 3}, "`search` has no argument 'top'."),
        ("report", {"text": "x" * 200_001}, "must be a text of 1 to 200000 characters"),
        ("delegate", {"subtasks": []}, "must be a list of one or more texts"),
        ("delegate", {"subtasks": ["a", ""]}, "must be a list of one or more texts"),
        (None, {}, "No tool 'None' here. Allowed: "),
    ],
)
def test_check_says_what_is_wrong(name: Any, arguments: dict[str, Any], told: str) -> None:
    wrong = check(ToolCall(name, arguments), tuple(TOOLS))
    assert wrong is not None
    assert told in wrong


def test_examples_in_the_table_are_right_calls() -> None:
    import json

    for tool in TOOLS.values():
        assert check(ToolCall(tool.name, json.loads(tool.example)), tuple(TOOLS)) is None


def test_json_schemas_name_the_required_arguments() -> None:
    (schema,) = json_schemas(["open"])
    parameters = schema["function"]["parameters"]
    assert parameters["required"] == ["url"]
    assert parameters["properties"]["part"]["type"] == "integer"


@pytest.mark.parametrize(
    ("call", "expanded"),
    [
        (
            ToolCall("create_sub_agents", {"sub_agents": [{"prompt": "a"}, {"prompt": "b"}]}),
            (ToolCall("delegate", {"subtasks": ["a", "b"]}),),
        ),
        (
            ToolCall("search", {"queries": [{"query": "a", "count": 5}, "b"]}),
            (ToolCall("search", {"query": "a"}), ToolCall("search", {"query": "b"})),
        ),
        (
            ToolCall("access", {"urls": [{"url": "/a", "info_to_extract": "x"}, "/b"]}),
            (ToolCall("open", {"url": "/a"}), ToolCall("open", {"url": "/b"})),
        ),
        (ToolCall("access", {"urls": 7}), (ToolCall("open", {"urls": 7}),)),
        (ToolCall("open", {"url": "/a"}), (ToolCall("open", {"url": "/a"}),)),
    ],
)
def test_expand_reads_the_tools_of_the_paper(
    call: ToolCall, expanded: tuple[ToolCall, ...]
) -> None:
    assert expand(call) == expanded


def test_hits_and_pages_read_as_documented() -> None:
    hits = [Hit("/a", "A", "about a"), Hit("/b", "B", "about b, at length")]
    assert render_hits("q", hits, 10) == "search: q\n1. A | /a\nabout a\n2. B | /b\nabout b, …"
    assert render_hits("q", hits[:1], 0) == "search: q\n1. A | /a"
    assert render_hits("q", [], 300) == "search: q\nno results"
    page = Page("/a", "A", "text", 2, 3)
    assert render_page(page) == "A | /a | part 2 of 3\ntext"
