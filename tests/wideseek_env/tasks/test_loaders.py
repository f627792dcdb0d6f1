from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from realdata import real_data

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode
from wideseek_env.records import Column, Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.qa import load_qa
from wideseek_env.tasks.widesearch import load_widesearch
from wideseek_env.tasks.wideseek_r1 import load_wideseek_r1

EVALUATION: dict[str, Any] = {
    "required": ["partyname", "founded"],
    "unique_columns": ["partyname"],
    "eval_pipeline": {
        "partyname": {
            "preprocess": ["norm_str"],
            "metric": ["llm_judge"],
            "criterion": "same party",
        },
        "founded": {"preprocess": ["extract_number"], "metric": ["number_near"], "criterion": 0.05},
    },
}
CSV = '\ufeff,Party name ,founded\r\n0,A,1990\r\n1,"B \n| c",NA\r\n'


def _write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_load_widesearch_keeps_cells_as_published(tmp_path: Path) -> None:
    (tmp_path / "w_zh_1.csv").write_bytes(CSV.encode())
    for evaluation in (EVALUATION, json.dumps(EVALUATION)):
        row = {"instance_id": "w_zh_1", "query": "Which?", "evaluation": evaluation}
        (task,) = load_widesearch(_write(tmp_path / "tasks.jsonl", [row]), tmp_path)
        assert task == Task(
            id="w_zh_1",
            question="Which?",
            columns=(
                Column("Party name", "llm_judge", ("norm_str",), "same party"),
                Column("founded", "number_near", ("extract_number",), 0.05),
            ),
            key_columns=("Party name",),
            gold=(("A", "1990"), ("B \n| c", "NA")),
            language="zh",
        )


def test_load_widesearch_bad_rows_are_named_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(CSV.encode())
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_text("x\n1\n")
    bad_metric = json.loads(json.dumps(EVALUATION))
    bad_metric["eval_pipeline"]["founded"]["metric"] = ["similar"]
    bad_key = {**EVALUATION, "unique_columns": ["K"]}
    rows = [
        {"instance_id": "good", "query": "?", "evaluation": EVALUATION},
        {"instance_id": "absent", "query": "?", "evaluation": EVALUATION},
        {"instance_id": "empty", "query": "?", "evaluation": EVALUATION},
        {"instance_id": "other", "query": "?", "evaluation": EVALUATION},
        {"instance_id": "good", "query": "?", "evaluation": bad_metric},
        {"instance_id": "good", "query": "?", "evaluation": bad_key},
        {"instance_id": "good", "query": "?", "evaluation": "{"},
        {"instance_id": "good", "query": "?"},
    ]
    path = _write(tmp_path / "tasks.jsonl", rows)
    skipped: list[DataError] = []
    assert len(list(load_widesearch(path, tmp_path, skipped=skipped))) == 1
    messages = [str(error) for error in skipped]
    assert len(messages) == 7
    for number, message in enumerate(messages, 2):
        assert f"tasks.jsonl, line {number}" in message
    parts = (
        "absent.csv",
        "empty.csv",
        "founded",
        "expected metrics",
        "'K'",
        "evaluation",
        "line 8",
    )
    for message, part in zip(messages, parts, strict=True):
        assert part in message
    with pytest.raises(DataError, match="line 2"):
        list(load_widesearch(path, tmp_path, strict=True))


def test_load_widesearch_column_without_a_rule_has_no_metric(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(CSV.encode())
    pipeline = {"partyname": EVALUATION["eval_pipeline"]["partyname"]}
    row = {
        "instance_id": "good",
        "query": "?",
        "evaluation": {**EVALUATION, "eval_pipeline": pipeline},
    }
    (task,) = load_widesearch(_write(tmp_path / "t.jsonl", [row]), tmp_path)
    assert task.columns[1].metric == ""


def test_load_widesearch_reads_the_real_data() -> None:
    folder = real_data("deepwidesearch")
    skipped: list[DataError] = []
    tasks = list(load_widesearch(folder / "tasks.jsonl", folder / "tables", skipped=skipped))
    assert (len(tasks), skipped) == (106, [])
    assert {task.language for task in tasks} == {"zh", "en"}
    assert all(task.gold and set(task.key_columns) <= set(task.column_names) for task in tasks)


TABLE = "| Name | Size | Note |\n|---|---|---|\n| a | 1,000 | x |\n| b | - | y |"


def test_load_wideseek_r1_wide_deep_and_hybrid(tmp_path: Path) -> None:
    rows = [
        {"question": "wide?", "answer": TABLE, "unique_columns": ["name"], "instance_id": 7},
        {"question": "deep?", "answer": ["Paris", "Lutetia"]},
        {"question": "text?", "answer": "a | b", "is_markdown": False, "language": "zh"},
    ]
    wide, deep, text = load_wideseek_r1(_write(tmp_path / "hybrid_20k.jsonl", rows))
    assert (wide.id, wide.kind, wide.key_columns) == ("7", "wide", ("Name",))
    assert [column.metric for column in wide.columns] == ["llm_judge", "number_near", "llm_judge"]
    assert wide.gold == (("a", "1,000", "x"), ("b", "-", "y"))
    assert (deep.id, deep.kind, deep.gold) == ("hybrid_20k_2", "deep", (("Paris",),))
    assert deep.aliases == {"Paris": ("Lutetia",)}
    assert (text.gold, text.language) == ((("a | b",),), "zh")


def test_load_wideseek_r1_evaluation_states_columns_and_rules(tmp_path: Path) -> None:
    evaluation = {
        "required": ["name", "size"],
        "unique_columns": ["name"],
        "eval_pipeline": {"size": {"preprocess": ["norm_str"], "metric": ["exact_match"]}},
    }
    row = {
        "question": "?",
        "answer": TABLE,
        "unique_columns": ["name"],
        "evaluation": json.dumps(evaluation),
    }
    (task,) = load_wideseek_r1(_write(tmp_path / "test.jsonl", [row]))
    assert task.column_names == ("Name", "Size")
    assert task.columns[1].metric == "exact_match"
    assert task.gold[0] == ("a", "1,000")


def test_load_wideseek_r1_bad_rows_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"question": "?", "answer": "no table", "is_markdown": True},
        {"question": "?", "answer": TABLE, "unique_columns": ["colour"]},
        {"question": "?", "answer": []},
        {"answer": "x"},
    ]
    skipped: list[DataError] = []
    path = _write(tmp_path / "width.jsonl", rows)
    assert list(load_wideseek_r1(path, skipped=skipped)) == []
    assert [f"line {n}" in str(error) for n, error in enumerate(skipped, 1)] == [True] * 4


def test_load_qa_answers_after_the_first_are_aliases(tmp_path: Path) -> None:
    path = tmp_path / "qa.jsonl.gz"
    rows = [
        {"question": "?", "answer": "42", "aug_answer": ["forty-two", "42"], "id": 3},
        {"question": "?"},
    ]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    skipped: list[DataError] = []
    (task,) = load_qa(path, skipped=skipped)
    assert (task.id, task.gold, task.aliases) == ("3", (("42",),), {"42": ("forty-two",)})
    assert len(skipped) == 1


def test_load_tasks_tells_the_formats_apart(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(CSV.encode())
    own = Task("own", "?", (Column("k"),), ("k",), (("a",),))
    (tmp_path / "own.jsonl").write_bytes(encode(own) + b"\n")
    assert list(load_tasks(tmp_path / "own.jsonl")) == [own]
    wide = _write(
        tmp_path / "w.jsonl", [{"instance_id": "good", "query": "?", "evaluation": EVALUATION}]
    )
    assert next(load_tasks(wide, tmp_path)).id == "good"
    with pytest.raises(DataError, match="gold tables"):
        load_tasks(wide)
    qa = _write(tmp_path / "q.jsonl", [{"question": "?", "answer": "x"}])
    assert next(load_tasks(qa)).kind == "deep"
    for rows in ([{"prompt": "?"}], []):
        with pytest.raises(DataError, match="expected"):
            load_tasks(_write(tmp_path / "x.jsonl", rows))


def test_load_tasks_an_id_for_the_second_time_is_a_bad_row(tmp_path: Path) -> None:
    rows = [{"question": "?", "answer": answer, "id": "same"} for answer in ("1", "2")]
    path = _write(tmp_path / "qa.jsonl", rows)
    skipped: list[DataError] = []
    (task,) = load_tasks(path, skipped=skipped)
    assert task.gold == (("1",),)
    assert "qa.jsonl, line 2: the id 'same' is that of line 1" in str(skipped[0])
    with pytest.raises(DataError, match="line 2"):
        list(load_tasks(path, strict=True))
