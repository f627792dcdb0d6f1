"""What became of each cell of the final table: who found a right one, where a wrong one was lost.

A cell of the gold table travels: a page or snippet that holds it is shown to an agent (*read*), a
report that says it is shown to the lead (*reported*), the lead writes it into the table. A cell
that is not right has the fate of the step that it did not take:

    unread      no agent was shown a source of it
    unreported  subagents read it, and no report that the lead saw says it
    dropped     the lead saw it, in a report or on a page of its own, and its table lacks it
    wrong       the table has this cell and says something else; `lost` is where the right value was
    extra       a cell of a row that nobody asked for, or that says again what another row says

What a text says is decided in `saying.py`; who delegated, read and reported to whom is the record's
(`Trajectory.parent`, `ToolResult.urls`, `ToolResult.trajectory`). Where a task does not know its
sources, every page and snippet that says the cell in a line about its row counts as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.viewer.saying import Sayings
from wideseek_env.game.provenance import own_words
from wideseek_env.records import Episode, ToolResult
from wideseek_env.scoring import Table, read_table
from wideseek_env.scoring.qa import read_answer
from wideseek_env.scoring.strict import align
from wideseek_env.scoring.values import MISSING, Value, read_value

Fate: TypeAlias = Literal["right", "unread", "unreported", "dropped", "wrong", "extra"]
Lost: TypeAlias = Literal["unread", "unreported", "dropped"]

LEAD = 0
"""The lead's place in `Episode.trajectories`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of what an agent was shown."""

    trajectory: int
    turn: int
    result: int
    """Index into the turn's results."""
    line: int | None
    """Of the result's text, from 0; None: the record credits the page, though no line says it."""
    url: str | None = None
    """The page; None for a report."""
    reporter: int | None = None
    """The trajectory whose report it is; None for a page."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the gold table and what the answer made of it, or a cell that nobody asked for."""

    fate: Fate
    text: str
    """What the answer says; "" where it says nothing."""
    gold: str | None
    """What is right; None for a cell that nobody asked for."""
    lost: Lost | None = None
    """The step that the right value did not take; None for right and extra cells."""
    reads: tuple[Place, ...] = ()
    """Where agents were shown the right value: the first place of each trajectory, in time. Of an
    extra cell: its own value."""
    reports: tuple[Place, ...] = ()
    """Reports that said it to the lead, likewise."""
    misread: tuple[Place, ...] = ()
    """Where agents were shown the wrong value as that of this row."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the gold table with the answer's row that stands for it; either may be absent."""

    gold: int | None
    answer: int | None
    cells: tuple[Cell, ...]
    repeats: int | None = None
    """The answer's row that says the same as this one, which therefore does not count."""


def fates(episode: Episode, *, brief: bool = False) -> tuple[Row, ...]:
    """Returns the gold table row by row, then rows that nobody asked for; () when it is not scored.

    Without an answer, or one that holds no table, every cell has the fate of the last step that it
    took.

    Args:
        episode: the record.
        brief: whether fates are enough; places and the way of wrong values are left out then.
    """
    if episode.score is None:
        return ()
    return tuple(_Tracer(episode, brief=brief).rows())


def count_fates(rows: Sequence[Row]) -> dict[Fate, int]:
    """Returns how many cells have each fate; rows that nobody asked for count once."""
    counts: Counter[Fate] = Counter()
    for row in rows:
        counts.update(["extra"] if row.gold is None else [cell.fate for cell in row.cells])
    return dict(counts)


def seen_results(episode: Episode, trajectory: int) -> Iterator[tuple[int, int, ToolResult]]:
    """Yields (turn, place in it, result) of all that a trajectory's agent was shown.

    What its last turn brought, nobody saw: there was no decision after it.
    """
    for number, turn in enumerate(episode.trajectories[trajectory].turns[:-1]):
        for at, result in enumerate(turn.results):
            yield number, at, result


class _Words:
    """What a result says by itself: without the game's heading, and without a search's query."""

    def __init__(self, result: ToolResult) -> None:
        self.urls = result.urls
        self.is_page = result.call is not None and result.call.name == "open"
        self.text = own_words(result)


class _Tracer:
    """Follows the cells of one episode."""

    def __init__(self, episode: Episode, *, brief: bool) -> None:
        self._episode = episode
        self._brief = brief
        self._task = task = episode.task
        self._table = _table_of(episode)
        names = task.column_names
        keys = [names.index(name) for name in task.key_columns] or [0]
        self._columns: tuple[int | None, ...] = (None,) * len(names)
        self._pairs: dict[int, int] = {}
        self._firsts: tuple[int, ...] = ()  # of rows that say the same, the first
        self._golds: Sequence[int] = range(len(task.gold))
        self._right = set(episode.score.correct) if episode.score else set()
        if self._table is not None:
            self._align(self._table)
        paired = set(self._pairs.values())
        num_rows = len(self._table.rows) if self._table else 0
        self._others = [row for row in range(num_rows) if row not in paired]
        self._sayings = Sayings(task, ([self._said(row, i) for i in keys] for row in self._others))
        self._credits = {(c.row, c.column): c.trajectories for c in episode.provenance}
        self._pages = list(self._find_pages())
        self._reports = [
            (Place(LEAD, turn, at, None, reporter=result.trajectory), _Words(result))
            for turn, at, result in seen_results(episode, LEAD)
            if result.trajectory is not None and result.status == "ok"
        ]

    def rows(self) -> Iterator[Row]:
        """Yields all rows."""
        for gold in self._golds:
            mine = self._pairs.get(gold)
            cells = tuple(self._cell(gold, column, mine) for column in range(len(self._columns)))
            yield Row(gold, mine, cells)
        for number, mine in enumerate(self._others):
            row = len(self._task.gold) + number
            cells = tuple(
                self._extra(row, column, self._said(mine, column))
                for column in range(len(self._columns))
            )
            yield Row(None, mine, cells, self._repeats(mine))

    def _align(self, table: Table) -> None:
        """Pairs the rows of both tables, as the scorer does."""
        if self._task.kind == "deep":
            self._columns, self._pairs, self._firsts = (0,), {0: 0}, (0,)
            if self._episode.score is not None and self._episode.score.success == 1.0:
                self._right = {(0, 0)}
            return
        alignment = align(self._task, table)
        self._columns, self._firsts = alignment.columns, alignment.answer_rows
        self._golds = alignment.gold_rows
        self._pairs = dict(alignment.pairs)
        if not self._right and self._episode.score and self._episode.score.item_f1:
            self._right = set(alignment.correct)  # the official scorer does not tell its cells

    def _said(self, row: int, column: int) -> str:
        """Returns what the answer has in a required column of one of its rows."""
        index = self._columns[column]
        return "" if self._table is None or index is None else self._table.rows[row][index]

    def _repeats(self, mine: int) -> int | None:
        if self._table is None or mine in self._firsts:
            return None
        return next((row for row in self._firsts if self._values(row) == self._values(mine)), None)

    def _values(self, row: int) -> list[Value]:
        cells = enumerate(self._task.columns)
        return [read_value(self._said(row, index), column) for index, column in cells]

    def _cell(self, row: int, column: int, mine: int | None) -> Cell:
        """Follows one cell of the gold table."""
        gold = self._task.gold[row][column]
        text = "" if mine is None else self._said(mine, column)
        blank = read_value(text, self._task.columns[column]) == MISSING
        right = (row, column) in self._right
        if self._brief and (right or not blank):
            return Cell("right" if right else "wrong", text, gold)
        told = column if gold else self._key_column(row)  # a blank is found with its row
        sources = self._task.sources[row][told] if self._task.sources else None
        reads = self._reads(row, told, sources)
        reports = [
            Place(place.trajectory, place.turn, place.result, line, reporter=place.reporter)
            for place, words in self._reports
            if (line := self._sayings.line_of(words.text, row, told, about=False)) is not None
        ]
        found = {"reads": tuple(reads), "reports": tuple(_first_of_each(reports))}
        if right:
            reads = reads or self._credited(row, column)
            text = text if mine is not None else gold  # paired by a judge, whose pairs are not kept
            return Cell("right", text, gold, None, tuple(reads), found["reports"])
        lost: Lost = "unread"
        if reports or any(place.trajectory == LEAD for place in reads):
            lost = "dropped"
        elif reads:
            lost = "unreported"
        if blank:
            return Cell(lost, text, gold, lost, **found)
        return Cell("wrong", text, gold, lost, **found, misread=self._misread(row, column, text))

    def _key_column(self, row: int) -> int:
        names = self._task.column_names
        return names.index(self._task.key_columns[0]) if self._task.key_columns else 0

    def _reads(self, row: int, column: int, sources: tuple[str, ...] | None) -> list[Place]:
        """Returns the first place at which each trajectory was shown a gold cell."""
        places = []
        for place, words in self._pages:
            urls = words.urls if sources is None else set(sources).intersection(words.urls)
            if not urls:
                continue
            about = sources is not None and words.is_page
            line = self._sayings.line_of(words.text, row, column, about=about)
            if line is not None:
                url = next(url for url in words.urls if url in urls)
                places.append(Place(place.trajectory, place.turn, place.result, line, url))
        return _first_of_each(places)

    def _credited(self, row: int, column: int) -> list[Place]:
        """Returns where those opened a source whom the record credits, though no line says it."""
        sources = self._task.sources[row][column] if self._task.sources else ()
        credit = self._credits.get((row, column), ())
        return _first_of_each(
            Place(place.trajectory, place.turn, place.result, None, url)
            for place, words in self._pages
            if place.trajectory in credit
            for url in words.urls
            if url in sources
        )

    def _misread(self, row: int, column: int, text: str) -> tuple[Place, ...]:
        """Returns where agents were shown a value in a line about a row."""
        places = []
        for place, words in self._pages:
            line = self._sayings.line_of_other(words.text, row, column, text)
            if line is not None:
                url = words.urls[0] if words.urls else None
                places.append(Place(place.trajectory, place.turn, place.result, line, url))
        for place, words in self._reports:
            line = self._sayings.line_of_other(words.text, row, column, text)
            if line is not None:
                places.append(Place(LEAD, place.turn, place.result, line, None, place.reporter))
        return tuple(_first_of_each(places))

    def _extra(self, row: int, column: int, text: str) -> Cell:
        """Follows a cell that nobody asked for."""
        places = self._misread(row, column, text) if text.strip() and not self._brief else ()
        pages = tuple(place for place in places if place.reporter is None)
        reports = tuple(place for place in places if place.reporter is not None)
        return Cell("extra", text, None, None, pages, reports)

    def _find_pages(self) -> Iterator[tuple[Place, _Words]]:
        """Yields what tools for information showed to agents, in time."""
        found = [
            (trajectory.turns[number].ended_s, Place(index, number, at, None), _Words(result))
            for index, trajectory in enumerate(self._episode.trajectories)
            for number, at, result in seen_results(self._episode, index)
            if result.status == "ok" and result.call is not None and result.call.informs
        ]
        found.sort(key=lambda entry: entry[0])
        for _, place, words in found:
            yield place, words


def _table_of(episode: Episode) -> Table | None:
    """Returns the answer as a table; that of a deep task has one cell."""
    if episode.answer is None:
        return None
    if episode.task.kind == "deep":
        answer = read_answer(episode.answer)
        return None if answer is None else Table((episode.task.column_names[0],), ((answer,),))
    return read_table(episode.answer)


def _first_of_each(places: Iterator[Place] | Sequence[Place]) -> list[Place]:
    """Returns the first place of each reader, or for reports of each reporter."""
    first: dict[tuple[int, int | None], Place] = {}
    for place in places:
        first.setdefault((place.trajectory, place.reporter), place)
    return list(first.values())
