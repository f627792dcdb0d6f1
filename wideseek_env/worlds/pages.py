"""Renders a region as HTML pages: portal, lists over several pages, pages about entities.

What is true and what each page claims is decided in `region.py` and `copies.py`; here it is only
written down, in info boxes, sentences or both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from random import Random

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.worlds.copies import Copies, Copy
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.filler import filler_sentences
from wideseek_env.worlds.presets import Preset
from wideseek_env.worlds.questions import LIST_TITLE, column_label
from wideseek_env.worlds.region import Entity, Region, attributes_of, slug
from wideseek_env.worlds.schema import Attribute, Domain, Value, inflect, with_article
from wideseek_env.worlds.values import UNKNOWN, day_text, gold_text, page_text


def listed_attributes(domain: Domain, preset: Preset) -> tuple[Attribute, ...]:
    """Returns the attributes that list pages show beside the name."""
    shown = attributes_of(domain, preset)
    categories = [attribute for attribute in reversed(shown) if attribute.kind == "category"]
    return tuple(categories[: preset.list_columns])  # the province comes last


def list_url(region: Region, domain: Domain, number: int) -> str:
    """Returns the URL of one page of a list, numbered from 1."""
    return f"{region.url}/{slug(domain.plural)}/{number}"


def num_list_pages(size: int, preset: Preset) -> int:
    """Returns on how many pages the list of `size` entities stands."""
    return -(-size // preset.list_size)


class Renderer:
    """Writes the pages of one region.

    Args:
        region: the data base.
        copies: which page states what.
        preset: says how pages look.
        rng: source of all draws; the pages come out equal only when rendered all and in order.
    """

    def __init__(self, region: Region, copies: Copies, preset: Preset, rng: Random) -> None:
        self._region = region
        self._copies = copies
        self._preset = preset
        self._rng = rng

    def pages(self) -> Iterator[RawPage]:
        """Yields every page of the region: the portal, then each list with its entities."""
        if not self._preset.compact:
            yield self._portal()
        for domain in DOMAINS.values():
            yield from self._lists(domain)
            for entity in self._region.entities[domain.key]:
                for copy in self._copies.of[entity.name]:
                    yield self._compact(copy) if self._preset.compact else self._full(copy)

    def _portal(self) -> RawPage:
        lists = "".join(
            f"<li>{_link(list_url(self._region, domain, 1), domain.plural.capitalize())}</li>"
            for domain in DOMAINS.values()
        )
        name = self._region.name
        body = f"<p>{name} has five provinces: {', '.join(self._region.provinces)}.</p>"
        return self._page(self._region.url, name, f"{body}<h2>Lists</h2><ul>{lists}</ul>", ())

    def _lists(self, domain: Domain) -> Iterator[RawPage]:
        entities = in_list_order(self._region.entities[domain.key])
        size = self._preset.list_size
        num = num_list_pages(len(entities), self._preset)
        write = self._compact_list if self._preset.compact else self._full_list
        named = LIST_TITLE.format(plural=domain.plural, region=self._region.name)
        for number in range(1, num + 1):
            some = entities[(number - 1) * size : number * size]
            title = f"{named}, page {number} of {num}"
            following = list_url(self._region, domain, number + 1) if number < num else ""
            yield write(domain, list_url(self._region, domain, number), title, some, following)

    def _compact_list(
        self, domain: Domain, url: str, title: str, entities: Sequence[Entity], following: str
    ) -> RawPage:
        lines = [_link(entity.url, entity.name) for entity in entities]
        if following:
            lines.append(_link(following, "next page"))
        return _document(url, title, "".join(f"<p>{line}</p>" for line in lines))

    def _full_list(
        self, domain: Domain, url: str, title: str, entities: Sequence[Entity], following: str
    ) -> RawPage:
        listed = listed_attributes(domain, self._preset)
        rows = [
            [_link(entity.url, self._called(entity))]
            + [escape(gold_text(entity.values[attribute.key])) for attribute in listed]
            for entity in entities
        ]
        if listed:
            header = [domain.header, *(attribute.label for attribute in listed)]
            body = _table(header, rows)
        else:
            body = f"<ul>{''.join(f'<li>{row[0]}</li>' for row in rows)}</ul>"
        if following:
            body += f'<p class="next">{_link(following, "Next page")}</p>'
        return self._page(url, title, body, ())

    def _compact(self, copy: Copy) -> RawPage:
        entity = copy.entity
        lines = [f"{entity.name}: {entity.domain.noun} in {self._region.name}"]
        for attribute in attributes_of(entity.domain, self._preset):
            name, value = column_label(attribute, year_only=True), copy.facts[attribute.key]
            lines.append(f"{name}: {gold_text(value, year_only=True)}")
        return _document(copy.url, entity.name, "".join(f"<p>{escape(x)}</p>" for x in lines))

    def _full(self, copy: Copy) -> RawPage:
        entity, rng = copy.entity, self._rng
        boxed: list[tuple[str, str]] = []
        told: list[str] = []
        if entity.aliases:
            told.append(f"{entity.name} is also known as {entity.aliases[0]}.")
        shown = [a for a in attributes_of(entity.domain, self._preset) if a.key in copy.facts]
        # one page in four has no info box at all
        prose = self._preset.prose and (1.0 if rng.random() < 0.25 else self._preset.prose)
        for attribute in shown:
            value = self._value(attribute, copy.facts[attribute.key])
            if rng.random() < prose:
                told.append(self._sentence(entity, attribute, value, rng.random() < 0.5))
            else:
                boxed.append((self._label(attribute), value))
        kind = with_article(entity.domain.noun)
        region = _link(self._region.url, self._region.name)
        intro = f"<p>{escape(entity.name)} is {kind} in {region}.</p>"
        box = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in boxed)
        if box:
            intro = f'<table class="infobox">{box}</table>{intro}'
        title, notice = self._title(copy)
        sections = self._sections(entity, told)
        links = [_link(other.url, self._title(other)[0]) for other in self._copies.of[entity.name]
                 if other.url != copy.url]  # fmt: skip
        if links:
            items = "".join(f"<li>{link}</li>" for link in links)
            sections += f"<h2>Other pages</h2><ul>{items}</ul>"
        crumbs = [(list_url(self._region, entity.domain, 1), entity.domain.plural.capitalize())]
        return self._page(copy.url, title, f"{intro}{sections}<p class=note>{notice}</p>", crumbs)

    def _title(self, copy: Copy) -> tuple[str, str]:
        """Returns the title of a page about an entity, and the line that dates it."""
        entity, day = copy.entity, day_text(copy.updated)
        title = f"{entity.name} ({entity.domain.noun} in {self._region.name})"
        if copy.kind == "archive":
            return f"{title}, archived copy of {copy.updated.year}", f"Archived copy as of {day}."
        if copy.kind == "companion":
            return f"Gazetteer of {self._region.name}: {entity.name}", f"Last updated: {day}."
        return title, f"Last updated: {day}."

    def _sections(self, entity: Entity, told: Sequence[str]) -> str:
        """Writes the body of a page: facts in sentences, among sentences without."""
        filler = filler_sentences(escape(entity.name), self._preset.filler, self._rng)
        cut = self._rng.randint(len(filler) // 3, len(filler))
        before, after = " ".join(filler[:cut]), " ".join(filler[cut:])
        facts = f"<h2>Facts</h2><p>{' '.join(told)}</p>" if told else ""
        return f"<p>{before}</p>{facts}<h2>Around</h2><p>{after}</p>"

    def _label(self, attribute: Attribute) -> str:
        varied = attribute.other_label and self._rng.random() < self._preset.formats
        return attribute.other_label if varied else attribute.label

    def _value(self, attribute: Attribute, value: Value) -> str:
        """Returns a value as HTML; a relation's value links to the page it leads to."""
        if attribute.kind == "relation":
            target = self._region.by_name[str(value)]
            return _link(target.url, self._called(target))
        varied = self._rng.random() < self._preset.formats
        return escape(page_text(attribute, value, self._rng if varied else None))

    def _called(self, entity: Entity) -> str:
        """Returns the name of an entity, or its alias."""
        if entity.aliases and self._rng.random() < 0.5:
            return entity.aliases[0]
        return entity.name

    def _sentence(self, entity: Entity, attribute: Attribute, value: str, first: bool) -> str:
        pronoun = entity.domain.pronoun
        subject = escape(entity.name) if first or not pronoun else pronoun
        return fact_sentence(attribute, subject, value)

    def _page(self, url: str, title: str, body: str, crumbs: Sequence[tuple[str, str]]) -> RawPage:
        path = _link(self._region.url, self._region.name)
        for url_up, words in crumbs:
            path += f" › {_link(url_up, words)}"
        heading = f"<nav>{path}</nav><h1>{escape(title)}</h1>"
        return _document(url, title, f"{heading}<main>{body}</main>")


def in_list_order(entities: Sequence[Entity]) -> list[Entity]:
    """Returns entities in the order of their list."""
    return sorted(entities, key=lambda entity: entity.name)


def fact_sentence(attribute: Attribute, subject: str, value: str) -> str:
    """Returns a sentence that tells one fact of `subject`, a name or "It"; value may be HTML."""
    owner = f"The {attribute.noun} of {subject}" if subject != "It" else f"Its {attribute.noun}"
    if attribute.kind == "date" and value == UNKNOWN:
        return f"It is not known when {subject if subject != 'It' else 'it'} was {attribute.verb}."
    if attribute.kind == "date":
        return f"{subject} was {attribute.verb} on {value}."
    if attribute.kind in ("category", "relation"):
        phrase = inflect(attribute.phrases["equals"][0], plural=False)
        return f"{subject} {phrase.format(a=value)}."
    return f"{owner} is {value}."


def _link(url: str, words: str) -> str:
    return f'<a href="{url}">{escape(words)}</a>'


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _document(url: str, title: str, body: str) -> RawPage:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/style.css"></head>'
        f"<body>{body}</body></html>"
    )
    return RawPage(url, title, html)
