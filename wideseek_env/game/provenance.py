"""Traces each correct cell of the final table to the agents that had read a source of it."""

from __future__ import annotations

from collections.abc import Sequence

from wideseek_env.records import CellCredit, Score, Task, ToolResult, Trajectory


def credit_cells(
    task: Task, score: Score, trajectories: Sequence[Trajectory]
) -> tuple[CellCredit, ...]:
    """Returns one credit for each correct cell; empty when the task does not know its sources.

    A trajectory supplied a cell when it was shown a page that holds it, whole, or the cell's text
    in a part of such a page: a snippet, or what its context had room for.
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
            for index, (whole, parts) in enumerate(reads)
            if not sources.isdisjoint(whole)
            or any(cell in text and not sources.isdisjoint(urls) for urls, text in parts)
        )
        credits.append(CellCredit(row, column, tuple(readers)))
    return tuple(credits)


def own_words(result: ToolResult) -> str:
    """Returns what a result says by itself, in as many lines.

    Without the game's heading, and without the query, which a search repeats.
    """
    heading = result.text[: result.heading_chars]
    text = "\n" * heading.count("\n") + result.body
    if result.call is None or result.call.name != "search":
        return text
    first, *others = text.split("\n")
    return "\n".join((first.replace(str(result.call.arguments.get("query")), ""), *others))


def _reads(trajectory: Trajectory) -> tuple[set[str], list[tuple[tuple[str, ...], str]]]:
    """Returns the URLs opened and shown whole, and (URLs, text shown) of all else."""
    whole: set[str] = set()
    parts = []
    for turn in trajectory.turns:
        for result in turn.results:
            if result.status != "ok" or result.call is None:
                continue
            if result.call.name == "open" and not result.cut:
                whole.update(result.urls)
            elif result.call.informs:
                parts.append((result.urls, own_words(result).casefold()))
    return whole, parts
