"""The report of a run: from its episodes to summary.json, two PNGs and one page without links out.

Everything is made from the run's folder, so `wideseek report FOLDER` makes it again.
Pages are written by strangers: every text is escaped here, or set by the page as text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.compare.run_folder import EPISODES, RunInfo, write_whole
from benchmarks.compare.summary import CellSummary, Result, read_results, summarise
from benchmarks.report import charts
from benchmarks.report.episode_view import view
from benchmarks.report.page import render
from wideseek_env.jsonlines import decode_episode

MAX_EPISODES = 24
"""Most whole episodes in a report."""
MAX_EPISODE_BYTES = 1_500_000
"""Most bytes that they take together."""
SHOW_WIDTH = 8
"""Teams are shown at the width nearest to this; wider ones are hard to follow by eye."""


def make_report(folder: Path, task: str | None = None) -> list[CellSummary]:
    """Writes summary.json, the PNGs and report.html into a run's folder; returns the table.

    Args:
        folder: of the run; holds run.json and episodes.jsonl.
        task: id of a task whose episodes are the ones shown whole; None chooses.

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
    write_whole(folder / "report.html", render(info, rows, results, episodes, folder.name))
    return rows


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
    """Returns (why, result) of the episodes to show whole, the most telling first.

    Of each policy that is no reference, at the width nearest to `SHOW_WIDTH`: the middle one by
    item F1, the worst and the best, source by source; then those that are invalid.
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
    invalid = [(3, 0, "invalid", result) for result in results if not result.valid][:3]
    unique: dict[int, tuple[str, Result]] = {}
    for _, _, why, result in (*invalid, *shown):
        unique.setdefault(result.offset, (why, result))
    ordered = [entry for entry in unique.values() if entry[0] != "invalid"]
    kept = ordered[: MAX_EPISODES - len(invalid)]
    return kept + [entry for entry in unique.values() if entry[0] == "invalid"]


def _of_task(results: Sequence[Result], task: str) -> list[tuple[str, Result]]:
    found = [("", result) for result in results if result.task_id == task]
    if not found:
        known = list(dict.fromkeys(result.task_id for result in results))
        raise ValueError(
            f"--task: no episode has task {task!r}; the run has {', '.join(known[:8])}"
            + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        )
    return found[:MAX_EPISODES]


def _read_views(path: Path, chosen: Sequence[tuple[str, Result]]) -> list[dict[str, Any]]:
    """Returns the chosen episodes for the viewer, as many as `MAX_EPISODE_BYTES` allows."""
    views: list[dict[str, Any]] = []
    size_bytes = 0
    with path.open("rb") as file:
        for why, result in chosen:
            file.seek(result.offset)
            episode = view(decode_episode(file.readline()))
            size_bytes += len(json.dumps(episode))
            if views and size_bytes > MAX_EPISODE_BYTES:
                break
            figure = "invalid" if not result.valid else f"item F1 {result.item_f1:.3f}"
            team = "alone" if result.cell.width == 0 else f"{result.cell.width} subagents"
            depth = "" if result.cell.depth is None else f", at most {result.cell.depth} turns"
            title = f"{result.cell.policy}, {team}{depth}: {figure}"
            episode["title"] = f"{title} ({why})" if why and why != "invalid" else title
            views.append(episode)
    return views
