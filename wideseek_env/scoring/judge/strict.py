"""Strict mode with a judge: the rules first, the judge for what they leave open, then the figures.

Open are, in this order: keys of answer rows that no gold row bears, and, in the rows that then
stand for one another, the cells of `llm_judge` columns that differ. Missing values are never open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring.judge.judge import Judge
from wideseek_env.scoring.qa import all_figures, read_answer, score_deep
from wideseek_env.scoring.strict import NOTHING, Alignment, Spellings, align, figures
from wideseek_env.scoring.tables import Table, read_table
from wideseek_env.scoring.values import MISSING, Value, kind_of, read_value


class JudgedScorer:
    """Strict mode; a judge decides what the rules leave open.

    Args:
        judge: whoever makes it closes it.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def __call__(self, task: Task, answer: str | None) -> Score:
        """Returns the score of an answer.

        Raises:
            ScoringError: the judge failed; the answer is not scored.
        """
        if answer is None:
            return NOTHING
        if task.kind == "deep":
            return await self._score_deep(task, answer)
        table = read_table(answer, task.column_names)
        return NOTHING if table is None else figures(await align_judged(task, table, self._judge))

    async def _score_deep(self, task: Task, answer: str) -> Score:
        score = score_deep(task, answer)
        given = read_answer(answer)
        column = task.columns[0]
        if score.success or given is None or column.metric != "llm_judge":
            return score
        about = f"{column.name} to: {task.question}"
        (right,) = await self._judge.same(about, _criterion(column), [(given, task.gold[0][0])])
        return all_figures(float(right), parsed=True)


async def align_judged(task: Task, table: Table, judge: Judge) -> Alignment:
    """Returns the alignment after the judge has been asked what the rules leave open.

    Raises:
        ScoringError: the judge failed.
    """
    alignment = align(task, table)
    accepted = await _judge_keys(task, table, alignment, judge)
    if accepted:
        alignment = align(task, table, accepted)
    accepted = _joined(accepted, await _judge_cells(task, table, alignment, judge))
    return align(task, table, accepted) if accepted else alignment


async def _judge_keys(task: Task, table: Table, alignment: Alignment, judge: Judge) -> Spellings:
    """Asks which gold key each unpaired row's key stands for, one column after the other."""
    paired_gold = {gold for gold, _ in alignment.pairs}
    paired_answers = {answer for _, answer in alignment.pairs}
    accepted: dict[tuple[int, str], tuple[str, ...]] = {}
    for index, column in enumerate(task.columns):
        place = alignment.columns[index]
        if (
            column.name not in task.key_columns
            or place is None
            or kind_of(column) not in ("text", "words")
        ):
            continue
        golds = [task.gold[row][index] for row in alignment.gold_rows if row not in paired_gold]
        mine = [
            table.rows[row][place] for row in alignment.answer_rows if row not in paired_answers
        ]
        known = {read_value(cell, column) for cell in golds}
        names = _present(mine, column, known)
        references = _present(golds, column, ())
        if not names or not references:
            continue
        for name, match in zip(
            names, await judge.match(column.name, names, references), strict=True
        ):
            if match is not None:
                key = (index, references[match])
                accepted[key] = (*accepted.get(key, ()), name)
    return accepted


def _present(cells: list[str], column: Column, known: Collection[Value]) -> list[str]:
    """Returns the cells, each once, without missing and known ones, sorted for a stable prompt."""
    values = {cell: read_value(cell, column) for cell in cells}
    return sorted(cell for cell, v in values.items() if v != MISSING and v not in known)


async def _judge_cells(task: Task, table: Table, alignment: Alignment, judge: Judge) -> Spellings:
    """Asks about the cells of `llm_judge` columns that differ, all of one column together."""
    correct = set(alignment.correct)
    accepted: dict[tuple[int, str], tuple[str, ...]] = defaultdict(tuple)
    for index, column in enumerate(task.columns):
        place = alignment.columns[index]
        if column.metric != "llm_judge" or column.name in task.key_columns or place is None:
            continue
        pairs = {
            (table.rows[answer][place], task.gold[gold][index])
            for gold, answer in alignment.pairs
            if (gold, index) not in correct
        }
        asked = sorted(
            pair for pair in pairs if all(read_value(cell, column) != MISSING for cell in pair)
        )
        if asked:
            verdicts = await judge.same(column.name, _criterion(column), asked)
            for (mine, gold), same in zip(asked, verdicts, strict=True):
                if same:
                    accepted[index, gold] += (mine,)
    return accepted


def _criterion(column: Column) -> str | None:
    return column.criterion if isinstance(column.criterion, str) else None


def _joined(one: Spellings, other: Spellings) -> Mapping[tuple[int, str], tuple[str, ...]]:
    return {key: one.get(key, ()) + other.get(key, ()) for key in {*one, *other}}
