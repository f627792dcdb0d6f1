"""No answer of the allowed size holds everybody up: each of these takes less than a second."""

from __future__ import annotations

import pytest
from timing import least_seconds

from wideseek_env.records import Column, Task
from wideseek_env.scoring import score_strict

SIZE = 199_000
"""Characters; a little less than an answer may have."""
COLUMNS = (
    Column("k"),
    Column("n", "number_near", ("extract_number",), 0.05),
    Column("d", "date_near", ("norm_date",)),
    Column("u", "url_match"),
    Column("w", "in_match"),
)
WIDE = Task(
    "wide", "", COLUMNS, ("k",), tuple(("a", str(i), "2020", "x.org", "b") for i in range(60))
)
DEEP = Task("deep", "", (Column("answer"),), ("answer",), (("Paris",),), kind="deep")


def table(cell: str) -> str:
    """One row whose cells all hold a long text."""
    size = SIZE // 5 - 20
    long = (cell * (size // len(cell) + 1))[:size]
    return f"| k | n | d | u | w |\n|---|---|---|---|---|\n| {' | '.join([long] * 5)} |"


def rows(row: str) -> str:
    return "| k | n | d | u | w |\n|---|---|---|---|---|\n" + row * (SIZE // len(row))


def counted(*cells: str) -> str:
    """As many different rows as fit, all with the cells given."""
    lines = ["| k | n | d | u | w |", "|---|---|---|---|---|"]
    size = 60
    number = 0
    while size < SIZE:
        lines.append(f"| {' | '.join(cell.replace('#', str(number)) for cell in cells)} |")
        size += len(lines[-1]) + 1
        number += 1
    return "\n".join(lines)


WORST = {
    "marks in a wrong order": table("\u0301\u0327"),
    "marks of one class": table("a" + "\u0301" * 50_000),
    "one long number": table("1"),
    "long number with commas": table("1,"),
    "long number with points": table("1.234"),
    "blanks between digits": table("1 "),
    "blanks": table("1" + " " * 30_000),
    "brackets": table("["),
    "links": table("[a]("),
    "round brackets": table("("),
    "emphasis": table("*a"),
    "stars": table("*"),
    "backslashes": table("\\"),
    "months": table("January "),
    "dashes": table("-"),
    "ranges": table("5-"),
    "units": table("5 ft "),
    "scales": table("5 hundred "),
    "cjk sizes": table("1万亿"),
    "urls": table("https://x.org/a "),
    "hosts": table("a."),
    "percent signs": table("https://x.org/%41"),
    "angle brackets": table("<br>"),
    "ligatures": table("ﷺ"),
    "vulgar fractions": table("½"),
    "superscripts": table("1⁶"),
    "quotes": table("'"),
    "pipes": "|" * SIZE,
    "lines of pipes": "|\n" * (SIZE // 2),
    "a wide header over short lines": "|a" * (SIZE // 4)
    + "|\n"
    + "|-" * 20
    + "|\n"
    + "|x\n" * (SIZE // 8),
    "wide and blank": "|a" * (SIZE // 4) + "|\n" + "|-" * (SIZE // 4) + "|\n",
    "separators": "| a |\n" + "|-|\n" * (SIZE // 4),
    "fences": "```\n" * (SIZE // 4),
    "fenced tables": "```\n| k |\n|-|\n| a |\n```\n" * (SIZE // 24),
    "quotations": "> " * (SIZE // 2),
    "thinking": "<think>" * (SIZE // 7),
    "thinking ended": "</think>" * (SIZE // 8),
    "rows of one key": counted("a", "#", "#", "#", "#"),
    "short rows of one key": counted("a", "#", "", "", ""),
    "rows of other keys": counted("#", "1", "2020", "x.org", "b"),
    "equal rows": rows("| a | 1 | 2020 | x.org | b |\n"),
    "full-width pipes": "｜" * SIZE,
    "carriage returns": "\r" * SIZE,
}
SHORT = {
    "boxes": "\\boxed{" * (SIZE // 7),
    "nested boxes": "\\boxed{" * (SIZE // 8) + "}" * (SIZE // 8),
    "braces": "{" * SIZE,
    "closed boxes": "\\boxed{a}" * (SIZE // 9),
    "a long box": "\\boxed{" + "a" * SIZE + "}",
    "wrapped": "\\boxed{" + "\\text{" * 400 + "x" + "}" * 401,
    "fractions": "\\boxed{" + "\\frac{" * 300 + "}",
    "answer tags": "<answer>" * (SIZE // 8),
    "closed answer tags": "<answer></answer>" * (SIZE // 17),
    "dollars": "$" * SIZE,
    "marks": "a" + "\u0301\u0327" * 90,
}


@pytest.mark.parametrize("name", WORST)
def test_worst_tables(name: str) -> None:
    assert len(WORST[name]) <= SIZE + 1_000
    scores = []
    assert least_seconds(lambda: scores.append(score_strict(WIDE, WORST[name])), enough=1.0) < 1.0
    assert 0.0 <= scores[0].item_f1 <= 1.0


@pytest.mark.parametrize("name", {**SHORT, **WORST})
def test_worst_short_answers(name: str) -> None:
    text = {**SHORT, **WORST}[name]
    scores = []
    assert least_seconds(lambda: scores.append(score_strict(DEEP, text)), enough=1.0) < 1.0
    assert scores[0].item_f1 == 0.0
