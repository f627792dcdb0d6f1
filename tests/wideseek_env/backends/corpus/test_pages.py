import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES

from wideseek_env.backends.corpus.pages import INDEX_VERSION, PagesBackend, RawPage
from wideseek_env.errors import DataError


@pytest.fixture(scope="module", params=["memory", "disk"])
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> PagesBackend:
    index_dir = tmp_path_factory.mktemp("index") if request.param == "disk" else None
    return PagesBackend(CONTRACT_PAGES, index_dir=index_dir)


def at_once(coroutine: Awaitable[Any]) -> Any:
    """Returns what a coroutine gives without an event loop; fails if it waits for anything."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.__await__().__next__()
    return stopped.value.value


def _open_files(folder: Path) -> list[str]:
    links = Path("/proc/self/fd").iterdir()
    names = [os.readlink(link) for link in links if link.is_symlink()]
    return [name for name in names if name.startswith(str(folder))]


async def test_closed_index_holds_no_file(tmp_path: Path) -> None:
    backend = PagesBackend(CONTRACT_PAGES, index_dir=tmp_path)
    await backend.search("river", 2)
    assert _open_files(tmp_path)
    await backend.close()
    assert _open_files(tmp_path) == []


def test_search_and_open_never_suspend(backend: PagesBackend) -> None:
    assert at_once(backend.search("river", 2))
    assert at_once(backend.open("http://w.example/brook")).title == "Brook"


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_pickled_backend_gives_the_same_answers(backend: PagesBackend, dumps: Any) -> None:
    copy = pickle.loads(dumps(backend))
    assert len(copy) == len(backend) == len(CONTRACT_PAGES)
    for query in ("river", "entry42x", "古代", "identical twins"):
        assert at_once(copy.search(query, 5)) == at_once(backend.search(query, 5))
    assert at_once(copy.open("http://w.example/long", 2)) == at_once(
        backend.open("http://w.example/long", 2)
    )


def test_title_comes_from_the_page_when_none_is_given() -> None:
    pages = [
        RawPage("u/1", "", "<title>From\n title</title><h1>Heading</h1>"),
        RawPage("u/2", " ", "<h1>From <b>heading</b></h1>"),
        RawPage("u/from_url", "", "<p>text</p>"),
    ]
    backend = PagesBackend(pages)
    titles = [at_once(backend.open(page.url)).title for page in pages]
    assert titles == ["From title", "From heading", "from_url"]


@pytest.mark.parametrize(
    "spelling",
    [
        "http://w.example/wiki/K%C3%B8ln",
        "http://w.example/wiki/Køln",
        "//w.example/wiki/Køln#History",
        " w.example/wiki/Køln/ ",
    ],
)
def test_open_accepts_other_spellings_of_a_url(spelling: str) -> None:
    backend = PagesBackend([RawPage("http://w.example/wiki/Køln", "Køln", "<p>text</p>")])
    assert at_once(backend.open(spelling)).url == "http://w.example/wiki/Køln"


@pytest.mark.parametrize("on_disk", [False, True])
def test_first_of_two_pages_with_one_url_is_kept(on_disk: bool, tmp_path: Path) -> None:
    pages = [RawPage("u", "First", "<p>alpha"), RawPage("u#x", "Second", "<p>beta")]
    backend = PagesBackend(pages, index_dir=tmp_path if on_disk else None)
    assert (len(backend), backend.num_duplicates) == (1, 1)
    assert at_once(backend.open("u")).title == "First"
    assert at_once(backend.search("beta", 3)) == []


@pytest.mark.parametrize(
    "html", ["", "   ", "<!-- nothing -->", b"\xff\xfe\x00", "<p", "\x00\ud800"]
)
def test_page_of_nothing_is_a_page(html: str | bytes) -> None:
    backend = PagesBackend([RawPage("u", "Nothing here", html)])
    page = at_once(backend.open("u"))
    assert page.num_parts == 1
    assert at_once(backend.search("nothing", 1))[0].url == "u"


def test_links_are_kept_on_request() -> None:
    page = RawPage("u", "T", '<p>See <a href="/river/alden">Alden</a>.</p>')
    assert at_once(PagesBackend([page]).open("u")).text == "See Alden."
    with_links = PagesBackend([page], links=True)
    assert at_once(with_links.open("u")).text == "See [Alden](/river/alden)."


def test_words_of_a_link_target_are_not_searched_nor_shown_in_snippets() -> None:
    pages = [RawPage("u", "T", '<p>See <a href="/river/alden">the stream</a>.</p>')]
    backend = PagesBackend(pages, links=True)
    assert at_once(backend.search("alden", 1)) == []
    assert at_once(backend.search("stream", 1))[0].snippet == "See the stream."


def test_snippet_begins_with_the_line_that_matches() -> None:
    rows = "".join(f"<tr><td>place{i}<td>{i}</tr>" for i in range(20))
    backend = PagesBackend([RawPage("u", "T", f"<table>{rows}</table>")])
    [hit] = at_once(backend.search("place7", 1))
    assert hit.snippet.startswith("place7 | 7 / place8 | 8")


def test_no_pages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least one page"):
        PagesBackend([])
    with pytest.raises(DataError, match="at least one page"):
        PagesBackend([], index_dir=tmp_path)
    with pytest.raises(DataError, match="finished index"):
        PagesBackend.load(tmp_path)


def test_index_dir_in_use_is_an_error_and_can_be_loaded(tmp_path: Path) -> None:
    PagesBackend(CONTRACT_PAGES, index_dir=tmp_path)
    with pytest.raises(DataError, match="load"):
        PagesBackend(CONTRACT_PAGES, index_dir=tmp_path)
    loaded = PagesBackend.load(tmp_path)
    assert at_once(loaded.search("Torvia", 1))[0].title == "Alden"


def test_index_of_another_version_is_an_error(tmp_path: Path) -> None:
    PagesBackend(CONTRACT_PAGES, index_dir=tmp_path)
    about = tmp_path / "index.json"
    about.write_text(about.read_text().replace(f'"version":{INDEX_VERSION}', '"version":999'))
    with pytest.raises(DataError, match="got 999"):
        PagesBackend.load(tmp_path)


def test_wrong_arguments_are_errors() -> None:
    with pytest.raises(ValueError, match="part_chars"):
        PagesBackend(CONTRACT_PAGES, part_chars=10)
    with pytest.raises(ValueError, match="top_k"):
        at_once(PagesBackend(CONTRACT_PAGES).search("x", 0))


def test_pages_are_read_one_at_a_time(tmp_path: Path) -> None:
    live: list[int] = []

    def stream() -> Iterator[RawPage]:
        for i in range(50):
            live.append(i)
            yield RawPage(f"u/{i}", f"T{i}", "<p>x")

    counts: list[int] = []
    PagesBackend(stream(), index_dir=tmp_path, on_page=lambda count: counts.append(len(live)))
    assert counts == list(range(1, 51))


_HASHES = """
import asyncio, hashlib, random, sys
from wideseek_env.backends.corpus.pages import INDEX_VERSION, PagesBackend, RawPage
rng = random.Random(5)
words = [f"w{i}" for i in range(40)]
pages = [RawPage(f"u/{i}", rng.choice(words), f"<p>{' '.join(rng.choices(words, k=30))}")
         for i in range(600)]
from pathlib import Path
backend = PagesBackend(pages, index_dir=Path(sys.argv[1]) if len(sys.argv) > 1 else None)
queries = [" ".join(rng.choices(words, k=3)) for _ in range(200)]
hits = [asyncio.run(backend.search(query, 7)) for query in queries]
print(hashlib.sha256(repr(hits).encode()).hexdigest())
"""


def test_answers_are_the_same_in_every_process_in_memory_and_on_disk() -> None:
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        for hash_seed, arguments in (("1", []), ("2", []), ("3", [f"{folder}/index"])):
            run = subprocess.run(
                [sys.executable, "-c", _HASHES, *arguments],
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            )
            digests.add(run.stdout)
    assert len(digests) == 1
