"""The ways in which real answers lay out a table, and what stands around it."""

from __future__ import annotations

import pytest

from wideseek_env.records import Column, Task
from wideseek_env.scoring import score_strict
from wideseek_env.scoring.tables import Table, read_table

H = "| k | v |\n|---|---|\n| x | 1 |\n| y | 2 |"
FENCE = "```"
SOURCES = "| Source | URL |\n|---|---|\n| a | https://x.org |"
REAL = Table(("k", "v"), (("x", "1"), ("y", "2")))
TASK = Task("t", "", (Column("k"), Column("v")), ("k",), REAL.rows)


@pytest.mark.parametrize(
    "text",
    [
        f"{FENCE}latex\n\\begin{{tabular}}{{|l|l|}}\nk & v \\\\\n\\end{{tabular}}\n{FENCE}\n\n{H}",
        f"{FENCE}sql\nSELECT a || b FROM t;\n{FENCE}\n{H}",
        f"{FENCE}haskell\ndata T = A | B\n  | C\n{FENCE}\n{H}",
        f"~~~\na | b\n~~~\n{H}",
        f"{FENCE}`markdown\n{FENCE}\n{H}\n{FENCE}\n{FENCE}`",
        f"{H}\n\nDone | thanks",
        f"`a | b` is code.\n{H}",
        f"{FENCE}diff\n- | x | 9 |\n+ | x | 1 |\n{FENCE}\n{H}",
        f"{H}\n\n## Sources\n\n{SOURCES}",
        f"{H}\n\n{FENCE}\n{SOURCES}\n{FENCE}",
        f"{FENCE}\n{H}\n{FENCE}\n### Notes\n{FENCE}\n{SOURCES}\n{FENCE}",
        f"{SOURCES}\n\n{H}",
        f"Answer: {H}",
        f"- {H}".replace("\n", "\n  "),
        f"<answer>{H}</answer>",
        f"\\boxed{{\n{H}\n}}",
        f"{H}<|im_end|>",
        H.replace("\n", "\r\n"),
        H.replace("\n", "\r"),
        H.replace("\n", "\u2028"),
        H.replace("|---|---|", "|：---：|：---：|"),
        H.replace("|---|---|\n", "|---|---|\n|---|---|\n"),
        H.replace("\n| y", "\n|---|---|\n| y"),
        H.replace("| k | v |", "| **k** | <b>v</b> |").replace("| x", "| _x_"),
        H.replace("| x", "| `x`").replace("| 2", "| <i>2</i>"),
        H.replace("| x |", "| x&nbsp; |"),
        "+---+---+\n| k | v |\n+===+===+\n| x | 1 |\n+---+---+\n| y | 2 |\n+---+---+",
        " k | v \n---+---\n x | 1\n y | 2\n(2 rows)",
        "┌───┬───┐\n│ k │ v │\n├───┼───┤\n│ x │ 1 │\n│ y │ 2 │\n└───┴───┘",
        "╔═══╦═══╗\n║ k ║ v ║\n╠═══╬═══╣\n║ x ║ 1 ║\n╟───╫───╢\n║ y ║ 2 ║\n╚═══╩═══╝",
        "| v | k |\n|---|---|\n| 1 | x |\n| 2 | y |",
    ],
)  # fmt: skip
def test_right_answer_in_another_layout_is_right(text: str) -> None:
    assert score_strict(TASK, text).item_f1 == 1.0


@pytest.mark.parametrize(
    "text",
    [
        f"<details>{H}</details>".replace("| 1 |", "| 9 |") + f"\n\n{H.replace('| 2', '| 9')}",
        "| k | x | y |\n|---|---|---|\n| v | 1 | 2 |",  # on its side
        "| k | v |\n|---|---|\n| x | ~~1~~ 9 |\n| y | 2 |",
        f"| # {H}".replace("\n|", "\n| 1 |"),  # a column that nobody asked for
        f"{H}\n\n{H.replace('| 1 |', '| 9 |')}",  # the last counts
        "| k | v |\n|---|---|\n| x | 1 |\n\n(continued)\n\n| k | v |\n|---|---|\n| y | 2 |",
        H + "\n| **Total** | **3** |",
    ],
)
def test_what_is_not_the_answer_is_not_taken_for_it(text: str) -> None:
    assert 0.0 <= score_strict(TASK, text).item_f1 < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "k,v\nx,1\ny,2", f"{FENCE}csv\nk,v\nx,1\n{FENCE}", "k\tv\nx\t1", '[{"k": "x", "v": "1"}]',
        "<table><tr><th>k</th><th>v</th></tr><tr><td>x</td><td>1</td></tr></table>",
        "\\begin{tabular}{cc}\nk & v \\\\\nx & 1\n\\end{tabular}", "k: x, v: 1",
    ],
)  # fmt: skip
def test_other_than_markdown_is_no_table(text: str) -> None:
    assert read_table(text) is None


@pytest.mark.parametrize("pipe", "║∣❘¦ǀ︱")
def test_other_pipes(pipe: str) -> None:
    assert read_table(H.replace("|", pipe)) == REAL
    inside = read_table(H.replace("x", f"x{pipe}z"))
    assert inside is not None
    assert inside.rows[0][0] == f"x{pipe}z"


@pytest.mark.parametrize("mark", "\u202a\u2066\u061c\u180e\x00\x08\u2062")
def test_marks_that_nobody_sees(mark: str) -> None:
    assert read_table(f"{mark}{H}{mark}".replace("\n", f"{mark}\n{mark}")) == REAL


@pytest.mark.parametrize(
    "line",
    [
        "|⸺|⸻|", "|ー|ー|", "|~~~|~~~|", "|***|***|", "|...|...|", "| … | … |", "|•••|•••|",
        "|⁃⁃|⁃⁃|",
        "|﹘|﹘|", "|－－|－－|", "|┄┄|┈┈|", "|⎯⎯|⎯⎯|", "| --- | --- |  |", "|\\---|\\---|",
        "|`---`|`---`|",
        "├───┼───┤", "╞═══╪═══╡", "+===+===+", "|：---|---：|",
    ],
)  # fmt: skip
def test_other_separators(line: str) -> None:
    assert read_table(H.replace("|---|---|", line)) == REAL


@pytest.mark.parametrize("line", ["| - | - |", "| -- | – |", "| . | .. |", "| * | ** |", "|  |  |"])
def test_cells_of_few_dashes_below_a_separator_are_a_row(line: str) -> None:
    table = read_table(H.replace("\n| y", f"\n{line}\n| y"))
    assert table is not None
    assert len(table.rows) == 3


def test_headers_that_were_asked_for_tell_which_table_counts() -> None:
    for text in (f"{H}\n\n{SOURCES}", f"{SOURCES}\n\n{H}", f"```\n{SOURCES}\n```\n{H}"):
        assert read_table(text, ("K", "v")) == REAL
        assert read_table(text, ("Source",)) == read_table(SOURCES)
    first, last = H.replace("1", "9"), H
    assert read_table(f"{first}\n\n{last}", ("k", "v")) == REAL
    assert read_table(f"{H}\n\n| k | v |\n|---|---|\n", ("k", "v")) == REAL
