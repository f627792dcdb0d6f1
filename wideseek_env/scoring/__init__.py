"""Scores: how good an answer's table is, in two modes that can be read side by side.

`score_table` scores one table in one call; `StrictScorer` is what episodes and trainers use.
"""

from wideseek_env.scoring.strict import StrictScorer, score_strict
from wideseek_env.scoring.table_score import score_table
from wideseek_env.scoring.tables import Table, read_table, write_table

__all__ = ["StrictScorer", "Table", "read_table", "score_strict", "score_table", "write_table"]
