import dataclasses
from typing import Any

import pytest

from wideseek_env.game.limits import max_turns, may_seek
from wideseek_env.records import Limits


def test_defaults_are_those_of_the_paper() -> None:
    limits = Limits()
    assert (limits.max_lead_turns, limits.max_subagent_turns) == (10, 20)
    assert (limits.max_calls_per_turn, limits.top_k) == (5, 3)
    assert limits.max_folds == 0


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("max_lead_turns", 0, "`max_lead_turns` must be at least 1, got 0"),
        ("top_k", 2.5, "`top_k` must be a number, got 2.5"),
        ("top_k", True, "`top_k` must be a number, got True"),
        ("tool_timeout_s", 0, "`tool_timeout_s` must be more than 0 seconds, got 0"),
        ("max_tool_calls", -1, "`max_tool_calls` must be at least 0, got -1"),
        ("max_folds", -1, "`max_folds` must be at least 0, got -1"),
        ("max_fold_chars", 0, "`max_fold_chars` must be at least 1, got 0"),
        ("wait_for", "some", "`wait_for` must be a number or 'all', got 'some'"),
        ("lead_tools", "no", "`lead_tools` must be True or False, got 'no'"),
        ("max_context_chars", None, "`max_context_chars` must be a number, got None"),
    ],
)
def test_wrong_limits_say_what_was_expected(limit: str, value: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        dataclasses.replace(Limits(), **{limit: value})


def test_limits_that_have_no_bound_may_be_none() -> None:
    assert Limits(max_tool_calls=None, episode_timeout_s=None, wait_for=0).wait_for == 0


def test_turns_are_those_of_the_role() -> None:
    limits = Limits(max_lead_turns=3, max_subagent_turns=7)
    assert (max_turns(limits, "lead"), max_turns(limits, "subagent")) == (3, 7)


@pytest.mark.parametrize(
    ("role", "n_subagents", "lead_tools", "expected"),
    [
        ("subagent", 2, False, True),
        ("lead", 2, False, False),
        ("lead", 2, True, True),
        ("lead", 0, False, True),
    ],
)
def test_who_seeks(role: str, n_subagents: int, lead_tools: bool, expected: bool) -> None:
    assert may_seek(Limits(lead_tools=lead_tools), role, n_subagents) is expected
