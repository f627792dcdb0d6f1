"""What the text of an opened page or of a search says, by rules, whatever the question is.

`read_open` and `read_search` take exactly the text that a model would see. Both are pure, and what
they return is kept and shared, because the agents of many episodes read the same pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from wideseek_env.backends.caching import cached
from wideseek_env.backends.html.text import split_cells
from wideseek_env.reading.question import ALSO_KNOWN_AS, NOUNS, canonical_label, read_prose
from wideseek_env.reading.writing import read_date

CUT = "[cut: your context is full]"
"""Ends a text that the agent's context did not hold whole."""
MAX_LIST_PAGES = 500
"""Pages that a list may have; a title that tells of more is not believed."""

_MAX_BODY_CHARS = 60_000  # of one part; `open` shows 6,000 at a time, if nobody asks for more
_MAX_PAGES_BYTES, _MAX_SMALL_BYTES = 48 << 20, 8 << 20  # kept of what was read

_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)")
_HEADER = re.compile(r"(?P<title>.*) \| (?P<url>\S+) \| part (?P<part>\d{1,9}) of (?P<num>\d{1,9})")
_LIST_PAGE = re.compile(r"(.+), page (\d{1,4} of \d{1,4})")
_PLACE = re.compile(r"([1-9]\d{0,3}) of ([1-9]\d{0,3})")
_HIT = re.compile(r"\d+\. (?P<title>.*) \| (?P<url>\S+)")
_PAIR = re.compile(r"(?P<label>[A-Z][^.:|\[\]]{0,60}): (?P<value>[^.]+)")
_KIND = re.compile(r"(?P<name>.+?)(?:: | is an? )(?P<noun>[a-z][a-z ]*?) in [^.]+\.?")
_DATED = re.compile(r"(?i)\b(?:as of|updated|revised|edited)(?: on)?:? (?P<date>.{4,20})")


@dataclass(frozen=True, slots=True)
class Link:
    """One `[text](url)`."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class LinkedText:
    """A value: its text without link marks, and where it leads."""

    text: str
    url: str = ""
    """Of the first link in it; "" when there is none."""


@dataclass(frozen=True, slots=True)
class PageNotes:
    """One part of one page, read."""

    title: str
    url: str
    part: int
    num_parts: int
    name: str
    """What the page is about, as it says itself; the title when it does not say."""
    noun: str
    """Its kind: "river"; "" when the page does not say."""
    date: str
    """When the page was written, YYYY-MM-DD; "" when it does not say."""
    alias: str
    """Another name of what it is about, or ""."""
    facts: tuple[tuple[str, LinkedText], ...]
    """Label and value, from info boxes, `label: value` lines and sentences, in this order."""
    tables: tuple[tuple[tuple[LinkedText, ...], ...], ...]
    """Info boxes too, [table][row][column]."""
    links: tuple[Link, ...]
    """All links, in order."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One search result."""

    title: str
    url: str


class ListPage(NamedTuple):
    """Which page of which list."""

    list: str
    """`ParsedQuestion.list_title`, when it is the list that a question wants."""
    number: int
    """1 .. num."""
    num: int


def read_list_title(title: str) -> ListPage | None:
    """Reads a title such as "Rivers in Varnia, page 2 of 9"; None for those of other pages."""
    match = _LIST_PAGE.fullmatch(title)
    place = read_place(match[2]) if match else None
    return ListPage(match[1], *place) if match and place else None


def read_place(text: str) -> tuple[int, int] | None:
    """Returns the numbers of "2 of 9"; None unless 1 <= first <= second <= `MAX_LIST_PAGES`."""
    match = _PLACE.fullmatch(text)
    number, num = (int(match[1]), int(match[2])) if match else (0, 0)
    return (number, num) if 1 <= number <= num <= MAX_LIST_PAGES else None


@cached(_MAX_PAGES_BYTES)
def read_open(text: str) -> PageNotes | None:
    """Reads an `open` result as a page; None when it shows no whole page part."""
    first, _, body = text.partition("\n")
    header = _HEADER.fullmatch(first)
    if header is None or body.endswith(CUT):
        return None
    body = body[:_MAX_BODY_CHARS]
    pairs: list[tuple[str, LinkedText]] = []
    tables: list[tuple[tuple[LinkedText, ...], ...]] = []
    lines: list[str] = []
    for block in _blocks(body):
        if isinstance(block, str):
            lines.append(_plain(block))
        else:
            tables.append(tuple(block))
            pairs += _info_box(block)
    links = tuple(Link(*found) for found in _LINK.findall(body))
    name, noun = _subject(lines) or (header["title"], "")
    pairs += [
        (m["label"], LinkedText(m["value"])) for line in lines if (m := _PAIR.fullmatch(line))
    ]
    told = read_prose(noun, " ".join(lines)) if noun else {}
    urls = {link.text: link.url for link in links}
    return PageNotes(
        title=header["title"],
        url=header["url"],
        part=int(header["part"]),
        num_parts=int(header["num"]),
        name=name,
        noun=noun,
        date=_date(body),
        alias=told.get(ALSO_KNOWN_AS, ""),
        facts=(
            *((_label(noun, label), value) for label, value in pairs if label != name),
            *((label, LinkedText(value, urls.get(value, ""))) for label, value in told.items()),
        ),
        tables=tuple(tables),
        links=links,
    )


@cached(_MAX_SMALL_BYTES)
def read_search(text: str) -> tuple[SearchHit, ...]:
    """Returns the hits of a `search` result, best first."""
    found = (_HIT.fullmatch(line) for line in text.splitlines()[1:])
    return tuple(SearchHit(match["title"], match["url"]) for match in found if match)


def read_links(text: str) -> list[Link]:
    """Returns every `[text](url)` of a text, in order."""
    return [Link(*found) for found in _LINK.findall(text)]


def _subject(lines: list[str]) -> tuple[str, str] | None:
    """Returns name and kind of what a page is about: "Alden is a river in Varnia"."""
    for line in lines:
        match = _KIND.match(line)
        if match is not None and match["noun"] in NOUNS:
            return match["name"], match["noun"]
    return None


@cached(_MAX_SMALL_BYTES)
def _label(noun: str, label: str) -> str:
    """Returns the usual name of a label; the label itself when it has none."""
    return (canonical_label(noun, label) if noun else None) or label


def _blocks(body: str) -> Iterator[str | list[tuple[LinkedText, ...]]]:
    """Yields lines of prose one by one, and the rows of a table, up to an empty line, together."""
    rows: list[tuple[LinkedText, ...]] = []
    for line in body.splitlines():
        if "|" in line or (rows and line):
            rows.append(tuple(map(_cell, split_cells(line))))
            continue
        if rows:
            yield rows
            rows = []
        if line:
            yield line.lstrip("#- ")
    if rows:
        yield rows


def _info_box(rows: list[tuple[LinkedText, ...]]) -> list[tuple[str, LinkedText]]:
    """Returns label and value of each row, or [] when the rows are a table of things.

    An info box has two cells a row and no link among its labels; the table of a list page links
    the things that it lists.
    """
    if any(len(row) != 2 or row[0].url for row in rows):
        return []
    return [(label.text, value) for label, value in rows]


def _cell(text: str) -> LinkedText:
    if "](" not in text:
        return LinkedText(text)
    match = _LINK.search(text)
    return LinkedText(_plain(text), match[2] if match else "")


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text) if "](" in text else text


def _date(body: str) -> str:
    match = _DATED.search(body)
    found = read_date(match["date"]) if match else None
    return found.isoformat() if found else ""
