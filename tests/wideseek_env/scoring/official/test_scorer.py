from __future__ import annotations

import gzip
import json
from datetime import datetime

import pytest
from realdata import real_data

from benchmarks.scorers.cheating_cells import CELL_CASES, CellCase
from benchmarks.scorers.cheating_tables import NOW, TABLE_CASES, TableCase
from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring.official.pandas_csv import print_column
from wideseek_env.scoring.official.scorer import (
    ColumnRule,
    Evaluation,
    OfficialScorer,
    score_frames,
    score_official,
)
from wideseek_env.tasks.widesearch import load_widesearch

FIGURES = (
    "success",
    "row_precision",
    "row_recall",
    "row_f1",
    "item_precision",
    "item_recall",
    "item_f1",
)


def test_score_official_recorded_responses_are_equal_on_all_figures() -> None:
    folder = real_data("deepwidesearch")
    tasks = {t.id: t for t in load_widesearch(folder / "tasks.jsonl", folder / "tables")}
    with gzip.open(folder / "official_scores.jsonl.gz", "rt", encoding="utf-8") as lines:
        recorded = [json.loads(line) for line in lines]
    assert len(recorded) == 1590
    wrong = []
    for line in recorded:
        result = score_official(tasks[line["instance_id"]], line["response"], NOW)
        mine = {name: getattr(result.score, name) for name in FIGURES}
        if mine != pytest.approx(line["expected"], abs=1e-9) or (
            (result.error or "")[:30] != (line["evaluator_error"] or "")[:30]
        ):
            wrong.append((line["instance_id"], line["variant"], mine, result.error))
    assert not wrong


@pytest.mark.parametrize("case", TABLE_CASES, ids=lambda case: case.name)
def test_score_official_table_case(case: TableCase) -> None:
    result = score_official(case.task, case.text, NOW)
    mine = (result.score.success, result.score.row_f1, result.score.item_f1)
    assert mine == pytest.approx(case.official)
    assert (result.error or "").partition(":")[0] == (case.official_raises or "")


@pytest.mark.parametrize("case", CELL_CASES, ids=lambda c: f"{c.name} {c.gold} {c.answer}")
def test_score_official_cell_case(case: CellCase) -> None:
    result = score_official(case.task, case.text, NOW)
    if isinstance(case.official, str):
        assert (result.error or "").partition(":")[0] == case.official
    else:
        assert (result.error, result.score.item_recall) == (None, (1 + case.official) / 2)


def _evaluate(pipeline: dict[str, ColumnRule], unique: tuple[str, ...], answer: str) -> Score:
    """Scores against the gold table k,v / a,1."""
    gold = {"k": print_column(["a"]), "v": print_column(["1"])}
    evaluation = Evaluation(("k", "v"), unique, pipeline)
    return score_frames(evaluation, gold, answer, NOW).score


TEXT_RULE = ColumnRule(("norm_str",), ("exact_match",))
COPY = "| k | v |\n|---|---|\n| a | 1 |"


def test_b27_key_column_in_upper_case_raises() -> None:
    score = _evaluate({"k": TEXT_RULE, "v": TEXT_RULE}, ("K",), COPY)
    assert score.item_f1 == 0.0


def test_b33_two_metrics_on_one_column_pay_twice() -> None:
    twice = ColumnRule(("norm_str",), ("exact_match", "in_match"))
    score = _evaluate({"k": TEXT_RULE, "v": twice}, ("k",), COPY)
    assert (score.success, score.row_f1, score.item_f1) == (0.0, 1.0, 1.5)


def test_b35_scoring_the_same_task_twice_gives_the_same() -> None:
    gold = {"k": print_column(["A", "a", "b"]), "v": print_column(["1", "1", "2"])}
    evaluation = Evaluation(("k", "v"), ("k",), {"k": TEXT_RULE, "v": TEXT_RULE})
    answer = "| k | v |\n|---|---|\n| a | 1 |\n| b | 2 |"
    first = score_frames(evaluation, gold, answer, NOW)
    assert score_frames(evaluation, gold, answer, NOW) == first


def test_pipeline_column_that_nobody_requires_raises() -> None:
    score = _evaluate({"k": TEXT_RULE, "v": TEXT_RULE, "w": TEXT_RULE}, ("k",), COPY)
    assert score.item_f1 == 0.0


def test_unknown_preprocessing_and_metric_raise() -> None:
    for rule in (ColumnRule(("upper",), ("exact_match",)), ColumnRule((), ("similar",))):
        assert _evaluate({"k": TEXT_RULE, "v": rule}, ("k",), COPY).item_f1 == 0.0


def test_bare_year_gets_the_month_of_now() -> None:
    task = Task(
        "t",
        "",
        (Column("k"), Column("v", "date_near", ("norm_date",))),
        ("k",),
        (("a", "1994"),),
    )
    answer = "| k | v |\n|---|---|\n| a | Jan 1994 |"
    in_january = score_official(task, answer, datetime(2026, 1, 5))
    in_november = score_official(task, answer, datetime(2026, 11, 5))
    assert (in_january.score.item_f1, in_november.score.item_f1) == (1.0, 0.5)


async def test_official_scorer_none_is_unparsed() -> None:
    case = TABLE_CASES[0]
    scorer = OfficialScorer(now=NOW)
    assert (await scorer(case.task, None)).parsed is False
    assert (await scorer(case.task, case.text)).item_f1 == 1.0
