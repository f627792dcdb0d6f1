"""Thinking in every family's marks: what stands in it is neither said nor done."""

from __future__ import annotations

import json
import time

import pytest

from wideseek_env.formats import FORMATS
from wideseek_env.formats.reading import arguments_json
from wideseek_env.records import ToolCall
from wideseek_env.scoring.tables import Table, read_table
from wideseek_env.thinking import said, without_thinking

MARKS = {
    "Qwen and others": ("<think>", "</think>"),
    "in capitals": ("<THINK>", "</THINK>"),
    "with blanks": ("<think >", "</think >"),
    "thinking": ("<thinking>", "</thinking>"),
    "Seed": ("<seed:think>", "</seed:think>"),
    "MiniMax": ("<mm:think>", "</mm:think>"),
    "Magistral": ("[THINK]", "[/THINK]"),
    "Kimi": ("◁think▷", "◁/think▷"),
    "Command": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    "Sky": ("<|begin_of_thought|>", "<|end_of_thought|>"),
    "gpt-oss": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
}
ASKED_FOR = {
    name: (f"<{name}>", f"</{name}>")
    for name in ("thought", "thoughts", "reasoning", "reflection", "scratchpad", "analysis")
}
ANY = list((MARKS | ASKED_FOR).values())
TABLE = "| k | v |\n|---|---|\n| x | 1 |"
DRAFT = "```markdown\n| k | v |\n|---|---|\n| x | 9 |\n```"
CALL = '<tool_call>{"name": "search", "arguments": {"query": "Aare"}}</tool_call>'


@pytest.mark.parametrize(("begin", "end"), ANY)
def test_draft_in_thinking_is_no_table(begin: str, end: str) -> None:
    assert said(f"{begin}\n{DRAFT}\n{end}\nParis").strip() == "Paris"
    assert read_table(f"{begin}\n{DRAFT}\n{end}\n{TABLE}") == Table(("k", "v"), (("x", "1"),))
    assert read_table(f"{begin}\n{DRAFT}") is None


@pytest.mark.parametrize(("begin", "end"), ANY)
@pytest.mark.parametrize("name", FORMATS)
def test_call_in_thinking_is_no_call(begin: str, end: str, name: str) -> None:
    [call] = FORMATS[name].parse(f"{begin}{CALL}{end}Aare: 291 km", "subagent").calls
    assert call.name == "report"
    assert call.arguments["text"].endswith("Aare: 291 km")
    assert "tool_call" not in call.arguments["text"]


@pytest.mark.parametrize(("begin", "end"), MARKS.values())
def test_without_thinking(begin: str, end: str) -> None:
    assert without_thinking(f"a{begin}b") == "a"
    assert without_thinking(f"{TABLE}{begin}b{end}").startswith(TABLE)
    assert without_thinking(f"{begin}{begin}b{end}c").endswith("c")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b</think>c", "c"), ("<think>a</think>b</think>c", "c"), ("a\\<think>b", "a\\<think>b"),
        ("the <analysis> tag", "the <analysis> tag"), ("a</analysis>b", "a</analysis>b"),
        ("I think > that", "I think > that"), ("<thinker>a", "<thinker>a"), ("", ""),
        ("<|channel|>commentary to=functions.search", "<|channel|>commentary to=functions.search"),
    ],
)  # fmt: skip
def test_what_is_thinking_and_what_only_speaks_of_it(text: str, shown: str) -> None:
    assert without_thinking(text) == shown


@pytest.mark.parametrize(
    "end",
    ["<|im_end|>", "</s>", "<|eot_id|>", "<|return|>", "<end_of_turn>", "<|END_RESPONSE|>", "\n"],
)
def test_marks_at_the_end_of_a_turn_are_not_said(end: str) -> None:
    assert said(f"Paris{end}").strip() == "Paris"
    assert said(f"{end}Paris").strip() == f"{end}Paris".strip()


@pytest.mark.parametrize("mark", [mark for marks in MARKS.values() for mark in marks])
def test_marks_in_an_argument_are_text(mark: str) -> None:
    call = ToolCall("report", {"text": f"It writes {mark} there."})
    written = arguments_json({"name": call.name, "arguments": dict(call.arguments)})
    assert without_thinking(written) == written
    assert json.loads(written)["arguments"] == call.arguments
    assert FORMATS["hermes"].parse(FORMATS["hermes"].render([call]), "subagent").calls == (call,)


@pytest.mark.parametrize(
    "piece",
    [
        *("</s>", "<|im_end|>", "<|eot|> \n", "<think>", "</think>", "[THINK]", "<|channel|>final"),
        *("<|channel|> ", "<think ", "<analysis>", "<reasoning></reasoning>", "◁think▷", "\n", "<"),
    ],
)
def test_any_number_of_marks_takes_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    start_s = time.process_time()
    said(text)
    said(f"{text}x")
    assert time.process_time() - start_s < 0.8
