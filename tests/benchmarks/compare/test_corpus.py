"""A folder of real pages: what is asked, and what is said when something is missing."""

from __future__ import annotations

import json

import pytest

from benchmarks.compare.corpus import corpus_backend, corpus_tasks
from benchmarks.compare.runner import play
from benchmarks.compare.settings import CORPUS, Settings
from benchmarks.compare.summary import read_results, summarise
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode
from wideseek_env.tasks.page_tables import page_table_tasks

ROWS = [["Alden", "12"], ["Brook", "30"], ["Cray", "7"]]


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    cells = "".join(f"<tr><td>{name}</td><td>{length}</td></tr>" for name, length in ROWS)
    pages, tables = [], []
    for number in range(4):
        place = {"url": f"/lists/{number}", "title": f"Rivers of region {number}"}
        html = f"<h1>Rivers</h1><table><tr><th>River</th><th>Length</th></tr>{cells}</table>"
        pages.append({**place, "html": html})
        tables.append({**place, "table_index": 0, "columns": ["River", "Length"], "rows": ROWS})
    (folder / "pages.jsonl").write_text("\n".join(map(json.dumps, pages)))
    (folder / "tables.jsonl").write_text("\n".join(map(json.dumps, tables)))
    return folder


def test_corpus_tasks_are_drawn_without_repetition_by_seed(corpus):
    two = corpus_tasks(corpus, 2, seed=0)
    assert len({task.id for task in two}) == 2
    assert corpus_tasks(corpus, 2, seed=0) == two
    assert len(corpus_tasks(corpus, 100, seed=0)) == 4


def test_corpus_without_pages_or_questions_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"tasks\.jsonl, tables\.jsonl"):
        corpus_tasks(tmp_path, 1, seed=0)
    with pytest.raises(DataError, match="expected pages in"):
        corpus_backend(tmp_path)


def test_corpus_broken_task_names_file_and_line(corpus):
    good = encode(next(page_table_tasks(corpus / "tables.jsonl"))).decode()
    (corpus / "tasks.jsonl").write_text(f'{good}\n{{"id": 1}}\n')
    with pytest.raises(DataError, match=r"tasks\.jsonl, line 2"):
        corpus_tasks(corpus, 1, seed=0)


def test_corpus_plays_end_to_end(corpus, tmp_path):
    settings = Settings(
        policies=("oracle",), widths=(0, 2), depths=(), num_tasks=3, corpus=str(corpus)
    )
    play(settings, tmp_path / "run", command="test")
    rows = summarise(read_results(tmp_path / "run" / "episodes.jsonl"))
    assert [(row.cell.preset, row.num_tasks, row.item_f1.mean) for row in rows] == [
        (CORPUS, 3, 1.0),
        (CORPUS, 3, 1.0),
    ]
