"""A scorer of one's own: whole rows or nothing, for whom a row with a wrong cell is worthless.

    python examples/scorer.py
    wideseek benchmark --scorer examples.scorer:whole_rows --sources starter --num-tasks 4
    wideseek score --scorers official,examples.scorer:whole_rows --tasks ... --responses ... ...
    wideseek train grpo --scorer examples.scorer:whole_rows --preset tiny

A scorer gets the task with its gold table, and the text that the lead handed in, or None. What it
cannot score it answers with a `ScoringError`, never with 0. One with settings is a class.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from examples.task_source import HEIGHTS
from wideseek_env.records import Score, Task
from wideseek_env.scoring import score_strict


async def whole_rows(task: Task, answer: str | None) -> Score:
    """Scores as strict does, and makes the row F1 what is trained on and reported first."""
    score = score_strict(task, answer)
    return replace(score, item_f1=score.row_f1)


def main() -> None:
    """Scores a table with one wrong height."""
    answer = "| Tree | Height |\n|---|---|\n| Oak | 40 |\n| Birch | 2 |\n| Yew | 15 |"
    print(f"strict: item F1 {score_strict(HEIGHTS, answer).item_f1:.2f}")
    print(f"whole rows: item F1 {asyncio.run(whole_rows(HEIGHTS, answer)).item_f1:.2f}")


if __name__ == "__main__":
    main()
