"""Tasks of one's own about pages of one's own, as a source that everything can play.

    python examples/task_source.py
    wideseek benchmark --sources examples.task_source:trees --policies oracle,random --widths 0,2
    wideseek train grpo --source examples.task_source:trees --preset tiny

A source gives tasks, their pages and their budgets. A list in memory is `TaskSource.listed`; what
is made as it is asked for is a subclass with `name`, `__len__` and `__getitem__`.
"""

from __future__ import annotations

import asyncio

from wideseek.agents.evaluate import Exam, evaluate
from wideseek.agents.scripted.simple import OraclePolicy

from examples.backend import NOTES, Notes
from wideseek_env.records import Column, Limits, Task
from wideseek_env.tasks.source import TaskSource

HEIGHTS = Task(
    id="heights",
    question="List all trees with their height in metres.",
    columns=(Column("Tree"), Column("Height", "number_near", ("extract_number",), 0.01)),
    key_columns=("Tree",),
    gold=(("Oak", "40"), ("Birch", "25"), ("Yew", "15")),
    sources=tuple(((url,), (url,)) for url in NOTES),
)
AGES = Task(
    id="ages",
    question="List all trees with the years that they live.",
    columns=(Column("Tree"), Column("Age", "number_near", ("extract_number",), 0.01)),
    key_columns=("Tree",),
    gold=(("Oak", "600"), ("Birch", "120"), ("Yew", "2000")),
    sources=tuple(((url,), (url,)) for url in NOTES),
)


def trees() -> TaskSource:
    """Makes the source; its path is all that a command needs."""
    return TaskSource.listed([HEIGHTS, AGES], Notes(), Limits(max_lead_turns=4), name="trees")


async def main() -> None:
    """Lets the oracle answer all tasks."""
    source = trees()
    policy = OraclePolicy([assignment.task for assignment in source])
    done = await evaluate(Exam(source, width=2), policy)
    print(f"{len(done.episodes)} tasks, item F1 {done.item_f1.mean:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
