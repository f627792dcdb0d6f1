"""The HTML of a report: what the templates in `templates/` are filled with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from benchmarks.compare.run_folder import RunInfo, calls_told
from benchmarks.compare.summary import CellSummary, Result
from benchmarks.compare.table import TableColumn, columns
from benchmarks.report import charts
from wideseek_env.records import Limits
from wideseek_env.scoring.statistics import Interval
from wideseek_env.tasks.named import preset_named
from wideseek_env.worlds import PRESETS

MAX_TASKS = 100
"""Most tasks of one source in the map of tasks."""


def render(
    info: RunInfo,
    rows: Sequence[CellSummary],
    results: Sequence[Result],
    episodes: Sequence[dict[str, Any]],
    folder: Path,
) -> str:
    """Returns the whole page.

    Args:
        info: what was asked for.
        rows: the table.
        results: all episodes' figures, for the map of tasks.
        episodes: the ones to show whole, packed.
        folder: of the run.
    """
    command = f"wideseek view {shlex.quote(str(folder))}"
    data = {
        "columns": _map_columns(rows),
        "tasks": _map_tasks(rows, results),
        "episodes": episodes,
        "command": command,
    }
    policies = list(dict.fromkeys(row.cell.policy for row in rows))
    return _template().render(
        name=folder.resolve().name,
        view_command=command,
        lede=describe(info),
        notices=_notices(info, rows),
        cards=_cards(rows, policies),
        figure_width=Markup(charts.svg_of(charts.draw_width(rows, charts.SVG_THEME), "w")),
        figure_budget=Markup(charts.svg_of(charts.draw_budget(rows, charts.SVG_THEME), "b")),
        budget=_budget(info),
        context=_context(info),
        columns=[
            {"header": c.header, "usage": c.usage, "is_text": c.header in ("Source", "Policy")}
            for c in columns(rows)
        ],
        table=[_table_row(row, columns(rows), policies) for row in rows],
        episodes=episodes,
        num_results=len(results),
        settings=_texts(
            {**info.settings.to_json(), "calls": calls_told(info.settings), "command": info.command}
        ),
        versions=_texts({"started": info.started, **info.versions}),
        data=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
    )


@cache
def _template() -> Template:
    # The viewer draws the episodes: the page has its styles and scripts.
    loader = ChoiceLoader([PackageLoader("benchmarks.report"), PackageLoader("benchmarks.viewer")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html")


def describe(info: RunInfo) -> str:
    """Returns one sentence on what was played."""
    settings = info.settings
    worlds = [text for text in settings.sources if preset_named(text)]
    others = [text for text in settings.sources if text not in worlds]
    kind = "held-out worlds" if len(worlds) > 1 else "held-out world"
    where = " and ".join(
        [f"{kind} {', '.join(worlds)}"] * bool(worlds) + [", ".join(others)] * bool(others)
    )
    if settings.salt and worlds:
        where += ", drawn from a secret salt: nobody without it can make them again"
    trials = "1 trial" if settings.num_trials == 1 else f"{settings.num_trials} trials"
    # A source may hold fewer tasks than were asked for.
    num_tasks = info.num_expected // (len(settings.cells()) * settings.num_trials)
    tasks = "1 task" if num_tasks == 1 else f"{num_tasks} tasks"
    scorer = "" if settings.scorer == "strict" else f", scored by {settings.scorer}"
    return f"{tasks} each on {where}, {trials}, seed {settings.seed}{scorer}. {_budget(info)}"


def _budget(info: RunInfo) -> str:
    if info.settings.budget is None:
        return "No bound on search and open calls beside the sources' own limits."
    return (
        f"Equal budget: at most {info.settings.budget} search and open calls an episode, all "
        "agents together, for every policy and width."
    )


def _context(info: RunInfo) -> str:
    """Says what holds a single agent back, however many turns it has."""
    presets = {text: preset_named(text) for text in info.settings.sources}
    limits = {t: PRESETS[name].limits if name else Limits() for t, name in presets.items()}
    sizes = ", ".join(f"{name} {each.max_context_chars:,}" for name, each in limits.items())
    return f"Every agent, alone or in a team, holds the same context, in characters: {sizes}."


def _notices(info: RunInfo, rows: Sequence[CellSummary]) -> list[str]:
    finished = sum(row.num_episodes for row in rows)
    invalid = sum(row.num_invalid for row in rows)
    notices = []
    if finished < info.num_expected:
        notices.append(
            f"Partial: {finished:,} of {info.num_expected:,} episodes. The same command goes on "
            "from here."
        )
    if invalid:
        notices.append(
            f"{invalid:,} of {finished:,} episodes are invalid (a policy, a backend or an engine "
            "broke). They are in no mean; the last column of the table counts them, and the last "
            "entries of the episode viewer say why."
        )
    return notices


def _cards(rows: Sequence[CellSummary], policies: Sequence[str]) -> list[dict[str, Any]]:
    """Returns one card for each source: the best, and every policy at its best."""
    cards = []
    for source in dict.fromkeys(row.cell.source for row in rows):
        scored = [r for r in rows if r.cell.source == source and r.item_f1 and r.cell.depth is None]
        honest = [row for row in scored if not charts.is_reference(row.cell.policy)]
        if not honest:
            continue
        best = max(honest, key=_f1)
        # Each policy once, at its best width, of equal ones the least: the last that is kept.
        tops = {row.cell.policy: row for row in sorted(scored, key=_rank)}
        team = "one agent" if best.cell.width == 0 else f"{best.cell.width} subagents"
        cards.append(
            {
                "source": source,
                "best": {"policy": best.cell.policy, "f1": _f1(best)},
                "team": team,
                "meters": [
                    _meter(row, policies) for row in sorted(tops.values(), key=_f1, reverse=True)
                ],
            }
        )
    return cards


def _meter(row: CellSummary, policies: Sequence[str]) -> dict[str, Any]:
    policy = row.cell.policy
    sized = row.cell.width and not charts.is_reference(policy)
    return {
        "label": f"{policy} × {row.cell.width}" if sized else policy,
        "f1": _f1(row),
        "color": _css_color(policy, policies),
    }


def _f1(row: CellSummary) -> float:
    return row.item_f1.mean if row.item_f1 else 0.0


def _rank(row: CellSummary) -> tuple[float, int]:
    return _f1(row), -row.cell.width


def _css_color(policy: str, policies: Sequence[str]) -> str:
    return charts.css_variable(charts.SVG_THEME.of(policy, policies))


def _table_row(
    row: CellSummary, shown: Sequence[TableColumn], policies: Sequence[str]
) -> dict[str, Any]:
    return {
        "source": row.cell.source,
        "is_sweep": row.cell.depth is not None,
        "color": _css_color(row.cell.policy, policies),
        "cells": [_table_cell(column, row) for column in shown],
    }


def _table_cell(column: TableColumn, row: CellSummary) -> dict[str, Any]:
    value = column.value(row)
    interval = value if isinstance(value, Interval) else None
    number = interval.mean if interval else value
    return {
        "text": column.text(row),
        "is_text": isinstance(value, str),
        "has_dot": column.header == "Policy",
        "sort": -1 if number is None else number,
        "warns": column.header == "Invalid" and bool(value),
        "interval": interval,
        "span": f"{interval.low:.3f}–{interval.high:.3f}" if interval else "",
        "has_bar": column.header.startswith("Item F1"),
    }


def _texts(values: dict[str, Any]) -> dict[str, str]:
    def text(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(map(str, value)) or "none"
        return "none" if value is None else str(value)

    return {name: text(value) for name, value in values.items()}


def _map_columns(rows: Sequence[CellSummary]) -> list[dict[str, Any]]:
    """Returns the columns of the map of tasks."""
    return [
        {
            "policy": policy,
            "width": width,
            "depth": depth,
            "short": f"{depth}t" if depth is not None else str(width),
            "title": f"{policy}, "
            + (f"at most {depth} turns" if depth is not None else f"{width} subagents"),
        }
        for policy, width, depth in _map_cells(rows)
    ]


def _map_cells(rows: Sequence[CellSummary]) -> list[tuple[str, int, int | None]]:
    """Returns (policy, width, depth) of the map's columns: the whole grid without references."""
    cells = (row.cell for row in rows if not charts.is_reference(row.cell.policy))
    return list(dict.fromkeys((cell.policy, cell.width, cell.depth) for cell in cells))


def _map_tasks(rows: Sequence[CellSummary], results: Sequence[Result]) -> list[dict[str, Any]]:
    """Returns for each task its mean item F1 in each column; None where no episode is valid."""
    cells = _map_cells(rows)
    by_task: dict[tuple[str, str], dict[tuple[str, int, int | None], list[float]]] = {}
    questions: dict[tuple[str, str], str] = {}
    for result in results:
        cell = (result.cell.policy, result.cell.width, result.cell.depth)
        task = (result.cell.source, result.task_id)
        questions[task] = result.question
        figures_of = by_task.setdefault(task, {})
        if result.valid:
            figures_of.setdefault(cell, []).append(result.item_f1)
    shown: dict[str, int] = {}
    tasks = []
    for (source, task_id), values in by_task.items():
        shown[source] = shown.get(source, 0) + 1
        if shown[source] > MAX_TASKS:
            continue
        means = [values.get(cell) for cell in cells]
        tasks.append(
            {
                "source": source,
                "id": task_id,
                "question": questions[source, task_id],
                "item_f1": [round(sum(v) / len(v), 3) if v else None for v in means],
            }
        )
    return tasks
