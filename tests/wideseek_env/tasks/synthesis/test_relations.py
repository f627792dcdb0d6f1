from collections import Counter

import pytest

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.tasks.synthesis.pagetables import table_relations
from wideseek_env.tasks.synthesis.relations import Relation, read_field


def page_of(*tables: str, title: str = "Bridges of Elba") -> RawPage:
    return RawPage("w/elba", title, f"<h1>{title}</h1>" + "".join(tables))


def html_table(header: list[str], rows: list[list[str]], heading: str = "List") -> str:
    head = "".join(f"<th>{name}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<h2>{heading}</h2><table><tr>{head}</tr>{body}</table>"


ROWS = [
    ["Alba", "1,200", "1901"],
    ["Bora", "80.5", "1955"],
    ["Cima", "7", "1955"],
    ["Dora", "9", "1960"],
]


def read(*tables: str) -> tuple[list[Relation], Counter[str]]:
    skipped: Counter[str] = Counter()
    return list(table_relations(page_of(*tables), skipped)), skipped


def test_a_table_becomes_a_relation() -> None:
    [relation], _ = read(
        html_table(["Bridge", "Length (m)", "Year", "Notes"], [[*r, "x"] for r in ROWS])
    )
    assert [(f.label, f.kind) for f in relation.fields] == [
        ("Bridge", "text"),
        ("Length (m)", "number"),
        ("Year", "year"),
    ]
    assert relation.place == "Bridges of Elba"
    assert relation.part == "List"
    assert relation.keys == (0,)
    assert relation.rows == tuple(map(tuple, ROWS))
    assert relation.sources(3, 1) == ("w/elba",)


@pytest.mark.parametrize(
    ("cells", "kind", "unit"),
    [
        (["1", "2,000", "−3.5"], "number", ""),
        (["5 km", "6 km", "7 km"], "number", "km"),
        (["5 %", "6 %", "7 %"], "number", "%"),
        (["3 May 1901", "2001-06-01", "July 7, 2001"], "date", ""),
        (["Rome", "Bern", ""], "text", ""),
        (["https://a.org/x", "http://b.org", "https://c.org"], "url", ""),
    ],
)
def test_columns_are_typed_by_all_of_their_cells(cells: list[str], kind: str, unit: str) -> None:
    field = read_field("V", cells)
    assert field is not None
    assert (field.kind, field.unit) == (kind, unit)


@pytest.mark.parametrize(
    "cells",
    [
        ["3–1", "2–2", "0–1"],
        ["Rome[1]", "Bern", "Oslo"],
        ["Rome", "12", "1,400"],
        ["5 km", "6 m", "7 km"],
        ["Rome", "?", "Bern"],
        ["x" * 61, "y", "z"],
        ["Rome", "", ""],
    ],
)
def test_columns_that_cannot_be_checked_are_left_out(cells: list[str]) -> None:
    assert read_field("V", cells) is None


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ([html_table(["A", "B"], ROWS[:3])], "too few or too many rows"),
        ([html_table(["A", "B", "C"], [*ROWS, ["x", "y"]])], "rows of unequal length"),
        ([html_table(["A", "B", "C"], [*ROWS, ["Total", "1", "2"]])], "totals among the rows"),
        ([html_table(["A", "B", "a"], ROWS)], "two columns of one name"),
        ([html_table(["A", "B", "C"], ROWS)] * 2, "several tables under one heading"),
        ([html_table(["A", "B", "C"], [["x", "1", "2"]] * 4)], "no key"),
    ],
)
def test_tables_that_make_no_fair_question_are_counted(tables: list[str], reason: str) -> None:
    relations, skipped = read(*tables)
    assert relations == []
    assert set(skipped) == {reason}
