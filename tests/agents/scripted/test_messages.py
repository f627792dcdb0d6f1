import pytest

from agents.scripted.messages import Form, Report, Subtask
from wideseek_env.reading.pages import Link
from wideseek_env.reading.question import parse_question

QUESTION = "List the rivers in Varnia. Columns: River, Length (km)."
RANKED = (
    "List the 2 longest rivers in Varnia. Write numbers as plain digits, in the units that the "
    "columns name. Give a table with the columns: River, Regime."
)
LINKS = (Link("Alden", "/a"), Link("Mount X (2)", "/m_(2)"))


@pytest.mark.parametrize(
    "subtask",
    [
        Subtask(QUESTION, share=(2, 5)),
        Subtask(QUESTION, targets=LINKS),
        Subtask(QUESTION, targets=LINKS, thorough=True),
        Subtask(QUESTION, thorough=True),
    ],
)
def test_subtask_is_read_back_as_it_was_written(subtask):
    assert Subtask.read(subtask.text()) == subtask
    assert QUESTION in subtask.text()


def test_report_is_read_back_under_the_game_s_heading():
    report = Report((("Alden", "12"), ("A | B", "")), LINKS, LINKS[:1], LINKS[1:])
    assert Report.read(f"{report.text()}\nby the way") == report


def test_report_of_nothing_says_so():
    assert Report.read(Report().text()) == Report()
    assert Report().text()


def test_form_without_a_rank_keeps_all_rows():
    question = parse_question(QUESTION)
    assert question is not None
    form = Form(question)
    row = form.write({(): "Alden", ("Length",): "204,000 m"})
    assert row == ("Alden", "204")
    assert form.answer([row, ("Brook", "")]) == [("Alden", "204"), ("Brook", "")]


def test_form_with_a_rank_carries_what_it_is_by_and_drops_it_from_the_answer():
    question = parse_question(RANKED)
    assert question is not None
    form = Form(question)
    lengths = {"Alden": "9 km", "Brook": "30,000 m", "Cray": "unknown", "Dee": "12 km"}
    rows = [
        form.write({(): name, ("Regime",): "tidal", ("Length",): text})
        for name, text in lengths.items()
    ]
    assert form.num_cells == 3
    assert form.answer(rows) == [("Brook", "tidal"), ("Dee", "tidal")]


def test_form_ranks_by_the_day_where_the_column_asks_for_the_year():
    question = parse_question(
        "List the 1 earliest first surveyed rivers in Varnia. "
        "Give a table with the columns: River, First survey (year)."
    )
    assert question is not None
    form = Form(question)
    days = {"Alden": "9 May 1911", "Brook": "2 January 1911", "Cray": "3 June 1911"}
    rows = [form.write({(): name, ("First survey",): day}) for name, day in days.items()]
    assert form.answer(rows) == [("Brook", "1911")]
