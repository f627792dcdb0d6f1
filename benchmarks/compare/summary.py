"""From episodes to the figures of the table: a `Result` an episode, a `CellSummary` a grid cell.

Episodes are read one line at a time, as a run may hold gigabytes. Invalid episodes are counted, and
are in no mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from agents.episode_file import scan_episodes
from benchmarks.compare.llm import figures_of
from benchmarks.compare.settings import GridCell
from benchmarks.compare.waiting import waiting_s
from wideseek_env.errors import DataError
from wideseek_env.records import Episode
from wideseek_env.scoring.statistics import (
    Interval,
    TrialFigures,
    avg_max_pass_at_k,
    bootstrap_interval,
)


@dataclass(frozen=True, slots=True)
class Result:
    """What the tables need of one episode, and where the episode itself is."""

    cell: GridCell
    task_id: str
    question: str
    trial: int
    valid: bool
    item_f1: float
    row_f1: float
    success: float
    turns: int
    tool_calls: int
    chars_read: int
    critical_path_turns: int
    waiting_s: float
    seconds: float
    tokens: float
    """That models wrote."""
    cost_usd: float
    drift: float
    """Turns in which the engine read another prompt than it was sent."""
    error: str | None
    offset: int
    """Byte at which its line begins."""


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One row of the table; means are over valid episodes, intervals over tasks (95 %).

    Figures are None when no episode of the cell is valid.
    """

    cell: GridCell
    num_tasks: int
    """With at least one valid episode."""
    num_trials: int
    """Most valid episodes of a task."""
    num_episodes: int
    num_invalid: int
    item_f1: Interval | None
    row_f1: Interval | None
    success: Interval | None
    turns: float | None
    tool_calls: float | None
    chars_read: float | None
    critical_path_turns: float | None
    waiting_s: float | None
    """Wall time under the stated latencies of `waiting.py`; `seconds` is that of this machine."""
    seconds: float | None
    tokens: float | None
    cost_usd: float | None
    drift: float | None
    max_at_k: Interval | None
    """Mean over tasks of the best item F1 of the trials; None with one trial."""
    pass_at_k: Interval | None
    """Share of tasks that any trial solved whole; None with one trial."""
    error: str | None
    """First line of why the first invalid episode is invalid; None when all are valid."""


def cell_of(episode: Episode) -> GridCell:
    """Returns the grid cell that an episode of a benchmark run belongs to."""
    data = episode.metadata
    return GridCell(data["source"], data["policy"], episode.n_subagents, data["depth"])


def read_results(path: Path) -> Iterator[Result]:
    """Yields one result for each trial of a run's episodes; see `scan_episodes`.

    Raises:
        DataError: a line that is not the last one is no episode; says which.
    """
    try:
        for offset, episode in scan_episodes(path):
            yield result_of(episode, offset)
    except (DataError, KeyError) as error:
        raise DataError(
            f"{path}: expected episodes of a benchmark run: {error}; the command that made the run "
            "keeps the others and plays this one again"
        ) from error


def result_of(episode: Episode, offset: int = 0) -> Result:
    """Returns the figures of one episode; those of the score are 0 when it is not valid."""
    score = episode.score
    tokens, cost_usd, drift = figures_of(episode)
    return Result(
        cell=cell_of(episode),
        task_id=episode.task.id,
        question=episode.task.question[:200],
        trial=int(episode.metadata["trial"]),
        valid=score is not None,
        item_f1=score.item_f1 if score else 0.0,
        row_f1=score.row_f1 if score else 0.0,
        success=score.success if score else 0.0,
        turns=episode.num_turns,
        tool_calls=episode.num_tool_calls,
        chars_read=episode.chars_read,
        critical_path_turns=episode.critical_path_turns,
        waiting_s=waiting_s(episode),
        seconds=episode.seconds,
        tokens=tokens,
        cost_usd=cost_usd,
        drift=drift,
        error=episode.error,
        offset=offset,
    )


def summarise(results: Iterable[Result], seed: int = 0) -> list[CellSummary]:
    """Returns one row for each grid cell, in the order in which the results name them.

    Args:
        results: of one run.
        seed: of the bootstrap.
    """
    by_cell: dict[GridCell, list[Result]] = {}
    for result in results:
        by_cell.setdefault(result.cell, []).append(result)
    return [_row(cell, members, seed) for cell, members in by_cell.items()]


def _row(cell: GridCell, results: Sequence[Result], seed: int) -> CellSummary:
    valid = [result for result in results if result.valid]
    by_task: dict[str, list[Result]] = {}
    for result in valid:
        by_task.setdefault(result.task_id, []).append(result)
    trials = list(by_task.values())
    figures = _at_k([[r.item_f1 for r in task] for task in trials], seed)
    solved = _at_k([[r.success for r in task] for task in trials], seed)
    errors = [result.error or "no reason given" for result in results if not result.valid]
    num_trials = max((len(task) for task in trials), default=0)
    return CellSummary(
        cell=cell,
        num_tasks=len(trials),
        num_trials=num_trials,
        num_episodes=len(results),
        num_invalid=len(results) - len(valid),
        item_f1=figures.avg if figures else None,
        row_f1=_mean_of([[r.row_f1 for r in task] for task in trials], seed),
        success=solved.avg if solved else None,
        turns=_mean(result.turns for result in valid),
        tool_calls=_mean(result.tool_calls for result in valid),
        chars_read=_mean(result.chars_read for result in valid),
        critical_path_turns=_mean(result.critical_path_turns for result in valid),
        waiting_s=_mean(result.waiting_s for result in valid),
        seconds=_mean(result.seconds for result in valid),
        tokens=_mean(result.tokens for result in valid),
        cost_usd=_mean(result.cost_usd for result in valid),
        drift=_mean(result.drift for result in valid),
        max_at_k=figures.max if figures and num_trials > 1 else None,
        pass_at_k=solved.passed if solved and num_trials > 1 else None,
        error=errors[0].splitlines()[0] if errors else None,
    )


def _at_k(trials: list[list[float]], seed: int) -> TrialFigures | None:
    return avg_max_pass_at_k(trials, seed=seed) if trials else None


def _mean_of(trials: list[list[float]], seed: int) -> Interval | None:
    return bootstrap_interval([fmean(task) for task in trials], seed=seed) if trials else None


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return fmean(numbers) if numbers else None
