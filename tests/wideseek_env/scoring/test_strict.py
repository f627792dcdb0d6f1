from __future__ import annotations

import json
import time
from itertools import permutations
from operator import attrgetter

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import real_data

from benchmarks.scorers.cheating_cells import CELL_CASES, CellCase
from benchmarks.scorers.cheating_tables import TABLE_CASES, TableCase
from wideseek_env.records import METRICS, Column, Score, Task
from wideseek_env.scoring import StrictScorer, Table, score_strict, write_table
from wideseek_env.scoring.strict import align, figures
from wideseek_env.tasks.widesearch import load_widesearch

KV = (Column("k"), Column("v"))


def _task(gold: list[tuple[str, ...]], **fields: object) -> Task:
    width = len(gold[0]) if gold else 2
    columns = tuple(Column(name) for name in "kvwxyz"[:width])
    return Task("t", "", columns, ("k",), tuple(gold), **fields)  # type: ignore[arg-type]


def _score(task: Task, rows: list[tuple[str, ...]], header: str | None = None) -> Score:
    return score_strict(task, write_table(tuple(header or task.column_names), rows))


@pytest.mark.parametrize("case", TABLE_CASES, ids=lambda case: case.name)
def test_score_strict_table_case(case: TableCase) -> None:
    score = score_strict(case.task, case.text)
    assert (score.success, score.row_f1, score.item_f1) == pytest.approx(case.strict)


@pytest.mark.parametrize("case", CELL_CASES, ids=lambda c: f"{c.name} {c.gold} {c.answer}")
def test_score_strict_cell_case(case: CellCase) -> None:
    assert score_strict(case.task, case.text).item_recall == (1 + case.strict) / 2


def test_score_strict_every_real_gold_table_scores_one_against_itself() -> None:
    folder = real_data("deepwidesearch")
    tasks = list(load_widesearch(folder / "tasks.jsonl", folder / "tables"))
    assert len(tasks) == 106
    for task in tasks:
        score = score_strict(task, write_table(task.column_names, task.gold))
        assert (score.success, score.row_f1, score.item_f1) == (1.0, 1.0, 1.0), task.id
        assert score.parsed


def test_score_strict_best_row_counts_not_the_first() -> None:
    score = _score(_task([("a", "1"), ("b", "2")]), [("a", "9"), ("a", "1"), ("b", "2")])
    assert (score.row_recall, score.row_precision) == (1.0, pytest.approx(2 / 3))


def test_score_strict_rows_of_one_key_are_paired_best_in_total() -> None:
    # Greedy pairing takes (1, 1, 1, 0) first and is left with a row that has nothing in common.
    gold = [("a", "1", "1", "1"), ("a", "1", "1", "2")]
    answer = [("a", "1", "1", "0"), ("a", "1", "1", "1")]
    score = _score(_task(gold), answer)
    assert score.row_recall == 0.5
    assert score.item_recall == 7 / 8


def test_score_strict_correct_names_gold_cells() -> None:
    score = _score(_task([("a", "1"), ("b", "2")]), [("b", "9"), ("a", "1")])
    assert score.correct == ((0, 0), (0, 1), (1, 0))


def test_score_strict_a_column_left_out_pays_as_one_of_blanks() -> None:
    task = _task([("a", "1", "x"), ("b", "2", ""), ("c", "3", "y")])
    left_out = _score(task, [("a",), ("z",)], header="k")
    blank = _score(task, [("a", "", ""), ("z", "", "")])
    assert left_out.item_f1 == blank.item_f1 == pytest.approx((2 * 1 - 1) / (2 * 3 + 3 * 3))
    only_blank_gold = _score(task, [("b",)], header="k")
    assert only_blank_gold.item_f1 < _score(task, [("b", "", "")]).item_f1


def test_score_strict_a_wrong_cell_takes_back_half_of_a_right_one() -> None:
    task = _task([("a", "1", "x"), ("b", "2", "y")])
    whole = [("a", "1", "x")]
    assert _score(task, whole).item_f1 == pytest.approx(6 / 9)
    assert _score(task, [*whole, ("b", "", "")]).item_f1 == pytest.approx(8 / 12)
    assert _score(task, [*whole, ("b", "9", "")]).item_f1 == pytest.approx(7 / 12)
    assert _score(task, [*whole, ("z", "", "")]).item_f1 == pytest.approx(5 / 12)
    assert _score(task, [*whole, ("z", "9", "9")]).item_f1 == pytest.approx(3 / 12)
    assert _score(task, [("y", "8", "8"), ("z", "9", "9")]).item_f1 == 0.0


def test_score_strict_a_wrong_cell_changes_neither_item_precision_nor_recall() -> None:
    score = _score(_task([("a", "1")]), [("a", "9"), ("z", "9")])
    assert (score.item_precision, score.item_recall) == (1 / 4, 1 / 2)


@pytest.mark.parametrize("junk", ["junk", "", "-", "3"])
def test_score_strict_key_of_several_gold_rows_with_junk_is_not_paid(junk: str) -> None:
    for num in (2, 3, 8):
        task = _task([("a", str(100 + i)) for i in range(num)])
        alone = _score(task, [("a", "100")])
        assert alone.item_f1 == pytest.approx(4 / (2 + 2 * num))
        assert _score(task, [("a", "100"), ("a", junk)]).item_f1 < alone.item_f1


def test_score_strict_key_of_several_gold_rows_counts_beside_another_right_cell() -> None:
    task = _task([("a", "1", "x"), ("a", "2", "y")])
    score = _score(task, [("a", "1", "z")])
    assert score.correct == ((0, 0), (0, 1))
    blank = _task([("a", ""), ("a", "1")])
    assert _score(blank, [("a", "")]).correct == ((0, 0), (0, 1))


def test_score_strict_missing_column_earns_nothing_even_where_gold_is_blank() -> None:
    score = _score(_task([("a", "1"), ("b", "")]), [("a",), ("b",)], header="k")
    assert (score.item_recall, score.item_precision, score.row_f1) == (0.5, 0.5, 0.0)


def test_score_strict_alias_counts_once() -> None:
    task = _task([("New York", "1"), ("b", "2")], aliases={"New York": ("NYC", "Big Apple")})
    assert _score(task, [("NYC", "1"), ("b", "2")]).success == 1.0
    twice = _score(task, [("NYC", "1"), ("Big Apple", "1"), ("b", "2")])
    assert (twice.row_recall, twice.row_precision) == (1.0, pytest.approx(2 / 3))


def test_score_strict_alias_of_two_rows_stands_for_one_at_a_time() -> None:
    task = _task([("A", "1"), ("B", "2")], aliases={"A": ("x",), "B": ("x",)})
    assert _score(task, [("x", "1"), ("x", "2")]).success == 1.0
    assert _score(task, [("x", "2")]).correct == ((1, 0), (1, 1))


def test_score_strict_alias_of_a_cell_is_right() -> None:
    task = _task([("a", "United Kingdom")], aliases={"United Kingdom": ("UK",)})
    assert _score(task, [("a", "uk")]).success == 1.0


def test_score_strict_two_gold_rows_that_say_the_same_are_one() -> None:
    score = _score(_task([("a", "1"), ("A", "1"), ("b", "2")]), [("a", "1"), ("b", "2")])
    assert score.success == 1.0


def test_score_strict_scale_in_the_header_holds_for_bare_numbers() -> None:
    column = Column("Revenue (million)", "number_near", ("extract_number",))
    task = Task("t", "", (Column("k"), column), ("k",), (("a", "5"),))
    for cell, right in (("5", 1.0), ("5 million", 1.0), ("5,000,000", 0.0)):
        assert _score(task, [("a", cell)]).row_recall == right, cell
    percent = Task(
        "t",
        "",
        (Column("k"), Column("Share (%)", "number_near", ("extract_number",))),
        ("k",),
        (("a", "12.5"),),
    )
    assert _score(percent, [("a", "12.5%")]).success == 1.0


def test_score_strict_two_thousand_rows_in_less_than_a_second() -> None:
    columns = (
        Column("k"),
        Column("d", "date_near", ("norm_date",)),
        Column("n", "number_near", ("extract_number",), 0.05),
        Column("t"),
    )
    gold = tuple(
        (f"name {i}", f"{1900 + i % 100}-0{1 + i % 9}-1{i % 9}", f"{i * 37:,} km", f"text {i}")
        for i in range(2000)
    )
    task = Task("t", "", columns, ("k",), gold)
    answer = write_table(task.column_names, gold[::-1])
    started = time.process_time()
    assert score_strict(task, answer).success == 1.0
    assert time.process_time() - started < 1.0


def test_score_strict_many_guesses_for_one_key_do_not_take_long() -> None:
    gold = [("a", str(i)) for i in range(300)]
    answer = [("A", str(i)) for i in range(150, 450)]
    started = time.process_time()
    score = _score(_task(gold), answer)
    assert time.process_time() - started < 1.0
    assert score.row_f1 == 0.5


def test_score_strict_long_run_of_blanks_in_a_number_does_not_take_long() -> None:
    columns = (Column("k"), Column("v", "number_near", ("extract_number",)))
    task = Task("t", "", columns, ("k",), (("a", "5"),))
    started = time.process_time()
    assert _score(task, [("a", f"about{' ' * 20_000}five")]).row_f1 == 0.0
    assert time.process_time() - started < 1.0


def test_score_strict_b27_headers_are_compared_without_case() -> None:
    task = Task("t", "", (Column("K"), Column("v")), ("K",), (("a", "1"),))
    for header in ("| k | V |", "| **K** | Ｖ |"):
        assert score_strict(task, f"{header}\n|---|---|\n| a | 1 |").success == 1.0


def test_score_strict_required_columns_of_one_name_are_taken_in_order() -> None:
    task = Task("t", "", (Column("k"), Column("v"), Column("V*")), ("k",), (("a", "1", "2"),))
    assert _score(task, [("a", "1", "2")]).success == 1.0
    assert _score(task, [("a", "2", "1")]).item_recall == pytest.approx(1 / 3)


_CELL = st.sampled_from(["a", "A", "b", "1", "1.0", "50%", "2020", "-", "", "1,000", "x|y", "é"])
_GOLD = st.lists(st.tuples(_CELL, _CELL, _CELL), min_size=1, max_size=5)


@given(gold=_GOLD, answer=_GOLD, order=st.randoms())
@settings(max_examples=examples(150), deadline=None)
def test_score_strict_figures_are_bounded_and_blind_to_row_order(
    gold: list[tuple[str, ...]], answer: list[tuple[str, ...]], order: object
) -> None:
    columns = (Column("k"), Column("v", "number_near", ("extract_number",), 0.05), Column("w"))
    task = Task("t", "", columns, ("k",), tuple(gold))
    score = _score(task, answer)
    assert all(0.0 <= figure <= 1.0 for figure in _figures(score))
    mixed_gold, mixed_answer = gold[:], answer[:]
    order.shuffle(mixed_gold)  # type: ignore[attr-defined]
    order.shuffle(mixed_answer)  # type: ignore[attr-defined]
    mixed = Task("t", "", columns, ("k",), tuple(mixed_gold))
    assert _figures(_score(mixed, mixed_answer)) == _figures(score)
    assert _figures(_score(task, gold)) == (1.0,) * 7


@given(gold=_GOLD, answer=_GOLD)
@settings(max_examples=examples(50), deadline=None)
def test_score_strict_is_the_best_of_all_pairings(
    gold: list[tuple[str, ...]], answer: list[tuple[str, ...]]
) -> None:
    """Against a search over all permutations, for text columns and one shared key."""
    golds = list(dict.fromkeys(("k", *_plain(row[1:])) for row in gold))
    answers = list(dict.fromkeys(("k", *_plain(row[1:])) for row in answer))
    long, short = sorted((golds, answers), key=len, reverse=True)

    def right(a: tuple[str, ...], b: tuple[str, ...]) -> int:
        num = sum(x == y for x, y in zip(a, b, strict=True))
        return 0 if num == 1 and len(golds) > 1 else num  # a key of several rows tells none

    best = max(
        sum(right(a, b) for a, b in zip(some, short, strict=True))
        for some in permutations(long, len(short))
    )
    score = _score(_task(golds), answers)
    assert score.item_recall == pytest.approx(best / (3 * len(golds)))
    num_wrong = 3 * len(answers) - best
    f1 = max(0, 2 * best - num_wrong) / (3 * len(golds) + 3 * len(answers))
    assert score.item_f1 == pytest.approx(f1)


@given(gold=_GOLD, answer=_GOLD, row=_GOLD, data=st.data())
@settings(max_examples=examples(150), deadline=None)
def test_score_strict_correcting_a_cell_never_lowers_and_a_wrong_row_never_raises(
    gold: list[tuple[str, ...]], answer: list[tuple[str, ...]], row: list, data: st.DataObject
) -> None:
    columns = (Column("k"), Column("v", "number_near", ("extract_number",), 0.05), Column("w"))
    task = Task("t", "", columns, ("k",), tuple(gold))
    before = _score(task, answer).item_f1
    assert _score(task, [*answer, ("no such key", *row[0][1:])]).item_f1 <= before
    alignment = align(task, Table(task.column_names, tuple(answer)))
    wrong = [
        (g, a, c) for g, a in alignment.pairs for c in (1, 2) if (g, c) not in alignment.correct
    ]
    if wrong:
        g, a, c = data.draw(st.sampled_from(wrong))
        corrected = [list(cells) for cells in answer]
        corrected[a][c] = gold[g][c]
        other = align(task, Table(task.column_names, tuple(map(tuple, corrected))))
        if len(other.answer_rows) == len(alignment.answer_rows):  # else two rows say the same now
            assert figures(other).item_f1 >= before - 1e-12


def _plain(cells: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("word" if cell in ("", "-", "1.0") else cell.lower() for cell in cells)


_figures = attrgetter(*METRICS)


async def test_strict_scorer_none_and_prose_are_unparsed_zero() -> None:
    scorer = StrictScorer()
    task = _task([("a", "1")])
    for answer in (None, "", "I found nothing."):
        score = await scorer(task, answer)
        assert (score.item_f1, score.parsed) == (0.0, False)
    assert json.dumps(_figures(await scorer(task, None))) == json.dumps([0.0] * 7)
