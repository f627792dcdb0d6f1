"""Tables fit the terminal: columns go, values never."""

from __future__ import annotations

import io

import pytest
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from wideseek_env.cli import terminal
from wideseek_env.cli.terminal import print_table, progress

HEADERS = [f"column {letter}" for letter in "abcdefgh"]
VALUES = [f"0.123–0.45{number}" for number in range(8)]


def shown(width: int, droppable: list[str]) -> str:
    out = Console(file=io.StringIO(), width=width)
    table = Table(box=SIMPLE_HEAD)
    for header in HEADERS:
        table.add_column(header, justify="right")
    table.add_row(*VALUES)
    print_table(out, table, droppable)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    return str(text)


def test_a_table_that_fits_is_whole() -> None:
    text = shown(150, HEADERS)
    assert all(value in text for value in VALUES)
    assert "left out" not in text


def test_a_narrow_terminal_goes_without_the_least_needed_and_says_so() -> None:
    text = shown(80, ["column h", "column b", "column c", "column d"])
    assert "left out, as 80 columns have no room: column b, column c, column h" in text
    kept = [value for value in VALUES if value in text]
    assert kept == [VALUES[0], *VALUES[3:7]]


def test_columns_that_may_go_need_not_be_there() -> None:
    text = shown(80, ["Drift", "column h", "column b", "column c"])
    assert "left out, as 80 columns have no room: column b, column c, column h" in text


def test_a_column_with_a_greatest_width_breaks_its_lines_there_and_saves_the_others() -> None:
    out = Console(file=io.StringIO(), width=60)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("who", max_width=20)
    table.add_column("figure")
    name = "my_package.my_module:load:" + "x" * 40
    table.add_row(name, "0.123")
    print_table(out, table, ["figure"])
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "0.123" in text
    assert name in "".join(text.replace("0.123", "").split())
    assert "left out" not in text


def test_a_table_that_cannot_fit_breaks_lines_and_cuts_nothing() -> None:
    text = shown(50, [])
    letters = "".join(text.split())
    assert all(character in letters for value in VALUES for character in value)


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "LINE_EVERY_S", 0.0)
    with progress("pages", 1000) as advance:
        advance("half", count=500)
        advance(what="words")
    assert capsys.readouterr().err.splitlines() == [
        "pages: 500 of 1,000  half",
        "words: 501 of 1,000",
    ]
