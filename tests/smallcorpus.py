"""A small folder of pages with a table on each, and what to ask about them."""

from __future__ import annotations

import json
from pathlib import Path

from wideseek_env.jsonlines import encode
from wideseek_env.tasks.page_tables import page_table_tasks

ROWS = [["Alden", "12"], ["Brook", "30"], ["Cray", "7"]]
NUM_TASKS = 4


def write_corpus(folder: Path, *, tasks: bool = False) -> Path:
    """Writes pages and the tables on them; returns the folder.

    Args:
        folder: made here.
        tasks: whether the questions are written as tasks.jsonl, too, each with a name of its own.
    """
    folder.mkdir()
    cells = "".join(f"<tr><td>{name}</td><td>{length}</td></tr>" for name, length in ROWS)
    pages, tables = [], []
    for number in range(NUM_TASKS):
        place = {"url": f"/lists/{number}", "title": f"Rivers of region {number}"}
        html = f"<h1>Rivers</h1><table><tr><th>River</th><th>Length</th></tr>{cells}</table>"
        pages.append({**place, "html": html})
        tables.append({**place, "table_index": 0, "columns": ["River", "Length"], "rows": ROWS})
    (folder / "pages.jsonl").write_text("\n".join(map(json.dumps, pages)))
    (folder / "tables.jsonl").write_text("\n".join(map(json.dumps, tables)))
    if tasks:
        made = page_table_tasks(folder / "tables.jsonl")
        (folder / "tasks.jsonl").write_bytes(b"\n".join(map(encode, made)))
    return folder
