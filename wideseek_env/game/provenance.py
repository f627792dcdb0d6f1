"""Traces each correct cell of the final table to the agents that had read a source of it."""

from __future__ import annotations

from collections.abc import Sequence

from wideseek_env.records import CellCredit, Score, Task, Trajectory


def credit_cells(
    task: Task, score: Score, trajectories: Sequence[Trajectory]
) -> tuple[CellCredit, ...]:
    """Returns one credit for each correct cell; empty when the task does not know its sources.

    A trajectory supplied a cell when it opened a page that holds it, or when a search showed it the
    cell's text in the snippet of such a page.
    """
    if not task.sources:
        return ()
    reads = [_reads(trajectory) for trajectory in trajectories]
    credits = []
    for row, column in score.correct:
        sources = set(task.sources[row][column])
        cell = task.gold[row][column].casefold()
        readers = (
            index
            for index, (opened, searched) in enumerate(reads)
            if not sources.isdisjoint(opened)
            or any(cell in text and not sources.isdisjoint(urls) for urls, text in searched)
        )
        credits.append(CellCredit(row, column, tuple(readers)))
    return tuple(credits)


def _reads(trajectory: Trajectory) -> tuple[set[str], list[tuple[tuple[str, ...], str]]]:
    """Returns the URLs that were opened, and the searches as (URLs of the hits, text shown)."""
    opened: set[str] = set()
    searched = []
    for turn in trajectory.turns:
        for result in turn.results:
            if result.status != "ok" or result.call is None:
                continue
            if result.call.name == "open":
                opened.update(result.urls)
            elif result.call.informs:
                searched.append((result.urls, result.text.casefold()))
    return opened, searched
