"""What commands show: a console of a fixed width for pipes, and tables that fit."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

PIPE_WIDTH = 150
"""Columns of what is not a terminal: a file or a pipe has no width of its own."""

LINE_EVERY_S = 10.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""


def console() -> Console:
    """Makes a console for results, on standard output."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_table(out: Console, table: Table, droppable: Collection[str] = ()) -> None:
    """Prints a table in the console's width; values are never cut.

    Args:
        out: where it goes.
        table: the table; its columns are changed. A column with a greatest width breaks its lines
            there; no other does.
        droppable: headers that may be left out where there is no room, the least needed first;
            those that the table lacks do not matter.
    """
    headers, left_out = [str(column.header) for column in table.columns], []
    for column in table.columns:
        column.no_wrap, column.overflow = column.max_width is None, "fold"
    for header in (*(name for name in droppable if name in headers), None):
        if Measurement.get(out, out.options.update(max_width=10_000), table).maximum <= out.width:
            break
        if header is None:  # still too wide: better broken lines than lost figures
            for column in table.columns:
                column.no_wrap = False
            break
        index = [str(column.header) for column in table.columns].index(header)
        del table.columns[index]
        left_out.append(header)
    out.print(table)
    if left_out:
        names = ", ".join(name for name in headers if name in left_out)
        out.print(f"left out, as {out.width} columns have no room: {names}", style="dim")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Shows on standard error how far a work is; gives what is called after each part of it.

    `advance(note)` counts one more; the note stands behind the bar, or at the end of the line.
    `total=` and `what=` set what the work is and how much there is of it.
    """
    err = Console(stderr=True)
    done, told_s = 0, time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    row = bar.add_task(what, total=total, note="")

    def advance(
        note: str = "", count: int = 1, what: str = what, total: int | None = total
    ) -> None:
        nonlocal done, told_s
        done += count
        bar.update(row, advance=count, note=note, description=what, total=total)
        if not err.is_terminal and time.monotonic() - told_s > LINE_EVERY_S:
            told_s = time.monotonic()
            of = f" of {bar.tasks[row].total:,.0f}" if bar.tasks[row].total else ""
            print(f"{what}: {done:,}{of}  {note}".rstrip(), file=sys.stderr, flush=True)

    with bar:
        yield advance
