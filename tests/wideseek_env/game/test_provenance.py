import dataclasses

import pytest
from tinyworld import TASK

from wideseek_env.game.provenance import credit_cells
from wideseek_env.records import (
    CellCredit,
    Decision,
    Score,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)

SCORE = Score(0, 1, 1, 1, 1, 1, 1, correct=((0, 0), (0, 1), (1, 1)))


def reader(*results: ToolResult) -> Trajectory:
    return Trajectory(
        "subagent_0", "subagent", "s", (Turn(Decision(), results, 0.0, 0.0, 0.0, 0),), "reported"
    )


def opened(url: str, status: str = "ok") -> ToolResult:
    return ToolResult("page", status, ToolCall("open", {"url": url}), (url,))  # type: ignore[arg-type]


def test_cells_go_to_all_who_opened_a_source() -> None:
    lead = Trajectory("lead", "lead", "q", (), "answered")
    found = credit_cells(TASK, SCORE, [lead, reader(opened("/Alden")), reader(opened("/Alden"))])
    assert found == (
        CellCredit(0, 0, (1, 2)),
        CellCredit(0, 1, (1, 2)),
        CellCredit(1, 1, ()),
    )


def test_failed_opens_supply_nothing() -> None:
    (first, *_) = credit_cells(TASK, SCORE, [reader(opened("/Alden", "failed"))])
    assert first.trajectories == ()


def test_search_supplies_a_cell_only_when_its_snippet_shows_it() -> None:
    call = ToolCall("search", {"query": "q"})
    hits = ToolResult("search: q\n1. Alden | /Alden\na river", "ok", call, ("/Alden",))
    name, length, _ = credit_cells(TASK, SCORE, [reader(hits)])
    assert (name.trajectories, length.trajectories) == ((0,), ())


def test_search_that_repeats_its_query_supplies_nothing_by_that() -> None:
    call = ToolCall("search", {"query": "Is a river 12 km long?"})
    hits = ToolResult(
        f"search: {call.arguments['query']}\n1. A | /Alden\nx", "ok", call, ("/Alden",)
    )
    name, length, _ = credit_cells(TASK, SCORE, [reader(hits)])
    assert (name.trajectories, length.trajectories) == ((0,), ())  # its URL says the name


@pytest.mark.parametrize(
    ("shown", "credited"), [("", (False, False)), ("The Alden is 1", (True, False))]
)
def test_page_that_a_full_context_cut_supplies_what_was_shown(
    shown: str, credited: tuple[bool, bool]
) -> None:
    call = ToolCall("open", {"url": "/Alden"})
    part = ToolResult(f"{shown} [cut: your context is full]", "ok", call, ("/Alden",), cut=True)
    name, length, _ = credit_cells(TASK, SCORE, [reader(part)])
    assert (name.trajectories == (0,), length.trajectories == (0,)) == credited


def test_unknown_sources_give_no_credits() -> None:
    assert credit_cells(dataclasses.replace(TASK, sources=()), SCORE, [reader()]) == ()
