"""The list: filters, order, counts beside each choice, CSV."""

from __future__ import annotations

import csv
import io

import pytest

from benchmarks.viewer.index import Fact, RunIndex
from benchmarks.viewer.query import COLUMNS, Query, to_csv
from benchmarks.viewer.view import Label

RUN = RunIndex(None, "one")


def fact(number, policy="fanout", width=4, f1=0.5, fates=None, end="answered", question="rivers"):
    return Fact(
        f"id{number}", number, 0, Label("default", policy, width, None, 0), f"task-{number}",
        question, f1, f1, end, 5, 1.0, "", fates,
    )  # fmt: skip


FACTS = (
    fact(1, "solo", 0, 0.1, {"unread": 3}),
    fact(2, "fanout", 4, 0.9, {"right": 9, "wrong": 1}, question="Longest rivers of Varnia"),
    fact(3, "fanout", 8, 0.5, {"dropped": 2, "extra": 1}),
    fact(4, "fanout", 8, 0.0, {"unread": 9}, end="turn_budget"),
    fact(5, "mappo", 8, None, None, end="invalid"),
    Fact("id6", 6, 0, Label("", "", 0, None, 0), error="line 6 is no episode"),
)
RUN.facts.update({each.id: each for each in FACTS})


def ids(*words):
    return [fact.line for _, fact in Query.of(words).select([RUN])]


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ((), [1, 2, 3, 4, 5, 6]),
        ((("policy", "fanout"), ("width", "8")), [3, 4]),
        ((("policy", "fanout"), ("policy", "solo")), [1, 2, 3, 4]),
        ((("task", "task-2"),), [2]),
        ((("task", "task"),), []),
        ((("end", "turn budget"),), [4]),
        ((("run", "two"),), []),
        ((("error", "unread"),), [1, 4]),
        ((("error", "wrong"), ("error", "extra")), [2, 3]),
        ((("error", "no answer"),), [4]),
        ((("error", "invalid"),), [5]),
        ((("error", "damaged"),), [6]),
        ((("min", "0.5"),), [2, 3]),
        ((("max", "0"),), [4]),
        ((("q", "VARNIA longest"),), [2]),
        ((("q", "varnia solo"),), []),
        ((("q", "id5"),), [5]),
        ((("sort", "item_f1"), ("desc", "1")), [2, 3, 1, 4, 5, 6]),
        ((("sort", "width"),), [1, 6, 2, 3, 4, 5]),
    ],
)
def test_query_select(words, lines):
    assert ids(*words) == lines


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (("error", "unred"), "error: expected .*unread"),
        (("min", "half"), "min: expected a number from 0 to 1, got 'half'"),
        (("max", "nan"), "max: expected a number from 0 to 1"),
        (("sort", "colour"), "sort: expected"),
    ],
)
def test_query_of_a_wrong_word_says_what_is_expected(word, message):
    with pytest.raises(ValueError, match=message):
        Query.of([word])


def test_choices_count_what_the_other_filters_leave():
    choices = Query.of([("policy", "fanout"), ("error", "unread")]).choices([RUN])
    assert choices["policy"] == {"solo": 1, "fanout": 1}
    assert choices["error"] == {"wrong": 1, "dropped": 1, "extra": 1, "unread": 1, "no answer": 1}
    assert choices["width"] == {"8": 1}


def test_to_csv_can_be_read_back_and_no_cell_is_a_formula():
    hostile = fact(1, question='=HYPERLINK("http://x","y")\n"quoted", comma')
    rows = list(csv.DictReader(io.StringIO(to_csv([(RUN, hostile), (RUN, FACTS[4])]))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["question"] == "'" + hostile.question
    assert (rows[0]["item_f1"], rows[1]["item_f1"], rows[1]["end"]) == ("0.5", "", "invalid")
