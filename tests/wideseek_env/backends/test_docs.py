import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "backends.md"


def test_examples_in_the_docs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text()
    line, *_ = re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "pages.jsonl").write_text(line.replace("river ...", "river in Torvia"))
    rows = [["a"], ["b"], ["c"]]
    table = {"url": "u", "title": "T", "table_index": 0, "columns": ["A"], "rows": rows}
    (tmp_path / "corpus" / "tables.jsonl").write_text(json.dumps(table))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    printed = capsys.readouterr().out
    assert "Alden | https://example.org/alden | " in printed
    assert "('A',) 3" in printed
    notes = names["NotesBackend"]({"b": "two rivers", "a": "a river", "c": "hill"})
    assert [hit.url for hit in asyncio.run(notes.search("RIVER", 5))] == ["a", "b"]
