import asyncio
import gzip
import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES

from wideseek_env.backends import folder
from wideseek_env.backends.folder import FolderBackend
from wideseek_env.errors import BackendError, DataError


def write_pages(path: Path, pages: Iterable[tuple[str, str, str]]) -> Path:
    lines = "".join(
        json.dumps({"url": url, "title": title, "html": html, "more": 1}) + "\n"
        for url, title, html in pages
    )
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(lines)
    return path


TWO = [("u/1", "One", "<p>alpha"), ("u/2", "Two", "<p>beta")]


def titles(backend: FolderBackend, query: str) -> list[str]:
    return [hit.title for hit in asyncio.run(backend.search(query, 5))]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> FolderBackend:
    pages = [(page.url, page.title, str(page.html)) for page in CONTRACT_PAGES]
    return FolderBackend(write_pages(tmp_path_factory.mktemp("corpus") / "pages.jsonl.gz", pages))


def test_folder_with_all_kinds_of_files(tmp_path: Path) -> None:
    write_pages(tmp_path / "b.jsonl", TWO)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "page.html").write_bytes(b"<title>Latin</title>caf\xe9 gamma delta")
    (tmp_path / "tables.jsonl").write_text('{"url": "u/1", "columns": ["alpha"]}\n')
    (tmp_path / ".hidden").mkdir()
    write_pages(tmp_path / ".hidden" / "x.jsonl", [("u/3", "Hidden", "<p>alpha")])
    (tmp_path / "notes.txt").write_text("alpha")
    backend = FolderBackend(str(tmp_path))
    assert (len(backend), backend.num_broken_lines) == (3, 0)
    assert titles(backend, "alpha") == ["One"]
    page = asyncio.run(backend.open("sub/page.html"))
    assert (page.title, page.text) == ("Latin", "café gamma delta")


def test_index_is_kept_until_the_corpus_changes(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    built: list[int] = []
    FolderBackend(corpus, on_page=built.append)
    assert built == [1, 2]
    FolderBackend(corpus, on_page=built.append)
    assert built == [1, 2]
    write_pages(corpus, [*TWO, ("u/3", "Three", "<p>alpha")])
    backend = FolderBackend(corpus, on_page=built.append)
    assert built == [1, 2, 1, 2, 3]
    assert titles(backend, "alpha") == ["One", "Three"]
    kept = list((tmp_path / ".wideseek_index").iterdir())
    assert len(kept) == 1, "the old index is removed, and nothing is left of the building"


def test_index_is_built_again_when_only_the_time_or_the_index_version_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    built: list[int] = []
    FolderBackend(corpus, on_page=built.append)
    os.utime(corpus, ns=(1, 1))
    FolderBackend(corpus, on_page=built.append)
    assert len(built) == 4
    monkeypatch.setattr(folder, "INDEX_VERSION", 999)
    FolderBackend(corpus, on_page=built.append)
    assert len(built) == 6


def test_links_and_two_corpora_side_by_side_keep_their_own_index(tmp_path: Path) -> None:
    one = write_pages(tmp_path / "one.jsonl", [("u", "U", '<a href="/x">alpha</a>')])
    two = write_pages(tmp_path / "two.jsonl", TWO)
    built: list[int] = []
    for _ in range(2):
        plain = FolderBackend(one, on_page=built.append)
        linked = FolderBackend(one, links=True, on_page=built.append)
        FolderBackend(two, on_page=built.append)
        assert asyncio.run(plain.open("u")).text == "alpha"
        assert asyncio.run(linked.open("u")).text == "[alpha](/x)"
    assert built == [1, 1, 1, 2]


def test_broken_lines_are_counted_or_raise_when_strict(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    with corpus.open("ab") as file:
        file.write(b'\n{"url": "u/3", "html": 5}\n{"url": "u/4"\n[1]\n{"url":"\xff","html":""}\n')
    with caplog.at_level(logging.WARNING):
        backend = FolderBackend(corpus)
    assert (len(backend), backend.num_broken_lines) == (2, 4)
    assert "pages.jsonl, line 4" in caplog.text
    assert FolderBackend(corpus).num_broken_lines == 4, "known without building as well"
    with pytest.raises(DataError, match=r"pages\.jsonl, line 4: expected one JSON object"):
        FolderBackend(corpus, strict=True, index_dir=tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []
    with pytest.raises(DataError, match=r"expected no broken lines in .*, got 4"):
        FolderBackend(corpus, strict=True)


def test_first_page_of_a_url_in_order_of_files_is_kept(tmp_path: Path) -> None:
    write_pages(tmp_path / "b.jsonl", [("u", "Later", "<p>x")])
    write_pages(tmp_path / "a.jsonl", [("u", "First", "<p>x")])
    backend = FolderBackend(tmp_path)
    assert (len(backend), backend.num_duplicates) == (1, 1)
    assert asyncio.run(backend.open("u")).title == "First"
    assert FolderBackend(tmp_path).num_duplicates == 1


def test_broken_html_file_is_a_page(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"<table><tr><td>alpha<td>\xff\x00<p <b")
    assert titles(FolderBackend(tmp_path), "alpha") == ["page.html"]


def test_no_corpus_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not there"):
        FolderBackend(tmp_path / "none")
    with pytest.raises(DataError, match="found none"):
        FolderBackend(tmp_path)
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(DataError, match="found none"):
        FolderBackend(tmp_path / "x.txt")
    (tmp_path / "pages.jsonl").write_text("{broken\n")
    with pytest.raises(DataError, match=r"expected pages in .*pages\.jsonl'.* and 1 broken lines"):
        FolderBackend(tmp_path / "pages.jsonl")


@pytest.mark.parametrize("file", ["broken_lines", "pages.sqlite", "words/meta.json", "words/*.idx"])
def test_damaged_index_is_an_error_that_says_what_to_delete(tmp_path: Path, file: str) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    FolderBackend(corpus)
    [damaged] = (tmp_path / ".wideseek_index").glob(f"*/{file}")
    damaged.unlink()
    with pytest.raises(
        DataError, match=r"finished index in '.*pages\.jsonl-\w+'.*delete this folder"
    ):
        FolderBackend(corpus)


def test_broken_gzip_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl.gz", TWO)
    corpus.write_bytes(corpus.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cannot read .*pages\.jsonl\.gz"):
        FolderBackend(corpus)


def test_folder_that_cannot_be_written_is_an_error_that_names_the_argument(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    (tmp_path / ".wideseek_index").write_text("in the way")  # as root, no folder is read-only
    with pytest.raises(DataError, match="`index_dir`"):
        FolderBackend(corpus)
    assert len(FolderBackend(corpus, index_dir=tmp_path / "elsewhere")) == 2


def test_full_disk_is_an_error_that_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    pages = ((f"u/{i}", f"T{i}", f"<p>{'many words ' * 50} {i}") for i in range(2000))
    corpus = write_pages(tmp_path / "pages.jsonl", pages)
    code = (
        "import resource, sys; from wideseek_env.backends.folder import FolderBackend\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "FolderBackend(sys.argv[1])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, corpus], check=False, capture_output=True, text=True
    )
    assert "DataError: cannot write" in run.stderr
    assert "is the disk full?" in run.stderr
    assert list((tmp_path / ".wideseek_index").iterdir()) == []


def test_backend_whose_files_fail_is_broken_for_every_call(tmp_path: Path) -> None:
    backend = FolderBackend(write_pages(tmp_path / "pages.jsonl", TWO))
    backend._store._connection.close()  # type: ignore[attr-defined]
    with pytest.raises(BackendError, match="cannot read pages"):
        asyncio.run(backend.open("u/1"))
    with pytest.raises(BackendError, match="cannot read pages"):
        asyncio.run(backend.search("alpha", 1))


def test_pickled_backend_opens_the_index_again(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    corpus.write_text(corpus.read_text() + "broken\n")
    copy = pickle.loads(pickle.dumps(FolderBackend(corpus)))
    assert titles(copy, "beta") == ["Two"]
    assert copy.num_broken_lines == 1


def test_interrupt_while_building_leaves_nothing(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)

    def interrupt(count: int) -> None:
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FolderBackend(corpus, on_page=interrupt)
    assert list((tmp_path / ".wideseek_index").iterdir()) == []
    assert len(FolderBackend(corpus)) == 2


def test_half_an_index_of_a_killed_process_is_not_used(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    code = (
        "import os, sys; from wideseek_env.backends.folder import FolderBackend\n"
        "FolderBackend(sys.argv[1], on_page=lambda count: os._exit(9))"
    )
    assert subprocess.run([sys.executable, "-c", code, corpus], check=False).returncode == 9
    assert titles(FolderBackend(corpus), "beta") == ["Two"]


def test_processes_that_build_at_once_all_get_a_whole_index(tmp_path: Path) -> None:
    corpus = write_pages(
        tmp_path / "pages.jsonl", [(f"u/{i}", f"T{i}", f"<p>word{i} alpha") for i in range(300)]
    )
    code = (
        "import asyncio, sys; from wideseek_env.backends.folder import FolderBackend\n"
        "backend = FolderBackend(sys.argv[1])\n"
        "print(len(backend), [h.url for h in asyncio.run(backend.search('word7 alpha', 3))])"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, corpus], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(outputs) == 1
    assert outputs.pop().startswith("300 ['u/7'")
    assert len(list((tmp_path / ".wideseek_index").iterdir())) == 1
