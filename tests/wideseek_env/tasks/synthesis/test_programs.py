"""Programs against a filter written out by hand over the same rows."""

from random import Random

import pytest

from wideseek_env.tasks.synthesis.drawing import draw_program
from wideseek_env.tasks.synthesis.programs import (
    Comparison,
    Program,
    Top,
    Unfair,
    execute,
    join,
    table_of,
)
from wideseek_env.tasks.synthesis.relations import Field, Relation

ROWS = (
    ("Alba", "Rome", "1,200", "3 May 1901"),
    ("Bora", "Bern", "80.5", "June 4, 1955"),
    ("Cima", "Rome", "7", "1960-01-02"),
    ("Dora", "Oslo", "900", "1 Jan 1999"),
    ("Etna", "Bern", "80.5", "2 Jan 1999"),
)
BERN = (Comparison("City", "is", "Bern"),)


def relation(**changed: object) -> Relation:
    parts = {
        "id": "u#0",
        "place": "P",
        "part": "T",
        "group": "p",
        "fields": (
            Field("Name", "text"),
            Field("City", "text"),
            Field("Length", "number", "m"),
            Field("Opened", "date"),
        ),
        "keys": (0,),
        "rows": ROWS,
        "urls": ("u",),
    }
    return Relation(**{**parts, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "top", "rows"),
    [
        ((), None, [0, 1, 2, 3, 4]),
        (((Comparison("City", "is", "rome"),),), None, [0, 2]),
        (((Comparison("City", "is", "Rome", True),),), None, [1, 3, 4]),
        (((Comparison("City", "is", "Rome"), Comparison("City", "is", "Oslo")),), None, [0, 2, 3]),
        (((Comparison("Length (m)", "more", "80.5"),),), None, [0, 3]),
        (((Comparison("Length", "less", "80.50"),),), None, [2]),
        (((Comparison("Opened", "more", "1955-06-04"),),), None, [2, 3, 4]),
        (
            ((Comparison("City", "is", "Bern"),), (Comparison("Opened", "less", "1 Jan 1999"),)),
            None,
            [1],
        ),
        ((), Top("Length", 2), [0, 3]),
        ((), Top("Opened", 2, False), [0, 1]),
        (((Comparison("City", "is", "Rome"),),), Top("Length", 1, False), [2]),
    ],
)
def test_execute_keeps_the_rows_asked_for(
    where: tuple[tuple[Comparison, ...], ...], top: Top | None, rows: list[int]
) -> None:
    program = Program(("Name",), where, top)
    assert execute(program, relation()) == rows
    assert table_of(program, relation(), rows) == tuple((ROWS[r][0],) for r in rows)


def test_a_tie_at_the_border_is_unfair() -> None:
    with pytest.raises(Unfair, match="tie"):
        execute(Program(("Name",), (), Top("Length", 3)), relation())
    assert execute(Program(("Name",), (), Top("Length", 4)), relation()) == [0, 1, 3, 4]


@pytest.mark.parametrize("op", ["is", "more"])
@pytest.mark.parametrize("negated", [False, True])
def test_blank_cells_meet_no_condition(op: str, negated: bool) -> None:
    with_blank = relation(rows=(*ROWS, ("Fulda", "Ulm", "", "")))
    program = Program(("Name",), ((Comparison("Length", op, "7", negated),),))  # type: ignore[arg-type]
    assert 5 not in execute(program, with_blank)


def test_wrong_programs_are_told() -> None:
    for test in (
        Comparison("Nam", "is", "x"),
        Comparison("City", "more", "x"),
        Comparison("Length", "is", "x"),
    ):
        with pytest.raises(ValueError, match="expected"):
            execute(Program(("Name",), ((test,),)), relation())


def test_bounds_between_fractions_are_drawn_and_exclude_what_they_say() -> None:
    rows = tuple((f"N{i}", f"{i * 7 % 23}.{i * 13 % 97 + 1}") for i in range(20))
    shares = relation(fields=(Field("Name", "text"), Field("Share", "number")), rows=rows)
    num_ranges = 0
    for seed in range(60):
        program = draw_program(shares, Random(seed), min_clauses=1)
        if program is None:
            continue
        for clause in program.where:
            found = {row for row, (_, share) in enumerate(rows) if any(
                float(share) > float(test.value) if test.op == "more" else
                float(share) < float(test.value) for test in clause)}  # fmt: skip
            num_ranges += 1
            assert set(execute(Program(("Name",), (clause,)), shares)) == found
    assert num_ranges > 20


def test_a_join_takes_rows_by_key_and_sources_from_both() -> None:
    cities = relation(
        id="v#0",
        fields=(Field("City", "text"), Field("Country", "text"), Field("Length", "number", "m")),
        rows=(("ROME", "Italy", "1"), ("Oslo", "Norway", "2")),
        urls=("v",),
    )
    joined = join(relation(), cities, (1, 0))
    assert joined is not None
    assert [field.label for field in joined.fields][4:] == ["Country"]
    assert [(row[0], row[4]) for row in joined.rows] == [
        ("Alba", "Italy"),
        ("Cima", "Italy"),
        ("Dora", "Norway"),
    ]
    assert joined.sources(0, 0) == ("u",)
    assert joined.sources(0, 4) == ("v",)


def test_a_join_brings_no_column_of_a_name_that_the_first_table_has() -> None:
    cities = relation(
        fields=(Field("City", "text"), Field("Country", "text"), Field("Rank", "number")),
        rows=(("Rome", "Italy", "1"),),
        urls=("v",),
    )
    joined = join(relation(unread=("RANK",)), cities, (1, 0))
    assert joined is not None
    assert [field.label for field in joined.fields][4:] == ["Country"]


def test_drawn_bounds_are_no_cells_of_the_answer() -> None:
    drawn = 0
    for seed in range(300):
        program = draw_program(relation(), Random(seed))
        if program is None:
            continue
        try:
            rows = execute(program, relation())
        except Unfair:
            continue
        drawn += 1
        cells = {cell for row in table_of(program, relation(), rows) for cell in row}
        for clause in program.where:
            for test in clause:
                if test.op != "is" and len(clause) == 1:
                    assert test.value not in cells
    assert drawn > 100
