"""Readings of questions: what is taken for a program, and when it gives the task's own table."""

import pytest

from wideseek_env.records import Column, Task
from wideseek_env.tasks.synthesis.model.readback import gives_gold, read_reading, schema_of
from wideseek_env.tasks.synthesis.relations import Field, Relation

FIELDS = (Field("Bridge", "text"), Field("Length", "number", "m"), Field("City", "text"))
ROWS = (("A", "10 m", "Rome"), ("B", "20 m", "Bern"), ("C", "30 m", "Rome"), ("D", "40 m", "Ulm"))
BRIDGES = Relation("b", "Bridges of X", "List", "x", FIELDS, (0,), ROWS, ("u/b",))
CITIES = Relation(
    "c", "Cities", "", "c", (Field("City", "text"), Field("Land", "text")), (0,),
    (("Rome", "Italy"), ("Bern", "Swiss"), ("Ulm", "German")), ("u/c",),
)  # fmt: skip
CHOICES = (CITIES, BRIDGES)


def task(columns: tuple[str, ...], *gold: tuple[str, ...]) -> Task:
    return Task("t", "?", tuple(map(Column, columns)), columns[:1], gold)


LONG = task(("Bridge", "Length (m)"), ("B", "20 m"), ("C", "30 m"), ("D", "40 m"))
READ = '{"table": 2, "columns": ["Bridge", "Length (m)"], "where": [[%s]]}'


@pytest.mark.parametrize(
    ("tests", "same"),
    [
        ('{"column": "Length (m)", "op": "more", "value": "10"}', True),
        ('{"column": "length", "op": "more", "value": 10}', True),
        ('{"column": "Length (m)", "op": "more", "value": 15.5}', True),
        ('{"column": "Length (m)", "op": "less", "value": "20", "negated": true}', True),
        ('{"column": "Bridge", "op": "is", "value": "A", "negated": true}', True),
        ('{"column": "Length (m)", "op": "less", "value": "20"}', False),
        ('{"column": "Length (m)", "op": "more", "value": "20"}', False),
        ('{"column": "Length (m)", "op": "more", "value": "5"}', False),
    ],
)
def test_the_table_counts_and_not_the_program(tests: str, same: bool) -> None:
    assert gives_gold(read_reading(READ % tests), CHOICES, LONG) is same


@pytest.mark.parametrize(
    "text",
    [
        "Sure! ```json\n{}\n``` Anything else?".replace("{}", READ % "").replace("[[]]", "[]"),
        READ.replace("[[%s]]", "[]"),
        READ.replace("[[%s]]", '[], "join": null, "top": null, "why": "because"'),
    ],
)
def test_readings_are_found_in_what_a_model_writes(text: str) -> None:
    every = task(("Bridge", "Length (m)"), *(row[:2] for row in ROWS))
    assert gives_gold(read_reading(text), CHOICES, every)


def test_columns_may_come_in_another_order_but_none_may_lack_or_be_more() -> None:
    for columns, same in (
        ('"Length", "Bridge"', True),
        ('"Bridge"', False),
        ('"Bridge", "Length", "City"', False),
        ('"Bridge", "Bridge"', False),
        ('"Bridge", "City"', False),
    ):
        reading = read_reading(
            f'{{"table": 2, "columns": [{columns}], "top": {{"column": "Length", "k": 3}}}}'
        )
        assert gives_gold(reading, CHOICES, LONG) is same


def test_a_join_is_executed() -> None:
    wanted = task(("Bridge", "Land"), ("A", "Italy"), ("C", "Italy"))
    said = '{"table": 2, "join": {"table": 1, "on": "City"}, "columns": ["Bridge", "Land"], "where"'
    test = '{"column": "Land", "value": "%s"}'
    assert gives_gold(read_reading(f"{said}: [[{test % 'Italy'}]]}}"), CHOICES, wanted)
    assert not gives_gold(read_reading(f"{said}: [[{test % 'Swiss'}]]}}"), CHOICES, wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "{",
        "[1]",
        '{"table": "two", "columns": []}',
        '{"columns": ["Bridge"]}',
        '{"table": 2, "columns": ["Bridge"], "where": [[{"column": "City", "op": "in"}]]}',
        '{"a": ' * 5000,
    ],
)
def test_what_is_no_reading(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        read_reading(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"table": 3, "columns": ["Bridge"]}',
        '{"table": 0, "columns": ["Bridge"]}',
        '{"table": 2, "columns": ["Depth"]}',
        '{"table": 2, "columns": ["Bridge"], "where": [[{"column": "Depth", "value": "1"}]]}',
        '{"table": 2, "columns": ["Bridge"], '
        '"where": [[{"column": "City", "op": "more", "value": "1"}]]}',
        '{"table": 2, "columns": ["Bridge"], "top": {"column": "City", "k": 2}}',
        '{"table": 2, "columns": ["Bridge"], "top": {"column": "Length", "k": 0}}',
        '{"table": 2, "join": {"table": 1, "on": "Bridge"}, "columns": ["Bridge", "Land"]}',
        '{"table": 2, "join": {"table": 9, "on": "City"}, "columns": ["Bridge", "Land"]}',
    ],
)
def test_readings_that_cannot_be_executed(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|rows without a rank|no row in common"):
        gives_gold(read_reading(text), CHOICES, LONG)


def test_the_schema_tells_places_kinds_and_values() -> None:
    said = schema_of(CHOICES).splitlines()
    assert said[0] == "Table 1: the only one of its kind on the page “Cities”"
    assert "Table 2: “List” on the page “Bridges of X”" in said
    assert "- Length (m) (number): 10 m; 20 m; 30 m; ..." in said
    assert "- City (text): Rome; Bern; Ulm" in said
