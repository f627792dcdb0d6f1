"""Scores: how good an answer's table is, in two modes that can be read side by side.

`score_table` scores one table in one call; `StrictScorer` is what episodes and trainers use,
`OfficialScorer` is what WideSearch's own scorer would say; `JudgedScorer` and
`JudgedOfficialScorer` are the same two with a judge.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from wideseek_env.errors import ScoringError
from wideseek_env.records import METRICS, Score, Task
from wideseek_env.scoring.strict import StrictScorer, score_strict
from wideseek_env.scoring.table_score import score_table
from wideseek_env.scoring.tables import Table, read_table, write_table

if TYPE_CHECKING:
    from wideseek_env.scoring.judge.judge import Judge
    from wideseek_env.scoring.judge.official import JudgedOfficialScorer
    from wideseek_env.scoring.judge.strict import JudgedScorer
    from wideseek_env.scoring.official.scorer import OfficialScorer

# Loaded when first used: dateparser and aiohttp take a second to import.
_HOMES = {
    "Judge": "judge.judge",
    "JudgedOfficialScorer": "judge.official",
    "JudgedScorer": "judge.strict",
    "OfficialScorer": "official.scorer",
}

__all__ = [
    "Judge",
    "JudgedOfficialScorer",
    "JudgedScorer",
    "OfficialScorer",
    "Scorer",
    "StrictScorer",
    "Table",
    "checked",
    "read_table",
    "score_strict",
    "score_table",
    "write_table",
]


class Scorer(Protocol):
    """Scores what the lead handed in."""

    async def __call__(self, task: Task, answer: str | None) -> Score:
        """Returns the score of an answer; None is no answer.

        Raises:
            ScoringError: it could not be scored (a judge failed), which is not a score of 0.
        """
        ...


def checked(score: Score) -> Score:
    """Returns a scorer's score, its metrics as plain floats.

    Raises:
        ScoringError: it is no score, or a metric is no finite number.
    """
    try:
        metrics: dict[str, Any] = {name: float(getattr(score, name)) for name in METRICS}
    except (AttributeError, TypeError, ValueError) as error:
        raise ScoringError(f"expected a `Score` of the scorer, got {score!r:.200}") from error
    wrong = {name: value for name, value in metrics.items() if not math.isfinite(value)}
    if wrong:
        raise ScoringError(f"expected finite metrics of the scorer, got {wrong}")
    return replace(score, **metrics)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
