"""Cheaters that read the pages of the list alone, check no condition and hand in every name.

They differ in what they put into the cells that no list page tells: nothing at all, by leaving the
column out; a blank; or a guess. Each plays alone, and as a team that shares the list.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TypeAlias

from agents.policy import EpisodeInfo
from agents.scripted.messages import Report, Subtask
from agents.scripted.script import (
    Calls,
    Script,
    StartScript,
    answer,
    delegate,
    has_tools,
    open_page,
    report,
    reports_in,
    search,
)
from wideseek_env.reading.pages import read_list_title, read_open, read_search
from wideseek_env.reading.parsed import ParsedQuestion
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Observation
from wideseek_env.scoring.tables import write_table
from wideseek_env.worlds.domains import DOMAINS

Names: TypeAlias = Mapping[str, Mapping[str, str]]
"""Name of each thing on the list to what the list says of it, by label."""
Fill: TypeAlias = Callable[[ParsedQuestion, Names], str]
"""Makes the answer out of a list."""


def _leave_out(question: ParsedQuestion, names: Names) -> str:
    """Answers the names alone, without the other columns."""
    header = [column.header for column in question.columns if not column.fact.at]
    return write_table(header, [[name] * len(header) for name in names])


def _leave_blank(question: ParsedQuestion, names: Names) -> str:
    """Answers the names, and blanks in the other columns."""
    return _write(question, names, lambda label, told: "")


def _copy_list(question: ParsedQuestion, names: Names) -> str:
    """Answers the names, what the list says beside them, and blanks."""
    return _write(question, names, lambda label, told: told.get(label, ""))


def _guess_cells(question: ParsedQuestion, names: Names) -> str:
    """Answers what the list says, and where it says nothing what is likely, in every row alike.

    Likely is what a condition asks for, else any value that things of this kind can have.
    """
    domain = next(d for d in DOMAINS.values() if d.noun == question.noun)
    likely = {a.label: a.values[0] for a in domain.attributes if a.values}
    likely |= {a.label: str((a.low + a.high) // 2) for a in domain.attributes if a.high}
    likely |= {bound.fact.at[0]: bound.a for bound in question.conditions}
    return _write(question, names, lambda label, told: told.get(label, likely.get(label, "")))


def _write(
    question: ParsedQuestion, names: Names, cell: Callable[[str, Mapping[str, str]], str]
) -> str:
    header = [column.header for column in question.columns]
    rows = [
        [
            name if not column.fact.at
            else "" if len(column.fact.at) > 1
            else cell(column.fact.at[0], told)
            for column in question.columns
        ]
        for name, told in names.items()
    ]  # fmt: skip
    return write_table(header, rows)


def _alone(fill: Fill) -> StartScript:
    """Returns a lead that reads the list itself, or has one subagent read it."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        yield from _lead(info, observation, fill, num=1)

    return lead


def _as_team(fill: Fill) -> StartScript:
    """Returns a lead that shares the list among all subagents."""

    def lead(info: EpisodeInfo, observation: Observation) -> Script:
        yield from _lead(info, observation, fill, num=max(1, info.n_subagents))

    return lead


def _list_reader(info: EpisodeInfo, observation: Observation) -> Script:
    """The subagent: reports a row for each thing on its share of the list."""
    subtask = Subtask.read(observation.text)
    names = yield from _read_list(info, subtask, observation)
    yield report(Report(tuple((name, *_pairs(told)) for name, told in names.items())).text())


def _lead(info: EpisodeInfo, observation: Observation, fill: Fill, num: int) -> Script:
    question = parse_question(info.question)
    if question is None or question.start:
        yield answer("unknown")
        return
    if has_tools(info):
        names = yield from _read_list(info, Subtask(info.question), observation)
    else:
        shares = [Subtask(info.question, share=(i, num)) for i in range(1, num + 1)]
        observation = yield delegate([share.text() for share in shares])
        rows = Report.read("\n".join(result.body for result in reports_in(observation))).rows
        names = {
            name: dict(zip(told[::2], told[1::2], strict=False))
            for name, *told in filter(None, rows)
        }
    yield answer(fill(question, names))


def _pairs(told: Mapping[str, str]) -> Sequence[str]:
    return [text for pair in told.items() for text in pair]


def _read_list(
    info: EpisodeInfo, subtask: Subtask, observation: Observation
) -> Generator[Calls, Observation, dict[str, Mapping[str, str]]]:
    """Copies the list, as far as turns, calls and context reach."""
    question = parse_question(subtask.question)
    names: dict[str, Mapping[str, str]] = {}
    if question is None or observation.turns_left < 3:
        return names
    observation = yield (search(question.list_title),)
    hits = [hit for result in observation.results for hit in read_search(result.text)]
    pages = [(hit.url, page) for hit in hits if (page := read_list_title(hit.title))]
    pages = [(url, page) for url, page in pages if page.list == question.list_title]
    if not pages:
        return names
    url, page = pages[0]
    first, step = subtask.share
    numbers = range(first, page.num + 1, step)
    urls = [url.removesuffix(str(page.number)) + str(number) for number in numbers]
    while urls and observation.turns_left > 1:
        some, urls = urls[: info.limits.max_calls_per_turn], urls[info.limits.max_calls_per_turn :]
        observation = yield tuple(open_page(url) for url in some)
        for result in observation.results:
            names |= _on_page(question, result.text)
    return names


def _on_page(question: ParsedQuestion, text: str) -> dict[str, Mapping[str, str]]:
    """Returns each thing that a page of the list names, and what the page says of it."""
    notes = read_open(text)
    if notes is None:
        return {}
    others = (question.region.lower(), "next page")
    names: dict[str, Mapping[str, str]] = {
        link.text: {} for link in notes.links if link.text.lower() not in others
    }
    for header, *rows in notes.tables:
        labels = [cell.text for cell in header[1:]]
        for row in rows:
            told = [cell.text for cell in row[1:]]
            names[row[0].text] = dict(zip(labels, told, strict=False))
    return names


LIST_GUESSERS: Mapping[str, tuple[StartScript, StartScript]] = {
    f"{name}{suffix}": (lead(fill), _list_reader)
    for suffix, lead in (("", _alone), ("_team", _as_team))
    for name, fill in (
        ("list_guesser", _leave_out),
        ("list_guesser_blank", _leave_blank),
        ("list_copier", _copy_list),
        ("cell_guesser", _guess_cells),
    )
}
"""Scripts of lead and subagents, by name."""
