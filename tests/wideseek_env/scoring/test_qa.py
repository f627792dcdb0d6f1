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
        ("\\boxed{\\text{a {b} c}}", "a b c"),
        ("\\boxed{Paris} and then \\boxed{}", "Paris"),
        ("\\fbox{Paris}", "Paris"),
        ("\\boxed{\\mathbf{\\text{Paris}}}", "Paris"),
        ("\\boxed{\\textit{Paris}}", "Paris"),
        ("\\boxed{\\frac{1}{2}}", "1/2"),
        ("\\boxed{40^\\circ}", "40°"),
        ("$\\boxed{5}$", "5"),
        ("\\boxed{50\\%}", "50%"),
        ("\\boxed{\\{x\\}}", "\\{x\\}"),
        ("<think>maybe \\boxed{Rome}</think> Paris", "Paris"),
        ("<think>Rome", None),
        ("Rome</think>Paris", "Paris"),
        ("<answer>Rome</answer> no, <answer> Paris </answer>", "Paris"),
        ("<answer>\\boxed{Paris}</answer>", "Paris"),
        ("<answer></answer> \\boxed{Paris}", "Paris"),
        ("The final answer is: Paris", "Paris"),
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


def deep(gold: str, answer: str) -> float:
    task = Task("q", "", (Column("answer"),), ("answer",), ((gold,),), kind="deep")
    return score_strict(task, answer).item_f1


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("204", "20.4"), ("204", "-204"), ("204", "204%"), ("3.14", "314"), ("C#", "C"),
        ("C++", "C"),
        ("1/2", "12"), ("10-20", "1020"), ("-5", "5"), ("10%", "10"), ("-40 °C", "40 °C"),
        ("A*", "A"),
        ("$5", "€5"), ("5.2 million", "5.2 billion"), ("<300", "300"), ("1:20", "120"),
        ("10^6", "106"),
        ("5 km", "5 m"), ("iPhone 15", "15"), ("1.5", "15"),
    ],
)  # fmt: skip
def test_score_deep_punctuation_that_means_something_counts(gold: str, answer: str) -> None:
    assert deep(gold, answer) == 0.0
    assert deep(answer, gold) == 0.0
    assert deep(gold, gold) == deep(answer, answer) == 1.0


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("The Beatles", "beatles!"), ("Dr. No", "Dr No"), ("5,200,000", "5.2 million"),
        ("Paris", "Paris."),
        ("1,234", "1234"), ("rock 'n' roll", "rock n roll"), ("x-ray", "xray"), ("½", "0.5"),
        ("《红楼梦》", "红楼梦"),
        ("204", "204 people"), ("50%", "\\boxed{50\\%}"), ("Paris", "**Paris**"), ("C#", "c#"),
        ("5 km", "5,000 m"), ("[Paris](https://x.org)", "Paris"),
    ],
)  # fmt: skip
def test_score_deep_form_does_not_count(gold: str, answer: str) -> None:
    assert deep(gold, answer) == 1.0
