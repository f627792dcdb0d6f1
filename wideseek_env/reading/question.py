"""Reads the questions of closed worlds by rules: what is asked, of what, and in which form.

It gets the text of a question and of pages, as a model does, and uses the tables of phrases that
questions and pages are made from. It sees no data: no names, no values, no gold. Scripted agents
call `parse_question` once and `read_prose`, `Asked.write` and `ParsedQuestion.matches` on pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from wideseek_env.backends.caching import cached
from wideseek_env.reading.made import parse_made
from wideseek_env.reading.parsed import Asked, Bound, ParsedQuestion, Rank, fact_of
from wideseek_env.reading.templates import either, template
from wideseek_env.worlds import questions as phrases
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.schema import Attribute, Domain, Operator, inflect, with_article
from wideseek_env.worlds.values import UNKNOWN

_MAX_QUESTION_CHARS = 5_000
_MAX_PROSE_CHARS = 20_000
_MAX_PROSE_BYTES = 16 << 20  # kept of what was read

NOUNS = frozenset(domain.noun for domain in DOMAINS.values())
"""Kinds of things that questions and pages are about."""


def parse_question(question: str) -> ParsedQuestion | None:
    """Reads a question about things of a closed world; None for any other."""
    if len(question) > _MAX_QUESTION_CHARS:
        return None
    return _parse_world(question) or parse_made(question)


def _parse_world(question: str) -> ParsedQuestion | None:
    first, _, rest = _SENTENCE_END.sub("\n", question, count=1).partition("\n")
    for pattern in _deep_openings():
        if match := pattern.fullmatch(first):
            return _parse_deep(match["wanted"], match["chain"])
    columns = next((m["columns"] for p in _closings() if (m := p.search(rest))), None)
    opening = next((m for p in _openings() if (m := p.fullmatch(first))), None)
    if columns is None or opening is None:
        return None
    found = opening.groupdict()
    rank = None
    if found.get("best"):
        meant = _ranks(plural=True).get((found["best"], found["with_"] or ""))
        if meant is None:
            return None
        domain, attribute, greatest = meant
        rank = Rank(fact_of((), attribute), int(found["k"]), greatest)
    else:
        domain = next(d for d in DOMAINS.values() if d.plural == found["plural"])
    said = re.split(r"(?:, | and | )that ", found["that"])[1:] if found.get("that") else []
    conditions = [_parse_clause(domain, clause) for clause in said]
    asked = [_parse_column(domain, header) for header in columns.split(", ")]
    if None in conditions or None in asked:
        return None
    return ParsedQuestion(
        domain.noun,
        domain.plural,
        found["region"],
        tuple(column for column in asked if column),
        tuple(condition for condition in conditions if condition),
        rank,
    )


def canonical_label(noun: str, label: str) -> str | None:
    """Returns the label that questions use for what a page calls `label`; None for other labels."""
    for attribute in _domain(noun).attributes:
        if label.lower() in (attribute.label.lower(), attribute.other_label.lower()):
            return attribute.label
        if label == phrases.column_label(attribute, year_only=True):
            return attribute.label
    return None


def related_noun(noun: str, label: str) -> str | None:
    """Names what a relation leads to: "river" for a bridge's "River"; None for other labels."""
    for attribute in _domain(noun).attributes:
        if attribute.kind == "relation" and attribute.label == label:
            return DOMAINS[attribute.target].noun
    return None


@cached(_MAX_PROSE_BYTES)
def read_prose(noun: str, text: str) -> Mapping[str, str]:
    """Returns the facts that sentences tell of a thing, by label; read only.

    Args:
        noun: what kind of thing the page is about.
        text: sentences without link marks. "Also known as" comes back with this label.
    """
    found: dict[str, str] = {}
    text = text[:_MAX_PROSE_CHARS]
    for label, pattern in _sentences(noun):
        if match := pattern.search(text):
            found[label] = match["a"] or UNKNOWN
    return found


ALSO_KNOWN_AS = "Also known as"
"""Label of a second name in what `read_prose` returns."""

_SENTENCE_END = re.compile(r"(?<=[.?]) ")
_REGION = r"(?P<region>[A-Z]\w+)"


def _domain(noun: str) -> Domain:
    return next(domain for domain in DOMAINS.values() if domain.noun == noun)


@cache
def _openings() -> tuple[re.Pattern[str], ...]:
    ranks = _ranks(plural=True)
    best, with_ = either([rank[0] for rank in ranks]), either([rank[1] for rank in ranks])
    groups = {
        "plural": f"(?P<plural>{either([domain.plural for domain in DOMAINS.values()])})",
        "region": _REGION,
        "k": r"(?P<k>\d{1,6})",
        "best": f"(?P<best>{best})",
        "with_": f"(?P<with_>(?:{with_})?)",
    }
    wide = [
        template(opening, groups | {"that": "(?P<that>(?: that .*)?)"})
        for opening in (*phrases.OPENINGS, phrases.COMPACT_OPENING)
    ]
    among = f"(?:{re.escape(phrases.TOP_THAT)}(?P<that> that .*))?"
    top = [template(opening, groups | {"that": among}) for opening in phrases.TOP_OPENINGS]
    return (*top, *wide)


@cache
def _closings() -> tuple[re.Pattern[str], ...]:
    groups = {"columns": "(?P<columns>.+)", "noun": r"[\w ]+"}
    templates = (*phrases.CLOSINGS, phrases.COMPACT_CLOSING)
    return tuple(re.compile(template(t, groups).pattern + "$") for t in templates)


@cache
def _ranks(*, plural: bool) -> Mapping[tuple[str, str], tuple[Domain, Attribute, bool]]:
    return {
        phrases.superlative(domain, attribute.key, greatest, plural=plural): (
            domain, attribute, greatest,
        )
        for domain in DOMAINS.values()
        for attribute in domain.attributes
        if attribute.kind in ("number", "date")
        for greatest in (True, False)
    }  # fmt: skip


@cache
def _clauses(key: str, *, plural: bool) -> tuple[tuple[Attribute, Operator, re.Pattern[str]], ...]:
    patterns = []
    for attribute in DOMAINS[key].attributes:
        bound = r"\d.*" if attribute.kind in ("number", "date") else either([*attribute.values])
        groups = {"a": f"(?P<a>{bound or '[A-Z].*'})", "b": f"(?P<b>{bound})"}
        for operator, said in attribute.phrases.items():
            for phrase in said:
                pattern = template(inflect(phrase, plural=plural), groups)
                patterns.append((attribute, operator, pattern))
    return tuple(patterns)


def _parse_clause(domain: Domain, clause: str, path: tuple[Attribute, ...] = ()) -> Bound | None:
    for attribute, operator, pattern in _clauses(domain.key, plural=not path):
        if match := pattern.fullmatch(clause):
            bounds = match.groupdict()
            return Bound(fact_of(path, attribute), operator, bounds["a"], bounds.get("b") or "")
    for attribute in domain.attributes:
        if attribute.kind == "relation":
            target = DOMAINS[attribute.target]
            verb = inflect(attribute.verb, plural=not path)
            start = f"{verb} {with_article(target.noun)} which "
            if clause.startswith(start):
                return _parse_clause(target, clause.removeprefix(start), (*path, attribute))
    return None


def _parse_column(domain: Domain, header: str) -> Asked | None:
    if header == domain.header:
        return Asked(header, fact_of((), None))
    label, _, form = header.removesuffix(")").partition(" (")
    label, *owners = label.split(" of the ")
    path: tuple[Attribute, ...] = ()
    for owner in reversed(owners):
        step = next((a for a in domain.attributes if a.noun == owner), None)
        if step is None or step.kind != "relation":
            return None
        path, domain = (*path, step), DOMAINS[step.target]
    attribute = next((a for a in domain.attributes if a.label == label), None)
    if attribute is None:
        return None
    return Asked(header, fact_of(path, attribute), form == "year")


@cache
def _deep_openings() -> tuple[re.Pattern[str], ...]:
    groups = {"wanted": "the (?P<wanted>.+?)", "chain": "(?P<chain>the .+)"}
    return tuple(template(said, groups) for said in phrases.DEEP_QUESTIONS)


def _parse_deep(wanted: str, chain: str) -> ParsedQuestion | None:
    """Reads a chain from its end, the thing it begins at, back to its first words."""
    links: list[str] = []  # "the river beside ", as said, outermost first
    while link := next((prefix for prefix in _links() if chain.startswith(prefix)), None):
        links.append(link)
        chain = chain.removeprefix(link)
    begin = _deep_start(chain)
    if begin is None:
        return None
    first, region, start, rank = begin
    path, domain = tuple[Attribute, ...](), first
    for link in reversed(links):
        step = next((a for a in domain.attributes if a.chain == link + "{x}"), None)
        if step is None:
            return None
        path, domain = (*path, step), DOMAINS[step.target]
    label, _, form = wanted.removesuffix(")").partition(" (")
    attribute = next((a for a in domain.attributes if a.noun == label), None)
    if attribute is None:
        return None
    asked = Asked(phrases.DEEP_COLUMN, fact_of(path, attribute), form == "year")
    return ParsedQuestion(first.noun, first.plural, region, (asked,), rank=rank, start=start)


@cache
def _links() -> tuple[str, ...]:
    chains = {a.chain.removesuffix("{x}") for d in DOMAINS.values() for a in d.attributes}
    return tuple(sorted(chains - {""}, key=len, reverse=True))


def _deep_start(text: str) -> tuple[Domain, str, str, Rank | None] | None:
    """Returns domain, region, name and rank of what a chain begins at; name or rank is empty."""
    groups = {
        "noun": f"(?P<noun>{either([d.noun for d in DOMAINS.values()])})",
        "name": "(?P<name>.+)",
    }
    if match := template(phrases.DEEP_START, groups | {"region": _REGION}).fullmatch(text):
        return _domain(match["noun"]), match["region"], match["name"], None
    for (best, with_), (domain, attribute, greatest) in _ranks(plural=False).items():
        groups = {"best": re.escape(best), "region": _REGION, "with_": re.escape(with_)}
        if match := template(phrases.DEEP_TOP_START, groups).fullmatch(text):
            return domain, match["region"], "", Rank(fact_of((), attribute), 1, greatest)
    return None


@cache
def _sentences(noun: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Returns each label of a domain with the pattern of a sentence that tells it."""
    end = r"(?P<a>.{1,200}?)\.(?=\s|$)"  # bounded, for texts that are made to have no end
    patterns = [(ALSO_KNOWN_AS, rf"\bis also known as {end}")]
    for attribute in _domain(noun).attributes:
        told = rf"(?:Its|The) {re.escape(attribute.noun)}(?: of [^.]{{1,200}}?)? is {end}"
        if attribute.kind == "date":
            told = (
                rf"\bwas {attribute.verb} on {end}"
                rf"|\bnot (?P<{UNKNOWN}>known) when [^.]{{1,200}}? was {attribute.verb}\."
            )
        elif attribute.kind in ("category", "relation"):
            phrase = inflect(attribute.phrases["equals"][0], plural=False)
            values = either([*attribute.values]) or ".{1,200}?"
            told = rf"\b{template(phrase, {'a': f'(?P<a>{values})'}).pattern}\.(?=\s|$)"
        patterns.append((attribute.label, told))
    return tuple((label, re.compile(pattern)) for label, pattern in patterns)
