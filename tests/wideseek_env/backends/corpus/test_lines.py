import asyncio
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wideseek_env.backends.corpus.folder import FolderBackend
from wideseek_env.backends.corpus.lines import has_pages, read_pages
from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.errors import DataError


def written(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("lines", "pages"),
    [
        ([{"url": "u", "html": "<b>x"}], [RawPage("u", "", "<b>x")]),
        ([{"url": "u", "html": "x", "title": "T", "more": 1}], [RawPage("u", "T", "x")]),
        ([{"url": "u", "text": "a < b\n\nc"}], [RawPage("u", "", "<p>a &lt; b</p><p>c</p>")]),
        ([{"title": "T", "text": "x"}], [RawPage("T", "T", "<p>x</p>")]),
        ([{"id": 7, "text": "x"}], [RawPage("7", "", "<p>x</p>")]),
        # Search-R1's Wikipedia: passages without URL, the title in quotes on the first line.
        (
            [
                {"id": "0", "contents": '"Alden"\nAlden is a river.'},
                {"id": "1", "contents": '"Alden"\nIt is 210 km long.'},
                {"id": "2", "contents": '"The ""Brook"""\nA song.'},
            ],
            [
                RawPage("Alden", "Alden", "<p>Alden is a river.</p><p>It is 210 km long.</p>"),
                RawPage('The "Brook"', 'The "Brook"', "<p>A song.</p>"),
            ],
        ),
        # RLinf's: passages with URL and title.
        (
            [
                {"id": 0, "url": "/a", "title": "A", "contents": "one"},
                {"id": 1, "url": "/a", "title": "A", "contents": "two"},
                {"id": 2, "url": "/b", "title": "A", "contents": "three"},
            ],
            [RawPage("/a", "A", "<p>one</p><p>two</p>"), RawPage("/b", "A", "<p>three</p>")],
        ),
        ([{"id": "5", "contents": "no title"}], [RawPage("5", "", "<p>no title</p>")]),
        # A page in HTML between passages stands alone.
        (
            [
                {"url": "/a", "contents": "one"},
                {"url": "/a", "html": "x"},
                {"url": "/a", "contents": "two"},
            ],
            [
                RawPage("/a", "", "<p>one</p>"),
                RawPage("/a", "", "x"),
                RawPage("/a", "", "<p>two</p>"),
            ],
        ),
    ],
)
def test_lines_are_read_in_the_forms_that_corpora_have(
    tmp_path: Path, lines: list[Any], pages: list[RawPage]
) -> None:
    file = written(tmp_path / "c.jsonl", *lines)
    assert list(read_pages(file)) == pages
    assert has_pages(file)
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert list(read_pages(tmp_path / "c.jsonl.gz")) == pages


@pytest.mark.parametrize(
    "line",
    [{"url": "u"}, {"html": "x"}, {"text": "x"}, {"url": 7, "html": "x"}, [], {"title": "T"}],
)
def test_line_that_is_no_page_is_an_error_and_the_others_are_read(
    tmp_path: Path, line: Any
) -> None:
    file = written(tmp_path / "c.jsonl", {"url": "/a", "contents": "one"}, line,
                   {"url": "/b", "text": "two"})  # fmt: skip
    first, wrong, last = read_pages(file)
    assert isinstance(wrong, DataError)
    assert (first, last) == (RawPage("/a", "", "<p>one</p>"), RawPage("/b", "", "<p>two</p>"))


@pytest.mark.parametrize(
    "line",
    [
        {"id": "t", "question": "q", "columns": [], "gold": []},
        {"url": "u", "title": "T", "table_index": 0, "columns": ["A"], "rows": []},
        {"instance_id": "x", "response": "y"},
        {"text": "a note"},
    ],
)
def test_tasks_tables_and_responses_are_no_pages(tmp_path: Path, line: Any) -> None:
    assert not has_pages(written(tmp_path / "c.jsonl", line))


def test_passages_of_wikipedia_are_found_and_opened_as_pages(tmp_path: Path) -> None:
    written(tmp_path / "wiki.jsonl", *(
        {"id": str(i), "contents": f'"Page {i // 3}"\nPassage {i} has word{i}.'} for i in range(30)
    ))  # fmt: skip
    backend = FolderBackend(tmp_path)
    assert len(backend) == 10
    [hit] = asyncio.run(backend.search("word13", 3))
    assert (hit.url, hit.title) == ("Page 4", "Page 4")
    assert asyncio.run(backend.open("Page 4")).text == (
        "Passage 12 has word12.\nPassage 13 has word13.\nPassage 14 has word14."
    )


def test_command_indexes_once_and_says_what_it_left_out(tmp_path: Path) -> None:
    pages = tmp_path / "c.jsonl"
    written(pages, {"url": "/a", "text": "one"}, {"url": "/a", "text": "again"}, {})
    command = [sys.executable, "-m", "wideseek_env", "index", str(pages), "--out"]
    first = [*command, str(tmp_path / "index")]
    done = subprocess.run(first, capture_output=True, text=True, check=True)
    assert "2 pages of" in done.stdout
    assert "1 broken lines left out, 1 with the URL of another left out; 1 pages in" in done.stdout
    done = subprocess.run(first, capture_output=True, text=True, check=True)
    assert "0 pages of" in done.stdout
    assert "1 pages in" in done.stdout
    strict = subprocess.run(
        [*command, str(tmp_path / "strict"), "--strict"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert strict.returncode == 1
    assert "Traceback" not in strict.stderr
