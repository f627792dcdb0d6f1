"""How fast the scorers are: `wideseek speed scorers --data FOLDER`.

FOLDER is DeepWideSearch with recorded responses: `tasks.jsonl`, `tables/`, and
`official_scores.jsonl.gz`. Rates are tables a second of CPU time, over one response to each task.
Cold means a fresh process in which nothing has been scored; the official scorer, timed on these
responses in the same way (CPU time, pandas 2.3.0, dateparser 1.2.1), does about 5.5 a second.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.scorers.cheating_tables import NOW
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import InFolder
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.cli.terminal import print_table
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines
from wideseek_env.records import Column, Task
from wideseek_env.scoring import score_strict, write_table
from wideseek_env.scoring.official.scorer import read_gold, score_official
from wideseek_env.tasks.widesearch import load_widesearch

OFFICIAL_RATE = 5.5
"""Tables a second of WideSearch's own scorer on the `formatted` responses, on two shared cores."""
NUM_ROWS = 2000


class Recorded(msgspec.Struct):
    """One recorded response."""

    instance_id: str
    variant: str
    response: str


def read_pairs(folder: Path, variant: str) -> list[tuple[Task, str]]:
    """Returns (task, response) for each recorded response of one variant.

    Raises:
        DataError: a file is missing or broken, or there is no response of this variant.
    """
    tasks = {t.id: t for t in load_widesearch(folder / "tasks.jsonl", folder / "tables")}
    pairs = []
    for line in read_json_lines(folder / "official_scores.jsonl.gz", Recorded):
        if isinstance(line, DataError):
            raise line
        if line.variant == variant:
            pairs.append((tasks[line.instance_id], line.response))
    if not pairs:
        raise DataError(f"{folder} has no responses of the variant {variant!r}")
    return pairs


def rate(score: Callable[[Task, str], object], pairs: Sequence[tuple[Task, str]]) -> float:
    """Returns tables a second of CPU time."""
    started = time.process_time()
    for task, response in pairs:
        score(task, response)
    return len(pairs) / (time.process_time() - started)


def seconds_of_large_table(score: Callable[[Task, str], object]) -> float:
    """Returns the CPU seconds of one table of 2,000 rows with dates, numbers and text."""
    columns = (
        Column("name"),
        Column("founded", "date_near", ("norm_date",)),
        Column("area", "number_near", ("extract_number",), 0.05),
        Column("note"),
    )
    gold = tuple(
        (f"place {i}", f"{1900 + i % 90}-0{1 + i % 9}-{10 + i % 19}", f"{i * 37} km", f"note {i}")
        for i in range(NUM_ROWS)
    )
    task = Task("large", "", columns, ("name",), gold)
    answer = f"```markdown\n{write_table(task.column_names, gold[::-1])}\n```"
    started = time.process_time()
    score(task, answer)
    return time.process_time() - started


def _data() -> Path:
    return Path(os.environ.get("WIDESEEK_DATA", "data")) / "deepwidesearch"


@dataclass(frozen=True, kw_only=True)
class OfficialOptions:
    """Measures how fast the scorers are, cold and warm, beside WideSearch's own."""

    data: InFolder = field(default_factory=_data)
    """DeepWideSearch with recorded responses: tasks.jsonl, tables/ and official_scores.jsonl.gz; by
    default $WIDESEEK_DATA/deepwidesearch."""
    variant: str = "formatted"
    """Of the responses."""


def run(options: OfficialOptions) -> int:
    """Measures and prints; returns 0 when every target is reached, else 1."""
    pairs = read_pairs(options.data, options.variant)

    def official(task: Task, response: str) -> object:
        return score_official(task, response, NOW)

    strict_cold = rate(score_strict, pairs)
    official_cold = rate(official, pairs)
    read_gold.cache_clear()
    official_memoised = rate(official, pairs)
    large_strict, large_official = map(seconds_of_large_table, (score_strict, official))
    rows = [
        ("strict, cold", strict_cold, 100),
        ("official, cold", official_cold, 15),
        ("official, dates memoised", official_memoised, 200),
    ]
    grid = Table(box=SIMPLE_HEAD, title=f"{len(pairs)} tables, CPU time", title_justify="left")
    for name in ("mode", "tables/s", "times WideSearch's", "target"):
        grid.add_column(name, justify="left" if name == "mode" else "right")
    for name, measured, target in rows:
        times = measured / OFFICIAL_RATE
        grid.add_row(name, f"{measured:,.0f}", f"{times:,.0f}", f"{target}" if target else "–")
    console = results_console()
    print_table(console, grid)
    console.print(
        f"{NUM_ROWS:,} rows: strict {large_strict:.3f} s, official {large_official:.3f} s"
    )
    missed = [name for name, measured, goal in rows if goal and measured < goal * OFFICIAL_RATE]
    return 1 if missed or large_strict > 1 else 0


if __name__ == "__main__":
    sys.exit(run_command("speed scorers"))
