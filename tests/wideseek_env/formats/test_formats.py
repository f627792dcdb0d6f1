"""What holds for every format."""

from __future__ import annotations

import ast
import time

import pytest

from wideseek_env import formats
from wideseek_env.formats import FORMATS, get_format
from wideseek_env.records import ToolCall


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_found_by_their_name(name: str) -> None:
    assert get_format(name).name == name


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("role", ["lead", "subagent"])
def test_formats_read_a_turn_without_text_as_an_error(name: str, role: str) -> None:
    decision = get_format(name).parse("", role)  # type: ignore[arg-type]
    assert decision.error
    assert not decision.calls


@pytest.mark.parametrize("name", FORMATS)
def test_formats_write_what_they_read(name: str) -> None:
    calls = (ToolCall("delegate", {"subtasks": ["a", "b"]}), ToolCall("answer", {"text": "中 |"}))
    assert get_format(name).parse(get_format(name).render(calls), "lead").calls == calls


_MANY = 20_000


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        "| a |\n" + " " * _MANY + "|x",
        "| a |\n|-" + " " * _MANY + "x",
        "```" + "\n" * _MANY + "x",
        '<tool_call>{"name": "answer", "arguments": "' + '\\"' * _MANY + "</tool_call>",
        "<tool_call>" + "{" * _MANY + "]" * _MANY + "</tool_call>",
        "<tool_call>" * _MANY,
        "<tool_call>[" * _MANY,
        "<tool_call>{" * _MANY + "</tool_call>",
        '<tool_call>["<tool_call>", ' * _MANY,
        "<tool_call>" + '{"a": ' * _MANY,
        '{"name": ' * _MANY,
        '{"name": ' * _MANY + "}" * _MANY,
        '{"name": "a", "b": [' * _MANY + "}",
        "{'name': " * _MANY + "}",
        '{"tool_calls": ' + "[" * _MANY,
        "<think>" * _MANY,
        "<search>" * _MANY,
        "-" * _MANY,
        # A name, which Python would normalise: marks in the wrong order take it quadratic time.
        "a" + "\u0316\u0301" * 5 * _MANY,
        "<tool_call>{'a': a" + "\u0316\u0301" * 5 * _MANY + "}</tool_call>",
        "<tool_call>{'a': 'a" + "\u0316\u0301" * 5 * _MANY + "'}</tool_call>",
        "\ufdfa" * 5 * _MANY,
        "é'" + "\\'" * 5 * _MANY,
        "é" + "'\\'\"" * 5 * _MANY,
    ],
)
def test_formats_read_a_model_that_repeats_itself_in_linear_time(name: str, text: str) -> None:
    start_s = time.process_time()
    get_format(name).parse(text, "lead")
    assert time.process_time() - start_s < 1.0  # quadratic: many seconds, for all episodes at once


@pytest.mark.parametrize(
    "written", ["'a\u0301\u0316'", '"长城"', "'it\\'s é'", '"d\'é"', "'''é'''"]
)
def test_python_spelling_holds_other_letters_in_its_strings_alone(written: str) -> None:
    turn = f"<tool_call>{{'name': 'search', 'arguments': {{'query': {written}}}}}</tool_call>"
    (call,) = get_format("hermes").parse(turn, "subagent").calls
    assert call.arguments == {"query": ast.literal_eval(written)}
    bare = turn.replace(written, "é")
    assert get_format("hermes").parse(bare, "subagent").error


@pytest.mark.parametrize("name", FORMATS)
def test_formats_read_32000_opening_tags_in_a_tenth_of_a_second(name: str) -> None:
    start_s = time.process_time()
    assert get_format(name).parse("<tool_call>" * 32_000, "subagent").error
    assert time.process_time() - start_s < 0.1


def test_get_format_unknown_lists_the_names() -> None:
    with pytest.raises(ValueError, match="hermes, json, openai"):
        get_format("xml")


def test_formats_export_what_they_say() -> None:
    assert all(hasattr(formats, name) for name in formats.__all__)
