"""The table of a run: its columns, stated once, as the terminal and the report show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.compare.summary import CellSummary
from wideseek_env.cli.terminal import print_table as print_fitting
from wideseek_env.scoring.statistics import Interval

Value: TypeAlias = str | float | int | Interval | None

DROPPABLE = (
    "Drift",
    "Path",
    "Chars read",
    "Seconds",
    "Turns",
    "Row F1",
    "Success",
    "Calls",
    "Dollars",
    "Tokens",
)
"""Columns that a narrow terminal goes without, the least needed first; the report has all. Those
that tell rows apart stay."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: its header, what it means, and how a row fills it."""

    header: str
    usage: str
    value: Callable[[CellSummary], Value]
    """None is shown as a dash: there is no such figure."""
    decimals: int = 3

    def text(self, row: CellSummary) -> str:
        """Returns the cell of a row, without its interval."""
        value = self.value(row)
        if value is None:
            return "–"
        if isinstance(value, str):
            return value
        number = value.mean if isinstance(value, Interval) else value
        return f"{number:,.{self.decimals}f}"


def columns(rows: Sequence[CellSummary]) -> list[TableColumn]:
    """Returns the columns of a table; those that hold nothing for any row are left out."""
    num_trials = max((row.num_trials for row in rows), default=1)
    several = [
        TableColumn(f"Max@{num_trials}", "item F1 of a task's best trial", lambda r: r.max_at_k),
        TableColumn(f"Pass@{num_trials}", "tasks that any trial solved", lambda r: r.pass_at_k),
    ]
    spent = [
        TableColumn("Tokens", "that models wrote", lambda r: r.tokens, 0),
        TableColumn("Dollars", "an episode, by --price", lambda r: r.cost_usd, 4),
        TableColumn("Drift", "turns of an episode with tokens that differ", lambda r: r.drift, 2),
    ]
    spent = [column for column in spent if any(column.value(row) for row in rows)]
    item_f1 = f"Item F1 Avg@{num_trials}" if num_trials > 1 else "Item F1"
    return [
        TableColumn("Source", "what is played: a world, or other pages", lambda r: r.cell.source),
        TableColumn("Policy", "who played", lambda r: r.cell.policy),
        TableColumn("Width", "subagents; 0: one agent alone", lambda r: r.cell.width, 0),
        TableColumn("Depth", "turn limit, in the depth sweep", lambda r: r.cell.depth, 0),
        TableColumn(item_f1, "right cells; 95 % interval over tasks", lambda r: r.item_f1),
        *(several if num_trials > 1 else []),
        TableColumn("Row F1", "rows with every cell right", lambda r: r.row_f1),
        TableColumn("Success", "tables without any fault", lambda r: r.success),
        TableColumn("Turns", "of all agents", lambda r: r.turns, 1),
        TableColumn("Calls", "search and open, all agents", lambda r: r.tool_calls, 1),
        TableColumn("Chars read", "that search and open showed", lambda r: r.chars_read, 0),
        TableColumn("Path", "turns that wait for one another", lambda r: r.critical_path_turns, 1),
        TableColumn("Wait", "seconds, if models wrote", lambda r: r.waiting_s, 0),
        TableColumn("Seconds", "wall time of an episode", lambda r: r.seconds, 2),
        *spent,
        TableColumn("Tasks", "with a valid episode", lambda r: r.num_tasks, 0),
        TableColumn("Invalid", "episodes, in no mean", lambda r: r.num_invalid, 0),
    ]


def print_table(rows: Sequence[CellSummary], console: Console) -> None:
    """Prints one table for each source; intervals stand behind the item F1."""
    for source in dict.fromkeys(row.cell.source for row in rows):
        shown = columns(rows)[1:]
        if not any(row.cell.depth for row in rows):
            shown = [column for column in shown if column.header != "Depth"]
        shown = [column for column in shown if column.header != "Tasks"]
        table = Table(
            title=f"\n{source}",
            title_justify="left",
            title_style="bold",
            header_style="dim",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for column in shown:
            if column.header == "Policy":  # paths and addresses are long
                table.add_column(column.header, max_width=28)
            else:
                table.add_column(column.header, justify="right")
        members = [row for row in rows if row.cell.source == source]
        for place, row in enumerate(members):
            ends = place + 1 < len(members) and members[place + 1].cell.policy != row.cell.policy
            table.add_row(*(_terminal_cell(column, row) for column in shown), end_section=ends)
        print_fitting(console, table, DROPPABLE)


def _terminal_cell(column: TableColumn, row: CellSummary) -> str:
    text, value = column.text(row), column.value(row)
    if column.header.startswith("Item F1") and isinstance(value, Interval):
        return f"{text} [dim]{value.low:.3f}–{value.high:.3f}[/dim]"
    if column.header == "Invalid" and value:
        return f"[bold red]{text}[/]"
    return text
