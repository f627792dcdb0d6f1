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
    """Returns what the viewer needs of one episode, as JSON can hold it."""
    cell = cell_of(episode)
    score = episode.score
    places = _places(episode.trajectories)
    levels = turn_levels(episode.trajectories, places)
    return {
        "preset": cell.preset,
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
                "delegated_in": place[0],
                "read_in": place[1],
                "turns": [
                    _turn(turn, level)
                    for turn, level in zip(trajectory.turns, levels[index], strict=True)
                ],
            }
            for index, (trajectory, place) in enumerate(
                zip(episode.trajectories, places, strict=True)
            )
        ],
        "table": _table(episode),
    }


def clip(text: str, max_chars: int) -> str:
    """Returns the text, or its beginning with a note of how much was left out."""
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]} […{len(text) - max_chars:,} characters more]"


def turn_levels(
    trajectories: tuple[Trajectory, ...], places: list[tuple[int | None, int | None]]
) -> list[list[int]]:
    """Returns for each turn, [trajectory][turn], how many turns had to be over before it.

    A subtask begins after the lead's turn that delegated it; the lead's next turn after the reports
    that it read. The highest level plus one is the length of the episode's critical path.
    """
    # A subtask whose delegation is not in the record is shown after the lead's first turn.
    levels = [list(range(i > 0, len(t.turns) + (i > 0))) for i, t in enumerate(trajectories)]
    if not trajectories:
        return levels
    for turn in range(len(trajectories[0].turns)):
        before = [levels[0][turn - 1]] if turn else [-1]
        for index, (_, read_in) in enumerate(places):
            if index > 0 and read_in == turn and levels[index]:
                before.append(levels[index][-1])
        levels[0][turn] = max(before) + 1
        for index, (delegated_in, _) in enumerate(places):
            if index > 0 and delegated_in == turn:
                first = levels[0][turn] + 1
                levels[index] = list(range(first, first + len(trajectories[index].turns)))
    return levels


def _places(trajectories: tuple[Trajectory, ...]) -> list[tuple[int | None, int | None]]:
    """Returns for each trajectory the lead's turns that delegated it and that read its report.

    Subtasks are in the order of delegation, so the delegating turn follows from the calls that were
    carried out; the reading turn is the first that began when the report was there.
    """
    lead = trajectories[0].turns if trajectories else ()
    delegated_in = [
        index
        for index, turn in enumerate(lead)
        for result in turn.results
        if result.call is not None and result.call.name == "delegate" and result.status == "ok"
        # The rules drop subtasks that nobody is free for, and name those who got one.
        for _ in range(result.text.partition(".")[0].count("subagent_"))
    ]
    places: list[tuple[int | None, int | None]] = [(None, None) for _ in trajectories[:1]]
    for index, trajectory in enumerate(trajectories[1:]):
        begun = delegated_in[index] if index < len(delegated_in) else None
        reported = trajectory.end not in ("cancelled", "running") and trajectory.turns
        ended_s = trajectory.turns[-1].ended_s if reported else None
        read_in = None
        if begun is not None and ended_s is not None:
            later = (u for u in range(begun + 1, len(lead)) if lead[u].started_s >= ended_s)
            read_in = next(later, None)
        places.append((begun, read_in))
    return places


def _turn(turn: Turn, level: int) -> dict[str, Any]:
    """Returns one turn; answers to its calls stand beside them, notices and reports after them."""
    answers = [result for result in turn.results if result.call is not None]
    others = [result for result in turn.results if result.call is None]
    # The game may have read one call of a model as several (aliases), so the answers lead.
    calls = [_call(r.call.name, r.call.arguments, r) for r in answers if r.call is not None]
    if not calls:
        calls = [_call(call.name, call.arguments, None) for call in turn.decision.calls]
    return {
        "level": level,
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
