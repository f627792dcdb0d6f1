"""What agents of the discrete interface see: one number in [0, 1] a feature, counted on a desk.

How many features there are and what they mean does not depend on the number of slots, so a policy
can play at widths that it was not trained at. Counts are squashed: `x / (x + half)` is 0.5 at
`half`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from wideseek_env.discrete.desk import Desk, LeadDesk, SubagentDesk
from wideseek_env.discrete.notes import Candidate

D = TypeVar("D", bound=Desk)
_MOST_YEARS = 10.0
"""Age that counts as 1."""


@dataclass(frozen=True, slots=True)
class Feature(Generic[D]):
    """One number of an observation."""

    name: str
    usage: str
    """What it tells, for the documentation."""
    read: Callable[[D], float]
    """Its value, in [0, 1]."""


def read_features(features: Sequence[Feature[D]], desk: D) -> NDArray[np.float32]:
    """Returns all features of a desk, float32 (D,), each in [0, 1]."""
    values = [min(max(feature.read(desk), 0.0), 1.0) for feature in features]
    return np.array(values, dtype=np.float32)


def _squash(count: float, half: float) -> float:
    return count / (count + half)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _afford(have: float | None, need: float) -> float:
    """Returns how much of what is needed there is; 1 when there is no bound, or nothing needed."""
    return 1.0 if have is None or not need else have / need


def _age(oldest: str, newest: str) -> float:
    """Returns the years between two dates, as a share of ten."""
    years = int(newest[:4] or 0) - int(oldest[:4] or 0) if oldest and newest else 0
    return years / _MOST_YEARS


def _named(desk: Desk) -> float:
    """Returns the share of the conditions that name a value, which a search can look for."""
    conditions = desk.notes.question.conditions
    return _share(sum(bound.operator == "equals" for bound in conditions), len(conditions))


def _live(rows: Sequence[Candidate]) -> list[Candidate]:
    return [row for row in rows if row.verdict is not False]


def _missing(rows: Sequence[Candidate], needs: int) -> float:
    """Returns the share of the facts needed of some rows that are not known."""
    return _share(sum(row.missing for row in rows), len(rows) * needs)


SUBAGENT_FEATURES: tuple[Feature[SubagentDesk], ...] = (
    Feature("turns_left", "turns left, of all turns of a subtask",
       lambda d: d.turns_left / d.limits.max_subagent_turns),
    Feature("first_turn", "1 on the first turn", lambda d: float(d.turn == 0)),
    Feature("context_left", "context left, of the whole", lambda d: d.context_left),
    Feature("calls_left", "calls left, squashed at 5; 1 without a bound",
       lambda d: 1.0 if d.calls_left is None else _squash(d.calls_left, 5)),
    Feature("part_locate", "1 when asked where the list is",
            lambda d: float(d.subtask.part == "locate")),
    Feature("part_list", "1 when asked to read the list",
            lambda d: float(d.subtask.part == "list")),
    Feature("part_query", "1 when asked to search for rows",
       lambda d: float(d.subtask.part == "query")),
    Feature("part_find", "1 when asked for facts of given rows",
       lambda d: float(d.subtask.part == "find")),
    Feature("part_check", "1 when asked for further pages about given rows",
       lambda d: float(d.subtask.part == "check")),
    Feature("list_known", "1 when it knows where the list is",
            lambda d: float(bool(d.notes.lists))),
    Feature("lists", "unread pages of the list that are its share, squashed at 2",
       lambda d: _squash(len(d.lists), 2)),
    Feature("rows", "rows that are its own, squashed at 5", lambda d: _squash(len(d.rows), 5)),
    Feature("rows_sure", "share of its rows that meet all conditions",
       lambda d: _share(sum(row.verdict is True for row in d.rows), len(d.rows))),
    Feature("rows_out", "share of its rows that fail a condition",
       lambda d: _share(sum(row.verdict is False for row in d.rows), len(d.rows))),
    Feature("rows_opened", "share of its rows of which a page was opened",
       lambda d: _share(sum(bool(row.read) for row in d.rows), len(d.rows))),
    Feature("rows_snippets", "share of its live rows that are known from search results alone",
       lambda d: _share(sum(bool(r.facts) and not r.read for r in _live(d.rows)),
                        len(_live(d.rows)))),
    Feature("missing", "share of the facts needed of its live rows that are not known",
       lambda d: _missing(_live(d.rows), len(d.notes.needs))),
    Feature("to_open", "live rows whose page was not opened, squashed at 3",
       lambda d: _squash(len(d.to_open), 3)),
    Feature("to_open_missing", "share of the facts that the next of them lacks",
       lambda d: _missing(d.to_open[:1], len(d.notes.needs))),
    Feature("to_search", "rows that lack facts and were not searched for, squashed at 3",
       lambda d: _squash(len(d.to_search), 3)),
    Feature("to_search_missing", "share of the facts that the next of them lacks",
       lambda d: _missing(d.to_search[:1], len(d.notes.needs))),
    Feature("others", "unread further pages, squashed at 2", lambda d: _squash(len(d.others), 2)),
    Feature("others_age", "tens of years by which the row of the next of them is behind the newest "
       "page read", lambda d: _age(d.others[0][1].newest, d.notes.newest) if d.others else 0.0),
    Feature("others_missing", "share of the facts that this row lacks",
       lambda d: _missing([row for _, row in d.others[:1]], len(d.notes.needs))),
    Feature("follow", "pages of related things that are wanted, squashed at 2",
       lambda d: _squash(len(d.to_follow), 2)),
    Feature("queries", "searches for rows that meet the conditions made so far, squashed at 3",
       lambda d: _squash(sum(q.startswith(d.notes.question.noun) for q in d.asked), 3)),
    Feature("hits", "unopened results of the last search, of the most that there can be",
       lambda d: len(d.hits) / d.limits.top_k),
    Feature("rest", "1 when the page opened last has a further part",
            lambda d: float(bool(d.rest))),
    Feature("calls_afford", "calls left for each row to open, at most 1",
       lambda d: _afford(d.calls_left, len(d.to_open))),
    Feature("context_afford", "pages that the context still holds for each row to open, at most 1",
       lambda d: _afford(d.most_pages, len(d.to_open))),
    Feature("failed", "share of its calls that failed",
       lambda d: _share(d.num_failed, d.num_calls + d.num_failed)),
    Feature("needs", "facts needed of a row, squashed at 4",
       lambda d: _squash(len(d.notes.needs), 4)),
    Feature("named", "share of the conditions that name a value, which a search can look for",
       _named),
    Feature("conditions", "conditions of the question, squashed at 1",
       lambda d: _squash(len(d.notes.question.conditions), 1)),
)  # fmt: skip
"""What a subagent sees, in this order."""


LEAD_FEATURES: tuple[Feature[LeadDesk], ...] = (
    Feature("turns_left", "turns left, of all turns of the lead",
       lambda d: d.turns_left / d.limits.max_lead_turns),
    Feature("one_turn_more", "1 when one turn is left beside that of the answer",
       lambda d: float(d.turns_left == 2)),
    Feature("context_left", "context left, of the whole", lambda d: d.context_left),
    Feature("calls_left", "calls left, squashed at 20; 1 without a bound",
       lambda d: 1.0 if d.calls_left is None else _squash(d.calls_left, 20)),
    Feature("calls_each", "calls left for each free slot, squashed at 5; 1 without a bound",
       lambda d: 1.0 if d.calls_left is None
       else _squash(_share(d.calls_left, d.free), 5)),
    Feature("free", "free slots, squashed at 4", lambda d: _squash(d.free, 4)),
    Feature("list_known", "1 when it knows where the list is",
       lambda d: float(bool(d.notes.num_lists))),
    Feature("lists_left", "share of the list's pages that nobody read; 1 when it is not known",
       lambda d: _share(len(d.lists_left), d.notes.num_lists) if d.notes.num_lists else 1.0),
    Feature("rows", "rows found, squashed at 20", lambda d: _squash(len(d.notes.rows), 20)),
    Feature("rows_sure", "share of them that meet all conditions",
       lambda d: _share(len(d.sure), len(d.notes.rows))),
    Feature("rows_unsure", "share of them of which this is not known",
       lambda d: _share(len(d.unsure), len(d.notes.rows))),
    Feature("rows_unseen", "share of them of which nothing is known but the name",
       lambda d: _share(sum(not r.facts and not r.read for r in d.unsure), len(d.notes.rows))),
    Feature("open_each", "live rows that lack facts for each free slot, squashed at 5",
       lambda d: _squash(_share(len(d.open_rows), d.free), 5)),
    Feature("sure_missing", "share of the facts of sure rows that are not known",
       lambda d: _missing(d.sure, len(d.notes.needs))),
    Feature("undated", "live rows known from search results alone, share of the live ones",
       lambda d: _share(len(d.undated), len(d.sure) + len(d.unsure))),
    Feature("doubtful", "live rows with unread further pages, share of the live ones",
       lambda d: _share(len(d.doubtful), len(d.sure) + len(d.unsure))),
    Feature("doubtful_each", "the same for each free slot, squashed at 2",
       lambda d: _squash(_share(len(d.doubtful), d.free), 2)),
    Feature("doubtful_age", "how many tens of years the oldest of them lies behind the newest page",
       lambda d: _age(d.doubtful[0].newest, d.notes.newest) if d.doubtful else 0.0),
    Feature("doubtful_missing", "share of the facts of doubtful rows that are not known",
       lambda d: _missing(d.doubtful, len(d.notes.needs))),
    Feature("calls_open", "calls left for each live row that lacks facts, at most 1",
       lambda d: _afford(d.calls_left, len(d.open_rows))),
    Feature("calls_doubtful", "calls left for each doubtful row, at most 1",
       lambda d: _afford(d.calls_left, len(d.doubtful))),
    Feature("failed", "subtasks of the latest wave that brought nothing, squashed at 2",
       lambda d: _squash(len(d.failed), 2)),
    Feature("ranked", "1 when only the first rows of a ranking are asked for",
       lambda d: float(d.notes.question.rank is not None)),
    Feature("needs", "facts needed of a row, squashed at 4",
       lambda d: _squash(len(d.notes.needs), 4)),
    Feature("named", "share of the conditions that name a value, which a search can look for",
       _named),
    Feature("conditions", "conditions of the question, squashed at 1",
       lambda d: _squash(len(d.notes.question.conditions), 1)),
)  # fmt: skip
"""What the lead sees, in this order."""
