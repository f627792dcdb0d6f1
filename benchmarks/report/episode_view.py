"""One episode as the report's viewer shows it: lanes of turns, and the final table cell by cell.

Texts are clipped here, so that a report stays small; whole ones are in the run's episodes.jsonl.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.compare.summary import cell_of
from wideseek_env.records import Episode, Task, ToolResult, Trajectory, Turn
from wideseek_env.scoring import Table, read_table
from wideseek_env.scoring.strict import align

MAX_TEXT_CHARS = 500
"""Longest text of one call, result or thought; a report of an episode holds hundreds of them."""
MAX_TABLE_ROWS = 60
"""Most rows shown of those that nobody asked for, and of those that are missing."""
MAX_ANSWER_CHARS = 6_000
"""Longest answer."""


def view(episode: Episode) -> dict[str, Any]:
    """Gathers what the viewer needs of one episode, as JSON can hold it."""
    cell = cell_of(episode)
    score = episode.score
    return {
        "source": cell.source,
        "policy": cell.policy,
        "width": cell.width,
        "depth": cell.depth,
        "task_id": episode.task.id,
        "trial": episode.metadata["trial"],
        "question": clip(episode.task.question, 2 * MAX_TEXT_CHARS),
        "item_f1": score.item_f1 if score else None,
        "row_f1": score.row_f1 if score else None,
        "end": episode.end.replace("_", " "),
        "error": clip(episode.error, 3 * MAX_TEXT_CHARS) if episode.error else None,
        "reward_terms": dict(episode.reward_terms),
        "num_turns": episode.num_turns,
        "num_tool_calls": episode.num_tool_calls,
        "chars_read": episode.chars_read,
        "critical_path_turns": episode.critical_path_turns,
        "seconds": round(episode.seconds, 4),
        "answer": None if episode.answer is None else clip(episode.answer, MAX_ANSWER_CHARS),
        "trajectories": [
            {
                "agent": trajectory.agent,
                "prompt": clip(trajectory.prompt, 2 * MAX_TEXT_CHARS),
                "end": trajectory.end,
                "delegated_in": trajectory.parent_turn,
                "read_in": _read_in(episode.trajectories, index),
                "turns": [_turn(turn) for turn in trajectory.turns],
            }
            for index, trajectory in enumerate(episode.trajectories)
        ],
        "table": _table(episode),
    }


def clip(text: str, max_chars: int) -> str:
    """Returns the text, or its beginning with a note of how much was left out."""
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]} […{len(text) - max_chars:,} characters more]"


def _read_in(trajectories: tuple[Trajectory, ...], index: int) -> int | None:
    """Returns the turn of its parent that saw a trajectory's report; None when none did."""
    parent = trajectories[index].parent
    turns = () if parent is None else trajectories[parent].turns
    for number, turn in enumerate(turns[:-1]):  # what the last turn brought, nobody saw
        if any(result.trajectory == index for result in turn.results):
            return number + 1
    return None


def _turn(turn: Turn) -> dict[str, Any]:
    """Returns one turn; answers to its calls stand beside them, notices and reports after them."""
    answers = [result for result in turn.results if result.call is not None]
    others = [result for result in turn.results if result.call is None]
    # The game may have read one call of a model as several (aliases), so the answers lead.
    calls = [_call(r.call.name, r.call.arguments, r) for r in answers if r.call is not None]
    if not calls:
        calls = [_call(call.name, call.arguments, None) for call in turn.decision.calls]
    return {
        "level": turn.level,
        "started": round(turn.started_s, 4),
        "decided": round(turn.decided_s, 4),
        "ended": round(turn.ended_s, 4),
        "text": clip(turn.decision.text, 2 * MAX_TEXT_CHARS),
        "error": turn.decision.error,
        "calls": calls,
        "results": [
            {"text": clip(result.text, MAX_TEXT_CHARS), "status": result.status}
            for result in others
        ],
    }


def _call(name: str, arguments: Mapping[str, Any], result: ToolResult | None) -> dict[str, Any]:
    texts = [
        value
        if isinstance(value, str)
        else "\n".join(map(str, value))
        if isinstance(value, (list, tuple))
        else f"{key} {value}"
        for key, value in arguments.items()
    ]
    return {
        "name": name,
        "arguments": clip(" · ".join(texts), MAX_TEXT_CHARS),
        "status": result.status if result else "ok",
        "result": clip(result.text, MAX_TEXT_CHARS) if result else None,
    }


def _table(episode: Episode) -> dict[str, Any] | None:
    """Returns the final table with a verdict and the supplier of each cell; None without a table.

    Rows that stand for a gold row are in the order of the gold table; then come rows that nobody
    asked for, then gold rows that are missing.
    """
    answer = read_table(episode.answer) if episode.answer is not None else None
    if answer is None or episode.score is None or episode.task.kind == "deep":
        return None
    alignment = align(episode.task, answer)
    suppliers = _Suppliers(episode)
    right = set(episode.score.correct)
    rows = []
    for gold, mine in alignment.pairs:
        cells = []
        for column, index in enumerate(alignment.columns):
            text = "" if index is None else answer.rows[mine][index]
            wanted = episode.task.gold[gold][column]
            if (gold, column) in right:
                cells.append(suppliers.cell(text, gold, column))
            else:
                cells.append(_wrong(text, f"right: {wanted or '(empty)'}"))
        rows.append(cells)
    rows += _unpaired(episode.task, answer, alignment.columns, alignment.pairs)
    wanted_rows = len(alignment.gold_rows)
    extra = len(answer.rows) - len(alignment.pairs)
    return {
        "columns": list(episode.task.column_names),
        "rows": rows,
        "note": (
            f"{len(right)} right cells; {len(alignment.pairs)} of {wanted_rows} rows found, "
            f"{extra} more rows in the answer. Green: right, with the agents that had read a page "
            "that holds it (click to see the turn). Red: wrong, missing or not asked for."
        ),
    }


def _unpaired(
    task: Task,
    answer: Table,
    columns: tuple[int | None, ...],
    pairs: tuple[tuple[int, int], ...],
) -> list[list[dict[str, Any]]]:
    """Returns the answer's rows that stand for no gold row, then the gold rows that are missing."""
    paired_gold, paired_mine = {gold for gold, _ in pairs}, {mine for _, mine in pairs}
    rows = []
    for number, row in enumerate(answer.rows):
        if number not in paired_mine:
            cells = ["" if index is None else row[index] for index in columns]
            rows.append(
                [_wrong(cell, "" if at else "not asked for") for at, cell in enumerate(cells)]
            )
    missing = [
        [_wrong("", f"missing: {cell or '(empty)'}") for cell in row]
        for number, row in enumerate(task.gold)
        if number not in paired_gold
    ]
    return rows[:MAX_TABLE_ROWS] + missing[:MAX_TABLE_ROWS]


def _wrong(text: str, note: str) -> dict[str, Any]:
    return {"text": clip(text, 200), "right": False, "note": clip(note, 200), "agents": [],
            "page": None, "turn": None}  # fmt: skip


class _Suppliers:
    """Who supplied a right cell: agents, page, and the turn in which the page was opened."""

    def __init__(self, episode: Episode) -> None:
        self._episode = episode
        self._credits = {(c.row, c.column): c.trajectories for c in episode.provenance}

    def cell(self, text: str, row: int, column: int) -> dict[str, Any]:
        """Returns a right cell for the viewer."""
        credit = self._credits.get((row, column), ())
        names = dict.fromkeys(self._episode.trajectories[i].agent for i in credit)
        sources = self._episode.task.sources
        pages = set(sources[row][column]) if sources else set()
        page, turn = self._opened(credit, pages)
        return {
            "text": clip(text, 200),
            "right": True,
            "note": "" if names or not sources else "no agent read a page that holds it",
            "agents": [name.replace("_", " ") for name in names],
            "page": page,
            "turn": turn,
        }

    def _opened(
        self, credit: tuple[int, ...], pages: set[str]
    ) -> tuple[str | None, tuple[int, int] | None]:
        for index in credit:
            for number, turn in enumerate(self._episode.trajectories[index].turns):
                for result in turn.results:
                    shown = [url for url in result.urls if url in pages]
                    if shown and result.status == "ok":
                        return shown[0], (index, number)
        return None, None
