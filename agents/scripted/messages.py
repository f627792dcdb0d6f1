"""What lead and subagents write to one another: subtasks in English, reports in lines.

A subtask holds all that the subagent needs, the question included. A report has the rows of the
answer in their final form, so that the lead has only to merge, and the links that are still open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.scripted.gathering import Gathering
from agents.scripted.needs import Known
from wideseek_env.backends.html.text import split_cells
from wideseek_env.reading.pages import Link, read_links
from wideseek_env.reading.parsed import Asked, NeededFact, ParsedQuestion

_BAR = "\\|"  # as pages write it, so that `split_cells` reads it back
_UNREAD, _DOUBTFUL, _RULED_OUT = "Unread", "Doubtful", "Ruled out"
_SHARE = re.compile(r"Take list pages ([1-9]\d{0,3}), (\d{1,4}), \.\.\.")


@dataclass(frozen=True, slots=True)
class Subtask:
    """A piece of a question."""

    question: str
    share: tuple[int, int] = (1, 1)
    """(i, n): every n-th page of the list, from the i-th on."""
    targets: tuple[Link, ...] = ()
    """Pages to read instead of a share of the list."""
    thorough: bool = False
    """Whether to read second pages too; a whole question is always read so."""

    def text(self) -> str:
        """Returns the subtask as the lead writes it."""
        if self.targets:
            task = "Verify" if self.thorough else "Fill in"
            return f"{self.question}\n{task}: {_write_links(self.targets)}"
        if self.thorough:
            return self.question
        first, step = self.share
        return f"{self.question}\nTake list pages {first}, {first + step}, ..."

    @classmethod
    def read(cls, text: str) -> Subtask:
        """Reads back what `text` wrote; a text without instructions is a whole question."""
        question, _, task = text.rpartition("\n")
        match = _SHARE.fullmatch(task)
        if match and (first := int(match[1])) < (second := int(match[2])):
            return cls(question, (first, second - first))
        if question and task.startswith(("Verify: ", "Fill in: ")):
            return cls(
                question, targets=tuple(read_links(task)), thorough=task.startswith("Verify")
            )
        return cls(text, thorough=True)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a subtask."""

    rows: tuple[tuple[str, ...], ...] = ()
    """Cells as `Form` orders them."""
    unread: tuple[Link, ...] = ()
    """What there was no budget for."""
    doubtful: tuple[Link, ...] = ()
    """What has a second page that may be newer."""
    ruled_out: tuple[Link, ...] = ()
    """What fails a condition; said of things to verify alone, as it was a row before."""

    def text(self) -> str:
        """Returns the report as the subagent writes it."""
        lines = [f"| {' | '.join(cell.replace('|', _BAR) for cell in row)} |" for row in self.rows]
        said = ((_UNREAD, self.unread), (_DOUBTFUL, self.doubtful), (_RULED_OUT, self.ruled_out))
        lines += [f"{heading}: {_write_links(links)}" for heading, links in said if links]
        return "\n".join(lines) or "Nothing."

    @classmethod
    def read(cls, text: str) -> Report:
        """Reads back what `text` wrote; other lines are passed over."""
        lines = text.splitlines()
        rows = [tuple(split_cells(line)[1:-1]) for line in lines if line.startswith("| ")]

        def links(heading: str) -> tuple[Link, ...]:
            said = (line for line in lines if line.startswith(f"{heading}: "))
            return tuple(link for line in said for link in read_links(line))

        return cls(tuple(rows), links(_UNREAD), links(_DOUBTFUL), links(_RULED_OUT))


class Form:
    """The cells of a reported row: the columns asked for, then what the lead needs to merge.

    Args:
        question: what is asked.
    """

    def __init__(self, question: ParsedQuestion) -> None:
        self._asked = list(question.columns)
        self._num_columns = len(question.columns)
        self._rank = question.rank
        self.name_at = self._position(Asked("Name", NeededFact((), "text")))
        """Position of the name, which tells rows apart."""
        if self._rank:
            self._rank_at = self._position(Asked("Rank", self._rank.fact))

    @property
    def num_cells(self) -> int:
        """Cells of a reported row."""
        return len(self._asked)

    def write(self, known: Known) -> tuple[str, ...]:
        """Returns the row of a thing, cells without a known value empty."""
        texts = (asked.write(known.get(asked.fact.at, "")) for asked in self._asked)
        return tuple(" ".join(text.split()) for text in texts)

    def best(self, rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
        """Returns the rows that are in the question's ranking, best first; all without one."""
        if self._rank is None:
            return rows
        read, at = self._rank.fact.read, self._rank_at
        numbered = [(number, row) for row in rows if (number := read(row[at])) is not None]
        numbered.sort(key=lambda each: each[0], reverse=self._rank.greatest)
        return [row for _, row in numbered[: self._rank.k]]

    def answer(self, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Returns the rows of the answer, with the columns asked for alone."""
        return [row[: self._num_columns] for row in self.best(rows)]

    def _position(self, asked: Asked) -> int:
        """Returns where a fact stands in full, and adds it when it does not."""
        for position, other in enumerate(self._asked):
            if other.fact == asked.fact and not other.year_only:
                return position
        self._asked.append(asked)
        return len(self._asked) - 1


def report_on(gathering: Gathering, *, verified: bool) -> Report:
    """Returns the report on a share that was worked through, as far as it came."""
    form = Form(gathering.question)
    return Report(
        tuple(form.best([form.write(known) for known in gathering.rows()])),
        tuple(gathering.unread()),
        () if verified else tuple(gathering.doubtful()),
        tuple(gathering.ruled_out()) if verified else (),
    )


def _write_links(links: Sequence[Link]) -> str:
    return ", ".join(f"[{link.text}]({link.url})" for link in links)
