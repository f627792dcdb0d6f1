import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from realdata import real_data

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import decode_task, encode
from wideseek_env.records import Column, Task
from wideseek_env.scoring import StrictScorer
from wideseek_env.tasks.page_tables import page_table_tasks

TEXT, NUMBER, DATE = "exact_match", "number_near", "date_near"


def tasks_of(path: Path, *tables: dict[str, Any], **options: Any) -> list[Task]:
    file = path / "tables.jsonl"
    whole = [{"url": "u", "title": "T", "table_index": 0, **table} for table in tables]
    file.write_text("".join(json.dumps(table) + "\n" for table in whole))
    return list(page_table_tasks(file, **options))


def test_a_table_becomes_a_task(tmp_path: Path) -> None:
    [task] = tasks_of(
        tmp_path,
        {
            "url": "http://w.example/Alden",
            "title": "River Alden",
            "table_index": 2,
            "columns": ["No.", "Bridge", "Opened", "Length\n(m)", "Empty"],
            "rows": [
                ["1", "Old\n Bridge", "3 May 1901", "1,200", ""],
                ["2", "New Bridge\ufeff", "June 4, 1955", "80.5", ""],
                ["3", "Mill Bridge", "", "", ""],
            ],
        },
    )
    assert task.id == "http://w.example/Alden#table-2"
    assert "“River Alden”" in task.question
    assert "No., Bridge, Opened, Length (m)" in task.question
    assert task.question.endswith(" Its first row is that of “Old Bridge”.")
    assert task.columns == (
        Column("No.", NUMBER, ("extract_number",), 0.0),
        Column("Bridge"),
        Column("Opened", DATE, ("norm_date",)),
        Column("Length (m)", NUMBER, ("extract_number",), 0.0),
    )
    assert task.key_columns == ("Bridge",)
    assert task.gold == (
        ("1", "Old Bridge", "3 May 1901", "1,200"),
        ("2", "New Bridge", "June 4, 1955", "80.5"),
        ("3", "Mill Bridge", "", ""),
    )
    assert task.sources == ((("http://w.example/Alden",),) * 4,) * 3
    assert decode_task(encode(task)) == task


@pytest.mark.parametrize(
    ("cells", "metric"),
    [
        (["1", "2", "3"], NUMBER),
        (["1,234", "−5.5", "12 %"], NUMBER),
        (["1", "-", ""], NUMBER),
        (["1999", "2000", "2001"], NUMBER),
        (["5 km", "6 km", "7"], TEXT),
        (["Rifle 1889", "Rifle 1890", "x"], TEXT),
        (["1990-95", "1996-99", "2000"], TEXT),
        (["12 May 2001", "2001-06-01", "July 7, 2001"], DATE),
        (["May 2001", "June 2001", "July 2001"], TEXT),
        (["1:02:03", "1:02:04", "1:02:05"], TEXT),
        (["a", "1", "2"], TEXT),
    ],
)
def test_metric_follows_what_all_cells_are(tmp_path: Path, cells: list[str], metric: str) -> None:
    rows = [[key, cell] for key, cell in zip("abc", cells, strict=True)]
    [task] = tasks_of(tmp_path, {"columns": ["K", "V"], "rows": rows})
    assert task.columns[1].metric == metric


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        ([["1", "a", "x"], ["2", "b", "x"], ["3", "c", "x"]], ("B",)),
        ([["1", "a", "x"], ["2", "a", "y"], ["3", "b", "z"]], ("C",)),
        ([["1", "a", "x"], ["2", "a", "y"], ["3", "b", "x"]], ("A",)),
        ([["1", "a", "x"], ["1", "a", "y"], ["1", "b", "x"]], ("B", "C")),
        ([["1", "a", "x"], ["1", "*A*", "y"], ["2", "b", "x"]], ("B", "C")),
        ([["1", "a", "x"], ["2", "", "y"], ["3", "b", "x"]], ("A",)),
    ],
)
def test_key_is_the_fewest_columns_that_tell_rows_apart_text_first(
    tmp_path: Path, rows: list[list[str]], keys: tuple[str, ...]
) -> None:
    [task] = tasks_of(tmp_path, {"columns": ["A", "B", "C"], "rows": rows})
    assert task.key_columns == keys


GOOD = {"columns": ["A", "B"], "rows": [["a", "1"], ["b", "2"], ["c", "3"]]}


def test_tables_without_a_fair_question_are_left_out_and_counted(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    tasks = tasks_of(
        tmp_path,
        GOOD,
        {**GOOD, "rows": GOOD["rows"][:2]},
        {**GOOD, "rows": [[f"k{i}", "x"] for i in range(61)]},
        {**GOOD, "columns": ["A", "\n"]},
        {**GOOD, "columns": ["A", "-"]},
        {**GOOD, "columns": ["A", "a "]},
        {**GOOD, "rows": [["a", "1"]] * 3},
        {**GOOD, "rows": [["a", "1"], ["b"], ["c", "3"]]},
        {**GOOD, "rows": [["", ""]] * 3},
        skipped=skipped,
    )
    assert len(tasks) == 1
    assert skipped == {
        "number of rows": 2,
        "column without a name": 3,
        "two columns of one name": 1,
        "no key": 1,
        "rows of unequal length": 1,
    }


def test_number_of_rows_can_be_set(tmp_path: Path) -> None:
    assert len(tasks_of(tmp_path, GOOD, min_rows=3, max_rows=3)) == 1
    assert tasks_of(tmp_path, GOOD, min_rows=4) == []
    assert tasks_of(tmp_path, GOOD, min_rows=1, max_rows=2) == []
    with pytest.raises(ValueError, match="min_rows"):
        tasks_of(tmp_path, GOOD, min_rows=5, max_rows=4)


def test_column_names_with_commas_are_told_apart(tmp_path: Path) -> None:
    [task] = tasks_of(tmp_path, {**GOOD, "columns": ["City, state", "Size"]})
    assert "City, state; Size" in task.question


def test_broken_line_is_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tables\.jsonl, line 2"):
        tasks_of(tmp_path, GOOD, {"columns": "A"})
    with pytest.raises(DataError, match="cannot read"):
        list(page_table_tasks(tmp_path / "none.jsonl"))


def test_tasks_of_real_tables_are_many_varied_and_score_one_with_their_gold() -> None:
    path = real_data("wikipages") / "tables.jsonl.gz"
    tasks = list(page_table_tasks(path))
    assert tasks == list(page_table_tasks(path))
    assert len(tasks) >= 500
    assert len({task.id for task in tasks}) == len(tasks)
    assert len({task.question.split()[0] for task in tasks}) == 4
    for task in tasks[:: len(tasks) // 40]:
        rows = [task.column_names, ["---"] * len(task.columns), *task.gold]
        answer = "\n".join(
            "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows
        )
        score = asyncio.run(StrictScorer()(task, answer))
        assert score.success == 1.0, (task.id, score)
