"""Small tables that WideSearch's scorer itself has scored, one for each habit that fuzzing found.

`recorded.jsonl` holds what it gave: its public source with the order of the revision that made
the 1,590 recorded responses (`docs/scoring.md`), pandas 2.3.0, numpy 2.3.1, dateparser 1.2.1, a
clock at 2026-11-23T00:22. `figures` are success, row F1 and item F1.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scorers.cheating_tables import NOW
from wideseek_env.errors import DataError
from wideseek_env.records import Task
from wideseek_env.scoring.official.scorer import score_official
from wideseek_env.tasks.widesearch import load_widesearch

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "recorded.jsonl").read_text("utf-8").splitlines()
]
TEXT_RULE = {"preprocess": ["norm_str"], "metric": ["exact_match"]}


def load(folder: Path, gold: str, **evaluation: Any) -> Task:
    folder.joinpath("t.csv").write_text(gold, encoding="utf-8")
    rules = {"k": TEXT_RULE, "v": TEXT_RULE}
    evaluation = {
        "required": ["k", "v"],
        "unique_columns": ["k"],
        "eval_pipeline": rules,
        **evaluation,
    }
    path = folder / "tasks.jsonl"
    path.write_text(json.dumps({"instance_id": "t", "query": "q", "evaluation": evaluation}))
    (task,) = load_widesearch(path, folder, strict=True)
    return task


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_score_official_gives_the_recorded_figures(case: dict[str, Any], tmp_path: Path) -> None:
    gold = io.StringIO()
    csv.writer(gold, lineterminator="\n").writerows([["k", "v"], *case["gold"]])
    task = load(tmp_path, gold.getvalue(), eval_pipeline={"k": TEXT_RULE, "v": case["rule"]})
    result = score_official(task, case["response"], NOW)
    figures = [result.score.success, result.score.row_f1, result.score.item_f1]
    assert figures == pytest.approx(case["figures"], abs=1e-9)
    assert (result.error is not None) >= case["raises"]


@pytest.mark.parametrize(
    ("gold", "evaluation"),
    [
        ("k,v\na,1\n", {"eval_pipeline": {"k": TEXT_RULE, "v": TEXT_RULE, "z": TEXT_RULE}}),
        ("k,v,V\na,1,2\n", {}),
        ("k,V,v\na,1,2\n", {}),
        ("k,v,v \na,1,2\n", {}),
        ("k,v\na,1\n", {"required": ["k", "v", "v"]}),
    ],
    ids=["rule of no column", "v and V", "V and v", "v and v blank", "required twice"],
)
def test_task_on_which_the_official_scorer_always_raises_is_refused(
    gold: str, evaluation: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="expected"):
        load(tmp_path, gold, **evaluation)


def test_column_of_the_scorers_own_name(tmp_path: Path) -> None:
    rules = {"k": TEXT_RULE, "k_before_map": TEXT_RULE}
    task = load(
        tmp_path, "k,k_before_map\na,1\n", required=list(rules), eval_pipeline=rules
    )  # the answer's second column is overwritten by its keys
    answer = "| k | k_before_map |\n|---|---|\n| a | 1 |"
    assert score_official(task, answer, NOW).score.item_f1 == 0.5
    rules = {"k": TEXT_RULE, "exist_flag_gt": TEXT_RULE}
    task = load(tmp_path, "k,exist_flag_gt\na,1\n", required=list(rules), eval_pipeline=rules)
    result = score_official(task, answer.replace("k_before_map", "exist_flag_gt"), NOW)
    assert result.score.item_f1 == 0.0
    assert result.error == "KeyError: 'exist_flag_gt'"
