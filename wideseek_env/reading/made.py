"""Reads back the English questions that synthesis makes by rules about things of closed worlds.

Like `question`, it uses the tables of phrases that the questions are made from, and sees no data.
"""

from __future__ import annotations

import re
from functools import cache

from wideseek_env.reading.parsed import Asked, Bound, ParsedQuestion, Rank, fact_of
from wideseek_env.reading.templates import either, template
from wideseek_env.tasks.synthesis.questions import ENGLISH as WORDS
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.questions import COMPACT_CLOSING
from wideseek_env.worlds.schema import COUNTED, Attribute, Domain, Operator

_COLUMN = {"column": r"(?P<column>[^“”]+)"}
_VALUES = r"(?P<value>“[^“”]+”(?: or “[^“”]+”)*|[^\s“”()]+)"
_QUOTED = re.compile("“([^“”]+)”")
_OPERATORS: dict[str, dict[str, Operator]] = {
    "date": {"is": "equals", "more": "after", "less": "before"},
    "other": {"is": "equals", "more": "more", "less": "less"},
}


def parse_made(question: str) -> ParsedQuestion | None:
    """Reads a question that `tasks.synthesis.questions` made about things; None for any other."""
    opening = next((m for p in _openings() if (m := p.match(question))), None)
    closing = next((m for p in _closings() if (m := p.search(question))), None)
    if opening is None or closing is None:
        return None
    domain = next(d for d in DOMAINS.values() if d.plural == opening["plural"])
    joined = _joined().search(question)
    through = joined["on"] if joined else ""
    separator = "; " if "; " in closing["columns"] else ", "
    with_years = WORDS.notes["year"] in question
    columns = [_asked(domain, c, through, with_years) for c in closing["columns"].split(separator)]
    said = opening["that"].removeprefix(WORDS.that.format(tests=""))
    conditions = [_clause(domain, c, through) for c in _clauses(said)] if said else []
    top = next((m for p in _tops() if (m := p.search(question))), None)
    ranked = _attribute(domain, top["column"], through) if top else None
    if None in columns or None in conditions or (top and ranked is None):
        return None
    rank = None
    if top and ranked:
        greatest = re.search("greatest|latest", top.group()) is not None
        rank = Rank(fact_of(*ranked), int(top["k"]), greatest)
    return ParsedQuestion(
        domain.noun,
        domain.plural,
        opening["region"],
        tuple(column for column in columns if column),
        tuple(condition for condition in conditions if condition),
        rank,
    )


@cache
def _openings() -> tuple[re.Pattern[str], ...]:
    plurals = either([domain.plural for domain in DOMAINS.values()])
    groups = {
        "place": rf"(?P<plural>{plurals}) in (?P<region>[A-Z]\w+)",
        "that": rf"(?P<that>(?:{re.escape(WORDS.that.format(tests=''))}.+?)?)",
    }
    # The sentence ends where another begins, or the question: values have points, too.
    return tuple(
        re.compile(template(said, groups).pattern + r"(?= [A-Z“]|$)") for said in WORDS.things
    )


@cache
def _closings() -> tuple[re.Pattern[str], ...]:
    groups = {"columns": r"(?P<columns>.+?)"}
    end = either([*WORDS.notes.values(), WORDS.verbatim, WORDS.newest])
    return tuple(
        re.compile(template(said, groups).pattern + rf"(?= (?:{end})|$)")
        for said in (*WORDS.closings, COMPACT_CLOSING)
    )


@cache
def _joined() -> re.Pattern[str]:
    groups = {"on": "(?P<on>[^“”]+)", "place": "[^“”:]+", "columns": ""}
    pattern = template(WORDS.joined_things.partition(":")[0], groups)
    return re.compile(pattern.pattern)


@cache
def _tops() -> tuple[re.Pattern[str], ...]:
    return tuple(template(said, {"k": r"(?P<k>\d{1,6})", **_COLUMN}) for said in WORDS.top.values())


@cache
def _tests() -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    groups = {**_COLUMN, "value": _VALUES}
    # "is not X" before "is X", which would take "not" for a value.
    said = sorted(WORDS.tests.items(), key=lambda each: not each[0][1])
    compared = [(op, negated, phrase) for (op, negated), phrase in said if op != "is"]
    compared += [(op, False, phrase) for op, phrase in WORDS.dated.items()]
    compared += [(op, negated, phrase) for (op, negated), phrase in said if op == "is"]
    return tuple((op, negated, template(phrase, groups)) for op, negated, phrase in compared)


def _clauses(said: str) -> list[list[str]]:
    """Splits conditions into clauses, of which all must hold, and these into tests."""
    clauses = re.split(rf"{re.escape(WORDS.and_)}(?=[“(])", said)
    return [
        re.split(rf"{re.escape(WORDS.either_end)}(?=“[^“”]+” is )", clause.strip("()"))
        for clause in clauses
    ]


def _clause(domain: Domain, tests: list[str], through: str) -> Bound | None:
    bounds = [bound for test in tests for bound in _bounds(domain, test, through)]
    if not bounds or len({bound.fact for bound in bounds}) > 1:
        return None
    first, *others = bounds
    return Bound(first.fact, first.operator, first.a, negated=first.negated, others=tuple(others))


def _bounds(domain: Domain, test: str, through: str) -> list[Bound]:
    for op, negated, pattern in _tests():
        match = pattern.fullmatch(test)
        found = _attribute(domain, match["column"], through) if match else None
        if match and found:
            operators = _OPERATORS["date" if found[1].kind == "date" else "other"]
            values = _QUOTED.findall(match["value"]) or [match["value"]]
            return [Bound(fact_of(*found), operators[op], v, negated=negated) for v in values]
    return []


def _asked(domain: Domain, label: str, through: str, with_years: bool) -> Asked | None:
    if label == domain.header:
        return Asked(label, fact_of((), None))
    found = _attribute(domain, label, through)
    if found is None:
        return None
    return Asked(label, fact_of(*found), with_years and found[1].kind == "date")


def _attribute(
    domain: Domain, label: str, through: str
) -> tuple[tuple[Attribute, ...], Attribute] | None:
    """Finds what a label is: of the thing, or of the related one that the question looks up.

    Args:
        domain: of the things.
        label: as the question has it, with its unit.
        through: the relation that is followed; "" where the text does not say: any.
    """
    own = next((a for a in domain.attributes if label == _label(a)), None)
    if own is not None:
        return (), own
    for step in domain.attributes:
        if step.kind == "relation" and through in ("", step.label):
            for attribute in DOMAINS[step.target].attributes:
                if label == _label(attribute):
                    return (step,), attribute
    return None


def _label(attribute: Attribute) -> str:
    named = attribute.kind == "number" and attribute.unit not in COUNTED
    return f"{attribute.label} ({attribute.unit})" if named else attribute.label
