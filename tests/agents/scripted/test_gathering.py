from smallweb import small_backend

from agents.scripted.gathering import Gathering
from wideseek_env.game.tools import render_hits, render_page
from wideseek_env.reading.pages import CUT, Link
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Observation, ToolResult

LENGTHS = parse_question("List the rivers in Varnia. Columns: River, Length (km).")
HOPS = parse_question(
    "List all rivers in Varnia. Give a table with the columns: River, Population of the mouth city."
)
TARGETS = [Link("Alden", "/varnia/alden"), Link("Crooked River", "/varnia/cray")]


async def run(gathering, turns=20, answer=lambda call, text: text):
    """Plays the tools; returns the calls of each turn as (name, query or URL)."""
    backend = small_backend()
    work = gathering.work(Observation("Q", 0, turns))
    made = []
    try:
        calls = next(work)
        while True:
            made.append([str(next(iter(call.arguments.values()))) for call in calls])
            results = []
            for call in calls:
                if call.name == "search":
                    hits = await backend.search(call.arguments["query"], 3)
                    text = render_hits(call.arguments["query"], hits, 100)
                else:
                    text = render_page(await backend.open(call.arguments["url"]))
                results.append(ToolResult(answer(call, text), "ok", call))
            turns -= 1
            calls = work.send(Observation("", 1, turns, tuple(results)))
    except StopIteration:
        return made


async def test_gathering_of_a_share_reads_its_list_pages_and_their_things_alone():
    gathering = Gathering(LENGTHS, share=(2, 2))
    made = await run(gathering)
    assert made == [["List of rivers in Varnia"], ["/varnia/rivers/2"], ["/varnia/cray"]]
    assert [known[()] for known in gathering.rows()] == ["Cray"]


async def test_gathering_of_a_share_beyond_the_list_ends_with_nothing():
    gathering = Gathering(LENGTHS, share=(3, 4))
    assert await run(gathering) == [["List of rivers in Varnia"]]
    assert gathering.rows() == gathering.unread() == []


async def test_gathering_reports_what_its_turns_did_not_reach():
    gathering = Gathering(LENGTHS, targets=TARGETS, max_calls=1)
    assert await run(gathering, turns=2) == [["/varnia/alden"]]
    assert gathering.unread() == TARGETS[1:]


async def test_gathering_that_is_thorough_reads_second_pages_and_else_doubts():
    quick, thorough = (Gathering(LENGTHS, targets=TARGETS, thorough=t) for t in (False, True))
    assert await run(quick) == [["/varnia/alden", "/varnia/cray"]]
    assert quick.doubtful() == [Link("Alden", "/varnia/alden")]
    assert quick.rows()[0]["Length",] == "204,000 m"
    assert (await run(thorough))[1:] == [["/varnia/alden/gazetteer"]]
    assert thorough.doubtful() == []
    assert thorough.rows()[0]["Length",] == "210 km"


async def test_gathering_begins_no_more_things_than_fit_with_their_relations():
    pages = [f"/varnia/{name}" for name in ("alden", "dorn", "brook", "cray", "esk")]
    targets = [Link(name, f"/varnia/{name.lower()}") for name in ("Alden", "Brook", "Cray")]
    roomy = Gathering(HOPS, targets=targets, max_chars=120_000)
    assert await run(roomy) == [[pages[0], pages[2], pages[3]], [pages[1], pages[4]]]
    tight = Gathering(HOPS, targets=targets, max_chars=4_000)
    assert (await run(tight))[:2] == [[pages[0]], [pages[1], pages[2], pages[3]]]


async def test_gathering_of_a_page_that_was_cut_leaves_it_unread():
    gathering = Gathering(LENGTHS, targets=TARGETS)
    await run(gathering, answer=lambda call, text: f"{text[:150]} {CUT}")
    assert gathering.unread() == TARGETS


async def test_gathering_searches_for_a_thing_without_a_url_and_takes_the_page_of_that_name():
    gathering = Gathering(LENGTHS, targets=[Link("Brook", "")])
    assert await run(gathering) == [["Brook river Varnia"], ["/varnia/brook"]]
    assert gathering.rows()[0]["Length",] == "30 km"


async def test_gathering_rules_out_before_it_follows_relations():
    question = parse_question(
        "List all rivers in Varnia that have a tidal regime. Give a table with the columns: River, "
        "Population of the mouth city."
    )
    targets = [Link("Brook", "/varnia/brook"), Link("Cray", "/varnia/cray")]
    gathering = Gathering(question, targets=targets)
    assert await run(gathering) == [["/varnia/brook", "/varnia/cray"], ["/varnia/dorn"]]
    assert gathering.ruled_out() == [Link("Cray", "/varnia/cray")]
    assert gathering.unread() == []
