"""Scorers by name: ours, classes and functions of one's own, and what is none."""

from __future__ import annotations

import pytest

from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring import StrictScorer, score_strict
from wideseek_env.scoring.named import scorer_named

TASK = Task("t", "?", (Column("k"), Column("v")), ("k",), (("a", "1"), ("b", "2")))
ANSWER = "| k | v |\n|---|---|\n| a | 1 |\n| b | 3 |"


async def test_names_and_paths_stand_for_scorers_that_score() -> None:
    assert isinstance(scorer_named("strict"), StrictScorer)
    assert await scorer_named("strict")(TASK, ANSWER) == score_strict(TASK, ANSWER)
    official = await scorer_named("official")(TASK, ANSWER)
    assert (official.row_f1, official.item_f1) == (0.5, 0.75)  # which takes back no wrong cell
    assert await scorer_named("wideseek_env.scoring:StrictScorer")(TASK, ANSWER) == score_strict(
        TASK, ANSWER
    )
    own: Score = await scorer_named("examples.scorer:whole_rows")(TASK, ANSWER)
    assert own.item_f1 == own.row_f1 == 0.5


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("oficial", r"scorers: expected one of official, strict.*mean official\?"),
        ("examples.scorer:nobody", "expected one of .*whole_rows.* got 'nobody'"),
        ("wideseek_env.scoring:Table", "without arguments, but missing .* 'header'"),
        ("wideseek_env.scoring:score_strict", "to be a scorer, an async function"),
        ("wideseek_env.records:METRICS", "to be a scorer, an async function"),
    ],
)
def test_what_is_no_scorer_is_told(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scorer_named(name)
