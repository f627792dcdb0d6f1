from __future__ import annotations

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.scoring.tables import Table, read_table, write_table

_ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.text(), min_size=width, max_size=width), max_size=4)
)


@given(rows=_ROWS)
@settings(max_examples=examples(100), deadline=None)
def test_write_table_then_read_table_gives_the_same_cells(rows: list[list[str]]) -> None:
    header = tuple(f"column {i}" for i in range(len(rows[0]) if rows else 1))
    table = read_table(write_table(header, rows))
    assert table == Table(header, tuple(tuple(row) for row in rows))


@given(rows=_ROWS)
@settings(max_examples=examples(100), deadline=None)
def test_write_table_inside_a_fence_gives_the_same_cells(rows: list[list[str]]) -> None:
    header = tuple(f"column {i}" for i in range(len(rows[0]) if rows else 1))
    text = f"Here it is.\n```markdown\n{write_table(header, rows)}\n```\nDone."
    assert read_table(text) == Table(header, tuple(tuple(row) for row in rows))


@given(text=st.text(alphabet=list("ab|-`\\\n\r \t:<>br/")))
@settings(max_examples=examples(100), deadline=None)
def test_read_table_any_text_is_none_or_rectangular(text: str) -> None:
    table = read_table(text)
    assert table is None or all(len(row) == len(table.header) for row in table.rows)


@pytest.mark.parametrize("cell", ["", " ", "\\", "\\\\|", "a\nb", "a\r", "<br>", "\\<br/>", "---"])
def test_write_table_awkward_cell_survives(cell: str) -> None:
    assert read_table(write_table(["k", "v"], [[cell, "x"], ["y", cell]])) == Table(
        ("k", "v"), ((cell, "x"), ("y", cell))
    )


def test_read_table_last_fenced_table_wins() -> None:
    text = (
        "draft\n```markdown\n| a |\n|---|\n| 1 |\n```\n"
        "final\n```markdown\n| a |\n|---|\n| 2 |\n```\n"
        "| sources |\n|---|\n| web |\n"
    )
    assert read_table(text) == Table(("a",), (("2",),))


def test_read_table_without_fence_takes_the_last_table() -> None:
    assert read_table("x\n| a | b |\n|---|---|\n| 1 | 2 |\n\nbye") == Table(
        ("a", "b"), (("1", "2"),)
    )


def test_read_table_fence_on_the_same_line_as_the_table() -> None:
    assert read_table("```markdown| a | b |\n|---|---|\n| 1 | 2 |```") == Table(
        ("a", "b"), (("1", "2"),)
    )


def test_read_table_unclosed_fence_is_read_to_the_end() -> None:
    assert read_table("```markdown\n| a |\n|---|\n| 1 |") == Table(("a",), (("1",),))


def test_read_table_without_outer_pipes() -> None:
    assert read_table("a | b\n--- | ---\n1 | 2") == Table(("a", "b"), (("1", "2"),))


def test_read_table_row_of_dashes_is_data() -> None:
    table = read_table("| k | v |\n|---|---|\n| - | - |\n| a | 1 |")
    assert table == Table(("k", "v"), (("-", "-"), ("a", "1")))


def test_read_table_two_tables_parted_by_a_blank_line_are_two() -> None:
    text = "| a |\n|---|\n| 1 |\n\n| b |\n|---|\n| 2 |"
    assert read_table(text) == Table(("b",), (("2",),))


def test_read_table_blank_line_between_rows_is_skipped() -> None:
    assert read_table("| a |\n|---|\n| 1 |\n\n| 2 |") == Table(("a",), (("1",), ("2",)))


@pytest.mark.parametrize("above", ["| x |\n|---|\n| y |", "| x | y |", "|", "x | y"])
@pytest.mark.parametrize(
    "between",
    ["Then:", ":", "# Rivers", "one\nand another", "```", "~~~", "<answer>", "said\n", ">"],
)
@pytest.mark.parametrize("ruler", ["", "|---|---|\n"])
def test_read_table_behind_a_table_a_blank_line_and_words_is_one_of_its_own(
    above: str, between: str, ruler: str
) -> None:
    table = read_table(f"{above}\n\n{between}\n| k | v |\n{ruler}| a | 1 |")
    above_counts = "---" in above and not ruler
    assert table == (Table(("x",), (("y",),)) if above_counts else Table(("k", "v"), (("a", "1"),)))


def test_read_table_short_and_long_rows_are_fitted_to_the_header() -> None:
    assert read_table("| a | b |\n|---|---|\n| 1 |\n| 1 | 2 | 3 |") == Table(
        ("a", "b"), (("1", ""), ("1", "2"))
    )


@pytest.mark.parametrize(
    "text", ["", "no table", "either a | b or c", "```\n```", "|", "| |\n|---|"]
)
def test_read_table_without_a_table_is_none(text: str) -> None:
    assert read_table(text) is None


REAL = (("x", "1"), ("y", "2"))


@pytest.mark.parametrize(
    "text",
    [
        "<think>\n```markdown\n| k | v |\n|---|---|\n| x | 9 |\n```\n</think>\n\n{table}",
        "draft\n| k | v |\n|---|---|\n| x | 9 |\n</think>\n{table}",
        "<thinking>| k | v |\n|---|---|\n| x | 9 |</thinking>{table}",
        "{table}\n\n```sh\ncat a | sort\n```",
        "{table}\n\n```\na | b\n```",
        "```python\nx = a | b\n```\n{table}",
        "{table}\n\n```markdown\n| k | v |\n|---|---|\n```",
        "\ufeff{table}",
        "text\n{table}\n\nIf a holds, stop.",
        "| k | v |\n|---|---|\n| x | 9 |\n\nBetter:\n{table}",
    ],
)
def test_read_table_the_real_table_counts(text: str) -> None:
    table = "\n| k | v |\n|---|---|\n| x | 1 |\n| y | 2 |\n"
    for whole in (
        text.replace("{table}", table),
        text.replace("{table}", table.replace("|", " | ")),
    ):
        assert read_table(whole) == Table(("k", "v"), REAL)


def test_read_table_what_never_stops_thinking_hands_nothing_in() -> None:
    assert read_table("<think>\n| k | v |\n|---|---|\n| x | 1 |") is None


def test_read_table_fenced_table_with_rows_wins_over_one_outside() -> None:
    text = (
        "```markdown\n| k | v |\n|---|---|\n| x | 1 |\n```\n| source | url |\n|---|---|\n| a | b |"
    )
    assert read_table(text) == Table(("k", "v"), (("x", "1"),))


@pytest.mark.parametrize(
    "line",
    [
        "|---|---|", "|:--|:|", "| - - - | - - - |", "|\u200b---|---|", "|—|—|", "|===|===|",
        "|---+---|", "|–|–|",
        "| :-: | --: |", "|-|-|", "|___|___|", "|−−|−−|", "|─────|─────|", "---|---", "----+----",
        "| --- |---|  ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fence", ["", "```\n"])
def test_read_table_separator_lines_of_other_dashes(line: str, fence: str) -> None:
    text = f"{fence}| k | v |\n{line}\n| x | 1 |\n| y | 2 |\n{fence}"
    assert read_table(text) == Table(("k", "v"), REAL)


@pytest.mark.parametrize(
    "line",
    ["| x | - |", "| a-b | c |", "| 1+1 | 2 |", "| : | : |", "| -5 | -6 |", "|  |  |", "| - | 5 |"],
)
def test_read_table_a_row_that_holds_more_than_dashes_is_no_separator(line: str) -> None:
    table = read_table(f"```\n| k | v |\n{line}\n| x | 1 |\n```")
    assert table is not None
    assert len(table.rows) == 2


@pytest.mark.parametrize("mark", ["\ufeff", "\u200b", "\u200e", "\u2060", "\u200b \u200b"])
def test_read_table_invisible_marks_at_pipes_are_none(mark: str) -> None:
    text = f"{mark}| k | v |{mark}\n{mark}|---|---|\n{mark}| x | 1 |{mark}\n| y | 2 |"
    assert read_table(text) == Table(("k", "v"), REAL)


@pytest.mark.parametrize("pipe", "｜│┃￨")
def test_read_table_other_pipes_part_a_line_that_has_no_usual_ones(pipe: str) -> None:
    whole = "| k | v |\n|---|---|\n| x | 1 |\n| y | 2 |".replace("|", pipe)
    assert read_table(whole) == read_table(f"```\n{whole}\n```") == Table(("k", "v"), REAL)
    mixed = f"| k | v |\n|---|---|\n| x | 1 |\n{pipe} y {pipe} 2 {pipe}"
    assert read_table(mixed) == Table(("k", "v"), REAL)
    inside = f"| k | v |\n|---|---|\n| x{pipe}y | 1 |"
    assert read_table(inside) == Table(("k", "v"), ((f"x{pipe}y", "1"),))


def test_read_table_in_a_quotation() -> None:
    assert read_table("> | k | v |\n> |---|---|\n> | x | 1 |\n> | y | 2 |") == Table(
        ("k", "v"), REAL
    )


def test_read_table_short_lines_under_a_wide_header_stay_small() -> None:
    table = read_table("|a" * 50_000 + "|\n" + "|---" * 10 + "|\n" + "|x|\n" * 20_000)
    assert table is not None
    assert len(table.rows) * len(table.header) < 1_000_000


def test_write_table_a_cell_that_speaks_of_thinking_stays() -> None:
    rows = (("a</think>", "<think>"), ("<thinking>", "x\\<think>"))
    assert read_table(write_table(("k", "v"), rows)) == Table(("k", "v"), rows)
