"""Scores a file of responses: one line in, one line out, invalid ones named and counted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from wideseek_env.errors import DataError, ScoringError
from wideseek_env.jsonlines import read_numbered_lines
from wideseek_env.records import METRICS, Score, Task
from wideseek_env.scoring import checked
from wideseek_env.scoring.judge.judge import Judge
from wideseek_env.scoring.judge.official import score_official_judged
from wideseek_env.scoring.judge.strict import JudgedScorer
from wideseek_env.scoring.named import SCORERS, scorer_named
from wideseek_env.scoring.official.scorer import OfficialResult, score_official

_AT_ONCE = 64
"""Responses scored at the same time; what a judge is asked in parallel."""


class Response(msgspec.Struct):
    """One line of responses, as WideSearch writes it."""

    instance_id: str | int
    response: str | None
    trial_idx: int | None = None


@dataclass(frozen=True, slots=True)
class ScoredResponse:
    """One line of scores."""

    instance_id: str
    trial_idx: int | None
    scores: Mapping[str, Score | None]
    """Scorer's name to score; None: could not be scored."""
    error: str | None
    """Why a score is missing, or what the official scorer raised before it gave 0."""

    def as_json(self) -> dict[str, Any]:
        """Gives the line: figures by scorer, and the error."""
        return {
            "instance_id": self.instance_id,
            "trial_idx": self.trial_idx,
            **{name: _figures(score) for name, score in self.scores.items()},
            "error": self.error,
        }


def read_responses(
    path: Path, tasks: Mapping[str, Task], *, strict: bool, skipped: list[DataError]
) -> list[Response]:
    """Returns the responses that belong to a task, each trial once.

    Of a trial that is written again the last line counts, as whoever wrote it played again. Lines
    without `trial_idx` are trials of their own.

    Args:
        path: JSON lines, plain or `.gz`.
        tasks: by id.
        strict: whether a bad line stops the reading.
        skipped: takes the errors of the lines left out.

    Raises:
        DataError: the file cannot be read; or, when `strict`, a line is bad.
    """
    responses: dict[object, Response] = {}
    line_of: dict[object, int] = {}
    for number, row in read_numbered_lines(path, Response):
        error: DataError | None = None
        if isinstance(row, DataError):
            error = row
        elif str(row.instance_id) not in tasks:
            error = DataError(f"{path}, line {number}: there is no task {row.instance_id!r}")
        else:
            alone = number if row.trial_idx is None else None
            trial = (str(row.instance_id), row.trial_idx, alone)
            if trial in line_of:
                error = DataError(
                    f"{path}, line {line_of[trial]}: trial {row.trial_idx} of "
                    f"{row.instance_id!r} is written again in line {number}, which counts"
                )
                del responses[trial]  # the later one stands where it is written
            responses[trial], line_of[trial] = row, number
        if error is not None:
            if strict:
                raise error
            skipped.append(error)
    return list(responses.values())


async def score_responses(
    responses: Sequence[Response],
    tasks: Mapping[str, Task],
    *,
    scorers: Sequence[str] = tuple(SCORERS),
    now: datetime,
    judge: Judge | None = None,
) -> AsyncIterator[ScoredResponse]:
    """Yields the scores of responses, in their order.

    Args:
        responses: each of a task in `tasks`.
        tasks: by id.
        scorers: names that `scorer_named` knows.
        now: the official scorer's clock, UTC and naive.
        judge: asked what the rules of our two scorers leave open; None: nobody is asked.
    """
    others = {name: scorer_named(name) for name in scorers if name != "official"}
    if judge and "strict" in others:
        others["strict"] = JudgedScorer(judge)

    async def score(response: Response) -> ScoredResponse:
        task = tasks[str(response.instance_id)]
        scores: dict[str, Score | None] = {}
        errors = []
        for name in scorers:
            try:
                if name in others:
                    scores[name] = checked(await others[name](task, response.response))
                else:
                    result = await _score_official(task, response.response, now, judge)
                    scores[name] = result.score
                    if result.error is not None:
                        errors.append(f"official scorer raises {result.error}")
            except ScoringError as error:
                scores[name] = None
                errors.append(f"{name}: {error}")
        return ScoredResponse(task.id, response.trial_idx, scores, "; ".join(errors) or None)

    for start in range(0, len(responses), _AT_ONCE):
        some = responses[start : start + _AT_ONCE]
        for scored in await asyncio.gather(*(score(response) for response in some)):
            yield scored


def by_task(lines: Sequence[ScoredResponse], scorer: str, figure: str) -> list[list[float]]:
    """Returns a figure as [task][trial], without what could not be scored."""
    trials: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        score = line.scores.get(scorer)
        if score is not None:
            trials[line.instance_id].append(getattr(score, figure))
    return list(trials.values())


async def _score_official(
    task: Task, answer: str | None, now: datetime, judge: Judge | None
) -> OfficialResult:
    if task.kind == "deep":
        raise ScoringError("the official scorer has tables only, and this task has one answer")
    if judge is None:
        return score_official(task, answer, now)
    return await score_official_judged(task, answer, now, judge)


def _figures(score: Score | None) -> dict[str, float] | None:
    return None if score is None else {name: getattr(score, name) for name in METRICS}
