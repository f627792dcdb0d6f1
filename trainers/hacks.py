"""Signs that a policy is paid for something else than finding what was asked; the red team's view.

Each number is 0 for a team that plays straight and rises with one trick; the cheaters of
`agents/scripted/cheaters.py` show what each looks like (`tests/trainers/test_hacks.py`). All
trainers log them from the first iteration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from wideseek_env.records import Episode, Trajectory, Turn
from wideseek_env.scoring.tables import read_table


def hack_metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    """Returns the signs of cheating in episodes that have a score.

    `hacks/idle_subtasks`: share of the subtasks in which no search or open succeeded (empty
    delegation). `hacks/repeated_subtasks`: share of those whose text was handed out before in the
    episode (spawning). `hacks/idle_folds`: share of the folds before which nothing was read since
    the one before (folding for its own sake). `hacks/excess_cells`: cells of the answer beyond
    those of the gold table, by the cells of the gold table (spam of rows or columns).
    `hacks/unread_cells`: share of the correct cells whose sources nobody had read (learnt by heart,
    or guessed). `hacks/bonus`: reward that is not item F1, at least 0 (format and length).

    Raises:
        ValueError: there are no episodes.
    """
    if not episodes:
        raise ValueError("expected at least one episode with a score, got none")
    folded = [part for e in episodes for t in e.trajectories for part in _folded(t)]
    subtasks = [t for e in episodes for t in e.trajectories if t.role == "subagent"]
    correct = [credit for episode in episodes for credit in episode.provenance]
    return {
        "hacks/idle_subtasks": _share([_idle(subtask.turns) for subtask in subtasks]),
        "hacks/repeated_subtasks": sum(map(_num_repeated, episodes)) / max(len(subtasks), 1),
        "hacks/idle_folds": _share([_idle(turns) for turns in folded]),
        "hacks/excess_cells": fmean(map(_excess_cells, episodes)),
        "hacks/unread_cells": _share([not credit.trajectories for credit in correct]),
        "hacks/bonus": fmean(max(e.reward - _item_f1(e), 0.0) for e in episodes),
    }


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / max(len(flags), 1)


def _folded(trajectory: Trajectory) -> list[Sequence[Turn]]:
    """Returns the turns of each segment that ends in a fold."""
    segments = (trajectory.turns[part.start : part.stop] for part in trajectory.segments)
    return [turns for turns in segments if turns and turns[-1].folded]


def _idle(turns: Sequence[Turn]) -> bool:
    results = (result for turn in turns for result in turn.results)
    return not any(r.status == "ok" and r.call and r.call.informs for r in results)


def _num_repeated(episode: Episode) -> int:
    prompts = Counter(t.prompt for t in episode.trajectories if t.role == "subagent")
    return sum(count - 1 for count in prompts.values())


def _excess_cells(episode: Episode) -> float:
    table = read_table(episode.answer or "", episode.task.column_names)
    gold = len(episode.task.gold) * len(episode.task.columns)
    if table is None or not gold:
        return 0.0
    return max(len(table.rows) * len(table.header) / gold - 1.0, 0.0)


def _item_f1(episode: Episode) -> float:
    return episode.score.item_f1 if episode.score else 0.0
