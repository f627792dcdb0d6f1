"""The report of a run: from its episodes to summary.json, two PNGs and one page without links out.

Everything is made from the run's folder, so `wideseek report FOLDER` makes it again.
Pages are written by strangers: every text is escaped here, or set by the page as text.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.compare.run_folder import EPISODES, RunInfo, write_whole
from benchmarks.compare.summary import CellSummary, Result, read_results, summarise
from benchmarks.report import charts
from benchmarks.report.page import render
from benchmarks.viewer.view import view
from wideseek_env.jsonlines import decode_episode

MAX_EPISODE_BYTES = 1_000_000
"""Most bytes that whole episodes take together, packed; `wideseek view` shows all of a run."""
SHOW_WIDTH = 8
"""Teams are shown at the width nearest to this; wider ones are hard to follow by eye."""

_NO_NAME = re.compile(r"[^\w.-]+")


def make_report(folder: Path, task: str | None = None) -> list[CellSummary]:
    """Writes summary.json, the PNGs and the page into a run's folder; returns the table.

    Args:
        folder: of the run; holds run.json and episodes.jsonl.
        task: id of a task whose episodes are shown whole, on a page of its own; None chooses.

    Raises:
        DataError: the folder holds no run, or a line of it is no episode.
        ValueError: no episode has this task.
    """
    info = RunInfo.read(folder)
    order = {cell: place for place, cell in enumerate(info.settings.cells())}
    results = sorted(
        read_results(folder / EPISODES),
        key=lambda r: (order.get(r.cell, len(order)), r.task_id, r.trial),
    )
    rows = summarise(results, info.settings.seed)
    summary = summary_of(info, rows)
    write_whole(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    charts.save_png(charts.draw_width(rows), folder / "width.png")
    charts.save_png(charts.draw_budget(rows), folder / "budget.png")
    chosen = _of_task(results, task) if task else choose(results)
    episodes = _read_views(folder / EPISODES, chosen)
    write_whole(report_path(folder, task), render(info, rows, results, episodes, folder))
    return rows


def report_path(folder: Path, task: str | None = None) -> Path:
    """Returns the file of a run's report, or of the one that shows a task's episodes."""
    return folder / ("report.html" if task is None else f"report-{_NO_NAME.sub('-', task)}.html")


def summary_of(info: RunInfo, rows: Sequence[CellSummary]) -> dict[str, Any]:
    """Returns the machine-readable form of a run: settings, versions and every figure."""
    finished = sum(row.num_episodes for row in rows)
    return {
        "settings": info.settings.to_json(),
        "versions": dict(info.versions),
        "command": info.command,
        "started": info.started,
        "num_expected": info.num_expected,
        "num_finished": finished,
        "num_invalid": sum(row.num_invalid for row in rows),
        "partial": finished < info.num_expected,
        "rows": [{**asdict(row.cell), **asdict(row), "cell": None} for row in rows],
    }


def choose(results: Sequence[Result]) -> list[tuple[str, Result]]:
    """Returns (why, result) of all episodes in the order in which they are worth being shown whole.

    Those that are invalid, three at most; of each policy that is no reference, at the width nearest
    to `SHOW_WIDTH`, the middle one by item F1, the worst and the best, source by source; then the
    rest, task by task.
    """
    shown: list[tuple[int, int, str, Result]] = []
    by_policy: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.cell.depth is None and not charts.is_reference(result.cell.policy):
            by_policy.setdefault((result.cell.source, result.cell.policy), []).append(result)
    for members in by_policy.values():
        width = min({r.cell.width for r in members}, key=lambda w: abs(w - SHOW_WIDTH))
        ranked = [r for r in members if r.cell.width == width and r.valid]
        ranked.sort(key=lambda r: (r.item_f1, r.task_id, r.trial))
        if ranked:
            places = {"middle": len(ranked) // 2, "worst": 0, "best": len(ranked) - 1}
            # Policies with more agents first: they are what the viewer is for.
            shown += [(i, -width, why, ranked[at]) for i, (why, at) in enumerate(places.items())]
    shown.sort(key=lambda entry: entry[:2])
    telling = [("", result) for result in results if not result.valid][:3]
    telling += [(why, result) for _, _, why, result in shown]
    rest = sorted(results, key=lambda r: (r.trial, r.cell.depth is not None, r.task_id))
    unique: dict[int, tuple[str, Result]] = {}
    for why, result in (*telling, *(("", result) for result in rest)):
        unique.setdefault(result.offset, (why, result))
    return list(unique.values())


def _of_task(results: Sequence[Result], task: str) -> list[tuple[str, Result]]:
    found = [("", result) for result in results if result.task_id == task]
    if not found:
        known = list(dict.fromkeys(result.task_id for result in results))
        raise ValueError(
            f"--task: no episode has task {task!r}; the run has {', '.join(known[:8])}"
            + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        )
    return found


def _read_views(path: Path, chosen: Sequence[tuple[str, Result]]) -> list[dict[str, Any]]:
    """Returns the chosen episodes for the page, whole, as many as `MAX_EPISODE_BYTES` allows."""
    views: list[dict[str, Any]] = []
    size_bytes = 0
    with path.open("rb") as file:
        for why, result in chosen:
            file.seek(result.offset)
            packed = pack(view(decode_episode(file.readline())))
            size_bytes += len(packed)
            if views and size_bytes > MAX_EPISODE_BYTES:
                break
            cell = result.cell
            figure = "invalid" if not result.valid else f"item F1 {result.item_f1:.3f}"
            team = "alone" if cell.width == 0 else f"{cell.width} subagents"
            depth = "" if cell.depth is None else f", at most {cell.depth} turns"
            title = f"{cell.policy}, {team}{depth}: {figure}"
            views.append(
                {
                    **asdict(cell),
                    "task_id": result.task_id,
                    "title": f"{title} ({why})" if why else f"{title}, {result.task_id}",
                    "packed": packed,
                }
            )
    return views


def pack(shown: dict[str, Any]) -> str:
    """Packs an episode as the page unpacks it: texts repeat so much that a tenth is left."""
    data = json.dumps(shown, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
