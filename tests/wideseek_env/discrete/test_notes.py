import pytest

from wideseek_env.discrete.messages import (
    list_line,
    new_line,
    other_line,
    read_lines,
    read_subtask,
    short_question,
    take_lines,
    whole_lines,
    write_report,
    write_subtask,
)
from wideseek_env.discrete.notes import ARCHIVED, UNDATED, Notes
from wideseek_env.reading.pages import CUT
from wideseek_env.reading.question import parse_question

QUESTION = (
    "List all mountains in Varnia that have a height of more than 2,000 m. Write numbers as plain "
    "digits, in the units that the columns name. Give a table with the columns: Mountain, Height "
    "(m), Rock, Province."
)
HEIGHT, ROCK, PROVINCE = ("Height",), ("Rock",), ("Province",)
MAIN = """Mount Iro (mountain in Varnia) | /varnia/mount-iro | part 1 of 1
[Varnia](/varnia) › [Mountains](/varnia/mountains/1)

Height | 2,400 m
Rock | granite

Mount Iro is a mountain in [Varnia](/varnia).
Last updated: 3 May 2018.
- [Gazetteer of Varnia: Mount Iro](/varnia/mount-iro/gazetteer)
- [Mount Iro (mountain in Varnia), archived copy of 2010](/varnia/mount-iro/archive-2010)"""
OTHER = """Gazetteer of Varnia: Mount Iro | /varnia/mount-iro/gazetteer | part 1 of 1
Mount Iro is a mountain in [Varnia](/varnia).
Its height is 1,900 m. Last updated: 1 June 2024."""
LIST = """List of mountains in Varnia, page 2 of 3 | /varnia/mountains/2 | part 1 of 1
[Varnia](/varnia)

Mountain | Province
[Mount Iro](/varnia/mount-iro) | Skend
[Mount Ulo](/varnia/mount-ulo) | Brand

[Next page](/varnia/mountains/3)"""
SEARCH = """search: Mount Ulo
1. Mount Ulo (mountain in Varnia) | /varnia/mount-ulo
# Mount Ulo / Height | 2,100 m / Rock | basalt / Mount Ulo is a mountain in Varnia. / Its gla…
2. Mount Iro (mountain in Varnia), archived copy of 2010 | /varnia/mount-iro/archive-2010
Height | 2,390 m / Rock | slate / Province | Brand
3. Mount Far (mountain in Elsewhere) | /elsewhere/mount-far
Height | 3,000 m"""


@pytest.fixture
def notes() -> Notes:
    question = parse_question(QUESTION)
    assert question is not None
    return Notes(question)


def values(notes: Notes, url: str) -> dict[tuple[str, ...], str]:
    return {at: fact.value.text for at, fact in notes.rows[url].facts.items()}


def test_pages_give_facts_verdicts_and_unread_pages(notes: Notes) -> None:
    notes.take_page(MAIN)
    row = notes.rows["/varnia/mount-iro"]
    assert values(notes, row.url) == {HEIGHT: "2,400 m", ROCK: "granite"}
    assert (row.verdict, row.missing) == (True, 1)
    assert row.newest == "2018-05-03"
    assert row.others == ["/varnia/mount-iro/gazetteer"]  # archived copies are never newer


def test_compact_page_whose_title_has_no_region_is_known_by_the_list(notes: Notes) -> None:
    page = (
        "Mount Iro | /varnia/mount-iro | part 1 of 1\nMount Iro: mountain in Varnia\nRock: granite"
    )
    notes.take_page(page)
    assert not notes.rows  # maybe a namesake elsewhere
    notes.take_page(LIST)
    notes.take_page(page)
    assert values(notes, "/varnia/mount-iro")[ROCK] == "granite"


def test_newer_page_outweighs_older_one_in_any_order(notes: Notes) -> None:
    for texts in ((MAIN, OTHER), (OTHER, MAIN)):
        for text in texts:
            notes.take_page(text)
        row = notes.rows["/varnia/mount-iro"]
        assert values(notes, row.url)[HEIGHT] == "1,900 m"
        assert row.verdict is False
        assert not row.others


def test_list_gives_rows_their_facts_and_the_other_pages(notes: Notes) -> None:
    notes.take_page(LIST)
    assert list(notes.rows) == ["/varnia/mount-iro", "/varnia/mount-ulo"]
    assert values(notes, "/varnia/mount-ulo") == {PROVINCE: "Brand"}
    assert notes.lists == {i: f"/varnia/mountains/{i}" for i in (1, 2, 3)}
    assert notes.lists_read == {2}


def test_snippets_give_facts_that_any_dated_page_outweighs(notes: Notes) -> None:
    notes.take_page(MAIN)
    notes.take_search(SEARCH)
    assert values(notes, "/varnia/mount-ulo") == {HEIGHT: "2,100 m", ROCK: "basalt"}
    assert notes.rows["/varnia/mount-ulo"].facts[ROCK].date == UNDATED
    iro = notes.rows["/varnia/mount-iro"]
    assert values(notes, iro.url) == {HEIGHT: "2,400 m", ROCK: "granite", PROVINCE: "Brand"}
    assert iro.facts[PROVINCE].date == ARCHIVED
    assert "/elsewhere/mount-far" not in notes.rows
    assert [notes.is_about(hit) for hit in notes.hits] == [True, True, False]


def test_report_carries_all_that_matters_to_another_agents_notes(notes: Notes) -> None:
    for text in (LIST, MAIN):
        notes.take_page(text)
    notes.take_search(SEARCH)
    notes.rule_out(notes.row("Mount Out", "/varnia/mount-out"))
    notes.row("Mount New", "/varnia/mount-new")
    theirs = Notes(notes.question)
    assert take_lines(theirs, read_lines(whole_lines(write_report(notes, 4)))) == 4
    assert theirs.lists_read == {2}
    assert theirs.rows["/varnia/mount-out"].verdict is False
    assert not theirs.rows["/varnia/mount-new"].facts
    for url in ("/varnia/mount-iro", "/varnia/mount-ulo"):
        mine, other = notes.rows[url], theirs.rows[url]
        assert values(theirs, url) == values(notes, url)
        assert {at: f.date for at, f in mine.facts.items()} == {
            at: f.date for at, f in other.facts.items()
        }
        assert (mine.name, mine.verdict, mine.newest, mine.others) == (
            other.name, other.verdict, other.newest, other.others,
        )  # fmt: skip


def test_report_that_the_context_cut_loses_its_last_line_alone(notes: Notes) -> None:
    notes.take_page(MAIN)
    notes.row("Mount New", "/varnia/mount-new")
    cut = whole_lines(f"{write_report(notes, 2)[:-30]} {CUT}")
    theirs = Notes(notes.question)
    assert take_lines(theirs, read_lines(cut)) == 2
    assert list(theirs.rows) == ["/varnia/mount-new"]
    assert read_lines(whole_lines(f"calls | {CUT}")) == ()


def test_subtask_is_read_as_it_was_written(notes: Notes) -> None:
    notes.take_page(LIST)
    notes.take_page(MAIN)
    rows = list(notes.rows.values())
    lines = [*list_line(notes), *new_line(rows[1:]), other_line(rows[0])]
    question = short_question(QUESTION, ["Mountain", "Rock"])
    assert len(question) < len(QUESTION) / 2
    subtask = read_subtask(write_subtask(question, "check", lines, (2, 3), 7))
    assert subtask is not None
    assert (subtask.part, subtask.share, subtask.calls) == ("check", (2, 3), 7)
    assert [fact.at for fact in subtask.question.facts] == [HEIGHT, ROCK]  # what decides first
    theirs = Notes(subtask.question)
    take_lines(theirs, subtask.lines)
    assert theirs.rows["/varnia/mount-iro"].others == ["/varnia/mount-iro/gazetteer"]
    assert theirs.lists[3] == "/varnia/mountains/3"


@pytest.mark.parametrize("text", ["", "Find the rivers.", f"{QUESTION}\nlist | 1", "part | x"])
def test_text_of_another_form_is_no_subtask(text: str) -> None:
    assert read_subtask(text) is None
