"""What every backend must do. A test module for a backend takes these tests over:

from contract import *  # noqa: F403 - the tests
from contract import CONTRACT_PAGES

@pytest.fixture
def backend() -> Backend:
    return MyBackend(CONTRACT_PAGES)
"""

from __future__ import annotations

import asyncio

import pytest

from wideseek_env.backends import Backend, Hit, Page
from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.errors import PageNotFound, ToolError

LONG_ROWS = 400
CONTRACT_PAGES = (
    RawPage("http://w.example/alden", "Alden", "<h1>Alden</h1><p>Alden is a river in Torvia.</p>"),
    RawPage("http://w.example/brook", "Brook", "<h1>Brook</h1><p>Brook is a river too.</p>"),
    RawPage("http://w.example/cities", "Cities", "<p>Marlow and Tarn are towns.</p>"),
    RawPage(
        "http://w.example/long",
        "Long list",
        "<table><tr><th>Number<th>Name</tr>"
        + "".join(f"<tr><td>{i}<td>entry{i}x</tr>" for i in range(LONG_ROWS))
        + "</table>",
    ),
    RawPage("http://w.example/长城", "长城", "<p>长城是中国古代的军事防御工程。</p>"),
    RawPage("http://w.example/b-same", "Same", "<p>identical twins</p>"),
    RawPage("http://w.example/a-same", "Same", "<p>identical twins</p>"),
)
HOSTILE_QUERIES = (
    "",
    "   ",
    '"unbalanced',
    "AND OR NOT",
    "title:foo^9 AND (bar",
    "a/b\\c [x TO y] {z} ~*?:^+-!|&",
    "\x00\ud800\uffff",
    "é" * 50,
    "river " * 5000,
    "🦆",
)


def test_backend_is_one(backend: Backend) -> None:
    assert isinstance(backend, Backend)


async def test_search_finds_the_page(backend: Backend) -> None:
    hits = await backend.search("river in Torvia", 3)
    assert all(isinstance(hit, Hit) for hit in hits)
    assert hits[0].url == "http://w.example/alden"
    assert hits[0].title == "Alden"
    assert "Torvia" in hits[0].snippet


async def test_search_snippet_is_one_line_with_the_match(backend: Backend) -> None:
    [hit, *_] = await backend.search("entry321x", 3)
    assert hit.url == "http://w.example/long"
    assert "entry321x" in hit.snippet[:300]
    assert "\n" not in hit.snippet


async def test_search_gives_each_page_once_and_at_most_top_k(backend: Backend) -> None:
    urls = [hit.url for hit in await backend.search("number name entry1x entry2x river", 2)]
    assert len(urls) == len(set(urls)) == 2


async def test_search_without_a_match_is_empty(backend: Backend) -> None:
    assert await backend.search("zzzqqq", 3) == []


async def test_search_breaks_ties_by_url(backend: Backend) -> None:
    hits = await backend.search("identical twins", 1)
    assert [hit.url for hit in hits] == ["http://w.example/a-same"]


async def test_search_reads_chinese(backend: Backend) -> None:
    hits = await backend.search("古代防御", 3)
    assert [hit.url for hit in hits] == ["http://w.example/长城"]


@pytest.mark.parametrize("query", HOSTILE_QUERIES)
async def test_search_answers_any_text(backend: Backend, query: str) -> None:
    assert len(await backend.search(query, 3)) <= 3


async def test_search_same_query_same_answer_that_nobody_can_change(backend: Backend) -> None:
    first = await backend.search("river", 3)
    kept = list(first)
    first.clear()
    assert await backend.search("river", 3) == kept != []


async def test_open_gives_the_text(backend: Backend) -> None:
    page = await backend.open("http://w.example/alden")
    assert page == Page(
        "http://w.example/alden", "Alden", "# Alden\nAlden is a river in Torvia.", 1, 1
    )


async def test_open_parts_hold_each_row_once_under_the_header(backend: Backend) -> None:
    first = await backend.open("http://w.example/long")
    assert first.num_parts > 1
    rows: list[str] = []
    for part in range(1, first.num_parts + 1):
        page = await backend.open("http://w.example/long", part)
        assert (page.part, page.num_parts) == (part, first.num_parts)
        header, *lines = page.text.split("\n")
        assert header == "Number | Name"
        rows += lines
    assert rows == [f"{i} | entry{i}x" for i in range(LONG_ROWS)]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://w.example/none", 1),
        ("http://w.example/alden", 2),
        ("http://w.example/alden", 0),
        ("http://w.example/alden", -1),
    ],
)
async def test_open_of_what_is_not_there_says_so(backend: Backend, url: str, part: int) -> None:
    with pytest.raises(PageNotFound) as raised:
        await backend.open(url, part)
    assert 0 < len(str(raised.value)) < 400


@pytest.mark.parametrize("url", ["", "\ud800", "http://w.example/\ud800", "\x00", "http://"])
async def test_open_of_what_is_no_url_is_told_to_the_agent(backend: Backend, url: str) -> None:
    with pytest.raises(ToolError) as raised:  # of the live web a refusal, elsewhere `PageNotFound`
        await backend.open(url)
    assert 0 < len(str(raised.value)) < 400


async def test_calls_at_once_do_not_mix(backend: Backend) -> None:
    names = ["alden", "brook", "cities"] * 5
    pages = await asyncio.gather(*(backend.open(f"http://w.example/{name}") for name in names))
    assert [page.url for page in pages] == [f"http://w.example/{name}" for name in names]


async def test_close_is_harmless_twice_and_a_later_call_opens_again(backend: Backend) -> None:
    before = await backend.open("http://w.example/alden")
    await backend.close()
    await backend.close()
    hits = await backend.search("river in Torvia or so", 3)
    assert hits[0].url == "http://w.example/alden"
    assert await backend.open("http://w.example/alden") == before
    assert (await backend.open("http://w.example/brook")).title == "Brook"
