"""Measured figures and the targets that they have to reach, as the speed commands print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from wideseek_env.cli.terminal import print_table


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured figure, with the target that it has to reach."""

    name: str
    value: str
    target: str = ""
    reached: bool | None = None
    """None: there is no target."""


def verdict(reached: bool | None) -> str:
    """Says yes or no, in colour; nothing where there is no target."""
    return {True: "[green]yes[/]", False: "[bold red]no[/]", None: ""}[reached]


def print_measurements(
    console: Console, measurements: Iterable[Measurement], title: str | None = None
) -> bool:
    """Prints a table of measurements; returns whether no target is missed."""
    table = Table(title=title, title_justify="left")
    for header in ("what", "measured", "target", ""):
        table.add_column(header, justify="right" if header == "measured" else "left")
    missed = False
    for each in measurements:
        table.add_row(each.name, each.value, each.target, verdict(each.reached))
        missed = missed or each.reached is False
    print_table(console, table)
    return not missed


def print_targets(console: Console, targets: Mapping[str, bool]) -> bool:
    """Prints a line for each target, with whether it is reached; returns whether all are."""
    for text, reached in targets.items():
        console.print(f"{verdict(reached)}  {text}")
    return all(targets.values())
