"""One episode as the viewer and the report draw it: lanes of turns, and the table cell by cell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.viewer.fates import LEAD, Cell, Place, Row, count_fates, fates, seen_results
from wideseek_env.records import Episode, ToolResult, Turn


@dataclass(frozen=True, slots=True)
class Label:
    """Where an episode belongs; what a run of the benchmark tells, and other files may not."""

    source: str
    policy: str
    width: int
    depth: int | None
    trial: int


def label_of(
    metadata: Mapping[str, Any], task: Mapping[str, Any], policy: str, width: int
) -> Label:
    """Returns an episode's label, by its metadata and its task's, and else by the record."""
    source = metadata.get("source") or task.get("source") or task.get("preset") or "unnamed"
    depth = metadata.get("depth")
    trial = metadata.get("trial")
    return Label(
        source=str(source),
        policy=str(metadata.get("policy") or policy or "unnamed"),
        width=width,
        depth=depth if isinstance(depth, int) else None,
        trial=trial if isinstance(trial, int) else 0,
    )


def view(episode: Episode) -> dict[str, Any]:
    """Gathers what is drawn of one episode, whole, as JSON can hold it."""
    task, score = episode.task, episode.score
    label = label_of(episode.metadata, task.metadata, episode.policy, episode.n_subagents)
    return {
        "source": label.source,
        "policy": label.policy,
        "width": label.width,
        "depth": label.depth,
        "task_id": task.id,
        "trial": label.trial,
        "question": task.question,
        "item_f1": score.item_f1 if score else None,
        "row_f1": score.row_f1 if score else None,
        "end": episode.end.replace("_", " "),
        "error": episode.error,
        "reward_terms": dict(episode.reward_terms),
        "num_turns": episode.num_turns,
        "num_tool_calls": episode.num_tool_calls,
        "chars_read": episode.chars_read,
        "critical_path_turns": episode.critical_path_turns,
        "seconds": round(episode.seconds, 4),
        "answer": episode.answer,
        "trajectories": [
            {
                "agent": trajectory.agent.replace("_", " "),
                "prompt": trajectory.prompt,
                "end": trajectory.end.replace("_", " "),
                "parent": trajectory.parent,
                "parent_turn": trajectory.parent_turn,
                "read_in": _read_in(episode, index),
                "turns": [_turn(turn) for turn in trajectory.turns],
            }
            for index, trajectory in enumerate(episode.trajectories)
        ],
        "table": _table(episode),
    }


def _read_in(episode: Episode, index: int) -> int | None:
    """Returns the turn of its parent that saw a trajectory's report; None when none did."""
    parent = episode.trajectories[index].parent
    seen = () if parent is None else seen_results(episode, parent)
    return next((turn + 1 for turn, _, result in seen if result.trajectory == index), None)


def _turn(turn: Turn) -> dict[str, Any]:
    """Returns one turn; answers to its calls stand beside them, notices and reports after them."""
    calls, others = [], []
    for at, result in enumerate(turn.results):
        if result.call is None:
            others.append(_result(result, at))
        else:  # the game may have read one call of a model as several, so the answers lead
            calls.append({**_call(result.call.name, result.call.arguments), **_result(result, at)})
    if not calls:
        calls = [_call(call.name, call.arguments) for call in turn.decision.calls]
    return {
        "level": turn.level,
        "started": round(turn.started_s, 4),
        "decided": round(turn.decided_s, 4),
        "ended": round(turn.ended_s, 4),
        "text": turn.decision.text,
        "error": turn.decision.error,
        "usage": dict(turn.decision.usage),
        "calls": calls,
        "results": others,
    }


def _call(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    texts = [
        value if isinstance(value, str)
        else "\n".join(map(str, value)) if isinstance(value, (list, tuple))
        else f"{key} {json.dumps(value, ensure_ascii=False, default=str)}"
        for key, value in arguments.items()
    ]  # fmt: skip
    return {"name": name, "arguments": " · ".join(texts), "status": "ok", "text": None, "at": None}


def _result(result: ToolResult, at: int) -> dict[str, Any]:
    return {
        "text": result.text,
        "status": result.status,
        "at": at,
        "reporter": result.trajectory,
        "seconds": round(result.seconds, 4),
    }


def _table(episode: Episode) -> dict[str, Any] | None:
    """Returns the gold table with what became of each cell; None when the episode is invalid."""
    rows = fates(episode)
    if not rows:
        return None
    names = episode.task.column_names
    return {
        "columns": list(names),
        "keys": [names.index(name) for name in episode.task.key_columns],
        "rows": [
            {
                "gold": row.gold,
                "answer": row.answer,
                "cells": [_cell(episode, row, column) for column in range(len(names))],
            }
            for row in rows
        ],
        "counts": count_fates(rows),
    }


def _cell(episode: Episode, row: Row, column: int) -> dict[str, Any]:
    cell = row.cells[column]
    return {
        "fate": cell.fate,
        "text": cell.text,
        "gold": cell.gold,
        "reason": reason(episode, row, cell),
        "reads": [_place(place) for place in cell.reads],
        "reports": [_place(place) for place in cell.reports],
        "misread": [_place(place) for place in cell.misread],
        "sources": _sources(episode, row, column) if cell.lost == "unread" else [],
    }


def _sources(episode: Episode, row: Row, column: int) -> list[str]:
    """Returns the first pages that hold a gold cell."""
    known = row.gold is not None and episode.task.sources
    return list(episode.task.sources[row.gold][column][:3]) if known else []


def _place(place: Place) -> list[Any]:
    return [place.trajectory, place.turn, place.result, place.line, place.url, place.reporter]


def reason(episode: Episode, row: Row, cell: Cell) -> str:
    """Says in words what became of a cell, and who had it."""
    readers = _names(episode, (place.trajectory for place in cell.reads))
    reporters = _names(episode, (p.reporter for p in cell.reports if p.reporter is not None))
    if cell.fate == "extra":
        if row.repeats is not None:
            return f"says the same as row {row.repeats + 1} of the answer, so it does not count"
        told = f"; {reporters} reported it" if reporters else f"; {readers} read it" * bool(readers)
        return f"nobody asked for this row{told}"
    if cell.fate == "right":
        return f"read by {readers}" if readers else "right, though no agent read a page that has it"
    lost = {
        "unread": "never read",
        "unreported": f"read by {readers} and not reported",
        "dropped": f"reported by {reporters} and dropped by the lead"
        if reporters
        else "read by the lead and left out",
    }[cell.lost or "unread"]
    if cell.lost == "unreported" and all(
        episode.trajectories[place.trajectory].end != "reported" for place in cell.reads
    ):
        ends = dict.fromkeys(
            episode.trajectories[place.trajectory].end.replace("_", " ") for place in cell.reads
        )
        lost = f"read by {readers}, which handed in no report ({', '.join(ends)})"
    if cell.fate == "wrong":
        told = _names(episode, (p.trajectory if p.reporter is None else p.reporter
                                for p in cell.misread))  # fmt: skip
        source = f"; the wrong value was seen by {told}" if told else ""
        return f"wrong value; the right one was {lost}{source}"
    return lost


def _names(episode: Episode, trajectories: Iterable[int | None]) -> str:
    names = [
        "the lead" if index == LEAD else episode.trajectories[index].agent.replace("_", " ")
        for index in trajectories
        if index is not None
    ]
    return _listed(list(dict.fromkeys(names)))


def _listed(names: Sequence[str]) -> str:
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:2])} and {len(names) - 2} more"
