from __future__ import annotations

import pytest

from wideseek_env.records import Column, Task
from wideseek_env.scoring import score_strict
from wideseek_env.scoring.qa import exact_match, normalise_answer, read_answer, token_f1


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{Paris}", "Paris"),
        ("\\boxed{draft} then \\boxed{final}", "final"),
        ("\\boxed{\\text{a {b} c}}", "\\text{a {b} c}"),
        ("\\boxed {x}", "x"),
        ("| answer |\n|---|\n| Paris |", "Paris"),
        ("  Paris \n", "Paris"),
        ("\\boxed{}", None),
        ("\\boxed{open", "\\boxed{open"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", None),
        ("word " * 60, None),
        ("", None),
    ],
)
def test_read_answer(text: str, answer: str | None) -> None:
    assert read_answer(text) == answer


def test_exact_match_ignores_articles_case_and_punctuation() -> None:
    assert exact_match("The Beatles!", ["beatles"]) == 1.0
    assert exact_match("Beatles", ["Rolling Stones", "the beatles"]) == 1.0
    assert exact_match("Beatle", ["beatles"]) == 0.0
    assert normalise_answer("《红楼梦》。") == "红楼梦"


def test_token_f1_worked_by_hand() -> None:
    # Shared: new, york; answer has 3 words, gold 2: 2 * 2 / 5.
    assert token_f1("new york city", ["New York"]) == pytest.approx(0.8)
    assert token_f1("x", ["New York", "x y"]) == pytest.approx(2 / 3)
    assert token_f1("北京市", ["北京"]) == pytest.approx(0.8)
    assert token_f1("", [""]) == 1.0
    assert token_f1("a b", []) == 0.0


def test_score_deep_number_is_read_as_a_number() -> None:
    column = Column("answer", "number_near", ("extract_number",))
    task = Task("q", "", (column,), ("answer",), (("1,234",),), kind="deep")
    assert score_strict(task, "\\boxed{1234}").success == 1.0
    assert score_strict(task, "\\boxed{1235}").success == 0.0
    assert score_strict(task, "\\boxed{}").parsed is False
