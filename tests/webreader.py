"""A tiny reader of a closed world's HTML, for oracles: it knows pages, and no data base."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from lxml import html as lxml_html

from wideseek_env.reading.parsed import Asked, ParsedQuestion
from wideseek_env.reading.question import canonical_label, read_prose, related_noun
from wideseek_env.reading.writing import read_date
from wideseek_env.worlds import World


@dataclass
class Thing:
    """What all pages about one thing say together, the newest page first believed."""

    name: str
    noun: str
    also: set[str] = field(default_factory=set)
    facts: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Label to (day of the page, value)."""
    links: dict[str, str] = field(default_factory=dict)
    """Words of a link to its URL."""


class Web:
    """All pages of a world, parsed, and the world that tasks are drawn from."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pages = {page.url: lxml_html.fromstring(page.html) for page in world.pages()}
        self.things: dict[str, Thing] = {}
        self.titles = {url: tree.findtext(".//title") for url, tree in self.pages.items()}

    def text(self, url: str) -> str:
        body = self.pages[url].find("body")
        return re.sub(r"\s+", " ", " ".join(body.itertext()))

    def listed(self, title: str) -> list[str]:
        """Returns the URLs that all pages of a list link to, found by title alone."""
        found: list[str] = []
        for url, name in self.titles.items():
            if re.fullmatch(rf"{re.escape(title)}, page \d+ of \d+", name):
                tree = self.pages[url]
                found += [
                    a.get("href") for a in tree.iter("a") if a.getparent().tag in ("li", "td")
                ]
                found += [
                    a.get("href")
                    for a in tree.iter("a")
                    if tree.find(".//main") is None and a.text != "next page"
                ]
        return list(dict.fromkeys(found))

    def thing(self, url: str, noun: str) -> Thing:
        """Reads the main page of a thing and the other pages that it links to."""
        if url in self.things:
            return self.things[url]
        first = (self.pages[url].findtext(".//h1") or self.titles[url]).partition(" (")[0]
        thing = Thing(first, noun)
        about = [a.get("href") for a in self.pages[url].iter("a")]
        for page in [url, *[link for link in about if link.startswith(url + "/")]]:
            self._read(page, thing)
        self.things[url] = thing
        return thing

    def _read(self, url: str, thing: Thing) -> None:
        tree, noun = self.pages[url], thing.noun
        text = self.text(url)
        dated = re.search(r"(?:Last updated: |as of )(.+?)\.", text)
        day = read_date(dated[1]).toordinal() if dated else 0
        said: dict[str, str] = {}
        for row in tree.iter("tr"):
            said[row.find("th").text_content()] = row.find("td").text_content()
        for paragraph in tree.iter("p"):
            line = paragraph.text_content()
            if tree.find(".//main") is None and ": " in line:
                said.update([line.split(": ", 1)])
            for label, value in read_prose(noun, line).items():
                said[label] = value
        if "Also known as" in said:
            thing.also.add(said["Also known as"])
        for label, value in said.items():
            known = canonical_label(noun, label)
            if known and day >= thing.facts.get(known, (-1, ""))[0]:
                thing.facts[known] = (day, value)
        for anchor in tree.iter("a"):
            thing.links[anchor.text_content()] = anchor.get("href")


@cache
def web_of(preset: str) -> Web:
    """Returns the web of a test world of one region, shared by all tests."""
    return Web(World(preset, seed=5, split="test", num_pages=1))


def answer_from_pages(web: Web, question: ParsedQuestion) -> list[tuple[str, ...]]:
    """Returns the table that a reader of all pages would write, in no special order."""
    urls = web.listed(question.list_title)
    things = [web.thing(url, question.noun) for url in urls]
    if question.start:
        things = [thing for thing in things if thing.name == question.start]
    rows: list[tuple[float, tuple[str, ...]]] = []
    for thing in things:
        known = {fact.at: _follow(web, question.region, thing, fact.at) for fact in question.facts}
        if not question.matches(known):
            continue
        order = 0.0
        if question.rank:
            value = question.rank.fact.read(known[question.rank.fact.at])
            if value is None:
                continue
            order = -value if question.rank.greatest else value
        rows.append((order, tuple(_cell(column, thing, known) for column in question.columns)))
    rows.sort()
    return [row for _, row in rows][: question.rank.k if question.rank else None]


def _cell(column: Asked, thing: Thing, known: dict[tuple[str, ...], str]) -> str:
    return column.write(known[column.fact.at]) if column.fact.at else thing.name


def _follow(web: Web, region: str, thing: Thing, labels: tuple[str, ...]) -> str:
    for label in labels[:-1]:
        noun = related_noun(thing.noun, label)
        thing = _related(web, region, thing, label, noun)
    value = thing.facts.get(labels[-1], (0, ""))[1]
    noun = related_noun(thing.noun, labels[-1])
    return _related(web, region, thing, labels[-1], noun).name if noun else value


def _related(web: Web, region: str, thing: Thing, label: str, noun: str) -> Thing:
    called = thing.facts[label][1]
    url = thing.links.get(called) or f"/{region}/{called}".lower()  # compact pages have no links
    return web.thing(url, noun)
