import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from wideseek_env.backends.corpus.building import IndexBackend, grow_index
from wideseek_env.backends.corpus.folder import FolderBackend
from wideseek_env.backends.corpus.index import Boosts
from wideseek_env.backends.corpus.indexfiles import is_panic, seal
from wideseek_env.backends.corpus.pages import reading_index
from wideseek_env.backends.named import backend_named
from wideseek_env.cli.commands import run_command
from wideseek_env.errors import DataError

WORDS = [f"word{i}" for i in range(80)]


def lines_of(numbers: Iterable[int], note: str = "") -> list[str]:
    """Pages of several passages; the same number is the same page."""
    lines = []
    for number in numbers:
        rng = random.Random(number)
        text = " ".join(rng.choices(WORDS, k=300))
        page = {"url": f"u/{number}", "title": f"Page {number}", "text": f"{text}\n{note}"}
        lines.append(json.dumps(page) + "\n")
    return lines


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(lines))
    return path


def answers(index_dir: Path) -> list[object]:
    """What an index says to fifty queries, and what some pages are."""
    backend = IndexBackend(index_dir)
    rng = random.Random(1)
    queries = [" ".join(rng.choices(WORDS, k=3)) for _ in range(50)]
    found: list[object] = [asyncio.run(backend.search(query, 10)) for query in queries]
    found += [asyncio.run(backend.open(f"u/{number}")) for number in (0, 7, 299)]
    return [len(backend), *found]


KILLED = """
import os, signal, sys
from pathlib import Path
from wideseek_env.backends.corpus import building
from wideseek_env.backends.corpus.index import PassageWriter

corpus, index_dir, page, place = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
building._BATCH_CHARS = 50_000  # some twenty pages
num_read = 0

def kill(*_):
    if num_read >= page:
        os.kill(os.getpid(), signal.SIGKILL)

def on_page(count):
    global num_read
    num_read = count
    if place == "page":
        kill()

commit = PassageWriter.commit
if place == "before the words":
    PassageWriter.commit = lambda writer: (kill(), commit(writer))
if place == "after the words":
    PassageWriter.commit = lambda writer: (commit(writer), kill())
building.grow_index(corpus, index_dir, add=len(sys.argv) > 5, on_page=on_page)
"""


def killed(corpus: Path, index_dir: Path, page: int, place: str, *more: str) -> None:
    arguments = [corpus, index_dir, str(page), place, *more]
    run = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert run.returncode == -signal.SIGKILL


@pytest.mark.parametrize("place", ["page", "before the words", "after the words"])
def test_killed_build_that_goes_on_is_a_build_in_one_go(tmp_path: Path, place: str) -> None:
    corpus = write(tmp_path / "pages.jsonl", lines_of([*range(300), 4]))
    grow_index(corpus, tmp_path / "whole")
    index_dir = tmp_path / "index"
    killed(corpus, index_dir, 130, place)
    with pytest.raises(DataError, match="got one that was begun"):
        IndexBackend(index_dir)
    killed(corpus, index_dir, 250, place)
    counts: list[int] = []
    grown = grow_index(corpus, index_dir, on_page=counts.append)
    assert 0 < grown.num_read < 100, "what was committed is not read again"
    assert counts == list(range(counts[0], 302))
    assert (grown.num_pages, grown.num_duplicates) == (300, 1)
    assert answers(index_dir) == answers(tmp_path / "whole")


def test_kill_after_the_last_batch_leaves_only_the_finishing(tmp_path: Path) -> None:
    corpus = write(tmp_path / "pages.jsonl", lines_of(range(300)))
    grow_index(corpus, tmp_path / "index")
    before = answers(tmp_path / "index")
    (tmp_path / "index" / "index.json").unlink()
    assert grow_index(corpus, tmp_path / "index").num_read == 0
    assert answers(tmp_path / "index") == before


@pytest.mark.parametrize("kill", [False, True])
def test_added_corpora_answer_as_one_that_holds_both(tmp_path: Path, kill: bool) -> None:
    first = write(tmp_path / "first.jsonl", lines_of(range(150)))
    second = write(tmp_path / "second.jsonl", lines_of(range(150, 300)))
    grow_index(write(tmp_path / "both.jsonl", lines_of(range(300))), tmp_path / "both")
    index_dir = tmp_path / "index"
    grow_index(first, index_dir)
    if kill:
        killed(second, index_dir, 90, "before the words", "add")
        with pytest.raises(DataError, match="begun with another corpus"):
            grow_index(first, index_dir, add=True)
    grown = grow_index(second, index_dir, add=True)
    assert (grown.num_pages, grown.num_replaced) == (300, 0)
    assert answers(index_dir) == answers(tmp_path / "both")
    assert grow_index(second, index_dir, add=True).num_read == 0, "it is there already"


@pytest.mark.parametrize("kill", [False, True])
def test_added_page_replaces_the_one_of_its_url(tmp_path: Path, kill: bool) -> None:
    index_dir = tmp_path / "index"
    grow_index(write(tmp_path / "first.jsonl", lines_of(range(100), "oldest")), index_dir)
    again = lines_of(range(50, 120), "newest")
    second = write(tmp_path / "second.jsonl", [*again, *lines_of([60], "twice")])
    if kill:
        killed(second, index_dir, 40, "before the words", "add")
    grown = grow_index(second, index_dir, add=True)
    assert (grown.num_pages, grown.num_replaced, grown.num_duplicates) == (120, 50, 1)
    backend = IndexBackend(index_dir)

    def urls(query: str) -> set[str]:
        return {hit.url for hit in asyncio.run(backend.search(query, 200))}

    assert urls("oldest") == {f"u/{number}" for number in range(50)}
    assert urls("newest") == {f"u/{number}" for number in range(50, 120)}
    assert urls("twice") == set()
    assert "newest" in asyncio.run(backend.open("u/60")).text


def test_index_of_another_corpus_is_left_alone_without_add(tmp_path: Path) -> None:
    index_dir = tmp_path / "index"
    corpus = write(tmp_path / "pages.jsonl", lines_of(range(300)))
    grow_index(corpus, index_dir)
    before = answers(index_dir)
    with pytest.raises(DataError, match="--add"):
        grow_index(write(tmp_path / "other.jsonl", lines_of(range(5))), index_dir)
    os.utime(corpus, ns=(1, 1))
    with pytest.raises(DataError, match="its files changed since"):
        grow_index(corpus, index_dir)
    assert answers(index_dir) == before


def test_corpus_that_changed_since_the_kill_is_refused(tmp_path: Path) -> None:
    corpus = write(tmp_path / "pages.jsonl", lines_of(range(300)))
    killed(corpus, tmp_path / "index", 130, "page")
    os.utime(corpus, ns=(1, 1))
    with pytest.raises(DataError, match=r"its files changed since.*delete the folder"):
        grow_index(corpus, tmp_path / "index")


@pytest.mark.parametrize("damage", ["state", "store", "words", "behind", "version", "other"])
def test_damaged_state_is_refused(tmp_path: Path, damage: str) -> None:
    corpus, index_dir = write(tmp_path / "pages.jsonl", lines_of(range(300))), tmp_path / "index"
    killed(corpus, index_dir, 130, "after the words")
    store = index_dir / "pages.sqlite"
    statements = {
        "state": "UPDATE building SET state = '{'",
        "behind": "DELETE FROM pages WHERE number > 9",
        "version": "UPDATE building SET state = REPLACE(state, '\"version\":4', '\"version\":2')",
        "other": "DELETE FROM building",
    }
    if damage == "store":
        store.write_bytes(b"x" * 10_000)
    elif damage == "words":
        (index_dir / "words" / "meta.json").write_text("{")
    else:
        connection = sqlite3.connect(store)
        connection.execute(statements[damage])
        connection.commit()
        connection.close()
    with pytest.raises(DataError, match=r"is damaged, or of another version|got another one"):
        grow_index(corpus, index_dir)


def test_damaged_finished_index_is_not_added_to(tmp_path: Path) -> None:
    corpus, index_dir = write(tmp_path / "pages.jsonl", lines_of(range(300))), tmp_path / "index"
    grow_index(corpus, index_dir)
    file = next((index_dir / "words").glob("*.idx"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DataError, match="damaged"):
        grow_index(write(tmp_path / "more.jsonl", lines_of([1])), index_dir, add=True)
    with pytest.raises(DataError, match="damaged"):
        IndexBackend(index_dir)


def test_index_that_is_open_cannot_be_added_to_nor_one_opened_that_is_written(
    tmp_path: Path,
) -> None:
    corpus, index_dir = write(tmp_path / "pages.jsonl", lines_of(range(300))), tmp_path / "index"
    grow_index(corpus, index_dir)
    more = write(tmp_path / "more.jsonl", lines_of([301]))
    backend = IndexBackend(index_dir)
    with pytest.raises(DataError, match="open elsewhere"):
        grow_index(more, index_dir, add=True)
    assert asyncio.run(backend.search("word1", 1))
    del backend

    def open_it(count: int) -> None:
        with pytest.raises(DataError, match="being written"):
            IndexBackend(index_dir)

    grow_index(more, index_dir, add=True, on_page=open_it)
    assert len(IndexBackend(index_dir)) == 301


def test_folder_of_other_things_is_not_written_to(tmp_path: Path) -> None:
    corpus = write(tmp_path / "pages.jsonl", lines_of(range(3)))
    with pytest.raises(DataError, match="expected a new folder or an index"):
        grow_index(corpus, tmp_path)
    FolderBackend(corpus)
    [kept] = (tmp_path / ".wideseek_index").iterdir()
    with pytest.raises(DataError, match="got another one"):
        grow_index(corpus, kept)


def test_boosts_are_kept_and_order_the_hits(tmp_path: Path) -> None:
    filler = " ".join(WORDS[:60])
    pages = [
        ("in-text", "Other", f"amber river amber {filler}"),
        ("in-title", "Amber", filler),
        ("phrase", "Third", f"{filler} amber {WORDS[61]} river valley"),
        ("side-by-side", "Fourth", f"{filler} valley {WORDS[61]} amber river"),
    ]
    lines = [json.dumps({"url": u, "title": t, "text": x}) + "\n" for u, t, x in pages]
    corpus = write(tmp_path / "pages.jsonl", lines)
    for name, boosts in (("plain", None), ("title", Boosts(5.0)), ("phrase", Boosts(0.0, 5.0))):
        grow_index(corpus, tmp_path / name, boosts=boosts)

    def urls(name: str, query: str) -> list[str]:
        backend = IndexBackend(tmp_path / name)
        return [hit.url for hit in asyncio.run(backend.search(query, 4))]

    assert urls("plain", "amber")[0] == "in-text"
    assert urls("title", "amber")[0] == "in-title"
    first = ["phrase", "side-by-side"]
    assert [u for u in urls("plain", "valley amber river") if u in first] == first
    assert urls("phrase", "valley amber river").index("side-by-side") < 2
    assert [u for u in urls("phrase", "amber river") if u in first] == first[::-1]
    with pytest.raises(DataError, match=r"was made with Boosts\(title=5\.0"):
        grow_index(corpus, tmp_path / "title", boosts=Boosts(1.0))


def test_command_builds_adds_and_its_index_is_a_backend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = str(write(tmp_path / "first.jsonl", lines_of(range(10))))
    second = str(write(tmp_path / "second.jsonl", ["broken\n", *lines_of(range(5, 15))]))
    index = str(tmp_path / "index")
    assert run_command("index", [first, "--out", index, "--title-boost", "2"]) == 0
    assert "10 pages of" in capsys.readouterr().out
    assert run_command("index", [second, "--out", index]) == 1
    assert "--add" in capsys.readouterr().err
    assert run_command("index", [second, "--out", index, "--add"]) == 0
    shown = capsys.readouterr().out
    assert "10 pages of" in shown
    assert "1 broken lines left out, 5 replaced; 15 pages in" in shown
    [hit] = asyncio.run(backend_named(index).search("Page 14", 1))
    assert hit.url == "u/14"


@pytest.mark.parametrize("suffix", ["term", "fast", "fieldnorm", "store", "pos", "idx"])
def test_panic_of_tantivy_at_the_opening_is_damage(tmp_path: Path, suffix: str) -> None:
    """A file of four bytes makes tantivy panic; sealed again, as checksums would tell before."""
    corpus = write(tmp_path / "pages.jsonl", lines_of(range(20)))
    index = tmp_path / "index"
    grow_index(corpus, index)
    for file in (index / "words").glob(f"*.{suffix}"):
        file.write_bytes(file.read_bytes()[:4])
    seal(index)
    more = write(tmp_path / "more.jsonl", lines_of(range(20, 30)))
    for open_it in (
        lambda: IndexBackend(index),
        lambda: backend_named(str(index)),
        lambda: grow_index(more, index, add=True),
    ):
        with pytest.raises(DataError, match=r"build the index again|begin again") as raised:
            open_it()
        assert raised.value.__cause__ is not None
        assert is_panic(raised.value.__cause__)


def test_bug_or_ctrl_c_at_the_opening_is_no_damage(tmp_path: Path) -> None:
    for error in (KeyboardInterrupt(), RuntimeError("a bug")):
        with pytest.raises(type(error)), reading_index(tmp_path):
            raise error


def test_what_holds_no_pages_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not there"):
        grow_index(tmp_path / "nosuch", tmp_path / "index")
    with pytest.raises(DataError, match="found none"):
        grow_index(write(tmp_path / "pages.txt", lines_of(range(2))), tmp_path / "index")
    assert not (tmp_path / "index").exists()
