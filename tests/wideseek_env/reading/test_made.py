"""Made questions, read back by rules: against hand-written readings, and by playing them."""

from pathlib import Path

import pytest

from agents.rollout import Job, rollout
from agents.scripted import SoloPolicy
from wideseek_env.reading.made import parse_made
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Limits
from wideseek_env.tasks.source import TaskSource
from wideseek_env.tasks.synthesis.drafts import DraftRules
from wideseek_env.tasks.synthesis.stages import Synthesis
from wideseek_env.worlds import World
from wideseek_env.worlds.files import write_world

NOTES = "Write numbers as digits. Leave what is unknown blank; where pages disagree, the one"
JOINED = "“Mouth city” is one of the cities in Varnia: the column “Population” is about that one."


def matches(question: str, **values: str) -> bool | None:
    parsed = parse_question(question)
    assert parsed is not None
    return parsed.matches({(k.replace("_", " "),): v for k, v in values.items()})


@pytest.mark.parametrize(
    ("tests", "met", "not_met"),
    [
        ("“Length (km)” is more than 30.5", "31 km", "30.5 km"),
        ("“Length (km)” is less than 30", "29,999 m", "30 km"),
        ("“Length (km)” is at most 30", "30 km", "31 km"),
        ("“Length (km)” is at least 30", "30 km", "29 km"),
        ("(“Length (km)” is less than 3 or “Length (km)” is more than 9)", "10 km", "5 km"),
        ("“Length (km)” is not 30", "31 km", "unknown"),
    ],
)
def test_conditions_on_numbers(tests: str, met: str, not_met: str) -> None:
    question = f"List all rivers in Varnia for which {tests}. Columns: River."
    assert matches(question, Length=met)
    assert matches(question, Length=not_met) is False


@pytest.mark.parametrize(
    ("tests", "met", "not_met"),
    [
        ("“Regime” is “tidal”", "tidal", "nival"),
        ("“Regime” is “tidal” or “nival”", "nival", "karstic"),
        ("“Regime” is not “tidal”", "nival", "tidal"),
    ],
)
def test_conditions_on_texts(tests: str, met: str, not_met: str) -> None:
    question = f"Find every one of the rivers in Varnia for which {tests}. Columns: River."
    assert matches(question, Regime=met)
    assert matches(question, Regime=not_met) is False
    assert not matches(question, Regime="unknown")


@pytest.mark.parametrize(
    ("tests", "met", "not_met"),
    [
        ("“First survey” is after 1850-05-02", "3 May 1850", "2 May 1850"),
        ("“First survey” is before 1850", "31 December 1849", "1 January 1850"),
        ("“First survey” is after 1850", "1 January 1851", "31 December 1850"),
    ],
)
def test_conditions_on_dates(tests: str, met: str, not_met: str) -> None:
    question = f"I need a complete list of the rivers in Varnia for which {tests}. Columns: River."
    assert matches(question, First_survey=met)
    assert matches(question, First_survey=not_met) is False


def test_a_rank_and_a_join() -> None:
    parsed = parse_made(
        f"List all rivers in Varnia for which “Regime” is “tidal” and “Population” is more than 7. "
        f"{JOINED} Of these, take only the 4 with the earliest “First survey”. Give a table with "
        f"the columns: River, Mouth city, Population, First survey. {NOTES}"
    )
    assert parsed is not None
    assert (parsed.noun, parsed.region, parsed.start) == ("river", "Varnia", "")
    assert [bound.fact.at for bound in parsed.conditions] == [
        ("Regime",),
        ("Mouth city", "Population"),
    ]
    assert [column.fact.at for column in parsed.columns] == [
        (),
        ("Mouth city",),
        ("Mouth city", "Population"),
        ("First survey",),
    ]
    assert parsed.rank is not None
    assert (parsed.rank.fact.at, parsed.rank.k, parsed.rank.greatest) == (
        ("First survey",),
        4,
        False,
    )


@pytest.mark.parametrize(
    "question",
    [
        "List all rivers in Varnia for which “Depth” is more than 3. Columns: River.",
        "List all rivers in Varnia for which it rains. Columns: River.",
        "List all goats in Varnia. Columns: Goat.",
        "List all rivers in Varnia for which “Length (km)” is more than 3.",
        "Please list all rivers in Varnia for which “Length (km)” is more than 3. Columns: Riv.",
    ],
)
def test_other_questions_are_not_read(question: str) -> None:
    assert parse_question(question) is None


@pytest.mark.parametrize("preset", ["easy", "missing"])
async def test_an_agent_with_time_answers_made_tasks_exactly(preset: str, tmp_path: Path) -> None:
    write_world(World(preset, 1), tmp_path / "pages.jsonl")
    rules = DraftRules(broad=True, test_share=0.0)
    Synthesis(tmp_path / "pages.jsonl", tmp_path / "made", 25, rules).run()
    source = TaskSource.file(tmp_path / "made" / "tasks.jsonl", str(tmp_path / "pages.jsonl"))
    limits = Limits(max_lead_turns=500, max_context_chars=10**7)
    jobs = [Job(each.task, each.backend, n_subagents=0, limits=limits) for each in source]
    async for episode in rollout(jobs, SoloPolicy()):
        assert episode.score is not None
        assert episode.score.item_f1 == 1.0, episode.task.question
