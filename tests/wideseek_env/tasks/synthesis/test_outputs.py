"""The forms of others, read by readers written from their formats alone, not by our loaders."""

import csv
import json
import re
from pathlib import Path

import pytest
from wording_model import NUM, PAGES, RULES

from wideseek_env.records import Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.outputs import as_wideseek_r1
from wideseek_env.tasks.synthesis.stages import Synthesis

METRICS = {"exact_match", "number_near", "date_near", "url_match", "in_match", "llm_judge"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    lines = [json.dumps({"url": p.url, "title": p.title, "html": p.html}) for p in PAGES]
    (folder / "pages.jsonl").write_text("\n".join(lines))
    Synthesis(folder / "pages.jsonl", folder / "made", NUM, RULES).run()
    return folder / "made"


def cells_of(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def read_width_20k(line: str) -> tuple[str, list[str], list[tuple[str, ...]], list[str]]:
    """WideSeek-R1: question, answer (Markdown table), unique_columns, language."""
    row = json.loads(line)
    assert set(row) >= {"instance_id", "question", "answer", "unique_columns", "language"}
    assert row["is_markdown"] is True
    header, rule, *body = row["answer"].splitlines()
    assert re.fullmatch(r"\|(?:\s*:?-+:?\s*\|)+", rule)
    return (
        row["question"],
        cells_of(header),
        [tuple(cells_of(each)) for each in body],
        row["unique_columns"],
    )


def key(name: str) -> str:
    """As WideSearch compares headers: lower case, no blanks."""
    return name.strip().lower().replace(" ", "")


def test_width_20k(made: Path) -> None:
    lines = (made / "width_20k.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = list(load_tasks(made / "tasks.jsonl"))
    assert len(lines) == len(tasks) > 10
    for line, task in zip(lines, tasks, strict=True):
        question, header, rows, unique = read_width_20k(line)
        assert question == task.question
        assert tuple(header) == task.column_names
        assert rows == list(task.gold)
        assert unique == [key(name) for name in task.key_columns]


def test_width_20k_of_cells_with_bars(made: Path) -> None:
    task = next(load_tasks(made / "tasks.jsonl"))
    [first, *_] = task.gold
    odd = Task("t", "?", task.columns, task.key_columns, (("a | b", *first[1:]),), language="zh")
    _, _, rows, _ = read_width_20k(as_wideseek_r1(odd).decode())
    assert rows == [("a | b", *first[1:])]


def test_widesearch(made: Path) -> None:
    lines = (made / "widesearch.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = list(load_tasks(made / "test.jsonl"))
    assert len(lines) == len(tasks) > 5
    for line, task in zip(lines, tasks, strict=True):
        row = json.loads(line)
        assert (row["instance_id"], row["query"]) == (task.id, task.question)
        assert row["language"] in ("en", "zh")
        evaluation = json.loads(row["evaluation"])  # JSON text within JSON
        with (made / "widesearch_gold" / f"{task.id}.csv").open(encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        assert [key(name) for name in header] == evaluation["required"]
        assert [tuple(cells) for cells in rows] == list(task.gold)
        assert set(evaluation["unique_columns"]) <= set(evaluation["required"])
        assert set(evaluation["eval_pipeline"]) == set(evaluation["required"])
        for rule in evaluation["eval_pipeline"].values():
            assert set(rule["metric"]) <= METRICS
            assert set(rule["preprocess"]) <= {"norm_str", "extract_number", "norm_date"}
            assert "criterion" in rule
