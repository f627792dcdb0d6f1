"""Puts queries into English; holds the tables of phrases that the questions are made from.

`wideseek_env/reading/question.py` reads questions back with these tables and those of `domains.py`;
it sees nothing else of a world.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.presets import Preset
from wideseek_env.worlds.query import Condition, Query, Wanted, attribute_at, domain_at
from wideseek_env.worlds.schema import COUNTED, Attribute, Domain, inflect, with_article
from wideseek_env.worlds.values import bound_text

OPENINGS = (
    "List all {plural} in {region}{that}.",
    "Find all {plural} in {region}{that}.",
    "Which are the {plural} in {region}{that}?",
    "I need a complete overview of the {plural} in {region}{that}.",
    "Please collect the {plural} in {region}{that}.",
)
"""First sentence of a wide question; {that} is empty or " that ... and that ..."."""

TOP_OPENINGS = (
    "List the {k} {best} in {region}{with_}{that}.",
    "Find the {k} {best} in {region}{with_}{that}.",
    "What are the {k} {best} in {region}{with_}{that}?",
)
"""First sentence of a top-k question; {best} is "longest rivers", or {with_} tells the rank."""

TOP_WITH = {True: " with the greatest {noun}", False: " with the smallest {noun}"}
"""What {with_} says when the attribute has no adjective."""

TOP_THAT = ", among those"
"""Stands before {that} in a top-k question: the conditions come first, the rank after."""

CLOSINGS = (
    "Give a table with the columns: {columns}.",
    "Answer with a table with one row per {noun} and the columns: {columns}.",
    "The table should have these columns, in this order: {columns}.",
)
"""Last sentence of a wide question."""

COMPACT_OPENING = "List the {plural} in {region}."
COMPACT_CLOSING = "Columns: {columns}."

DIGITS_NOTE = "Write numbers as plain digits, in the units that the columns name."
UNKNOWN_NOTE = "Leave a cell empty if no page gives its value."
NEWEST_NOTE = "Where pages disagree, the one updated last is right."

DEEP_QUESTIONS = (
    "What is {wanted} of {chain}?",
    "Tell me {wanted} of {chain}.",
    "I would like to know {wanted} of {chain}.",
)
"""A deep question; {wanted} is "the length (km)", {chain} ends in the entity it begins at."""

DEEP_START = "the {noun} {name} in {region}"
DEEP_TOP_START = "the {best} in {region}{with_}"
DEEP_CLOSING = "Answer with one value; as a table, its only column is: {columns}."
DEEP_COLUMN = "Answer"

LIST_TITLE = "List of {plural} in {region}"
"""What the pages of a list are called, without the number of the page."""


def wide_question(query: Query, region_name: str, preset: Preset, rng: Random) -> str:
    """Returns a question for a query with any number of rows."""
    domain = DOMAINS[query.domain]
    columns = ", ".join(column_name(domain, wanted) for wanted in query.wanted)
    if preset.compact:
        opening = COMPACT_OPENING.format(plural=domain.plural, region=region_name)
        return f"{opening} {COMPACT_CLOSING.format(columns=columns)}"
    that = clauses(domain, query.conditions, rng)
    if query.top is None:
        opening = rng.choice(OPENINGS).format(plural=domain.plural, region=region_name, that=that)
    else:
        best, with_ = superlative(domain, query.top.key, query.top.greatest, plural=True)
        opening = rng.choice(TOP_OPENINGS).format(
            k=query.top.k, best=best, region=region_name, with_=with_,
            that=f"{TOP_THAT}{that}" if that else "",
        )  # fmt: skip
    closing = rng.choice(CLOSINGS).format(noun=domain.noun, columns=columns)
    return " ".join([opening, *_notes(preset), closing])


def deep_question(query: Query, region_name: str, preset: Preset, rng: Random) -> str:
    """Returns a question for a query with one value for an answer."""
    domain, wanted = DOMAINS[query.domain], query.wanted[0]
    if query.top is None:
        chain = DEEP_START.format(noun=domain.noun, name=query.start, region=region_name)
    else:
        best, with_ = superlative(domain, query.top.key, query.top.greatest, plural=False)
        chain = DEEP_TOP_START.format(best=best, region=region_name, with_=with_)
    for position, key in enumerate(wanted.path):
        chain = attribute_at(domain, wanted.path[:position], key).chain.format(x=chain)
    attribute = attribute_at(domain, wanted.path, wanted.key)
    label = column_label(attribute, year_only=wanted.year_only)
    question = rng.choice(DEEP_QUESTIONS).format(
        wanted=f"the {label[0].lower()}{label[1:]}", chain=chain
    )
    closing = (COMPACT_CLOSING if preset.compact else DEEP_CLOSING).format(columns=DEEP_COLUMN)
    return " ".join([question, *_notes(preset), closing])


def _notes(preset: Preset) -> list[str]:
    notes = [] if preset.compact else [DIGITS_NOTE]
    if preset.unknown:
        notes.append(UNKNOWN_NOTE)
    if preset.archives or preset.newer:
        notes.append(NEWEST_NOTE)
    return notes


def clauses(domain: Domain, conditions: Sequence[Condition], rng: Random) -> str:
    """Returns " that ..., that ... and that ...", or nothing."""
    said = [f"that {_clause(domain, condition, rng)}" for condition in conditions]
    if not said:
        return ""
    return " " + " and ".join([", ".join(said[:-1]), said[-1]] if said[:-1] else said)


def _clause(domain: Domain, condition: Condition, rng: Random) -> str:
    attribute = attribute_at(domain, condition.path, condition.key)
    phrase = rng.choice(attribute.phrases[condition.operator]).format(
        a=bound_text(attribute, condition.a), b=bound_text(attribute, condition.b)
    )
    clause = inflect(phrase, plural=not condition.path)
    for position in reversed(range(len(condition.path))):
        owner, key = domain_at(domain, condition.path[:position]), condition.path[position]
        link = owner.attribute(key)
        verb = inflect(link.verb, plural=position == 0)
        clause = f"{verb} {with_article(DOMAINS[link.target].noun)} which {clause}"
    return clause


def superlative(domain: Domain, key: str, greatest: bool, *, plural: bool) -> tuple[str, str]:
    """Returns ("longest rivers", ""), or ("rivers", " with the greatest basin area")."""
    attribute = domain.attribute(key)
    noun = domain.plural if plural else domain.noun
    adjective = attribute.most if greatest else attribute.least
    if adjective:
        return f"{adjective} {noun}", ""
    return noun, TOP_WITH[greatest].format(noun=attribute.noun)


def column_label(attribute: Attribute, *, year_only: bool = False) -> str:
    """Returns "Length (km)", "Opened (year)", "Opened (YYYY-MM-DD)"; counts have no unit."""
    return attribute.label + _wanted_format(attribute, year_only)


def column_name(domain: Domain, wanted: Wanted) -> str:
    """Returns the header of a column: "River", "Length (km)", "Length of the river (km)"."""
    end = domain_at(domain, wanted.path)
    if wanted.key == "name":
        return end.header
    attribute = end.attribute(wanted.key)
    owners = "".join(
        f" of the {attribute_at(domain, wanted.path[:position], key).noun}"
        for position, key in reversed(list(enumerate(wanted.path)))
    )
    return attribute.label + owners + _wanted_format(attribute, wanted.year_only)


def _wanted_format(attribute: Attribute, year_only: bool) -> str:
    if attribute.kind == "date":
        return " (year)" if year_only else " (YYYY-MM-DD)"
    if attribute.kind == "number" and attribute.unit not in COUNTED:
        return f" ({attribute.unit})"
    return ""
