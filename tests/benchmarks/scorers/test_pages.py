import gzip
import json
from pathlib import Path

import pytest

from benchmarks.scorers import pages
from wideseek_env.cli.commands import run_command
from wideseek_env.tasks.page_tables import PageTable

TABLE = PageTable(
    "u",
    "Towns",
    0,
    ["Name", "Note", "People"],
    [
        ["Marlow", "", "1 200"],
        ["T\nA RN", "", "7"],
        ["Ely", "", "7"],
        ["", "", ""],
    ],
)


def test_rows_kept_counts_rows_whose_cells_are_the_cells_of_one_line() -> None:
    lines = [
        "Marlow |  | 1200",  # the whole row
        "Tarn | 7",  # all cells, but not the empty one
        "Ely 7",  # one cell only
    ]
    kept = pages.rows_kept({"u": "\n".join(lines)}, [TABLE])
    assert kept == pages.RowsKept(3, pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_queries_name_page_column_and_row_key_and_are_the_same_each_time() -> None:
    asked = list(pages.queries([TABLE]))
    assert asked == list(pages.queries([TABLE]))
    assert len(asked) == 3
    for url, named, bare in asked:
        assert url == "u"
        assert named.startswith("Towns ")
        key = bare.removesuffix(" Name Note People")
        assert named.endswith(key)
        assert key in {"Marlow", "T\nA RN", "Ely"}


def test_main_on_a_corpus_prints_quality_and_speed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"<tr><td>{a}<td>{b}<td>{c}</tr>" for a, b, c in TABLE.rows)
    files = {
        "pages": [{"url": "u", "title": "Towns", "html": f"<table>{rows}</table>"}],
        "tables": [{f: getattr(TABLE, f) for f in TABLE.__struct_fields__}],
    }
    for name, records in files.items():
        lines = "\n".join(map(json.dumps, records))
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    assert run_command("speed pages", ["--corpus", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "100.00%  gold rows whose cells are the cells of one line (target 97%: met)" in printed
    assert "title + column + row key, 3 queries (target 95%: met)" in printed


def test_main_on_made_pages_prints_time_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("speed pages", ["--num-synthetic", "200"]) == 0
    assert capsys.readouterr().out.startswith("200 pages: ")


def test_main_without_a_choice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("speed pages", []) == 2
    assert "--corpus" in capsys.readouterr().err
