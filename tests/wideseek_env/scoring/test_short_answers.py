"""Short answers as models write them: tags, boxes, LaTeX, and punctuation that means something."""

from __future__ import annotations

import pytest

from wideseek_env.records import Column, Task
from wideseek_env.scoring import score_strict


def is_paid(gold: str, answer: str) -> bool:
    task = Task("q", "", (Column("answer"),), ("answer",), ((gold,),), kind="deep")
    return score_strict(task, answer).item_f1 == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "[THINK]maybe \\boxed{Rome}[/THINK] Paris",
        "<reasoning>\\boxed{Rome}</reasoning>Paris", "◁think▷\\boxed{Rome}◁/think▷Paris",
        "<thought>\\boxed{Rome}</thought>\\boxed{Paris}",
        "<|channel|>analysis<|message|>\\boxed{Rome}<|end|><|start|>assistant<|channel|>final<|message|>Paris",
        "<|START_THINKING|>\\boxed{Rome}<|END_THINKING|>Paris",
        "<seed:think>Rome \\boxed{Rome}</seed:think>Paris", "\\boxed{Rome}</think>Paris",
        "<THINKING>\\boxed{Rome}</THINKING>Paris", "<answer>Paris</answer>",
        "<answer>Rome</answer><answer>Paris</answer>", "<answer>\\boxed{Paris}</answer>",
        "<ANSWER>Paris</ANSWER>", "<final_answer>Paris</final_answer>",
        "[ANSWER]Paris[/ANSWER]", "**Answer:** Paris", "Answer: **Paris**",
        "The answer is Paris.", "The final answer is Paris", "Final answer: Paris",
        "**Final Answer:** Paris", "**Final Answer**: Paris", "### Final Answer\nParis",
        "最终答案：Paris", "答案：Paris", "答案是：Paris",
        "<think>x</think>\n\n\\boxed{Paris}\n<think>\\boxed{Rome}", "<answer>Paris",
        "<answer >Paris</answer>", "Paris<|im_end|>", "Paris</s>", "Paris<|eot_id|>",
        "Réponse : Paris", "Antwort: Paris", "Respuesta: Paris", "Ответ: Paris",
        "回答：Paris", "A: Paris", "My answer: Paris", "So the answer is: Paris",
        "\\boxed{\\textbf{Paris}}", "\\boxed {Paris}", "$\\boxed{Paris}$",
        "$$\\boxed{\\text{Paris}}$$", "\\[\\boxed{\\text{Paris}}\\]", "\\(\\boxed{Paris}\\)",
        "\\boxed{ Paris }", "\\boxed{\\text{Paris}.}", "\\boxed{\\text{ Paris }}",
        "\\boxed{\\textcolor{red}{Paris}}", "\\boxed{\\color{blue}Paris}",
        "\\boxed{\\large Paris}", "\\boxed{\"Paris\"}", "\\boxed{``Paris''}",
        "\\boxed{{Paris}}", "\\boxed{\\underline{\\textsc{Paris}}}",
        "\\boxed{\\displaystyle \\text{Paris}}", "\\\\boxed{Paris}", "\\boxed{Paris}$",
        "\\boxed{Rome} \\boxed{Paris}", "\\boxed{Paris}\\boxed{}", "\\framebox{Paris}",
        "\\boxed{**Paris**}", "\\boxed{\\textrm{Par}\\text{is}}", "\\boxed{\\bf Paris}",
        "\\boxed{\\rm Paris}", "\\boxed{\\text{Paris}\\,}", "\\boxed{\\text{Paris}\\quad}",
        "\\boxed{\\mathsf{Paris}}", "\\boxed{\\Large\\textbf{Paris}}", "« Paris »",
        "„Paris“", "『Paris』", "【Paris】", "Paris…", "¡Paris!", "¿Paris?", "Paris؟",
        "Paris।", "(Paris)", "Paris,", "*Paris*", "_Paris_", "`Paris`", "<b>Paris</b>",
    ],
)  # fmt: skip
def test_forms_in_which_paris_is_handed_in(answer: str) -> None:
    assert is_paid("Paris", answer)
    assert not is_paid("Rom", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "<think>\\boxed{Paris}", "<think>Paris</think>",
        "[THINK]Paris[/THINK] I do not know", "The answer is not Paris",
        "<answer>Rome</answer> Paris", "Paris or Rome",
        "\\boxed{Rome} not \\boxed{Paris}? I mean \\boxed{Rome}",
        "<reasoning>Paris</reasoning>Rome",
    ],
)  # fmt: skip
def test_paris_is_not_handed_in(answer: str) -> None:
    assert not is_paid("Paris", answer)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("New York", "\\boxed{New~York}"), ("New York", "\\boxed{\\text{New York}}"),
        ("New York", "\\boxed{New\\ York}"),
        ("New York", "\\boxed{\\text{New}\\ \\text{York}}"),
        ("New York", "\\boxed{\\mathrm{New\\,York}}"), ("1/2", "\\boxed{\\frac12}"),
        ("1/2", "\\boxed{\\dfrac{1}{2}}"), ("1/2", "\\boxed{\\frac{1}{2}}"),
        ("1000", "\\boxed{1{,}000}"), ("1000", "\\boxed{1\\,000}"),
        ("1000000", "\\boxed{10^6}"), ("1000000", "\\boxed{10^{6}}"),
        ("5000", "\\boxed{5 \\times 10^{3}}"), ("5000", "\\boxed{5 \\cdot 10^3}"),
        ("-5", "\\boxed{-5}"), ("50%", "\\boxed{50\\,\\%}"), ("C#", "\\boxed{C\\#}"),
        ("C++", "\\boxed{C++}"), ("$5", "\\boxed{\\$5}"), ("5 km", "\\boxed{5\\text{ km}}"),
        ("5 km", "\\boxed{5~\\text{km}}"), ("5 km", "\\boxed{5\\,\\mathrm{km}}"),
        ("Müller", "\\boxed{M\\\"uller}"), ("Müller", "\\boxed{M\\\"{u}ller}"),
        ("Café", "\\boxed{Caf\\'e}"), ("A_B", "\\boxed{A\\_B}"),
        ("40 °C", "\\boxed{40^\\circ\\text{C}}"),
        ("40 °C", "\\boxed{40^{\\circ}\\mathrm{C}}"), ("5-10", "\\boxed{5\\text{–}10}"),
        ("AT&T", "\\boxed{\\text{AT\\&T}}"), ("π", "\\boxed{\\pi}"),
        ("2^10", "\\boxed{2^{10}}"), ("√2", "\\boxed{\\sqrt{2}}"),
        ("x≤5", "\\boxed{x\\leq5}"), ("H2O", "\\boxed{H_2O}"),
        ("H2O", "\\boxed{\\mathrm{H_2O}}"), ("Yahoo!", "Yahoo"), ("O'Neill", "O’Neill"),
        ("U.S.", "US"), ("Node.js", "Nodejs"), ("3-2", "3–2"), ("3-2", "3 - 2"),
        ("3:2", "3 : 2"), ("1/2", "1 / 2"), ("The Beatles", "Beatles"),
        ("A Tale of Two Cities", "Tale of Two Cities"), ("C#", "c#"), ("C++", "c++"),
        ("C#", "C♯"), ("10%", "10 %"), ("-5", "−5"), ("1,000", "1000"), ("5 km", "5 km."),
        ("$5", "$5.00"), ("AC/DC", "ac/dc"), ("Jean-Luc", "Jean‑Luc"), ("A-", "A−"),
        ("A-", "a-"), ("A+", "A+."), ("北京", "北京。"), ("北京", "「北京」"),
        ("São Paulo", "São Paulo"), ("Vitamin A", "vitamin a"), ("10^6", "10⁶"),
        ("Tom & Jerry", "Tom & Jerry"), ("a.m.", "am"), ("Dr. No", "Dr No"),
    ],
)  # fmt: skip
def test_answers_that_say_the_same(gold: str, answer: str) -> None:
    assert is_paid(gold, answer)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("5 km", "\\boxed{5\\;\\mathrm{m}}"), ("5-10", "\\boxed{510}"),
        ("1/2", "\\boxed{12}"), ("1/2", "\\boxed{\\frac{2}{1}}"), ("2^10", "\\boxed{210}"),
        ("A", "A-"), ("A-", "A"), ("A+", "A"), ("A-", "A+"), ("O-", "O+"), ("O-", "O"),
        ("AB−", "AB"), ("Na+", "Na"), ("F#", "F"), ("F", "F#"), ("E=mc^2", "Emc2"),
        ("x^2", "x2"), ("Vitamin A", "Vitamin"), ("Hepatitis A", "Hepatitis"),
        ("Plan A", "Plan"), ("3.14", "314"), ("3:2", "32"), ("12:30", "1230"),
        ("10^6", "106"), ("2^10", "210"), ("1.5.2", "152"), ("v1.5", "v15"), (">5", "5"),
        ("<5", "5"), ("5", "≥5"), ("±5", "5"), ("5", "5+"), ("5+", "5"), ("$5", "€5"),
        ("10%", "10"), ("10", "10‰"), ("-40", "40"), ("(5)", "5"), ("1/2", "1-2"),
        ("1/2", "1.2"), ("3-4", "3/4"), ("A*", "A"), ("C*", "C"), (".5", "5"), ("0.5", "05"),
        ("4.0", "40"), ("4,5", "45"), ("5e3", "53"), ("10-20", "1020"),
        ("2020-01", "202001"), ("P≠NP", "P=NP"), ("not A", "A"), ("+1", "-1"), ("1:1", "11"),
        ("1;2", "12"), ("1&2", "12"), ("1*2", "12"), ("1=2", "12"), ("1_2", "12"),
        ("1 2", "12"), ("1 + 2", "12"), ("5−3", "53"), ("C", "C++"), ("B♭", "B"),
        ("~5", "~6"), ("\"5\"", "6"), ("½", "12"), ("#1", "#2"),
    ],
)  # fmt: skip
def test_answers_that_do_not(gold: str, answer: str) -> None:
    assert not is_paid(gold, answer)
    assert is_paid(gold, gold)
