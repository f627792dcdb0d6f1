"""What became of each cell: every fate, and the neighbours that it is told from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_episodes import made_task, url

from benchmarks.viewer.fates import count_fates, fates
from wideseek_env.game.provenance import credit_cells
from wideseek_env.records import (
    Column,
    Decision,
    Episode,
    Limits,
    Task,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)
from wideseek_env.scoring.strict import score_strict

TASK = made_task(0, rows=3)  # River A0 | 100 | Varnia, B0 | 101, C0 | 102
A, B, C = (row[0] for row in TASK.gold)
HEADER = "| River | Length (km) | Country |\n|---|---|---|\n"
WHOLE = "| River A0 | 100 | Varnia |\n| River B0 | 101 | Varnia |\n"
C_ROW = "| River C0 | 102 | Varnia |\n"


def page(name, *lines, part="part 1 of 1", status="ok"):
    call = ToolCall("open", {"url": url(name)})
    text = "\n".join([f"{name} | {url(name)} | {part}", "", *lines])
    return ToolResult(text, status, call, (url(name),))


def river(name, length, **more):
    return page(name, f"Length | {length} km", "Country | [Varnia](/varnia)", **more)


def hits(*entries):
    call = ToolCall("search", {"query": "rivers"})
    lines = ["search: rivers", *(f"1. {n} | {url(n)}\n{snippet}" for n, snippet in entries)]
    return ToolResult("\n".join(lines), "ok", call, tuple(url(n) for n, _ in entries))


def turns(*turns_results):
    return tuple(
        Turn(Decision(), tuple(results), float(n), n + 0.5, n + 1.0, level=n)
        for n, results in enumerate(turns_results)
    )


def subagent(number, *turns_results, end="reported"):
    """A subagent that decided once more after it was shown these results."""
    steps = turns(*turns_results, ())
    return Trajectory(f"subagent_{number}", "subagent", "find", steps, end, 0, 0)


def report(trajectory, text, status="ok"):
    heading = "on: find River C0, perhaps 102 km\n"  # the game's words, that nobody found
    return ToolResult(heading + text, status, trajectory=trajectory, heading_chars=len(heading))


def episode(answer, *subagents, lead=(), task=TASK, end="answered"):
    """An episode as the game would record it: scored, with provenance."""
    trajectories = (Trajectory("lead", "lead", task.question, turns(*lead, ()), end), *subagents)
    score = score_strict(task, answer)
    return Episode(
        task, "by hand", 0, len(subagents), Limits(), trajectories, end, answer, score, {},
        credit_cells(task, score, trajectories), 9.0, metadata={},
    )  # fmt: skip


def cell(played, row, column):
    return next(r for r in fates(played) if r.gold == row).cells[column]


def length_of_c(played):
    return cell(played, 2, 1)


def test_fates_right_cell_names_agent_turn_page_and_line():
    sub = subagent(0, [hits((B, "nothing here"))], [river(B, 101), river(C, 102)])
    found = length_of_c(episode(HEADER + WHOLE + C_ROW, sub, lead=([report(1, C_ROW)],)))
    assert (found.fate, found.text, found.gold, found.lost) == ("right", "102", "102", None)
    [read] = found.reads
    assert (read.trajectory, read.turn, read.result, read.line) == (1, 1, 1, 2)
    assert read.url == url(C)
    [told] = found.reports
    assert (told.trajectory, told.turn, told.reporter, told.line) == (0, 0, 1, 1)


def test_fates_unread_when_no_agent_was_shown_a_source():
    sub = subagent(0, [river(A, 100), river(B, 101)])
    found = length_of_c(episode(HEADER + WHOLE, sub, lead=([report(1, WHOLE)],)))
    assert (found.fate, found.reads, found.reports) == ("unread", (), ())


@pytest.mark.parametrize(
    "shown",
    [
        page(C, "Country | Varnia"),  # the part of the page that holds it was not shown
        page("River Z9", "River C0: 102 km"),  # says it, but is no source of it
        replace(river(C, 102), status="failed"),
        hits((C, "River C0 flows through Varnia.")),  # a snippet without the value
        hits((C, "A river."), (B, "River B0 is 102 km long.")),  # another hit says it
        replace(
            hits((C, "A river.")),
            text=f"search: River C0 102\n1. {C} | {url(C)}",
            call=ToolCall("search", {"query": "River C0 102"}),
        ),  # the query says it
        ToolResult(  # a part of a list without the row
            f"Rivers | {url(C)} | part 2 of 2\n| River B0 | 102 |",
            "ok",
            ToolCall("open", {"url": url(C)}),
            (url(C),),
        ),
        report(1, "River C0: 102 km"),  # no tool for information
    ],
    ids=["other part", "no source", "failed", "snippet", "other hit", "query", "list", "report"],
)
def test_fates_unread_when_what_was_shown_does_not_hold_it(shown):
    assert length_of_c(episode(HEADER + WHOLE, subagent(0, [shown]))).fate == "unread"


def test_fates_unread_when_it_came_after_the_last_decision():
    late = subagent(0, [river(C, 102)])
    late = replace(late, turns=late.turns[:1])
    assert length_of_c(episode(HEADER + WHOLE, late)).fate == "unread"


def test_fates_snippet_of_a_source_that_says_it_was_read():
    sub = subagent(0, [hits((B, "none"), (C, "River C0 is 102 km long."))])
    found = length_of_c(episode(HEADER + WHOLE, sub))
    assert (found.fate, found.reads[0].url, found.reads[0].line) == ("unreported", url(C), 4)


def test_fates_unreported_when_readers_tell_the_lead_other_things():
    reader = subagent(2, [river(C, 102)])
    told = [report(1, WHOLE), report(3, "River C0 is in Varnia")]
    idle = (subagent(0), subagent(1))
    played = episode(HEADER + WHOLE, *idle, reader, lead=(told,))
    found = length_of_c(played)
    assert (found.fate, found.lost) == ("unreported", "unreported")
    assert [place.trajectory for place in found.reads] == [3]
    assert cell(played, 2, 2).fate == "dropped"  # the same report says the country


def test_fates_unreported_when_the_report_never_reached_the_lead():
    reader = subagent(0, [river(C, 102)])
    # What the lead's last turn brings, nobody sees.
    late = episode(HEADER + WHOLE, reader)
    lead = replace(late.trajectories[0], turns=turns([], [report(1, C_ROW)]))
    late = replace(late, trajectories=(lead, reader))
    assert length_of_c(late).fate == "unreported"
    # Word that there is no report is none, whatever it repeats.
    none = episode(HEADER + WHOLE, reader, lead=([report(1, C_ROW, status="failed")],))
    assert length_of_c(none).fate == "unreported"


@pytest.mark.parametrize(
    "text",
    [
        C_ROW,
        "River C0: length 102 km",
        "## River C0\n\n- Length: 0.102 thousand km",  # a list under a heading; other spelling
        "River  c0 (Varnia) is 102,000 m long.",
    ],
)
def test_fates_dropped_when_a_report_said_it(text):
    reader = subagent(0, [river(C, 102)])
    found = length_of_c(episode(HEADER + WHOLE, reader, lead=([report(1, text)],), task=NUMBERS))
    assert (found.fate, [place.reporter for place in found.reports]) == ("dropped", [1])


NUMBERS = replace(
    TASK,
    columns=(
        TASK.columns[0],
        Column("Length (km)", "number_near", ("extract_number",)),
        TASK.columns[2],
    ),
)


@pytest.mark.parametrize(
    "text",
    [
        "River B0: 102 km",  # of another river
        "River C0: 1020 km",
        "River C0: 1.102 km",
        "River C0:\n\nRiver X is 102 km long",  # named in the answer, so no line of River C0
        "102 km",  # of nobody
        "River C0: 102 m",  # of another kind
    ],
)
def test_fates_report_that_says_something_like_it_does_not_say_it(text):
    reader = subagent(0, [river(C, 102)])
    answer = HEADER + WHOLE + "| River X | | |\n"
    played = episode(answer, reader, lead=([report(1, text)],), task=NUMBERS)
    assert length_of_c(played).fate == "unreported"


def test_fates_dropped_when_the_lead_read_it_itself():
    found = length_of_c(episode(HEADER + WHOLE, lead=([river(C, 102)],)))
    assert (found.fate, found.reads[0].trajectory, found.reports) == ("dropped", 0, ())


def test_fates_wrong_value_tells_where_the_right_and_the_wrong_one_were_seen():
    stale = page("River C0, archived copy of 2011", "Length | 99 km")
    sub = subagent(0, [stale], [river(C, 102)])
    told = [report(1, "River C0: 99 km")]
    found = length_of_c(episode(HEADER + WHOLE + C_ROW.replace("102", "99"), sub, lead=(told,)))
    assert (found.fate, found.lost, found.text, found.gold) == ("wrong", "unreported", "99", "102")
    assert [(p.trajectory, p.turn, p.line, p.reporter) for p in found.misread] == [
        (1, 0, 2, None),
        (0, 0, 1, 1),
    ]


def test_fates_in_brief_are_the_same_fates():
    sub = subagent(0, [river(C, 102)])
    answer = HEADER + WHOLE.replace("101", "9") + "| River X | 5 | Nowhere |\n"
    for played in (episode(answer, sub), episode(None, sub), episode(HEADER + WHOLE + C_ROW, sub)):
        brief, whole = fates(played, brief=True), fates(played)
        assert count_fates(brief) == count_fates(whole)
        assert [[x.fate for x in row.cells] for row in brief] == [
            [x.fate for x in row.cells] for row in whole
        ]


def test_fates_blank_cell_of_a_row_that_is_there_is_lost_and_not_wrong():
    answer = HEADER + WHOLE + "| River C0 | | Varnia |\n"
    sub = subagent(0, [river(C, 102)])
    assert length_of_c(episode(answer, sub)).fate == "unreported"
    assert length_of_c(episode(answer, sub, lead=([report(1, C_ROW)],))).fate == "dropped"
    unknown = length_of_c(episode(answer.replace("C0 | |", "C0 | N/A |"), sub))
    assert (unknown.fate, unknown.text) == ("unreported", "N/A")


def test_fates_column_that_the_answer_lacks_is_lost():
    answer = "| River | Country |\n|---|---|\n| River C0 | Varnia |"
    played = episode(answer, subagent(0, [river(C, 102)]))
    assert [x.fate for x in fates(played)[2].cells] == ["right", "unreported", "right"]


def test_fates_extra_row_tells_who_said_it():
    sub = subagent(0, [page("River X", "Length | 5 km")])
    told = [report(1, "River X: 5 km")]
    answer = HEADER + WHOLE + C_ROW + "| River X | 5 | Nowhere |\n"
    row = fates(episode(answer, sub, lead=(told,)))[3]
    assert (row.gold, row.answer, row.repeats) == (None, 3, None)
    assert [x.fate for x in row.cells] == ["extra"] * 3
    assert [(p.trajectory, p.line) for p in row.cells[1].reads] == [(1, 2)]
    assert [p.reporter for p in row.cells[1].reports] == [1]
    assert (row.cells[2].reads, row.cells[2].reports) == ((), ())


def test_fates_row_that_is_there_twice_repeats_the_first():
    answer = HEADER + WHOLE + C_ROW + "| river  C0 | 102 | Varnia |\n"
    rows = fates(episode(answer))
    assert [(row.gold, row.answer, row.repeats) for row in rows[2:]] == [
        (2, 2, None),
        (None, 3, 2),
    ]
    assert count_fates(rows) == {"right": 9, "extra": 1}


def test_fates_blank_gold_cell_goes_with_its_row():
    blank = replace(TASK, gold=(*TASK.gold[:2], (C, "", "Varnia")))
    sub = subagent(0, [page(C, "Country | Varnia")])
    assert length_of_c(episode(HEADER + WHOLE, sub, task=blank)).fate == "unreported"
    said = HEADER + WHOLE + C_ROW
    assert length_of_c(episode(said, sub, task=blank)).fate == "wrong"
    right = HEADER + WHOLE + "| River C0 | | Varnia |\n"
    assert length_of_c(episode(right, sub, task=blank)).fate == "right"


@pytest.mark.parametrize(("answer", "end"), [(None, "turn_budget"), ("I give up.", "answered")])
def test_fates_without_a_table_every_cell_has_its_last_step(answer, end):
    subs = (subagent(0, [river(B, 101)]), subagent(1, [river(C, 102)]))
    played = episode(answer, *subs, lead=([report(2, C_ROW)],), end=end)
    assert [row.cells[1].fate for row in fates(played)] == ["unread", "unreported", "dropped"]
    assert {row.answer for row in fates(played)} == {None}


def test_fates_task_without_sources_goes_by_lines_about_the_row():
    bare = replace(TASK, sources=())
    wiki = page("Rivers of Varnia", "- River C0 (102 km)", "- River Z (101 km)")
    played = episode(HEADER + "| River A0 | 100 | Varnia |\n", subagent(0, [wiki]), task=bare)
    assert length_of_c(played).fate == "unreported"
    assert cell(played, 1, 1).fate == "unread"  # 101 is said, of another river


def test_fates_alias_of_a_gold_cell_is_the_cell():
    named = replace(TASK, aliases={C: ("Old C",)})
    told = [report(1, "Old C: 102 km")]
    played = episode(HEADER + WHOLE, subagent(0, [river(C, 102)]), lead=(told,), task=named)
    assert length_of_c(played).fate == "dropped"


def test_fates_several_key_columns_name_a_row_together():
    task = Task(
        "pairs", "?", tuple(map(Column, ("City", "Year", "Mayor"))), ("City", "Year"),
        gold=(("Ulm", "1990", "Ada"), ("Ulm", "1991", "Bob")),
        sources=((("/u",),) * 3,) * 2,
    )  # fmt: skip
    told = [report(1, "| Ulm | 1990 | Bob |")]
    played = episode(
        "| City | Year | Mayor |\n|---|---|---|\n", subagent(0), lead=(told,), task=task
    )
    assert [row.cells[2].fate for row in fates(played)] == ["unread", "unread"]
    told = [report(1, "| Ulm | 1991 | Bob |")]
    played = episode(
        "| City | Year | Mayor |\n|---|---|---|\n", subagent(0), lead=(told,), task=task
    )
    assert [row.cells[2].fate for row in fates(played)] == ["unread", "dropped"]


def test_fates_deep_task_is_one_cell():
    deep = Task("deep", "Which?", (Column("Answer"),), ("Answer",), (("Alden",),), "deep",
                sources=((("/a",),),))  # fmt: skip
    shown = page("a", "It is Alden.")
    shown = replace(shown, urls=("/a",))
    [row] = fates(episode("Alden", lead=([shown],), task=deep))
    assert (row.cells[0].fate, row.cells[0].reads[0].line) == ("right", 2)
    [row] = fates(episode("Brook", lead=([shown],), task=deep))
    assert (row.cells[0].fate, row.cells[0].lost) == ("wrong", "dropped")


def test_fates_cells_that_the_record_has_right_are_right_though_rules_alone_differ():
    played = episode(HEADER + WHOLE + C_ROW.replace("102", "about a hundred"))
    judged = replace(played.score, correct=(*played.score.correct, (2, 1)))
    assert length_of_c(replace(played, score=judged)).fate == "right"
    official = replace(played, score=replace(played.score, correct=()))
    assert cell(official, 0, 0).fate == "right"


def test_fates_invalid_episode_has_none():
    assert fates(replace(episode(None), score=None)) == ()
