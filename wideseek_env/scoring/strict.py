"""Strict mode: WideSearch's figures without the ways to be paid for what was not found.

Rows stand for one another one to one, by equal keys and then by the best total; in the item F1 a
wrong cell takes back half of a right one; every figure lies in [0, 1]; the gold table scores
exactly 1 against itself. Each rule is stated in `docs/scoring.md` beside the defect that it closes.
The figures come out in three steps: `align` pairs the rows and marks the right cells, `figures`
counts them, `StrictScorer` does both and asks a judge in between.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, product
from operator import itemgetter
from typing import TypeAlias

from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring.assignment import best_assignment
from wideseek_env.scoring.qa import score_deep
from wideseek_env.scoring.tables import Table, read_table
from wideseek_env.scoring.text import bare_text
from wideseek_env.scoring.values import MAX_KEPT_CHARS, MISSING, Value, read_value, reader_of, same

Spellings: TypeAlias = Mapping[tuple[int, str], tuple[str, ...]]
"""(column, gold cell) to further spellings of it that a judge accepted."""

_Row: TypeAlias = tuple[Value | None, ...]
"""Values of the required columns; None where the answer has no such column."""

_MAX_STEPS = 500_000
"""Above this (about 0.3 s), rows that share a key are paired greedily, not optimally."""

_MAX_COMPARED = 30_000
"""Above these pairs of rows that share a key, further rows of the answer stand for none."""

NOTHING = Score(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, parsed=False)
"""The score of an answer that holds no table."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which answer row stands for which gold row, and which cells are right."""

    columns: tuple[int | None, ...]
    """For each required column its index in the answer; None: the answer lacks it."""
    num_extra_columns: int
    """Columns of the answer that nobody asked for."""
    answer_rows: tuple[int, ...]
    """Rows of the answer that count: of rows that say the same, the first."""
    gold_rows: tuple[int, ...]
    """Rows of the gold table that count, likewise."""
    pairs: tuple[tuple[int, int], ...]
    """(gold row, answer row), sorted; each row at most once."""
    correct: tuple[tuple[int, int], ...]
    """(gold row, required column) of each cell that the answer got right, sorted."""
    num_wrong: int
    """Cells of the answer's required columns that say something wrong: keys, and what is not
    blank in other columns."""


class StrictScorer:
    """Scores answers by rules alone."""

    async def __call__(self, task: Task, answer: str | None) -> Score:
        """Returns the score of an answer; None, or a text without a table, scores 0."""
        return score_strict(task, answer)


def score_strict(task: Task, answer: str | None) -> Score:
    """Returns the score of an answer by rules alone; None, or a text without a table, scores 0."""
    if answer is None:
        return NOTHING
    if task.kind == "deep":
        return score_deep(task, answer)
    table = read_table(answer, task.column_names)
    return NOTHING if table is None else figures(align(task, table))


def figures(alignment: Alignment) -> Score:
    """Returns precision, recall and F1 of an alignment, by rows and by cells.

    In the item F1, not in item precision and recall, a wrong cell takes back half of a right one.
    """
    num_required = len(alignment.columns)
    num_answer_rows, num_gold_rows = len(alignment.answer_rows), len(alignment.gold_rows)
    right_in_row: dict[int, int] = defaultdict(int)
    for row, _ in alignment.correct:
        right_in_row[row] += 1
    right_rows = sum(count == num_required for count in right_in_row.values())
    row_precision, row_recall, row_f1 = _rates(right_rows, num_answer_rows, num_gold_rows)
    num_right = len(alignment.correct)
    num_claimed = num_answer_rows * (num_required + alignment.num_extra_columns)
    num_wanted = num_gold_rows * num_required
    item_precision, item_recall, item_f1 = _rates(num_right, num_claimed, num_wanted)
    if alignment.num_wrong:
        item_f1 = max(0, 2 * num_right - alignment.num_wrong) / (num_claimed + num_wanted)
    return Score(
        success=float(row_f1 == 1.0 and item_f1 == 1.0),
        row_precision=row_precision,
        row_recall=row_recall,
        row_f1=row_f1,
        item_precision=item_precision,
        item_recall=item_recall,
        item_f1=item_f1,
        correct=alignment.correct,
    )


def _rates(right: int, claimed: int, wanted: int) -> tuple[float, float, float]:
    """Returns precision, recall and F1; an empty answer to an empty gold table is right."""
    if claimed == wanted == 0:
        return 1.0, 1.0, 1.0
    precision = right / claimed if claimed else 0.0
    recall = right / wanted if wanted else 0.0
    return precision, recall, 2 * right / (claimed + wanted)


def align(task: Task, table: Table, accepted: Spellings | None = None) -> Alignment:
    """Pairs the rows of an answer with those of the gold table.

    Args:
        task: a wide task.
        table: the answer's table.
        accepted: what a judge has found to mean the same as a gold cell.
    """
    columns = match_headers(task.columns, table.header)
    answers = _first_rows(_answer_values(task, table, columns))
    readers = [reader_of(column) for column in task.columns]
    golds = _first_rows(
        tuple([read(cell) for cell, read in zip(row, readers, strict=True)]) for row in task.gold
    )
    further = _further_values(task, accepted or {})
    keys = _key_indices(task)
    lacks = None in columns
    gaps = {i: _stated(row, keys) for i, row in answers.items() if lacks or MISSING in row}
    sheet = _Sheet(task, answers, golds, further, keys, gaps)
    pairs = sorted(sheet.pairs())
    correct: list[tuple[int, int]] = []
    num_true = 0
    for gold, answer in pairs:
        right = sheet.right_cells(gold, answer)
        correct += [(gold, column) for column in right]
        num_true += len(sheet.true_cells(answer, right))
    return Alignment(
        columns=columns,
        num_extra_columns=len(table.header) - sum(column is not None for column in columns),
        answer_rows=tuple(answers),
        gold_rows=tuple(golds),
        pairs=tuple(pairs),
        correct=tuple(correct),
        num_wrong=sheet.num_stated() - num_true,
    )


def match_headers(required: Sequence[Column], header: Sequence[str]) -> tuple[int | None, ...]:
    """Returns for each required column the first column of the answer that bears its name.

    Of several required columns with one name, the second takes the answer's second, and so on.
    """
    where: dict[str, deque[int]] = defaultdict(deque)
    for index, name in enumerate(header):
        where[(_bare_name if len(name) <= MAX_KEPT_CHARS else bare_text)(name)].append(index)
    bearers = [where[_bare_name(column.name)] for column in required]
    return tuple(indices.popleft() if indices else None for indices in bearers)


_bare_name = lru_cache(maxsize=4096)(bare_text)


def _answer_values(
    task: Task, table: Table, columns: Sequence[int | None]
) -> Iterable[tuple[Value | None, ...]]:
    readers = [reader_of(column) for column in task.columns]
    if max(map(len, chain.from_iterable(table.rows)), default=0) > MAX_KEPT_CHARS:
        readers = [
            partial(_read_by_length, *both)
            for both in zip(readers, (reader_of(c, keep=False) for c in task.columns), strict=True)
        ]
    takes = list(zip(columns, readers, strict=True))
    for row in table.rows:
        yield tuple([None if index is None else read(row[index]) for index, read in takes])


def _read_by_length(
    read: Callable[[str], Value], read_long: Callable[[str], Value], cell: str
) -> Value:
    return (read if len(cell) <= MAX_KEPT_CHARS else read_long)(cell)


def _key_indices(task: Task) -> list[int]:
    return [task.column_names.index(name) for name in task.key_columns] or [0]


def _stated(row: _Row, keys: Sequence[int]) -> Collection[int]:
    return [i for i, v in enumerate(row) if i in keys or (v is not None and v is not MISSING)]


def _first_rows(rows: Iterable[_Row]) -> dict[int, _Row]:
    """Returns row index to values, the first of each set of equal rows."""
    first: dict[_Row, int] = {}
    for index, row in enumerate(rows):
        first.setdefault(row, index)
    return {index: row for row, index in first.items()}


def _further_values(task: Task, accepted: Spellings) -> dict[tuple[int, Value], tuple[Value, ...]]:
    """Returns (column, gold value) to the values of its aliases and of accepted spellings."""
    further: dict[tuple[int, Value], tuple[Value, ...]] = {}
    if not task.aliases and not accepted:
        return further
    for index, column in enumerate(task.columns):
        for cell in dict.fromkeys(row[index] for row in task.gold):
            spellings = (*task.aliases.get(cell, ()), *accepted.get((index, cell), ()))
            if spellings:
                value = read_value(cell, column)
                known = further.get((index, value), ())
                further[index, value] = known + tuple(read_value(s, column) for s in spellings)
    return further


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Both tables as values, and the questions that pairing asks of them."""

    task: Task
    answers: Mapping[int, _Row]
    golds: Mapping[int, _Row]
    further: Mapping[tuple[int, Value], tuple[Value, ...]]
    keys: Sequence[int]
    """Indices of the key columns."""
    stated: Mapping[int, Collection[int]]
    """Answer row to the columns in which it says something, for rows that do not in all of them."""

    def right_cells(self, gold: int, answer: int) -> list[int]:
        """Returns the columns in which an answer row matches a gold row."""
        mine_all, wanted_all = self.answers[answer], self.golds[gold]
        if mine_all == wanted_all:
            return [*range(len(wanted_all))]
        cells = enumerate(zip(mine_all, wanted_all, strict=True))
        return [
            index
            for index, (mine, wanted) in cells
            if mine is not None
            and wanted is not None
            and (mine is wanted or self._match(mine, wanted, index))
        ]

    def true_cells(self, answer: int, right: list[int]) -> list[int]:
        """Returns those of an answer row's right cells in which it says something."""
        stated = self.stated.get(answer)
        return right if stated is None else [index for index in right if index in stated]

    def num_stated(self) -> int:
        """Returns in how many cells the answer says something; a row always has its keys."""
        whole = len(self.answers) - len(self.stated)
        return whole * len(self.task.columns) + sum(map(len, self.stated.values()))

    def _match(self, mine: Value, wanted: Value, index: int) -> bool:
        column = self.task.columns[index]
        return same(mine, wanted, column) or any(
            same(mine, other, column) for other in self.further.get((index, wanted), ())
        )

    def pairs(self) -> list[tuple[int, int]]:
        """Returns (gold row, answer row) for all rows that stand for one another."""
        pairs = []
        for golds, answers in self._groups():
            if len(golds) == len(answers) == 1:
                pairs.append((golds[0], answers[0]))
                continue
            pairs += self._best(golds, answers, shared=len(golds) > 1)
        return pairs

    def _groups(self) -> Iterable[tuple[list[int], list[int]]]:
        """Returns gold rows and answer rows that may stand for one another by their keys.

        Two keys that name one gold row, by an alias, put all rows of both into one group.
        """
        keys = self.keys
        if not self.further:  # nearly every task, and much faster
            key_of = itemgetter(*keys)
            of_key: dict[object, tuple[list[int], list[int]]] = {}
            for gold, row in self.golds.items():
                of_key.setdefault(key_of(row), ([], []))[0].append(gold)
            for answer, row in self.answers.items():
                group = of_key.get(key_of(row))
                if group is not None:
                    group[1].append(answer)
            return [group for group in of_key.values() if group[1]]
        parent: dict[_Row, _Row] = {}

        def root(key: _Row) -> _Row:
            while parent[key] is not key:
                key = parent[key]
            return key

        roots: dict[int, _Row] = {}
        for gold, row in self.golds.items():
            first, *others = self._keys_of(row, keys)
            roots[gold] = first = parent.setdefault(first, first)
            for other in others:
                parent[root(parent.setdefault(other, other))] = root(first)
        groups: dict[_Row, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for gold, key in roots.items():
            groups[root(key)][0].append(gold)
        for answer, row in self.answers.items():
            key = tuple([row[index] for index in keys])
            if key in parent:
                groups[root(parent[key])][1].append(answer)
        return [group for group in groups.values() if group[1]]

    def _keys_of(self, row: _Row, keys: Sequence[int]) -> list[_Row]:
        """Returns every key that names a gold row: its own first, then those by aliases."""
        if not self.further:
            return [tuple([row[index] for index in keys])]
        choices = [
            (row[index], *self.further.get((index, value), ()))
            for index in keys
            if (value := row[index]) is not None
        ]
        return list(dict.fromkeys(product(*choices)))

    def _best(
        self, golds: Sequence[int], answers: Sequence[int], *, shared: bool
    ) -> list[tuple[int, int]]:
        """Pairs rows so that the item F1 is greatest and, among those, most rows are right.

        Args:
            golds: rows that may stand for one another with `answers`.
            answers: rows of the answer.
            shared: whether several gold rows bear this key, so that it alone tells no row.
        """
        few, many = sorted((len(golds), len(answers)))
        equal: list[tuple[int, int]] = []
        if few * few * many > _MAX_STEPS:
            whole = {self.golds[gold]: gold for gold in golds}
            equal = [(whole[row], a) for a in answers if (row := self.answers[a]) in whole]
            golds = [gold for gold in golds if gold not in dict(equal)]
            used = {answer for _, answer in equal}
            answers = [answer for answer in answers if answer not in used]
            most = max(1, _MAX_COMPARED // max(1, len(golds)))
            if len(answers) > most:
                answers = sorted(answers, key=lambda answer: repr(self.answers[answer]))[:most]
            few, many = sorted((len(golds), len(answers)))
        weights = []
        for gold in golds:
            names = self._keys_of(self.golds[gold], self.keys)
            weights.append([self._weight(gold, a, few + 1, names, shared) for a in answers])
        if few * few * many <= _MAX_STEPS:
            chosen = best_assignment(weights)
        else:
            chosen = self._greedy(weights, golds, answers)
        return equal + [(golds[g], answers[a]) for g, a in chosen if weights[g][a]]

    def _weight(
        self, gold: int, answer: int, scale: int, names: Sequence[_Row], shared: bool
    ) -> int:
        """Returns 0 when the rows are not of one thing, else what pairing them adds to item F1."""
        if tuple([self.answers[answer][index] for index in self.keys]) not in names:
            return 0
        right = self.right_cells(gold, answer)
        true = self.true_cells(answer, right)
        whole = len(right) == len(self.task.columns)
        if shared and not whole and all(index in self.keys for index in true):
            return 0
        worth = (2 * len(right) + len(true)) * scale + whole
        return worth * len(self.task.columns) * scale + len(right)

    def _greedy(
        self, weights: Sequence[Sequence[int]], golds: Sequence[int], answers: Sequence[int]
    ) -> list[tuple[int, int]]:
        """Takes the heaviest pair again and again; ties by what rows say, never by their order."""
        gold_names = [repr(self.golds[gold]) for gold in golds]
        answer_names = [repr(self.answers[answer]) for answer in answers]
        edges = [(g, a) for g in range(len(golds)) for a in range(len(answers)) if weights[g][a]]
        edges.sort(key=lambda e: (-weights[e[0]][e[1]], gold_names[e[0]], answer_names[e[1]]))
        taken: set[int] = set()
        used: set[int] = set()
        chosen = []
        for g, a in edges:
            if g not in taken and a not in used:
                taken.add(g)
                used.add(a)
                chosen.append((g, a))
        return chosen
