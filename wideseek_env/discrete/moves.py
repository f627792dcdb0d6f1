"""The macro-moves of the discrete interface: what each choice means, when it is legal, its calls.

A move is one turn of an agent: up to five tool calls whose text is filled in from the agent's desk.
Nothing in here knows anything that the agent was not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from wideseek_env.discrete.desk import Desk, LeadDesk, SubagentDesk
from wideseek_env.discrete.messages import (
    NOTHING,
    Part,
    list_line,
    new_line,
    other_line,
    short_question,
    write_report,
    write_subtask,
)
from wideseek_env.discrete.notes import Candidate
from wideseek_env.records import ToolCall
from wideseek_env.scoring.tables import write_table

D = TypeVar("D", bound=Desk)
Calls: TypeAlias = tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Move(Generic[D]):
    """One choice."""

    name: str
    usage: str
    """What it does, for the documentation."""
    legal: Callable[[D], bool]
    calls: Callable[[D], Calls]
    """The tool calls of a legal move; called once, as the desk may note what was asked."""


# Subagents.


def _search(query: str) -> ToolCall:
    return ToolCall("search", {"query": query})


def _open(url: str, part: int = 1) -> ToolCall:
    return ToolCall("open", {"url": url} if part == 1 else {"url": url, "part": part})


def _search_list(desk: SubagentDesk) -> Calls:
    desk.asked.add("list")
    return (_search(desk.notes.question.list_title),)


def _search_kinds(num: int) -> Callable[[SubagentDesk], Calls]:
    """Returns the move of up to `num` searches for rows that meet the conditions.

    They differ in one word, since a search shows few results: one that recurred in earlier results
    (a province, a kind), or else the label of a wanted fact.
    """

    def calls(desk: SubagentDesk) -> Calls:
        question = desk.notes.question
        equal = [bound for bound in question.conditions if bound.operator == "equals"]
        told = [f"{bound.fact.at[-1]} {bound.a}" for bound in equal or question.conditions]
        base = " ".join([question.noun, "in", question.region, *told])
        seen = [word for word, count in desk.notes.words.most_common() if count > 1]
        labels = [at[-1] for at in desk.notes.needs]
        words = ["", *(word for word in seen if word not in base), *labels]
        first, step = desk.subtask.share
        asked = (f"{base} {word}".strip() for word in words)
        new = [query for query in dict.fromkeys(asked) if query not in desk.asked]
        # Those who share the work begin at different words.
        some = (new[first - 1 :: step] or new)[: min(num, desk.most_calls)] or [base]
        desk.asked.update(some)
        return tuple(map(_search, some))

    return calls


def _search_rows(num: int) -> Callable[[SubagentDesk], Calls]:
    """Returns the move that searches for the next `num` rows, each by name and missing labels."""

    def calls(desk: SubagentDesk) -> Calls:
        question = desk.notes.question
        rows = desk.to_search[: min(num, desk.most_calls)]
        desk.asked.update(f"?{row.url}" for row in rows)
        return tuple(
            _search(f"{row.name} {question.noun} {question.region} {_labels(desk, row)}")
            for row in rows
        )

    return calls


def _search_joint(num: int) -> Callable[[SubagentDesk], Calls]:
    """Returns the move of up to `num` searches, each for three rows at once."""

    def calls(desk: SubagentDesk) -> Calls:
        question = desk.notes.question
        rows = desk.to_search[: 3 * min(num, desk.most_calls)]
        desk.asked.update(f"?{row.url}" for row in rows)
        triples = [rows[start : start + 3] for start in range(0, len(rows), 3)]
        return tuple(
            _search(
                f"{' '.join(row.name for row in three)} {question.noun} {question.region} "
                f"{_labels(desk, three[0])}"
            )
            for three in triples
        )

    return calls


def _labels(desk: SubagentDesk, row: Candidate) -> str:
    return " ".join(at[0] for at in desk.notes.needs if at not in row.facts)


def _open_hit(rank: int) -> Callable[[SubagentDesk], Calls]:
    return lambda desk: (_open(desk.hits[rank].url),)


def _first(urls: Iterable[str], num: int, desk: SubagentDesk) -> Calls:
    """Returns the calls that open up to `num` pages, as many as calls and context allow."""
    most = min(num, desk.most_calls, max(desk.most_pages, 1))
    return tuple(_open(url) for url, _ in zip(urls, range(most), strict=False))


def _can(desk: SubagentDesk) -> bool:
    return desk.most_calls > 0 and not desk.last_turn


def _may_end(desk: SubagentDesk) -> bool:
    begun = desk.num_calls > 0 or desk.num_failed > 0
    return begun or not _can(desk) or not (_has_work(desk) or _can_search_list(desk))


def _has_work(desk: SubagentDesk) -> bool:
    pages = (desk.to_open, desk.others, desk.to_follow)
    if desk.most_pages > 0 and any(pages):
        return True
    return desk.subtask.part in ("list", "query") or any((desk.lists, desk.to_search, desk.hits))


def _can_search_list(desk: SubagentDesk) -> bool:
    return not desk.notes.lists and "list" not in desk.asked


SUBAGENT_MOVES: tuple[Move[SubagentDesk], ...] = (
    Move("wait", "Does nothing; the only choice while the slot is idle.",
       lambda d: False, lambda d: ()),
    Move("report", "Reports all that was found, and ends the subtask.",
       _may_end, lambda d: (ToolCall("report", {"text": write_report(d.notes, d.num_calls)}),)),
    Move("give_up", "Reports that nothing was found, and ends the subtask.",
       _may_end, lambda d: (ToolCall("report", {"text": NOTHING}),)),
    Move("search_list", "Searches for the list of all rows.",
       lambda d: _can(d) and _can_search_list(d), _search_list),
    Move("search_kind", "Searches for rows that meet the conditions; another query each time.",
       lambda d: _can(d) and d.subtask.part in ("list", "query"), _search_kinds(1)),
    Move("search_kinds", "The same with up to five queries, in one turn.",
       lambda d: _can(d) and d.subtask.part in ("list", "query") and d.most_calls > 1,
       _search_kinds(5)),
    Move("search_row", "Searches for the next row, by name and missing labels.",
       lambda d: _can(d) and len(d.to_search) > 0, _search_rows(1)),
    Move("search_rows", "The same for the next five rows, in one turn.",
       lambda d: _can(d) and len(d.to_search) > 1 and d.most_calls > 1, _search_rows(5)),
    Move("search_joint", "One search for the names of the next three rows.",
       lambda d: _can(d) and len(d.to_search) > 1, _search_joint(1)),
    Move("search_joints", "The same for the next fifteen rows: up to five searches in one turn.",
       lambda d: _can(d) and len(d.to_search) > 3 and d.most_calls > 1, _search_joint(5)),
    Move("open_hit_1", "Opens the first result of the last search.",
       lambda d: _can(d) and len(d.hits) > 0, _open_hit(0)),
    Move("open_hit_2", "Opens the second result of the last search.",
       lambda d: _can(d) and len(d.hits) > 1, _open_hit(1)),
    Move("open_hit_3", "Opens the third result of the last search.",
       lambda d: _can(d) and len(d.hits) > 2, _open_hit(2)),
    Move("next_part", "Opens the next part of the page that was opened last.",
       lambda d: _can(d) and d.rest is not None,
       lambda d: (_open(*d.rest),) if d.rest else ()),
    Move("open_list", "Opens the next page of the list that is its share.",
       lambda d: _can(d) and len(d.lists) > 0, lambda d: tuple(map(_open, d.lists[:1]))),
    Move("open_lists", "The same for the next five pages, in one turn.",
       lambda d: _can(d) and len(d.lists) > 1 and d.most_calls > 1,
       lambda d: tuple(map(_open, d.lists[: d.most_calls]))),
    Move("open_row", "Opens the page of the next row.",
       lambda d: _can(d) and len(d.to_open) > 0 and d.most_pages > 0,
       lambda d: _first((r.url for r in d.to_open), 1, d)),
    Move("open_rows_3", "The same for the next three rows, in one turn.",
       lambda d: _can(d) and len(d.to_open) > 1 and min(d.most_calls, d.most_pages) > 1,
       lambda d: _first((r.url for r in d.to_open), 3, d)),
    Move("open_rows_5", "The same for the next five rows, in one turn.",
       lambda d: _can(d) and len(d.to_open) > 3 and min(d.most_calls, d.most_pages) > 3,
       lambda d: _first((r.url for r in d.to_open), 5, d)),
    Move("open_other", "Opens a further page about a row, where knowledge is oldest.",
       lambda d: _can(d) and len(d.others) > 0 and d.most_pages > 0,
       lambda d: _first((url for url, _ in d.others), 1, d)),
    Move("open_others", "The same for up to five further pages, in one turn.",
       lambda d: _can(d) and len(d.others) > 1 and min(d.most_calls, d.most_pages) > 1,
       lambda d: _first((url for url, _ in d.others), 5, d)),
    Move("follow", "Opens up to five pages of related things whose facts are wanted.",
       lambda d: _can(d) and len(d.to_follow) > 0 and d.most_pages > 0,
       lambda d: _first(d.to_follow, 5, d)),
)  # fmt: skip
"""Choices of subagents; the position is the action."""


# The lead.


def _write_answer(desk: LeadDesk, rows: Sequence[Candidate]) -> Calls:
    question = desk.notes.question
    rank = question.rank
    if rank is not None:
        numbers = [(rank.fact.read(_text(row, rank.fact.at)), row) for row in rows]
        known = [(number, row) for number, row in numbers if number is not None]
        known.sort(key=lambda pair: pair[0], reverse=rank.greatest)
        rows = [row for _, row in known[: rank.k]]
    table = [
        [asked.write(_text(row, asked.fact.at)) if asked.fact.at else row.name
         for asked in question.columns]
        for row in rows
    ]  # fmt: skip
    text = write_table([asked.header for asked in question.columns], table)
    return (ToolCall("answer", {"text": text}),)


def _text(row: Candidate, at: tuple[str, ...]) -> str:
    fact = row.facts.get(at)
    return fact.value.text if fact else ""


def _delegate(desk: LeadDesk, subtasks: list[str]) -> Calls:
    desk.hand_out(subtasks)
    return (ToolCall("delegate", {"subtasks": subtasks}),)


def _subtask(
    desk: LeadDesk,
    part: Part,
    lines: list[str],
    num: int,
    *,
    share: tuple[int, int] = (1, 1),
    columns: Sequence[str] = (),
) -> str:
    asked = columns or [column.header for column in desk.notes.question.columns]
    question = short_question(desk.text, asked)
    return write_subtask(question, part, lines, share, desk.share_of_calls(num))


def _list_by(num: int) -> Callable[[LeadDesk], Calls]:
    """Returns the move that shares out the list among up to `num` subagents."""

    def calls(desk: LeadDesk) -> Calls:
        most = min(num, desk.free, num if desk.calls_left is None else desk.calls_left)
        if desk.notes.num_lists:
            most = min(most, max(len(desk.lists_left), 1))
        lines = list_line(desk.notes)
        return _delegate(
            desk,
            [
                _subtask(desk, "list", lines, most, share=(index, most))
                for index in range(1, most + 1)
            ],
        )

    return calls


def _query(num: int) -> Callable[[LeadDesk], Calls]:
    def calls(desk: LeadDesk) -> Calls:
        most = min(num, desk.free, desk.calls_left or num)
        shares = [(index, most) for index in range(1, most + 1)]
        return _delegate(desk, [_subtask(desk, "query", [], most, share=own) for own in shares])

    return calls


def _find(each: int | None) -> Callable[[LeadDesk], Calls]:
    """Returns the move that gives out `each` rows a subagent; None: all rows in equal shares."""

    def calls(desk: LeadDesk) -> Calls:
        rows = desk.open_rows[: None if each is None else each * desk.free]
        return _share_rows(desk, "find", rows, new_line)

    return calls


def _check(each: int | None) -> Callable[[LeadDesk], Calls]:
    def calls(desk: LeadDesk) -> Calls:
        rows = desk.doubtful[: None if each is None else each * desk.free]
        return _share_rows(desk, "check", rows, lambda some: [other_line(row) for row in some])

    return calls


def _confirm(desk: LeadDesk) -> Calls:
    return _share_rows(desk, "find", desk.undated, new_line)


def _share_rows(
    desk: LeadDesk, part: Part, rows: list[Candidate], lines: Callable[[list[Candidate]], list[str]]
) -> Calls:
    rows = rows[: desk.calls_left]  # more could not be opened
    num = min(desk.free, len(rows))
    # Equal shares, in order, so that neighbours on the list stay together.
    bounds = [len(rows) * index // num for index in range(num + 1)]
    shares = [rows[bounds[index] : bounds[index + 1]] for index in range(num)]
    return _delegate(desk, [_subtask(desk, part, lines(some), num) for some in shares])


def _find_by_column(desk: LeadDesk) -> Calls:
    columns = _lacking(desk)[: desk.free]
    key = desk.notes.question.columns[0].header
    subtasks = []
    for header, at in columns:
        rows = [row for row in desk.open_rows if at not in row.facts]
        subtasks.append(_subtask(desk, "find", new_line(rows), len(columns), columns=[key, header]))
    return _delegate(desk, subtasks)


def _lacking(desk: LeadDesk) -> list[tuple[str, tuple[str, ...]]]:
    """Returns header and fact of the columns that some row lacks."""
    return [
        (asked.header, asked.fact.at)
        for asked in desk.notes.question.columns
        if asked.fact.at and any(asked.fact.at not in row.facts for row in desk.open_rows)
    ]


def _free(desk: LeadDesk) -> bool:
    calls = desk.calls_left
    return desk.free > 0 and not desk.last_turn and (calls is None or calls > 0)


def _lists_left(desk: LeadDesk) -> bool:
    return _free(desk) and (not desk.notes.num_lists or bool(desk.lists_left))


LEAD_MOVES: tuple[Move[LeadDesk], ...] = (
    Move("wait", "Waits for the next report; the only choice while the lead is not asked.",
       lambda d: d.free < d.n_subagents and not d.last_turn, lambda d: ()),
    Move("answer", "Answers the rows that meet all conditions, and ends the episode.",
       lambda d: d.last_turn or bool(d.notes.rows) or not _free(d),
       lambda d: _write_answer(d, d.sure)),
    Move("answer_all", "The same, with the rows of which it is not known.",
       lambda d: (d.last_turn or not _free(d) or bool(d.notes.rows)) and bool(d.unsure),
       lambda d: _write_answer(d, d.sure + d.unsure)),
    Move("locate", "One subagent searches for the list, so that the others need not.",
       lambda d: _free(d) and not d.notes.num_lists,
       lambda d: _delegate(d, [_subtask(d, "locate", [], 1)])),
    Move("list_one", "One subagent reads the whole list, or what is left of it.",
       _lists_left, _list_by(1)),
    Move("list_two", "Two subagents share the list.",
       lambda d: _lists_left(d) and d.free > 1, _list_by(2)),
    Move("list_all", "All free subagents, at most eight, share the list.",
       lambda d: _lists_left(d) and d.free > 2, _list_by(8)),
    Move("query", "One subagent searches for rows that meet the conditions.",
       lambda d: _free(d) and bool(d.notes.question.conditions), _query(1)),
    Move("query_3", "Three subagents share such searches.",
       lambda d: _free(d) and d.free > 2 and bool(d.notes.question.conditions), _query(3)),
    Move("find_2", "Two rows that lack facts for each free subagent.",
       lambda d: _free(d) and len(d.open_rows) > 0, _find(2)),
    Move("find_5", "Five rows that lack facts for each free subagent.",
       lambda d: _free(d) and len(d.open_rows) > 2 * d.free, _find(5)),
    Move("find_all", "All rows that lack facts, in equal shares.",
       lambda d: _free(d) and len(d.open_rows) > 5 * d.free, _find(None)),
    Move("find_by_column", "For each column that rows lack, one subagent finds it for all of them.",
       lambda d: _free(d) and len(_lacking(d)) > 1, _find_by_column),
    Move("confirm", "Rows known from search results alone, in equal shares.",
       lambda d: _free(d) and len(d.undated) > 0, _confirm),
    Move("check_2", "Two rows with unread further pages for each free subagent, oldest first.",
       lambda d: _free(d) and len(d.doubtful) > 0, _check(2)),
    Move("check_all", "All rows with unread further pages, in equal shares.",
       lambda d: _free(d) and len(d.doubtful) > 2 * d.free, _check(None)),
    Move("ask_again", "Hands out again the subtasks that brought nothing.",
       lambda d: _free(d) and len(d.failed) > 0,
       lambda d: _delegate(d, d.failed[: d.free])),
)  # fmt: skip
"""Choices of the lead; the position is the action."""
