import asyncio
import gzip
import json
import logging
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES

from wideseek_env.backends.corpus import folder
from wideseek_env.backends.corpus.folder import FolderBackend
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
        "import resource, sys; from wideseek_env.backends.corpus.folder import FolderBackend\n"
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
        "import os, sys; from wideseek_env.backends.corpus.folder import FolderBackend\n"
        "FolderBackend(sys.argv[1], on_page=lambda count: os._exit(9))"
    )
    assert subprocess.run([sys.executable, "-c", code, corpus], check=False).returncode == 9
    assert titles(FolderBackend(corpus), "beta") == ["Two"]


def test_what_a_killed_process_had_begun_is_removed_and_what_others_build_is_not(
    tmp_path: Path,
) -> None:
    home = tmp_path / "indexes"
    code = (
        "import sys, time; from wideseek_env.backends.corpus.folder import FolderBackend\n"
        "def stop(count): print(count, flush=True); time.sleep(600)\n"
        "FolderBackend(sys.argv[1], index_dir=sys.argv[2], on_page=stop)"
    )
    builders, begun = [], []
    for name in ("one", "two"):
        corpus = write_pages(tmp_path / f"{name}.jsonl", TWO)
        builders.append(
            subprocess.Popen(
                [sys.executable, "-c", code, corpus, home], stdout=subprocess.PIPE, text=True
            )
        )
        assert builders[-1].stdout is not None
        assert builders[-1].stdout.readline() == "1\n"
        begun.append(set(home.glob(".building-*")))
    try:
        assert [len(folders) for folders in begun] == [1, 2]
        builders[0].kill()
        builders[0].wait()
        FolderBackend(write_pages(tmp_path / "three.jsonl", TWO), index_dir=home)
        assert set(home.glob(".building-*")) == begun[1] - begun[0]
    finally:
        for builder in builders:
            builder.kill()
            builder.communicate()
    FolderBackend(write_pages(tmp_path / "four.jsonl", TWO), index_dir=home)
    assert sorted(path.name.partition(".")[0] for path in home.iterdir()) == ["four", "three"]


def test_processes_that_build_at_once_all_get_a_whole_index(tmp_path: Path) -> None:
    corpus = write_pages(
        tmp_path / "pages.jsonl", [(f"u/{i}", f"T{i}", f"<p>word{i} alpha") for i in range(300)]
    )
    code = (
        "import asyncio, sys; from wideseek_env.backends.corpus.folder import FolderBackend\n"
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


# --- files that are not what they were ------------------------------------------------------------


def test_every_flipped_bit_and_every_cut_is_found_when_the_index_is_opened(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    FolderBackend(corpus)
    [kept] = (tmp_path / ".wideseek_index").iterdir()
    rng = random.Random(5)
    files = [file for file in kept.rglob("*") if file.is_file() and file.name[0] != "."]
    assert len(files) >= 8
    for file in files:
        whole = file.read_bytes()
        for _ in range(10):
            damaged = bytearray(whole)
            damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            file.write_bytes(rng.choice((damaged, whole[: rng.randrange(len(whole))])))
            if file.read_bytes() != whole:
                with pytest.raises(DataError, match="delete this folder and build the index again"):
                    FolderBackend(corpus)
        file.write_bytes(whole)
    assert titles(FolderBackend(corpus), "alpha") == ["One"]


def test_index_that_is_cut_or_changed_while_open_is_broken_for_every_call(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    backend = FolderBackend(corpus)
    [words] = tmp_path.glob(".wideseek_index/*/words/*.idx")
    os.truncate(words, 0)  # reading what tantivy has mapped of it would end this process
    for call in (backend.search("alpha", 1), backend.open("u/1")):
        with pytest.raises(BackendError, match="build the index again"):
            asyncio.run(call)


def test_index_that_is_removed_while_open_still_answers(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    backend = FolderBackend(corpus)
    shutil.rmtree(tmp_path / ".wideseek_index")
    assert titles(backend, "alpha") == ["One"]
    assert asyncio.run(backend.open("u/2")).text == "beta"
    assert titles(FolderBackend(corpus), "beta") == ["Two"]
    assert titles(backend, "beta") == ["Two"]


def test_index_that_somebody_has_open_is_not_removed(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    first = FolderBackend(corpus)
    write_pages(corpus, [*TWO, ("u/3", "Three", "<p>alpha")])
    second = FolderBackend(corpus)
    assert len(list((tmp_path / ".wideseek_index").iterdir())) == 2
    copy = pickle.loads(pickle.dumps(first))
    assert (titles(copy, "alpha"), titles(second, "alpha")) == (["One"], ["One", "Three"])
    del first, copy, second
    write_pages(corpus, TWO[:1])
    FolderBackend(corpus)
    assert len(list((tmp_path / ".wideseek_index").iterdir())) == 1


def test_links_out_of_the_folder_are_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("alpha secret")
    folder = tmp_path / "corpus"
    (folder / "sub").mkdir(parents=True)
    (folder / "page.html").write_text("<title>Page</title>alpha")
    (folder / "sub" / "out.html").symlink_to(secret)
    (folder / "out").symlink_to(tmp_path, target_is_directory=True)
    (folder / "inside.html").symlink_to(folder / "page.html")
    write_pages(tmp_path / "out.jsonl", TWO)
    (folder / "out.jsonl").symlink_to(tmp_path / "out.jsonl")
    backend = FolderBackend(folder)
    assert titles(backend, "alpha") == ["Page", "Page"]
    assert "sub/out.html is a link to a file outside" in caplog.text
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert len(FolderBackend(tmp_path / "link")) == 2, "the corpus itself may be given as a link"


def test_corpus_that_is_written_while_it_is_opened_is_read_again(tmp_path: Path) -> None:
    corpus = write_pages(tmp_path / "pages.jsonl", TWO)
    backend = FolderBackend(
        corpus,
        on_page=lambda count: (
            corpus.write_text(corpus.read_text() + '{"url": "u/3", "html": "<p>alpha gamma"}\n')
            if count == 1 and "u/3" not in corpus.read_text()
            else None
        ),
    )
    assert titles(backend, "gamma") == ["3"]
    assert len(list((tmp_path / ".wideseek_index").iterdir())) == 1


def test_corpus_that_is_rewritten_all_the_time_opens_in_every_process(tmp_path: Path) -> None:
    """Gzip files that are cut off half of the time, and three processes that open them."""
    corpus = tmp_path / "pages.jsonl.gz"
    write_pages(corpus, TWO)
    code = (
        "import asyncio, sys; from wideseek_env.backends.corpus.folder import FolderBackend\n"
        "for _ in range(6):\n"
        "    backend = FolderBackend(sys.argv[1])\n"
        "    assert asyncio.run(backend.search('alpha', 3))[0].url == 'u/1'"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, corpus], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for number in range(12):
        pages = [*TWO, *((f"v/{number}/{i}", "T", f"<p>more {i}") for i in range(50))]
        whole = write_pages(tmp_path / "aside.jsonl.gz", pages).read_bytes()
        corpus.write_bytes(whole[: len(whole) // 2])
        time.sleep(0.02)
        corpus.write_bytes(whole)
        time.sleep(0.1)
    errors = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], errors


@pytest.mark.parametrize("charset", ["undefined", "punycode", "idna", "utf-8\0", "\0", "é" * 99])
def test_no_declared_charset_stops_the_indexing_of_a_folder(tmp_path: Path, charset: str) -> None:
    (tmp_path / "a.html").write_text(f'<meta charset="{charset}"><p>beta')
    (tmp_path / "b.html").write_text("<p>alpha")
    assert len(FolderBackend(tmp_path)) == 2
