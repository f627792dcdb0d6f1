"""Plays "the table with the columns ... on the page ...": finds the page, reads it, copies."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from agents.scripted.script import Calls, open_page, search
from wideseek_env.reading.pages import LinkedText, PageNotes, read_open, read_search
from wideseek_env.records import Observation

_PAGE = re.compile(r"page “(?P<title>.+?)”")
_COLUMNS = re.compile(r"\bcolumns (?P<columns>.+?)(?= on the page “|\. (?:Give|List|Leave) )")
_HEADER_ROWS = 3
"""Rows of a table among which the header is looked for; captions come before it."""
_LEAST_MATCH = 0.5
"""Share of the columns that a header must have to be taken for the one asked for."""

Rows: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """What such a question asks."""

    title: str
    """Of the page."""
    columns: tuple[str, ...]


def parse_table_question(question: str) -> TableQuestion | None:
    """Reads a question for the table of a page; None for any other."""
    page, columns = _PAGE.search(question), _COLUMNS.search(question)
    if page is None or columns is None:
        return None
    separator = "; " if "; " in columns["columns"] else ", "
    return TableQuestion(page["title"], tuple(columns["columns"].split(separator)))


def copy_table(
    question: TableQuestion, observation: Observation, max_calls: int
) -> Generator[Calls, Observation, Rows]:
    """Finds the page and returns the rows of its table, cells in the order of the columns.

    Args:
        question: which table.
        observation: what the agent sees now; with fewer than three turns left nothing is found.
        max_calls: calls a turn, at least 1.
    """
    queries = (" ".join((question.title, *question.columns)), question.title)
    if observation.turns_left < 3:
        return ()
    observation = yield tuple(search(query) for query in queries[:max_calls])
    hits = [hit for result in observation.results for hit in read_search(result.text)]
    hits.sort(key=lambda hit: hit.title.casefold() != question.title.casefold())
    parts: list[PageNotes] = []
    num_parts = 1
    while hits and observation.turns_left > 1 and len(parts) < num_parts:
        numbers = range(len(parts) + 1, num_parts + 1)[:max_calls]
        observation = yield tuple(open_page(hits[0].url, number) for number in numbers)
        read = [notes for result in observation.results if (notes := read_open(result.text))]
        if not read:
            break
        parts += read
        num_parts = read[0].num_parts
    return _best_table(question.columns, parts)


def _best_table(columns: Sequence[str], parts: Sequence[PageNotes]) -> Rows:
    """Returns the rows of the table whose header fits best, the first of equals, to its end."""
    best: Rows = ()
    best_match = _LEAST_MATCH
    for table in _whole_tables(parts):
        for number, row in enumerate(table[:_HEADER_ROWS]):
            # a row of one cell is a heading inside the table
            body = [line for line in table[number + 1 :] if len(line) > 1]
            places = _places(columns, row, body)
            match = sum(place is not None for place in places) / len(columns)
            if match > best_match:
                best_match = match
                best = tuple(tuple(_text(line, place) for place in places) for line in body)
    return best


def _whole_tables(parts: Sequence[PageNotes]) -> Iterator[list[tuple[LinkedText, ...]]]:
    """Yields each table; one that goes on in the next part, under its header again, as one."""
    open_table: list[tuple[LinkedText, ...]] = []
    for notes in parts:
        for number, table in enumerate(notes.tables):
            goes_on = number == 0 and open_table and open_table[0] == table[0]
            if goes_on:
                open_table += table[1:]
                continue
            if open_table:
                yield open_table
            open_table = list(table)
    if open_table:
        yield open_table


def _places(
    columns: Sequence[str], header: Sequence[LinkedText], body: Sequence[Sequence[LinkedText]]
) -> list[int | None]:
    """Returns where each column stands; None for one that the header lacks.

    A header that spans several columns stands above each; the fullest of them is meant.
    """
    words = [_words(cell.text) for cell in header]
    places: list[int | None] = []
    for column in map(_words, columns):
        same = [place for place, word in enumerate(words) if word == column]
        filled = [sum(bool(_text(line, place)) for line in body) for place in same]
        places.append(same[filled.index(max(filled))] if same else None)
    return places


def _text(line: Sequence[LinkedText], place: int | None) -> str:
    return line[place].text if place is not None and place < len(line) else ""


def _words(text: str) -> str:
    """Reduces a header to its words, or to its signs when it has none."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text.strip()
