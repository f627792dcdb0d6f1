"""The two figures of a run: what width gives and takes, and item F1 against the budget used.

Drawn once with matplotlib for both outputs: PNG with fixed colours, and SVG whose colours are the
CSS variables of the page that holds it, so that it follows the page's light and dark scheme.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.compare.policies import POLICIES
from benchmarks.compare.summary import CellSummary

Panel: TypeAlias = Callable[[Axes, list[CellSummary]], None]
"""Draws the rows of one source."""
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",  # text stays text: smaller, selectable, in the page's font
    "svg.hashsalt": "wideseek",
}


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a figure."""

    ink: str
    muted: str
    grid: str
    surface: str
    series: tuple[str, ...]

    def of(self, policy: str, policies: Sequence[str]) -> str:
        """Returns the colour of a policy: grey for references, else by its place among the rest."""
        if is_reference(policy):
            return self.muted
        rest = [name for name in policies if not is_reference(name)]
        return self.series[rest.index(policy) % len(self.series)]


PNG_THEME = Theme(
    ink="#14181f",
    muted="#8a93a1",
    grid="#e4e7ec",
    surface="#ffffff",
    series=("#2a78d6", "#eb6834", "#1baf7a", "#8250c4", "#c98500", "#d5517f", "#008300", "#e34948"),
)

# Each colour stands for one CSS variable; `svg_of` puts the variable in its place.
_VARIABLES = {
    "#fe0001": "var(--ink)",
    "#fe0002": "var(--muted)",
    "#fe0003": "var(--line)",
    "#fe0004": "var(--surface)",
    **{f"#fe01{i:02d}": f"var(--series-{i})" for i in range(8)},
}
_names = tuple(_VARIABLES)
SVG_THEME = Theme(_names[0], _names[1], _names[2], _names[3], _names[4:])


def css_variable(color: str) -> str:
    """Returns the CSS variable that stands for a colour of `SVG_THEME`."""
    return _VARIABLES[color]


def is_reference(policy: str) -> bool:
    """Returns whether a policy is there to mark an end of the scale, and is drawn in grey."""
    return policy in POLICIES and POLICIES[policy].reference


def draw_width(rows: Sequence[CellSummary], theme: Theme = PNG_THEME) -> Figure:
    """Returns item F1 and what it takes against the number of subagents.

    One column of panels for each source: item F1, turns on the critical path, and minutes of
    waiting (`benchmarks/compare/waiting.py`). One agent alone has a dotted line for teams to meet.
    """
    shown = [row for row in rows if row.cell.depth is None and row.item_f1]
    widths = sorted({row.cell.width for row in shown})
    policies = list(dict.fromkeys(row.cell.policy for row in rows))
    drawn = [name for name in policies if any(row.cell.policy == name for row in shown)]

    def panel(axes: Axes, members: list[CellSummary]) -> None:
        for policy in drawn:
            line = [row for row in members if row.cell.policy == policy]
            line.sort(key=lambda row: row.cell.width)
            at = [float(widths.index(row.cell.width)) for row in line]
            if is_reference(policy):
                _plot_reference(axes, line, at, theme)
                continue
            color = theme.of(policy, policies)
            _plot(axes, line, at, color, theme)
            if len(line) == 1 and line[0].item_f1:  # one agent: the mark for teams to beat
                axes.axhline(line[0].item_f1.mean, color=color, lw=1, ls=":", alpha=0.8, zorder=1)
        ticks(axes)

    def taken(figure_of: Callable[[CellSummary], float]) -> Panel:
        def panel(axes: Axes, members: list[CellSummary]) -> None:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
            for policy in drawn:
                line = [row for row in members if row.cell.policy == policy]
                line.sort(key=lambda row: row.cell.width)
                at = [float(widths.index(row.cell.width)) for row in line]
                color = theme.of(policy, policies)
                if not is_reference(policy):
                    _plot_taken(axes, at, [figure_of(row) for row in line], color, theme)
            ticks(axes)

        return panel

    def ticks(axes: Axes) -> None:
        axes.set_xticks(range(len(widths)), [str(width) for width in widths])
        axes.set_xlim(-0.3, len(widths) - 0.7)

    measures = {
        "Item F1": panel,
        "Turns in a row": taken(lambda row: row.critical_path_turns or 0.0),
        "Minutes of waiting": taken(lambda row: (row.waiting_s or 0.0) / 60),
    }
    figure = _panels(shown, measures, theme, "Subagents (0: one agent alone)")
    named = [policy for policy in drawn if not is_reference(policy)]
    _legend(figure, [(policy, theme.of(policy, policies), False) for policy in named], theme)
    return figure


def draw_budget(rows: Sequence[CellSummary], theme: Theme = PNG_THEME) -> Figure:
    """Returns item F1 against characters read: width and depth on one axis of total budget.

    A team's points are labelled with its number of subagents, those of a single agent with its turn
    limit. References are left out: they read nothing, or to no end.
    """
    shown = [row for row in rows if row.item_f1 and not is_reference(row.cell.policy)]
    swept = {row.cell.policy for row in shown if row.cell.depth is not None}
    # The depth sweep of a policy holds its point at width 0.
    shown = [r for r in shown if r.cell.depth or r.cell.width or r.cell.policy not in swept]
    policies = list(dict.fromkeys(row.cell.policy for row in rows))
    lines = sorted({(row.cell.policy, row.cell.depth is not None) for row in shown})

    def panel(axes: Axes, members: list[CellSummary]) -> None:
        most = max((row.chars_read or 0.0 for row in members), default=0.0) / 1000 or 1.0
        taken: list[tuple[float, float, float]] = []
        for policy, sweep in lines:
            line = [row for row in members if row.cell.policy == policy]
            line = [row for row in line if (row.cell.depth is not None) == sweep]
            line.sort(key=lambda row: row.cell.depth or row.cell.width)
            color = theme.of(policy, policies)
            at = [(row.chars_read or 0.0) / 1000 for row in line]
            _plot(axes, line, at, color, theme, dashed=sweep)
            _label_points(axes, line, color, most=most, taken=taken)
        axes.set_xlim(-0.1 * most, 1.1 * most)

    figure = _panels(
        shown, {"Item F1": panel}, theme, "Thousand characters read by all agents (mean)"
    )
    entries = [
        (f"{policy}: {'turn limit' if sweep else 'subagents'}", theme.of(policy, policies), sweep)
        for policy, sweep in lines
    ]
    _legend(figure, entries, theme)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Writes a figure at 160 dots an inch."""
    with mpl.rc_context(_STYLE):
        figure.savefig(path, dpi=160, facecolor=figure.get_facecolor())


def svg_of(figure: Figure, prefix: str) -> str:
    """Returns a figure that was drawn with `SVG_THEME` as an `<svg>` element for a page.

    Args:
        figure: the figure.
        prefix: begins every id, as two figures of one page must not share any.
    """
    with mpl.rc_context(_STYLE):
        out = io.StringIO()
        figure.savefig(
            out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
        )
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    # As wide as the page, but for a figure of one panel, whose letters would grow too large.
    text = re.sub(
        r'(<svg[^>]*?) width="[^"]*" height="[^"]*"',
        rf'\1 style="max-width: {110 * figure.get_figwidth():.0f}px"',
        text,
        count=1,
    )
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return text


def _panels(
    rows: Sequence[CellSummary],
    measures: Mapping[str, Panel],
    theme: Theme,
    x_label: str,
) -> Figure:
    """Returns a figure with a column of panels for each source, at most three in a line.

    Args:
        rows: what is drawn.
        measures: what draws the panels of a column, by the label of their y axes, from the top.
        theme: colours.
        x_label: of all panels.
    """
    sources = list(dict.fromkeys(row.cell.source for row in rows)) or ["no valid episode"]
    num_columns = min(3, len(sources))
    num_lines = math.ceil(len(sources) / num_columns)
    with mpl.rc_context(_STYLE):
        width = 7.0 if num_columns == 1 else 3.6 * num_columns
        heights = ([2.75] + [1.5] * (len(measures) - 1)) * num_lines
        figure = Figure((width, 0.75 + sum(heights)), layout="constrained")
        figure.set_facecolor(theme.surface)
        grid = figure.subplots(
            len(heights), num_columns, sharey="row", squeeze=False, height_ratios=heights
        )
        for place, source in zip_longest(range(num_lines * num_columns), sources):
            at, column = divmod(place, num_columns)
            for below, (y_label, panel) in enumerate(measures.items()):
                axes = grid[at * len(measures) + below, column]
                if source is None:
                    axes.set_axis_off()
                    continue
                _dress(axes, theme)
                if below == 0:
                    axes.set_title(
                        source, loc="left", color=theme.ink, fontsize=11, fontweight="bold"
                    )
                    axes.set_ylim(-0.09, 1.11)
                panel(axes, [row for row in rows if row.cell.source == source])
                if column == 0:
                    axes.set_ylabel(y_label, color=theme.ink)
        figure.supxlabel(x_label, color=theme.ink, fontsize=10)
    return figure


def _dress(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor("none")
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.muted, labelcolor=theme.ink, length=0, labelsize=9)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(theme.grid)


def _plot(
    axes: Axes,
    line: list[CellSummary],
    at: list[float],
    color: str,
    theme: Theme,
    *,
    dashed: bool = False,
) -> None:
    """Draws the means as a line with points, and their intervals as bars."""
    intervals = [row.item_f1 for row in line if row.item_f1]
    means = [interval.mean for interval in intervals]
    bars = [
        [interval.mean - interval.low for interval in intervals],
        [interval.high - interval.mean for interval in intervals],
    ]
    axes.plot(at, means, color=color, linewidth=2, linestyle="--" if dashed else "-", zorder=3)
    axes.errorbar(at, means, bars, fmt="none", ecolor=color, elinewidth=1.2, alpha=0.55, zorder=2)
    axes.plot(at, means, "o", color=color, markersize=6, mec=theme.surface, mew=1.2, zorder=4)


def _plot_taken(axes: Axes, at: list[float], taken: list[float], color: str, theme: Theme) -> None:
    """Draws what each width takes; of one agent alone, a dotted line through its point."""
    axes.plot(at, taken, color=color, linewidth=2, zorder=3)
    axes.plot(at, taken, "o", color=color, markersize=6, mec=theme.surface, mew=1.2, zorder=4)
    if len(taken) == 1:
        axes.axhline(taken[0], color=color, lw=1, ls=":", alpha=0.8, zorder=1)


def _label_points(
    axes: Axes,
    line: list[CellSummary],
    color: str,
    *,
    most: float,
    taken: list[tuple[float, float, float]],
) -> None:
    """Writes width or turn limit beside each point where there is room: above it, or else below.

    Points that lie on one another have one label, such as 5–80: where more brings no more.

    Args:
        axes: to write on.
        line: the points, in order.
        color: of the text.
        most: the greatest value on the panel's x axis.
        taken: centre and half width of the panel's labels so far, as shares of its size.
    """
    spots: dict[tuple[float, float], list[int]] = {}
    for row in line:
        x = (row.chars_read or 0.0) / 1000 / most
        spot = (x, row.item_f1.mean if row.item_f1 else 0.0)
        near = [s for s in spots if abs(s[0] - x) < 0.005 and abs(s[1] - spot[1]) < 0.005]
        spots.setdefault(near[0] if near else spot, []).append(row.cell.depth or row.cell.width)
    for (x, mean), numbers in spots.items():
        text = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
        half = 0.012 + 0.013 * len(text)
        for side in (1, -1):
            u, v = x - side * (0.025 + half), mean + side * 0.04
            if all(abs(u - a) > half + w or abs(v - b) > 0.06 for a, b, w in taken):
                break
        else:
            continue
        taken.append((u, v, half))
        axes.annotate(
            text,
            (x * most, mean),
            xytext=(-7, 3) if side == 1 else (7, -10),
            textcoords="offset points",
            ha="right" if side == 1 else "left",
            fontsize=9,
            fontweight="bold",
            color=color,
        )


def _plot_reference(axes: Axes, line: list[CellSummary], at: list[float], theme: Theme) -> None:
    """Draws an end of the scale as a thin grey line with its name on it."""
    means = [row.item_f1.mean for row in line if row.item_f1]
    if not means:
        return
    axes.plot(at, means, color=theme.muted, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
    # Where nothing else is: above the ceiling, and below the floor at the right.
    high = means[-1] > 0.5
    axes.annotate(
        line[-1].cell.policy,
        (at[0], means[0]) if high else (at[-1], means[-1]),
        xytext=(0, 2 if high else -11),
        textcoords="offset points",
        ha="left" if high else "right",
        fontsize=8.5,
        color=theme.muted,
    )


def _legend(figure: Figure, entries: list[tuple[str, str, bool]], theme: Theme) -> None:
    """Adds a legend of (text, colour, dashed) above the panels."""
    handles = [
        Line2D([], [], color=color, linewidth=2, marker="o", ls="--" if dashed else "-", label=text)
        for text, color, dashed in entries
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside upper left",
            ncols=4,
            frameon=False,
            handlelength=2.8,
            labelcolor=theme.ink,
            fontsize=9.5,
        )
