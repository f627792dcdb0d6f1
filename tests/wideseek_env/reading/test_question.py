"""Questions are read back exactly, and what they ask is answered by the pages alone."""

from __future__ import annotations

import datetime
from random import Random

import pytest
from webreader import answer_from_pages, web_of

from wideseek_env.reading.parsed import Asked, Bound, NeededFact, ParsedQuestion
from wideseek_env.reading.question import canonical_label, parse_question, read_prose, related_noun
from wideseek_env.worlds import PRESETS, World
from wideseek_env.worlds.domains import DOMAINS
from wideseek_env.worlds.drawing import draw_deep, draw_wide
from wideseek_env.worlds.query import Query, domain_at
from wideseek_env.worlds.questions import deep_question, wide_question


@pytest.mark.parametrize("preset", list(PRESETS))
def test_parse_question_thousands_of_questions_gives_back_the_query(preset):
    world, rng = World(preset, seed=11), Random(preset)
    region = world._region(0).region
    for _ in range(200):
        query = draw_wide(region, world.preset, rng)
        parsed = parse_question(wide_question(query, region.name, world.preset, rng))
        _assert_same(parsed, query, region.name)
    for _ in range(60):
        query = draw_deep(region, world.preset, rng)
        parsed = parse_question(deep_question(query, region.name, world.preset, rng))
        _assert_same(parsed, query, region.name)
        assert parsed.start == query.start


def _assert_same(parsed: ParsedQuestion | None, query: Query, region: str) -> None:
    domain = DOMAINS[query.domain]
    assert parsed is not None
    assert (parsed.noun, parsed.region) == (domain.noun, region)
    assert [column.fact.at for column in parsed.columns] == [
        _labels(domain, wanted.path, wanted.key) for wanted in query.wanted
    ]
    assert [column.year_only for column in parsed.columns] == [w.year_only for w in query.wanted]
    assert [
        (condition.fact.at, condition.operator, _bound(condition.a), _bound(condition.b))
        for condition in parsed.conditions
    ] == [
        (_labels(domain, c.path, c.key), c.operator, _value(c.a), _value(c.b))
        for c in query.conditions
    ]
    assert (parsed.rank is None) == (query.top is None)
    if parsed.rank and query.top:
        assert parsed.rank.fact.at == _labels(domain, (), query.top.key)
        assert (parsed.rank.k, parsed.rank.greatest) == (query.top.k, query.top.greatest)


def _labels(domain, path, key):
    labels = [domain_at(domain, path[:i]).attribute(step).label for i, step in enumerate(path)]
    end = domain_at(domain, path)
    return (*labels, *([end.attribute(key).label] if key != "name" else []))


def _bound(said: str) -> str:
    number = said.replace(",", "").split(" ")[0]
    return number if number.isdigit() else said


def _value(value) -> str:
    return "" if value is None else str(getattr(value, "year", value))


@pytest.mark.parametrize("preset", list(PRESETS))
def test_gold_of_tasks_equals_what_the_rendered_pages_say(preset):
    web = web_of(preset)
    for task in web.world.tasks(20, kind="hybrid"):
        parsed = parse_question(task.question)
        assert parsed is not None, task.question
        found = answer_from_pages(web, parsed)
        assert sorted(found) == sorted(task.gold), task.question


def test_parse_question_other_text_gives_none():
    for text in (
        "",
        "Who wrote Hamlet?",
        "The table of Stages from 2008 Vuelta a Mallorca, columns Stage, Winner.",
        "List all dragons in Varnia. Give a table with the columns: Dragon.",
        "List all rivers in Varnia. Give a table with the columns: River, Wingspan (m).",
        "List all rivers in Varnia that sing. Give a table with the columns: River.",
        "What is the wingspan (m) of the river crossed by the bridge X in Varnia? Answer.",
    ):
        assert parse_question(text) is None, text


def test_matches_missing_fact_gives_none_until_a_condition_fails():
    question = parse_question(
        "Find all bridges in Varnia that are longer than 1,200 m and that cross a river which has "
        "a tidal regime. Give a table with the columns: Bridge, Length of the river (km)."
    )
    length, regime = ("Length",), ("River", "Regime")
    assert question.matches({}) is None
    assert question.matches({length: "1.3 km"}) is None
    assert question.matches({length: "1.1 km"}) is False
    assert question.matches({length: "unknown"}) is False
    assert question.matches({length: "1.3 km", regime: "tidal"}) is True
    assert question.matches({length: "1.3 km", regime: "nival"}) is False
    assert question.list_title == "List of bridges in Varnia"
    assert [fact.at for fact in question.facts] == [length, regime, ("River", "Length")]


@pytest.mark.parametrize(
    ("operator", "text", "expected"),
    [
        ("after", "1 January 1951", True),
        ("after", "1950-12-31", False),
        ("before", "Dec 31, 1949", True),
        ("during", "31 December 1960", True),
        ("during", "1961-01-01", False),
        ("during", "unknown", False),
    ],
)
def test_holds_dates_compares_years(operator, text, expected):
    bound = Bound(NeededFact(("Opened",), "date"), operator, "1950", "1960")
    assert bound.holds(text) is expected


def test_write_gives_the_form_asked_for():
    assert Asked("Length (m)", NeededFact(("Length",), "number", "m")).write("1.25 km") == "1250"
    assert (
        Asked("Population", NeededFact(("P",), "number")).write("12.4 thousand people") == "12400"
    )
    assert (
        Asked("Cost", NeededFact(("C",), "number", "million crowns")).write("3,000,000 crowns")
        == "3"
    )
    assert (
        Asked("Opened (YYYY-MM-DD)", NeededFact(("O",), "date")).write("May 4, 1911")
        == "1911-05-04"
    )
    assert (
        Asked("Opened (year)", NeededFact(("O",), "date"), year_only=True).write("4 May 1911")
        == "1911"
    )
    assert Asked("Mayor", NeededFact(("Mayor",), "text")).write("unknown") == ""


def test_read_prose_reads_every_form_of_sentence():
    text = (
        "A bench was donated. Alden Bridge is also known as Old Crossing. Its length is 1.25 km. "
        "It crosses the river Tove. It is not known when it was opened. "
        "The clearance of Alden Bridge is unknown."
    )
    assert read_prose("bridge", text) == {
        "Also known as": "Old Crossing",
        "Length": "1.25 km",
        "River": "Tove",
        "Opened": "unknown",
        "Clearance": "unknown",
    }


def test_labels_of_pages_lead_to_labels_of_questions():
    assert canonical_label("bridge", "Opening date") == "Opened"
    assert canonical_label("bridge", "Opened (year)") == "Opened"
    assert canonical_label("bridge", "Colour") is None
    assert related_noun("film", "Studio") == "company"
    assert related_noun("film", "Genre") is None


def test_every_phrase_of_a_year_is_a_date():
    day = datetime.date(1911, 5, 4)
    fact = NeededFact(("Opened",), "date")
    assert fact.read("4 May 1911") == day.toordinal()
    assert NeededFact(("Length",), "number", "km").read("1,500 m") == 1.5
