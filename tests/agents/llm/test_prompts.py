from __future__ import annotations

import string
from dataclasses import fields, replace

import pytest

from agents.llm.prompts import (
    TEXTS,
    Texts,
    full_notice,
    language_of,
    reading_prompt,
    short_prompt,
    system_prompt,
    turn_hint,
)
from agents.policy import EpisodeInfo
from wideseek_env.formats import get_format
from wideseek_env.records import Limits, Role

INFO = EpisodeInfo(
    task_id="t",
    question="List the lakes.",
    columns=("Name", "Depth {m}"),
    key_columns=("Name",),
    kind="wide",
    language="en",
    n_subagents=4,
    limits=Limits(),
    seed=0,
)
HERMES = get_format("hermes")


def prompt(
    role: Role, info: EpisodeInfo = INFO, *, zh: bool = False, few_shot: bool = False
) -> str:
    return system_prompt(
        role, info, language="zh" if zh else "en", few_shot=few_shot, format=HERMES
    )


def test_texts_have_the_same_places_in_every_language() -> None:
    def places(text: object) -> set[str]:
        if isinstance(text, tuple):
            return set()
        return {name for _, name, _, _ in string.Formatter().parse(str(text)) if name}

    for field in fields(Texts):
        if field.name == "deep":  # has braces of LaTeX, and is never formatted
            continue
        found = {frozenset(places(getattr(texts, field.name))) for texts in TEXTS.values()}
        assert len(found) == 1, field.name


@pytest.mark.parametrize("zh", [False, True])
def test_system_prompt_of_the_lead_has_width_turns_and_columns(zh: bool) -> None:
    text = prompt("lead", zh=zh)
    assert "Name | Depth {m}" in text
    assert " 4 " in text
    assert "10" in text
    assert "`delegate`" in text
    assert "`search`" not in text


def test_system_prompt_of_a_lead_alone_has_its_own_tools() -> None:
    text = prompt("lead", replace(INFO, n_subagents=0))
    assert "`search`" in text
    assert "`delegate`" not in text
    assert "up to 5 calls" in text


def test_system_prompt_of_a_lead_with_tools_has_both() -> None:
    text = prompt("lead", replace(INFO, limits=Limits(lead_tools=True)))
    assert "`search`" in text
    assert "`delegate`" in text


def test_system_prompt_of_a_deep_task_asks_for_a_box() -> None:
    text = prompt("lead", replace(INFO, kind="deep"))
    assert "\\boxed{...}" in text
    assert "Markdown" not in text


def test_system_prompt_of_a_subagent_says_nothing_of_the_table() -> None:
    text = prompt("subagent")
    assert "`report`" in text
    assert "Depth" not in text
    assert "20 turns" in text


@pytest.mark.parametrize("role", ["lead", "subagent"])
def test_system_prompt_with_an_example_shows_a_call_that_can_be_read(role: Role) -> None:
    text = prompt(role, few_shot=True)
    shown = HERMES.parse(text[text.index("<tool_call>") :], role)
    assert [call.name for call in shown.calls] == ["delegate" if role == "lead" else "search"]
    assert "<tool_call>" not in prompt(role)


def test_system_prompt_example_fits_the_width() -> None:
    text = prompt("lead", replace(INFO, n_subagents=1), few_shot=True)
    call = HERMES.parse(text[text.index("<tool_call>") :], "lead").calls[0]
    assert len(call.arguments["subtasks"]) == 1


def test_short_prompt_has_width_and_columns_alone() -> None:
    assert short_prompt("lead", INFO) == "lead 4 | Name | Depth {m}"
    assert short_prompt("lead", replace(INFO, kind="deep")) == "lead 4"
    assert short_prompt("subagent", INFO) == "subagent"


def test_language_follows_the_task() -> None:
    assert language_of(replace(INFO, language="zh-CN")) == "zh"
    assert language_of(replace(INFO, language="de")) == "en"


def test_hints_name_what_is_left_and_the_way_out() -> None:
    assert turn_hint(3, "en") == "Turns left: 3."
    assert "`answer`" in full_notice("lead", "zh")
    assert "`report`" in full_notice("subagent", "en")


def test_reading_prompt_takes_pages_with_braces() -> None:
    _, user = reading_prompt("depth of {x}", "page {y}", "en")
    assert "Goal: depth of {x}" in user
    assert user.endswith("page {y}")
