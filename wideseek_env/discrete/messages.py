"""Subtasks and reports of the discrete interface: short plain text, as context is scarce.

What one agent learns from another is in these texts and nowhere else. A subtask is the question in
its shortest form and what to do about which pages; a report says what was found:

    List all rivers in Varnia that have a karstic regime. Columns: River, Length (km).
    part | find | 1 of 1 | 12 calls
    new | /varnia/alden /varnia/cray
    other | /varnia/brook | /varnia/brook/gazetteer

    calls | 7
    list | 2 of 9 | /varnia/rivers/2
    out | /varnia/cray
    row | Alden | /varnia/alden | . 2024-05-01 | Length: 12 km; Regime: karstic | other | /gazetteer

In a `row` line, "." stands for the row's own page, a name that begins with "/" for a page below it,
and "~" for search results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wideseek_env.backends.caching import cached
from wideseek_env.discrete.notes import ARCHIVED, UNDATED, Candidate, Notes, Reading
from wideseek_env.reading.pages import CUT, LinkedText, read_links, read_place
from wideseek_env.reading.parsed import ParsedQuestion
from wideseek_env.reading.question import parse_question

Part: TypeAlias = Literal["locate", "list", "query", "find", "check"]
"""What a subagent is asked for: where the list is; rows from the list; rows by search; facts of
given rows; further pages about given rows."""

NOTHING = "nothing found"
"""Report of a subagent that gave up."""

_MAX_KEPT_BYTES = 16 << 20  # of what was read
_COUNT = re.compile(r"\d{1,6}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d|-")
_PARTS: dict[str, Part] = {
    "locate": "locate", "list": "list", "query": "query", "find": "find", "check": "check",
}  # fmt: skip
Lines: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Subtask:
    """A subtask, read."""

    question: ParsedQuestion
    part: Part
    share: tuple[int, int]
    """(i, n): take every n-th page of the list, from the i-th on; from 1."""
    calls: int | None
    """`search` and `open` calls that the lead says there are; None: no bound."""
    lines: Lines
    """About rows and lists."""


def short_question(question: str, columns: Sequence[str]) -> str:
    """Returns a question without its notes, asking for these columns."""
    first = re.split(r"(?<=[.?]) ", question, maxsplit=1)[0]
    return f"{first} Columns: {', '.join(columns)}."


def write_subtask(
    question: str, part: Part, lines: Iterable[str], share: tuple[int, int], calls: int | None
) -> str:
    """Returns the text of a subtask.

    Args:
        question: from `short_question`.
        part: what is asked for.
        lines: about rows and lists: `new_line`, `other_line`, `list_line`.
        share: see `Subtask`.
        calls: see `Subtask`.
    """
    bound = "-" if calls is None else f"{calls} calls"
    return "\n".join([question, f"part | {part} | {share[0]} of {share[1]} | {bound}", *lines])


@cached(_MAX_KEPT_BYTES)
def read_subtask(text: str) -> Subtask | None:
    """Reads a subtask; None when it does not have the form of `write_subtask`."""
    first, _, rest = text.partition("\n")
    question, lines = parse_question(first), read_lines(rest)
    if question is None or not lines or lines[0][0] != "part" or len(lines[0]) != _PART_FIELDS:
        return None
    _, part, share, bound = lines[0]
    place, calls = read_place(share), _COUNT.match(bound)
    if place is None or (calls is None and bound != "-"):
        return None
    return Subtask(
        question, _PARTS.get(part, "find"), place, int(calls[0]) if calls else None, lines[1:]
    )


def list_line(notes: Notes) -> list[str]:
    """Returns the line on the list's pages that were read, or on one that is known; or no line."""
    if not notes.lists:
        return []
    first = min(notes.lists)
    read = "".join(f" {number}" for number in sorted(notes.lists_read))
    return [f"list | {first} of {notes.num_lists} | {notes.lists[first]} | read{read}"]


def new_line(rows: Iterable[Candidate]) -> list[str]:
    """Returns the line that names rows by their pages alone; no line when there are none."""
    urls = " ".join(row.url for row in rows)
    return [f"new | {urls}"] if urls else []


def other_line(row: Candidate) -> str:
    """Returns the line on further pages about a row."""
    return f"other | {row.url} | {' '.join(row.others)}"


def write_report(notes: Notes, num_calls: int) -> str:
    """Writes an agent's notes as a report, with little on rows that fail a condition."""
    rows = notes.rows.values()
    lines = [f"calls | {num_calls}", *list_line(notes)]
    lines += new_line(row for row in rows if not row.facts and not row.read)
    out = " ".join(row.url for row in rows if row.verdict is False)
    lines += [f"out | {out}"] if out else []
    lines += [
        _row_line(notes, row)
        for row in rows
        if row.verdict is not False and (row.facts or row.read)
    ]
    return "\n".join(lines)


def whole_lines(report: str) -> str:
    """Returns a report less a last line that the lead's context cut."""
    return report.rpartition("\n")[0] if report.endswith(CUT) else report


def _row_line(notes: Notes, row: Candidate) -> str:
    by_page: dict[str, list[str]] = {_page(row, u, d): [] for u, d in row.read.items()}
    for at, fact in row.facts.items():
        told = f"{' > '.join(at)}: {notes.spelling(at, fact.value)}"
        by_page.setdefault(_page(row, fact.url, fact.date), []).append(told)
    fields = ["row", row.name, row.url]
    for page, facts in by_page.items():
        fields += [page, "; ".join(facts) or "-"]
    if row.others:
        fields += ["other", " ".join(url.removeprefix(row.url) for url in row.others)]
    return " | ".join(fields)


def _page(row: Candidate, url: str, date: str) -> str:
    if date in (ARCHIVED, UNDATED) or url not in row.read:
        return "~" if date != ARCHIVED else "~~"
    return f"{url.removeprefix(row.url) or '.'} {date or '-'}"


@cached(_MAX_KEPT_BYTES)
def read_lines(text: str) -> Lines:
    """Returns the lines of a subtask or report that have fields, split."""
    lines = (tuple(line.split(" | ")) for line in text.splitlines())
    return tuple(line for line in lines if len(line) >= _NUM_FIELDS.get(line[0], 99))


_PART_FIELDS = 4
_NUM_FIELDS = {
    "part": _PART_FIELDS,
    "calls": 2,
    "list": 4,
    "new": 2,
    "out": 2,
    "other": 3,
    "row": 3,
}
"""Words that begin a line, with the least number of fields of such a line."""


def take_lines(notes: Notes, lines: Lines) -> int:
    """Adds the lines of a subtask or report to an agent's notes; returns the calls they tell of."""
    num_calls = 0
    for line in lines:
        if line[0] == "calls":
            num_calls += int(line[1]) if _COUNT.fullmatch(line[1]) else 0
        elif line[0] == "list":
            if place := read_place(line[1]):
                notes.add_list(*place, line[2])
                read = (number for number in line[3].split() if _COUNT.fullmatch(number))
                notes.lists_read.update(map(int, read))
        elif line[0] == "new":
            for url in line[1].split():
                notes.row(_name(url), url)
        elif line[0] == "out":
            for url in line[1].split():
                notes.rule_out(notes.row(_name(url), url))
        elif line[0] == "other":
            row = notes.row(_name(line[1]), line[1])
            row.unread.update({url: "" for url in line[2].split() if url not in row.read})
        elif line[0] == "row":
            _take_row(notes, line)
    return num_calls


def _take_row(notes: Notes, line: tuple[str, ...]) -> None:
    row = notes.row(line[1], line[2])
    row.name = line[1]
    for page, told in zip(line[3::2], line[4::2], strict=False):
        if page == "other":
            urls = (_below(row, url) for url in told.split())
            row.unread.update({url: "" for url in urls if url not in row.read})
            continue
        url, date = row.url, {"~": UNDATED, "~~": ARCHIVED}.get(page, "")
        if not date:
            name, _, date = page.rpartition(" ")
            if not _DATE.fullmatch(date):
                continue
            url, date = _below(row, "" if name == "." else name), date.removeprefix("-")
            notes.mark_read(row, url, date)
        for pair in told.split("; "):
            label, colon, value = pair.partition(": ")
            if colon:
                notes.add_fact(row, tuple(label.split(" > ")), Reading(_cell(value), url, date))
    notes.judge(row)


def _below(row: Candidate, url: str) -> str:
    """Returns the URL that a name of a page in a `row` line stands for."""
    return url if url.startswith(row.url) else f"{row.url}{url}"


def _name(url: str) -> str:
    """Names a row of which only the URL is known."""
    return url.rpartition("/")[2].replace("-", " ").title()


def _cell(text: str) -> LinkedText:
    links = read_links(text)
    return LinkedText(links[0].text, links[0].url) if links else LinkedText(text)
