"""Looks every gold cell up on the pages that are said to hold it, by rules.

It knows of the pages' text alone, as agents see it, and of the task; nothing of the relation that
the task was made from. A cell of a table is held when a row of a table on its page has it under the
column's name beside the same key; a cell about a thing, when its page tells it under that label.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.backends.html.tables import CELL
from wideseek_env.backends.html.text import read_html, split_cells
from wideseek_env.records import Task
from wideseek_env.scoring.text import bare_text
from wideseek_env.tasks.synthesis.things import cell_of, read_thing
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.schema import Attribute

_UNIT = re.compile(r" \([^()]*\)$")
_ATTRIBUTES: dict[tuple[str, str], Attribute] = {
    (domain.noun, attribute.label): attribute
    for domain in DOMAINS.values()
    for attribute in domain.attributes
}
_HEADERS = {domain.header for domain in DOMAINS.values()}


class PageCells:
    """What one page holds, for looking cells up."""

    def __init__(self, page: RawPage) -> None:
        found = read_thing(page)
        self._noun, self._names = "", frozenset[str]()
        self._facts: dict[str, str] = {}
        self._indexed: dict[tuple[str, ...], list[dict[tuple[str, ...], list[list[str]]]]] = {}
        if found is not None:
            notes, _ = found
            self._noun, self._names = notes.noun, frozenset((notes.name, notes.alias)) - {""}
            self._facts = {label: cell.text for label, cell in reversed(notes.facts)}
        self._tables = list(_tables(read_html(page.html).text))

    def tells(self, names: Sequence[str], label: str, cell: str, spellings: Sequence[str]) -> bool:
        """Whether the page is about the thing with one of these names, and says this of it."""
        if self._names.isdisjoint(names):
            return False
        name = _UNIT.sub("", label)
        if name in _HEADERS and cell in names:
            return True
        attribute, text = _ATTRIBUTES.get((self._noun, name)), self._facts.get(name)
        if attribute is None or text is None:
            return False
        return cell_of(text, attribute, {}) in (cell, *spellings)

    def rows(
        self, keys: Sequence[str], others: Sequence[str]
    ) -> Iterator[dict[tuple[str, ...], list[list[str]]]]:
        """Yields, for each table with all of these columns, bare key cells to other cells."""
        names = (*keys, "", *others)
        if names not in self._indexed:
            self._indexed[names] = list(self._index(keys, others))
        yield from self._indexed[names]

    def _index(
        self, keys: Sequence[str], others: Sequence[str]
    ) -> Iterator[dict[tuple[str, ...], list[list[str]]]]:
        for header, rows in self._tables:
            places = [[_place(header, name) for name in names] for names in (keys, others)]
            if any(place is None for group in places for place in group):
                continue
            by_key: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
            for row in rows:
                if len(row) == len(header):
                    key = tuple(row[i] for i in places[0] if i is not None)
                    by_key[key].append([row[i] for i in places[1] if i is not None])
            yield by_key


def unheld_cells(task: Task, pages: Mapping[str, PageCells]) -> list[tuple[int, int]]:
    """Lists (row, column) of the gold cells that no page named as their source holds.

    Blank cells of things are passed over: no page tells what is unknown.

    Args:
        task: with sources, and in its metadata the `join` that it has, if any.
        pages: by URL; all that the task names.
    """
    about = task.metadata["synthesis"]
    names, keys = task.column_names, [task.column_names.index(k) for k in task.key_columns]
    joined = about.get("join") or {"columns": (), "on": "", "key": ""}
    brought = [i for i, name in enumerate(names) if name in joined["columns"]]
    on = [names.index(joined["on"])] if brought else []
    own = [i for i in range(len(names)) if i not in brought]
    if about["things"]:
        bad = _untold(task, pages, keys[0], own)
        return sorted([*bad, *(_untold(task, pages, on[0], brought) if brought else ())])
    others = [i for i in own if i not in keys]
    bad = _unheld(task, pages, task.key_columns, keys, others)
    if brought:
        bad += _unheld(task, pages, [joined["key"]], on, brought)
    return sorted(bad)


def _untold(
    task: Task, pages: Mapping[str, PageCells], name_column: int, columns: Sequence[int]
) -> list[tuple[int, int]]:
    """Lists the cells about the thing named in one column that no page of theirs tells."""
    return [
        (r, c)
        for r, row in enumerate(task.gold)
        for names in [(row[name_column], *task.aliases.get(row[name_column], ()))]
        for c in columns
        if row[c]
        and not any(
            url in pages
            and pages[url].tells(names, task.column_names[c], row[c], task.aliases.get(row[c], ()))
            for url in task.sources[r][c]
        )
    ]


def _unheld(
    task: Task,
    pages: Mapping[str, PageCells],
    key_names: Sequence[str],
    keys: Sequence[int],
    others: Sequence[int],
) -> list[tuple[int, int]]:
    """Lists the cells that no row with these keys has; all of a row, and its keys, if none has."""
    bad: list[tuple[int, int]] = []
    names = [task.column_names[i] for i in others]
    for r, row in enumerate(task.gold):
        key = tuple(bare_text(row[i]) for i in keys)
        wanted = [bare_text(row[i]) for i in others]
        urls = task.sources[r][others[0] if others else keys[0]]
        best: list[str] | None = None
        for url in urls:
            for table in pages[url].rows(key_names, names) if url in pages else ():
                for found in table.get(key, ()):
                    if best is None or _num_equal(found, wanted) > _num_equal(best, wanted):
                        best = found
        if best is None:
            bad += [(r, c) for c in (*keys, *others)]
        else:
            bad += [(r, c) for c, a, b in zip(others, best, wanted, strict=True) if a != b]
    return bad


def _num_equal(found: Sequence[str], wanted: Sequence[str]) -> int:
    return sum(map(str.__eq__, found, wanted))


def _place(header: Sequence[str], label: str) -> int | None:
    for name in (bare_text(label), bare_text(_UNIT.sub("", label))):
        if name in header:
            return header.index(name)
    return None


def _tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yields header and rows, bare, of each table in a page's text."""
    block: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if CELL in line:
            block.append([bare_text(cell) for cell in split_cells(line)])
        elif not line and block:
            yield block[0], block[1:]
            block = []
