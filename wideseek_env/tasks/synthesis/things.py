"""Relations out of pages about one thing each, as closed worlds have them: "rivers in Varnia".

Rows are things, columns what their pages say of them, in the unit that the column names. Only the
pages are read, no data base of the world: where pages of one thing differ, the one updated last is
right, and the sources of a cell are the pages that say the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.backends.html.text import one_line, read_html
from wideseek_env.reading.pages import PageNotes, read_open
from wideseek_env.reading.writing import convert_number, read_date, write_number
from wideseek_env.tasks.synthesis.pagetables import MIN_ROWS
from wideseek_env.tasks.synthesis.relations import Field, Relation
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.schema import COUNTED, Attribute, Domain
from wideseek_env.worlds.values import UNKNOWN

_DOMAIN_OF = {domain.noun: domain for domain in DOMAINS.values()}
_WHERE = re.compile(r"(?:: | is an? )[a-z ]+? in ([^.\n|]{1,60})")
_YEAR = re.compile(r"[12]\d{3}", re.ASCII)


@dataclass(slots=True)
class _Thing:
    """What pages say of one thing, by label: (date of the page, URL, cell)."""

    urls: list[str] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)
    told: dict[str, list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))


class Things:
    """Gathers things, page by page; `relations` makes a relation of each kind in each place."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], dict[str, _Thing]] = defaultdict(dict)

    def add(self, page: RawPage) -> bool:
        """Takes what a page says of its thing; False when it is about none."""
        found = read_thing(page)
        if found is None:
            return False
        notes, where = found
        thing = self._groups[notes.noun, where].setdefault(notes.name, _Thing())
        thing.urls.append(page.url)
        if notes.alias:
            thing.aliases.add(notes.alias)
        for attribute in _DOMAIN_OF[notes.noun].attributes:
            for label, cell in notes.facts:
                if label == attribute.label:
                    thing.told[label].append((notes.date, page.url, cell.text))
                    break
        return True

    def relations(self) -> Iterator[Relation]:
        """Yields the relations of all that was gathered, in the order of their first pages."""
        names: dict[str, dict[str, str]] = defaultdict(dict)
        aliases: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for (_, where), things in self._groups.items():
            for name, thing in things.items():
                names[where] |= dict.fromkeys((name, *thing.aliases), name)
                if thing.aliases:
                    aliases[where][name] = tuple(sorted(thing.aliases))
        for (noun, where), things in self._groups.items():
            told = {label for thing in things.values() for label in thing.told}
            if len(things) >= MIN_ROWS and told:
                yield _relation(_DOMAIN_OF[noun], where, things, names[where], aliases[where])


def read_thing(page: RawPage) -> tuple[PageNotes, str] | None:
    """Reads what a page says of one thing, and in which place that is; None: it is about none."""
    text = read_html(page.html).text
    if not _WHERE.search(text):
        return None
    notes = read_open(f"{one_line(page.title)} | {page.url} | part 1 of 1\n{text}")
    if notes is None or notes.noun not in _DOMAIN_OF:
        return None
    found = re.search(rf"(?:: | is an? ){re.escape(notes.noun)} in ([^.\n|]{{1,60}})", text)
    return (notes, found[1].strip()) if found else None


def _relation(
    domain: Domain,
    where: str,
    things: Mapping[str, _Thing],
    names: Mapping[str, str],
    aliases: Mapping[str, tuple[str, ...]],
) -> Relation:
    shown = [
        a for a in domain.attributes if any(a.label in thing.told for thing in things.values())
    ]
    urls = tuple(url for thing in things.values() for url in thing.urls)
    number = {url: i for i, url in enumerate(urls)}
    rows, at = [], []
    for name, thing in things.items():
        cells, places = [name], [tuple(number[url] for url in thing.urls)]
        for attribute in shown:
            cell, sources = _newest(thing.told[attribute.label], attribute, names)
            cells.append(cell)
            places.append(tuple(number[url] for url in sources))
        rows.append(tuple(cells))
        at.append(tuple(places))
    return Relation(
        id=f"things:{domain.noun}:{where}",
        place=f"{domain.plural} in {where}",
        part="",
        group=where.casefold(),
        fields=(
            Field(domain.header, "text"),
            *(
                _field(a, [c for t in things.values() for _, _, c in t.told[a.label]])
                for a in shown
            ),
        ),
        keys=(0,),
        rows=tuple(rows),
        urls=urls,
        at=tuple(at),
        aliases={cell: aliases[cell] for row in rows for cell in row if cell in aliases},
    )


def _field(attribute: Attribute, told: Iterable[str]) -> Field:
    if attribute.kind == "date":
        return Field(attribute.label, "year" if all(map(_YEAR.fullmatch, told)) else "date")
    if attribute.kind == "number":
        return Field(attribute.label, "number", "" if attribute.unit in COUNTED else attribute.unit)
    return Field(attribute.label, "text")


def _newest(
    told: Iterable[tuple[str, str, str]], attribute: Attribute, names: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Returns the cell that the newest page has, and all pages that say the same."""
    read = [(date, url, cell_of(text, attribute, names)) for date, url, text in told]
    if not read:
        return "", []
    cell = max(read)[2]
    return cell, [url for _, url, other in read if other == cell]


def cell_of(text: str, attribute: Attribute, names: Mapping[str, str]) -> str:
    """Writes what a page says of an attribute as a gold cell; blank when it is unknown."""
    text = text.strip()
    if not text or text.casefold() == UNKNOWN:
        return ""
    if attribute.kind == "number":
        size = convert_number(text, attribute.unit)
        return "" if size is None else write_number(size)
    if attribute.kind == "date" and not _YEAR.fullmatch(text):
        day = read_date(text)
        return "" if day is None else day.isoformat()
    return names.get(text, text)
