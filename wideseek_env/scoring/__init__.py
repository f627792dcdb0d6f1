"""Scores: how good an answer's table is, in two modes that can be read side by side.

`score_table` scores one table in one call; `StrictScorer` is what episodes and trainers use,
`JudgedScorer` the same with a judge, `OfficialScorer` what WideSearch's own scorer would say.
"""

from typing import Protocol

from wideseek_env.records import Score, Task
from wideseek_env.scoring.judge import Judge
from wideseek_env.scoring.judged import JudgedScorer
from wideseek_env.scoring.official import OfficialScorer
from wideseek_env.scoring.strict import StrictScorer, score_strict
from wideseek_env.scoring.table_score import score_table
from wideseek_env.scoring.tables import Table, read_table, write_table

__all__ = [
    "Judge",
    "JudgedScorer",
    "OfficialScorer",
    "Scorer",
    "StrictScorer",
    "Table",
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
