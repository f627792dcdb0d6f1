"""The HTML of a report: fills `page/report.html`; what needs no script is written out here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.compare.run_folder import RunInfo
from benchmarks.compare.summary import Result, Row
from benchmarks.compare.table import TableColumn, columns
from benchmarks.report import charts
from benchmarks.report.episode_view import MAX_TEXT_CHARS
from wideseek_env.records import Limits
from wideseek_env.scoring.statistics import Interval
from wideseek_env.tasks.named import preset_named
from wideseek_env.worlds import PRESETS

_PAGE = Path(__file__).parent / "static"
MAX_TASKS = 100
"""Most tasks of one source in the map of tasks."""


def render(
    info: RunInfo,
    rows: Sequence[Row],
    results: Sequence[Result],
    episodes: Sequence[dict[str, Any]],
    name: str,
) -> str:
    """Returns the whole page.

    Args:
        info: what was asked for.
        rows: the table.
        results: all episodes' figures, for the map of tasks.
        episodes: the ones to show whole, from `episode_view.view`.
        name: of the run.
    """
    data = {"columns": _map_columns(rows), "tasks": _map_tasks(rows, results), "episodes": episodes}
    parts = {
        "title": escape(f"{name} · wideseek benchmark"),
        "style": (_PAGE / "report.css").read_text(encoding="utf-8"),
        "script": _script("report.js") + _script("viewer.js") + "start();\n",
        "name": escape(name),
        "lede": escape(describe(info)),
        "notices": _notices(info, rows),
        "cards": _cards(rows),
        "figure_width": charts.svg_of(charts.draw_width(rows, charts.SVG_THEME), "w"),
        "figure_budget": charts.svg_of(charts.draw_budget(rows, charts.SVG_THEME), "b"),
        "width_caption": "Mean over tasks with 95 % bootstrap intervals. " + escape(_budget(info)),
        "budget_caption": (
            "A team grows by subagents, a single agent by its turn limit (the numbers beside the "
            "points). Further left is cheaper, higher is better. " + escape(_context(info))
        ),
        "table_note": (
            "Click a header to sort. Means are over valid episodes; the range beside the item F1 "
            "is its 95 % bootstrap interval over tasks. Hover a header for what it means."
        ),
        "table": _table(rows),
        "episode_note": (
            f"{len(episodes)} of {len(results):,} episodes are in this page, each text cut at "
            f"{MAX_TEXT_CHARS} characters; <code>wideseek report FOLDER --task "
            "ID</code> shows those of one task, and episodes.jsonl holds all of them whole."
        ),
        "settings": _definitions({**info.settings.to_json(), "command": info.command}),
        "versions": _definitions({"started": info.started, **info.versions}),
        "remake": "Every figure follows from episodes.jsonl; summary.json holds them for programs.",
        "data": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    template = (_PAGE / "report.html").read_text(encoding="utf-8")
    # One pass, so that a marker inside a text that was filled in stays text.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


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
    return f"{tasks} each on {where}, {trials}, seed {settings.seed}. {_budget(info)}"


def _budget(info: RunInfo) -> str:
    if info.settings.budget is None:
        return "No bound on search and open calls beside the sources' own limits."
    return (
        f"Equal budget: at most {info.settings.budget} search and open calls an episode, all "
        "agents together, for every policy and width."
    )


def _context(info: RunInfo) -> str:
    """Returns what holds a single agent back, however many turns it has."""
    presets = {text: preset_named(text) for text in info.settings.sources}
    limits = {t: PRESETS[name].limits if name else Limits() for t, name in presets.items()}
    sizes = ", ".join(f"{name} {each.max_context_chars:,}" for name, each in limits.items())
    return f"Every agent, alone or in a team, holds the same context, in characters: {sizes}."


def _script(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _notices(info: RunInfo, rows: Sequence[Row]) -> str:
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
    paragraphs = "".join(f"<p>{escape(notice)}</p>" for notice in notices)
    return f'<div class="notice" role="status">{paragraphs}</div>' if notices else ""


def _cards(rows: Sequence[Row]) -> str:
    """Returns one card for each source: the best team against the best single agent."""
    policies = list(dict.fromkeys(row.cell.policy for row in rows))
    cards = []
    for source in dict.fromkeys(row.cell.source for row in rows):
        scored = [r for r in rows if r.cell.source == source and r.item_f1 and r.cell.depth is None]
        honest = [row for row in scored if not charts.is_reference(row.cell.policy)]
        if not honest:
            continue
        best = max(honest, key=_f1)
        alone = [row for row in honest if row.cell.width == 0]
        reference = [row for row in scored if charts.is_reference(row.cell.policy)]
        shown = [best, *([max(alone, key=_f1)] if alone else [])]
        ends = {row.cell.policy: row for row in sorted(reference, key=_f1)}
        shown += sorted(ends.values(), key=_f1, reverse=True)
        meters = "".join(_meter(row, policies) for row in dict.fromkeys(shown))
        team = "one agent" if best.cell.width == 0 else f"{best.cell.width} subagents"
        cards.append(
            f'<div class="card"><h3>{escape(source)}</h3>'
            f'<div class="big">{_f1(best):.3f} <small>item F1</small></div>'
            f"<p>{escape(best.cell.policy)}, {team}; the best of this run</p>{meters}</div>"
        )
    return "".join(cards)


def _meter(row: Row, policies: Sequence[str]) -> str:
    color = _css_color(row.cell.policy, policies)
    label = row.cell.policy + (f" × {row.cell.width}" if row.cell.width else "")
    if charts.is_reference(row.cell.policy):
        label = row.cell.policy
    bar = f'<b style="width:{100 * _f1(row):.1f}%;background:{color}"></b>'
    label = f"<span>{escape(label)}</span>"
    return f'<div class="meter">{label}<i>{bar}</i><span>{_f1(row):.2f}</span></div>'


def _f1(row: Row) -> float:
    return row.item_f1.mean if row.item_f1 else 0.0


def _css_color(policy: str, policies: Sequence[str]) -> str:
    return charts.css_variable(charts.SVG_THEME.of(policy, policies))


def _table(rows: Sequence[Row]) -> str:
    shown = columns(rows)
    policies = list(dict.fromkeys(row.cell.policy for row in rows))
    head = "".join(
        f'<th scope="col" title="{escape(column.usage)}"{_text_class(column)}>'
        f"{escape(column.header)}</th>"
        for column in shown
    )
    body = "".join(
        f'<tr data-source="{escape(row.cell.source)}"'
        f"{' class=sweep' if row.cell.depth is not None else ''}>"
        + "".join(_table_cell(column, row, policies) for column in shown)
        + "</tr>"
        for row in rows
    )
    return f'<table id="all"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _text_class(column: TableColumn) -> str:
    return ' class="text"' if column.header in ("Source", "Policy") else ""


def _table_cell(column: TableColumn, row: Row, policies: Sequence[str]) -> str:
    value, text = column.value(row), escape(column.text(row))
    if isinstance(value, str):
        dot = ""
        if column.header == "Policy":
            dot = f'<i class="dot" style="background:{_css_color(value, policies)}"></i>'
        return f'<td class="text">{dot}{text}</td>'
    number = value.mean if isinstance(value, Interval) else value
    attributes = f' data-sort="{-1 if number is None else number}"'
    if not isinstance(value, Interval):
        warn = ' class="warn"' if column.header == "Invalid" and value else ""
        return f"<td{attributes}{warn}>{text}</td>"
    span = f"{value.low:.3f}–{value.high:.3f}"
    if not column.header.startswith("Item F1"):
        return f'<td{attributes} title="95 % interval {span}">{text}</td>'
    color = _css_color(row.cell.policy, policies)
    low, wide = 100 * value.low, 100 * (value.high - value.low)
    bar = f'<b style="width:{100 * value.mean:.1f}%;background:{color}"></b>'
    bar += f'<u style="left:{low:.1f}%;width:{wide:.1f}%"></u>'
    range_ = f'<span class="interval">{span}</span>'
    return f'<td{attributes}>{text}{range_}<span class="bar">{bar}</span></td>'


def _definitions(values: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(map(str, value)) or "none"
        return "none" if value is None else str(value)

    items = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(text(value))}</dd>"
        for name, value in values.items()
    )
    return f"<dl>{items}</dl>"


def _map_columns(rows: Sequence[Row]) -> list[dict[str, Any]]:
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


def _map_cells(rows: Sequence[Row]) -> list[tuple[str, int, int | None]]:
    """Returns (policy, width, depth) of the map's columns: the whole grid without references."""
    cells = (row.cell for row in rows if not charts.is_reference(row.cell.policy))
    return list(dict.fromkeys((cell.policy, cell.width, cell.depth) for cell in cells))


def _map_tasks(rows: Sequence[Row], results: Sequence[Result]) -> list[dict[str, Any]]:
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
