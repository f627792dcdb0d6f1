import pytest
from smallweb import LENGTHS, small_backend, small_task

from agents.rollout import Job, run_episode
from agents.scripted import SoloPolicy
from wideseek_env.records import Limits, Task
from wideseek_env.scoring.tables import read_table


async def play(task: Task, n_subagents: int = 0, changes=None, **limits):
    backend = small_backend(changes)
    episode = await run_episode(
        Job(task, backend, n_subagents, limits=Limits(**limits)), SoloPolicy()
    )
    assert episode.valid, episode.error
    return episode


def rows_of(episode):
    table = read_table(episode.answer)
    return set(table.rows) if table else set()


@pytest.mark.parametrize("n_subagents", [0, 3])
async def test_solo_reads_list_things_and_newer_second_page(n_subagents):
    episode = await play(LENGTHS, n_subagents)
    assert rows_of(episode) == set(LENGTHS.gold)
    assert episode.width == min(n_subagents, 1)


async def test_solo_answers_what_an_edited_page_says():
    changes = {"/varnia/brook": ("is 30 km", "is 31,500 m"), "/varnia/cray": (">Esk<", ">Dorn<")}
    changed = rows_of(await play(LENGTHS, changes=changes))
    assert changed == {("Alden", "210", "Dorn"), ("Brook", "31.5", "Dorn"), ("Cray", "99", "Dorn")}


async def test_solo_follows_relations_for_conditions_and_columns():
    task = small_task(
        "List all rivers in Varnia that reach the sea at a city which has a population of more "
        "than 10,000. Give a table with the columns: River, Population of the mouth city.",
        ("River", "Population of the mouth city"),
    )
    assert rows_of(await play(task)) == {("Alden", "12500"), ("Brook", "12500")}


async def test_solo_takes_an_alias_for_the_thing_that_it_links_to():
    question = (
        "List all rivers in Varnia that reach the sea at the city Esk. "
        "Give a table with the columns: River."
    )
    changes = {"/varnia/cray": (">Esk<", ">Port Esk<")}
    assert rows_of(await play(small_task(question, ("River",)), changes=changes)) == {("Cray",)}


async def test_solo_leaves_unknown_values_empty_and_never_lets_them_meet_a_condition():
    columns = ("River", "First survey (year)")
    question = "List the rivers in Varnia. Columns: River, First survey (year)."
    found = rows_of(await play(small_task(question, columns)))
    assert found == {("Alden", "1911"), ("Brook", "1890"), ("Cray", "")}
    question = (
        "List all rivers in Varnia that were first surveyed after 1800. "
        "Give a table with the columns: River, First survey (year)."
    )
    found = rows_of(await play(small_task(question, columns)))
    assert found == {("Alden", "1911"), ("Brook", "1890")}


async def test_solo_ranks_by_a_fact_that_is_no_column():
    question = "List the 2 shortest rivers in Varnia. Give a table with the columns: River, Regime."
    found = rows_of(await play(small_task(question, ("River", "Regime"))))
    assert found == {("Brook", "tidal"), ("Cray", "nival")}


async def test_solo_answers_a_deep_question_hop_by_hop():
    question = (
        "What is the population of the mouth city of the river Cray in Varnia? "
        "Answer with one value; as a table, its only column is: Answer."
    )
    task = Task(
        "deep", question, small_task("", ("Answer",)).columns, ("Answer",), (("7100",),), "deep"
    )
    episode = await play(task)
    assert episode.answer == "7100"
    opened = [call.urls[0] for call in episode.tool_results() if call.call.name == "open"]
    assert opened == ["/varnia/cray", "/varnia/esk"]


async def test_solo_with_two_turns_answers_names_alone_when_they_are_rows():
    episode = await play(LENGTHS, max_lead_turns=3)
    assert rows_of(episode) == {("Alden", "", ""), ("Brook", "", ""), ("Crooked River", "", "")}


async def test_solo_stops_when_calls_are_used_up():
    episode = await play(LENGTHS, max_tool_calls=4)
    assert episode.end == "answered"
    assert episode.num_tool_calls == 4


async def test_solo_gives_up_a_question_that_no_rule_reads():
    episode = await play(small_task("Which fish can sing?", ("Fish",)))
    assert rows_of(episode) == set()
    assert episode.end == "answered"
    assert episode.num_tool_calls == 0
