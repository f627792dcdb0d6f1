"""Official mode with a judge: WideSearch's flow, with its language model's three questions asked.

They are, in this order: which required column a column of another name is, which gold name a name
in a key column stands for, and whether two cells of an `llm_judge` column mean the same. What the
rules of the official mode find equal is not asked about, nor what cannot change the figures.
"""

from __future__ import annotations

from datetime import datetime

from wideseek_env.records import Score, Task
from wideseek_env.scoring.judge.judge import Judge
from wideseek_env.scoring.official.dates import utc_now
from wideseek_env.scoring.official.metrics import OfficialRaises
from wideseek_env.scoring.official.pandas_csv import Frame, ReadError
from wideseek_env.scoring.official.scorer import (
    MAPPED_METRICS,
    UNPARSED,
    ZERO,
    Cells,
    ColumnRule,
    Evaluation,
    Marks,
    Merged,
    OfficialResult,
    figures,
    first_rows,
    mark,
    merge,
    read_gold,
    read_response,
)


class JudgedOfficialScorer:
    """Scores tables as WideSearch does with its language model, which the judge stands for.

    Args:
        judge: whoever makes it closes it.
        now: UTC that dateparser completes dates from, naive; None: when this is made.
    """

    def __init__(self, judge: Judge, now: datetime | None = None) -> None:
        self._judge = judge
        self._now = utc_now() if now is None else now

    async def __call__(self, task: Task, answer: str | None) -> Score:
        """Returns the official score of an answer.

        Raises:
            ScoringError: the judge failed; the answer is not scored.
        """
        return (await score_official_judged(task, answer, self._now, self._judge)).score


async def score_official_judged(
    task: Task, answer: str | None, now: datetime, judge: Judge
) -> OfficialResult:
    """Returns what the official scorer reports for an answer, with `judge` as its language model.

    Raises:
        ScoringError: the judge failed. (The official scorer then goes on as if the model had
            found nothing equal.)
    """
    evaluation = Evaluation.of(task)
    try:
        table = None if answer is None else read_response(answer)
        if table is None:
            return OfficialResult(UNPARSED)
        table = await _rename_columns(evaluation, table, judge)
        if set(table) != set(evaluation.required):
            return OfficialResult(ZERO)
        gold, response = first_rows(evaluation, read_gold(evaluation.required, task.gold), table)
        merged = merge(evaluation, gold, response, now)
        mapped = await _map_keys(evaluation, gold, response, merged, judge)
        if mapped != response:
            merged = merge(evaluation, gold, mapped, now)
        marks = mark(evaluation, merged, now)
        await _judge_cells(evaluation, merged, marks, judge)
        return OfficialResult(figures(evaluation, merged, marks))
    except (ReadError, OfficialRaises) as error:
        return OfficialResult(ZERO, str(error))


async def _rename_columns(evaluation: Evaluation, table: Frame, judge: Judge) -> Frame:
    """Returns the table with its columns named as required, as far as the judge finds them."""
    headers = sorted(set(table) - set(evaluation.required))
    references = sorted(set(evaluation.required) - set(table))
    # With a column too many or too few no renaming can help: the score is 0.
    if len(headers) != len(references):
        return table
    matches = await judge.match_headers(headers, references)
    names = {
        header: references[match]
        for header, match in zip(headers, matches, strict=True)
        if match is not None
    }
    return {names.get(name, name): cells for name, cells in table.items()}


async def _map_keys(
    evaluation: Evaluation, gold: Cells, response: Cells, merged: Merged, judge: Judge
) -> Cells:
    """Returns the response's cells with the names in its key columns as the gold table has them.

    Every gold name can be chosen, those that other rows bear too; and rows that get the same key
    all stay, as in the official scorer, where each of them is paid.
    """
    mapped = dict(response)
    for column in evaluation.unique_columns:
        rule = evaluation.pipeline.get(column, ColumnRule())
        if MAPPED_METRICS.isdisjoint(rule.metrics):
            continue
        known = set(merged.gold[column])
        cells = zip(response[column], merged.response[column], strict=True)
        names = sorted({name for name, value in cells if value not in known})
        references = sorted(set(gold[column]))
        if references:
            matches = await judge.match(column, names, references)
            found = dict(zip(names, matches, strict=True))
            mapped[column] = [
                name if (match := found.get(name)) is None else references[match]
                for name in response[column]
            ]
    return mapped


async def _judge_cells(evaluation: Evaluation, merged: Merged, marks: Marks, judge: Judge) -> None:
    """Marks the cells of `llm_judge` columns that differ as the judge finds them."""
    for (column, metric), by_pair in marks.items():
        if metric != "llm_judge":
            continue
        mine, wanted = merged.response[column], merged.gold[column]
        cells = [(mine[answer_row], wanted[gold_row]) for gold_row, answer_row in merged.pairs]
        asked = sorted({pair for pair, right in zip(cells, by_pair, strict=True) if not right})
        criterion = evaluation.pipeline[column].criterion
        text = criterion if isinstance(criterion, str) else None
        verdicts = dict(zip(asked, await judge.same(column, text, asked), strict=True))
        by_pair[:] = [float(verdicts.get(pair, True)) for pair in cells]
