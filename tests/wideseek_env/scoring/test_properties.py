"""What holds of scores whatever the tables say, over tables of all scripts and in both modes."""

from __future__ import annotations

import unicodedata
from datetime import datetime

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring.official.scorer import score_official
from wideseek_env.scoring.strict import align, figures, score_strict
from wideseek_env.scoring.tables import Table, read_table, write_table

pytestmark = pytest.mark.hypothesis
NOW = datetime(2026, 11, 23)
TEXT, WORDS = Column("v"), Column("v", "in_match")
NUMBER = Column("v", "number_near", ("extract_number",), 0.0)
DATE, URL = Column("v", "exact_match", ("norm_date",)), Column("v", "url_match")
BOTH_WAYS = (TEXT, NUMBER, DATE, URL)
"""Columns whose cells are equal both ways alike."""
ALL = (*BOTH_WAYS, WORDS, Column("v", "date_near", ("norm_date",)))
PIECES = (
    "é", "e\u0301", "ß", "ẞ", "İ", "ı", "ﬁ", "ǅ", "Å", "Å", "ΐ", "ς", "Σ", "ё", "й", "北京",
    "東京", "台灣", "한글", "한", "ｶﾞ", "ガ", "か\u3099", "々", "〇", "一百", "两万",
    "ש\u05b8\u05c1לו\u05b9ם", "م\u064fح\u064eم\u064e\u0651د", "\u200fא", "नमस\u094dत\u0947",
    "ক\u09cdষ", "สว\u0e31สด\u0e35", "ខ\u17d2ម\u17c2រ", "தம\u0bbfழ\u0bcd", "አማርኛ", "ﷺ", "ﻻ", "𝓗",
    "ℌ", "Ⅻ", "№", "①", "⑩", "¹", "₂", "½", "⁄", "٥", "५", "๕", "𝟓", "５", "．", "，",
    "👩\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "🇨🇭", "e\u0301\u0316", "\u200b", "\u2060", "\ufeff",
    "\u00ad", "\u202e", "｜", "│", "‖", "“", "”", "„", "«", "’", "–", "—", "−", "～", "·", "…",
    "\u3000", "\u00a0", "|", "\\", "<br>", "&amp;", "&", "*", "**", "_", "`", "<b>", "</b>",
    "[a](b)", "<", "^", "~~", "5", "12", "1,234", "3.5", "-", "%", "$", "€", "km", "m", "万",
    "million", "млн", "to ", "<", "c. ", "2020", "-01", "Jan ", "января ", "年", "月", " BC",
    "T10:00", "//x.org/", "http://x.org/é", " ", "a", "B",
)  # fmt: skip
CELLS = st.lists(st.sampled_from(PIECES), max_size=5).map("".join) | st.text(max_size=6)
LETTERS = st.text("aébß北東אبनक𝓗ñŁ", min_size=1, max_size=5)


def _tables(cells: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    return st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5)


def _task(column: Column, rows: list[tuple[str, ...]]) -> Task:
    return Task("t", "", (Column("k"), column, Column("w")), ("k",), tuple(rows))


def _strict(task: Task, rows: list[tuple[str, ...]]) -> Score:
    return figures(align(task, Table(task.column_names, tuple(rows))))


def _keyed(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows whose keys differ."""
    return [(f"key {number} {row[0]}", *row[1:]) for number, row in enumerate(rows)]


def _seven(score: Score) -> list[float]:
    rows = [score.row_precision, score.row_recall, score.row_f1]
    return [score.success, *rows, score.item_precision, score.item_recall, score.item_f1]


@given(column=st.sampled_from(ALL), gold=_tables(CELLS), answer=_tables(CELLS))
@settings(max_examples=examples(100), deadline=None)
def test_strict_lies_between_0_and_1_and_gold_is_1(
    column: Column, gold: list[tuple[str, ...]], answer: list[tuple[str, ...]]
) -> None:
    task = _task(column, gold)
    assert all(0.0 <= figure <= 1.0 for figure in _seven(_strict(task, answer)))
    for rows in (gold, gold[::-1]):
        assert _seven(score_strict(task, write_table(task.column_names, rows))) == [1.0] * 7


@given(column=st.sampled_from(BOTH_WAYS), one=_tables(CELLS), other=_tables(CELLS))
@settings(max_examples=examples(100), deadline=None)
def test_strict_is_symmetric(
    column: Column, one: list[tuple[str, ...]], other: list[tuple[str, ...]]
) -> None:
    one, other = _keyed(one), _keyed(other)
    other = [(mine[0], *row[1:]) for mine, row in zip(one, other, strict=False)]
    forth, back = _strict(_task(column, one), other), _strict(_task(column, other), one)
    assert (forth.item_precision, forth.item_recall) == (back.item_recall, back.item_precision)
    assert (forth.row_precision, forth.row_recall) == (back.row_recall, back.row_precision)
    assert (forth.row_f1, forth.success) == (back.row_f1, back.success)


@given(column=st.sampled_from(ALL), gold=_tables(CELLS), answer=_tables(CELLS), data=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_strict_wrong_row_never_raises_and_correcting_a_cell_never_lowers(
    column: Column,
    gold: list[tuple[str, ...]],
    answer: list[tuple[str, ...]],
    data: st.DataObject,
) -> None:
    gold, answer = _keyed(gold), _keyed(answer)
    answer = [(mine[0], *row[1:]) for mine, row in zip(gold, answer, strict=False)]
    task = _task(column, gold)
    before = _strict(task, answer)
    more = _strict(task, [*answer, ("no such key", *data.draw(st.tuples(CELLS, CELLS)))])
    assert more.item_f1 <= before.item_f1
    assert more.row_f1 <= before.row_f1
    row = data.draw(st.integers(0, len(answer) - 1))
    place = data.draw(st.integers(1, 2))
    cells = list(answer[row])
    cells[place] = gold[row][place]
    after = _strict(task, [*answer[:row], tuple(cells), *answer[row + 1 :]])
    assert after.item_f1 >= before.item_f1 - 1e-12
    assert after.row_f1 >= before.row_f1


@given(rows=_tables(CELLS), form=st.sampled_from(["NFC", "NFD"]), data=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_strict_canonical_forms_are_one_text(
    rows: list[tuple[str, ...]], form: str, data: st.DataObject
) -> None:
    task = _task(TEXT, rows)
    same = [tuple(unicodedata.normalize(form, cell) for cell in row) for row in rows]
    assert _strict(task, same).item_f1 == 1.0


@given(
    cell=LETTERS,
    mark=st.sampled_from(["**{}**", "`{}`", "<b>{}</b>", "[{}](/a)", " {}\u200b", "_{}_"]),
)
@settings(max_examples=examples(100), deadline=None)
def test_strict_markup_of_a_whole_cell_does_not_count(cell: str, mark: str) -> None:
    task = _task(TEXT, [("x", cell, "y")])
    assert _strict(task, [("x", mark.format(cell), "y")]).item_f1 == 1.0
    assert _strict(task, [("x", mark.format(f"{cell}z"), "y")]).item_f1 < 1.0


@given(gold=_tables(LETTERS), answer=_tables(LETTERS), data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_official_on_tables_of_letters(
    gold: list[tuple[str, ...]], answer: list[tuple[str, ...]], data: st.DataObject
) -> None:
    gold, answer = _keyed(gold), _keyed(answer)
    answer = [(mine[0], *row[1:]) for mine, row in zip(gold, answer, strict=False)]
    task = _task(TEXT, gold)

    def scored(rows: list[tuple[str, ...]]) -> list[float]:
        table = write_table(task.column_names, rows)
        return _seven(score_official(task, f"```markdown\n{table}\n```", NOW).score)

    assert scored(gold)[1:] == [1.0] * 6
    before = scored(answer)
    assert all(0.0 <= figure <= 1.0 for figure in before)
    more = scored([*answer, ("no such key", *data.draw(st.tuples(LETTERS, LETTERS)))])
    assert more[3] <= before[3]
    assert more[6] <= before[6]
    row = data.draw(st.integers(0, len(answer) - 1))
    cells = (*answer[row][:2], gold[row][2])
    after = scored([*answer[:row], cells, *answer[row + 1 :]])
    assert after[6] >= before[6] - 1e-12


@given(text=st.lists(st.sampled_from([*PIECES, "\n", "|", "|---|", "\n| ", "```", "<think>"])))
@settings(max_examples=examples(100), deadline=None)
def test_any_text_gives_a_table_that_survives_being_written(text: list[str]) -> None:
    table = read_table("".join(text))
    if table is not None:
        assert read_table(write_table(table.header, table.rows)) == table
