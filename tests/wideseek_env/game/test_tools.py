import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

import wideseek_env
from wideseek_env.backends import Hit, Page
from wideseek_env.errors import ToolError
from wideseek_env.formats import Hermes
from wideseek_env.game.tools import (
    TOOLS,
    Argument,
    Tool,
    ToolOutput,
    check,
    expand,
    json_schemas,
    render_hits,
    render_page,
    tools_of,
)
from wideseek_env.interfaces.spaces import ToolCallSpace
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import STEERING, Limits, ToolCall


@pytest.mark.parametrize(
    ("role", "lead_tools", "n_subagents", "names"),
    [
        ("lead", False, 8, ("delegate", "answer")),
        ("lead", True, 8, ("delegate", "answer", "search", "open")),
        ("lead", False, 0, ("answer", "search", "open")),
        ("subagent", True, 8, ("search", "open", "report")),
    ],
)
def test_tools_of_by_role(
    role: Any, lead_tools: bool, n_subagents: int, names: tuple[str, ...]
) -> None:
    assert tuple(tools_of(role, Limits(lead_tools=lead_tools), n_subagents)) == names


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
    wrong = check(ToolCall(name, arguments), TOOLS)
    assert wrong is not None
    assert told in wrong


def test_examples_in_the_table_are_right_calls() -> None:
    import json

    for tool in TOOLS.values():
        assert check(ToolCall(tool.name, json.loads(tool.example)), TOOLS) is None


def test_json_schemas_name_the_required_arguments() -> None:
    (schema,) = json_schemas([TOOLS["open"]])
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


async def count(backend: Any, arguments: Any, limits: Limits) -> ToolOutput:
    if "fail" in arguments["text"]:
        raise ToolError("nothing to count")
    return ToolOutput(f"{len(arguments['text'])} characters", ("/made",))


COUNT = Tool("count", "Count.", '{"text": "abc"}', {"text": Argument("string", "What.")}, count)
OWN = Limits(tools=("search", f"{__name__}:COUNT"))


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())


def _this_module() -> ModuleType:
    module = ModuleType(__name__)
    module.COUNT = COUNT  # type: ignore[attr-defined]
    return module


@pytest.mark.usefixtures("importable")
def test_own_tool_is_known_to_checks_schemas_prompts_and_spaces() -> None:
    tools = tools_of("subagent", OWN, 8)
    assert tuple(tools) == ("search", "count", "report")
    assert check(ToolCall("count", {"text": "abc"}), tools) is None
    assert "`count` needs `text`" in (check(ToolCall("count"), tools) or "")
    assert "No tool 'open' here" in (check(ToolCall("open", {"url": "/"}), tools) or "")
    names = [schema["function"]["name"] for schema in json_schemas(tools.values())]
    assert "count" in names
    assert "count" in Hermes().instructions(json_schemas(tools.values()))
    space = ToolCallSpace(tools, seed=0)
    drawn = [call for _ in range(50) for call in space.sample()]
    assert any(call["name"] == "count" for call in drawn)
    assert all(space.contains([call]) for call in drawn)


@pytest.mark.usefixtures("importable")
def test_own_tool_is_carried_out_counted_and_kept_in_the_record() -> None:
    env = wideseek_env.parallel_env(n_subagents=0, limits=replace(OWN, max_tool_calls=2))
    env.reset(seed=0)
    texts = []
    for text in ("abc", "fail", "no budget"):
        call = {"name": "count", "arguments": {"text": text}}
        observations, *_ = env.step({"lead": [call]})
        texts.append(observations["lead"]["text"])
    assert texts[0] == "3 characters"
    assert texts[1] == "nothing to count"
    assert texts[2].startswith("Your search and open calls are used up")
    env.step({"lead": [{"name": "answer", "arguments": {"text": "x"}}]})
    episode = decode_episode(encode(env.episode))
    assert episode.num_tool_calls == 2
    assert episode.trajectories[0].turns[0].results[0].urls == ("/made",)
    assert episode.limits.tools == OWN.tools
    env.close()


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        (("serch",), "did you mean search"),
        (("answer",), "expected a `Tool` with an async function `run`"),
        (("json:dumps",), "expected a `Tool` with an async function `run`"),
        (("nosuch.module:TOOL",), "nosuch"),
    ],
)
def test_wrong_tools_are_named_when_the_game_is_made(tools: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        tools_of("subagent", Limits(tools=tools), 8)


def test_tool_that_steers_has_no_run_and_every_other_has_one() -> None:
    assert {tool.name for tool in TOOLS.values() if tool.run is None} == set(STEERING)
    with pytest.raises(ValueError, match="expected an async function `run`"):
        Tool("count", "Count.", "{}", {})


def test_hits_and_pages_read_as_documented() -> None:
    hits = [Hit("/a", "A", "about a"), Hit("/b", "B", "about b, at length")]
    assert render_hits("q", hits, 10) == "search: q\n1. A | /a\nabout a\n2. B | /b\nabout b, …"
    assert render_hits("q", hits[:1], 0) == "search: q\n1. A | /a"
    assert render_hits("q", [], 300) == "search: q\nno results"
    page = Page("/a", "A", "text", 2, 3)
    assert render_page(page) == "A | /a | part 2 of 3\ntext"
