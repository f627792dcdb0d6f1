"""`wideseek benchmark` plays a grid and reports; `wideseek report FOLDER` reports again."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from tyro.conf import OmitArgPrefixes, Positional

from agents.episode_file import lock_of
from agents.run import MAX_REASONS
from benchmarks.compare.llm import figures_of
from benchmarks.compare.policies import POLICIES, entry_of
from benchmarks.compare.responses import write_responses
from benchmarks.compare.run_folder import EPISODES, RUN, RunInfo, calls_told
from benchmarks.compare.runner import play, unread
from benchmarks.compare.settings import Settings
from benchmarks.compare.table import print_table
from benchmarks.report.page import describe
from benchmarks.report.report import make_report, report_path
from wideseek_env.cli.options import Cluster, Count, InFolder, OutFolder, check_values
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import DataError, Interrupted, WideSeekError
from wideseek_env.plugins import names
from wideseek_env.records import Episode
from wideseek_env.worlds import PRESETS

FULL = Settings(sources=tuple(PRESETS), num_tasks=100, num_trials=4)


def _num_workers() -> int:
    """Counts the cores that this process may use, of which more than 8 bring little."""
    here = hasattr(os, "sched_getaffinity")
    return min(len(os.sched_getaffinity(0)) if here else os.cpu_count() or 1, 8)


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Plays policies at several widths on held-out worlds or on real pages, at equal budget.

    Every episode is kept as it ends, and the same command with the same `--name` goes on.
    """

    settings: OmitArgPrefixes[Settings] = field(default_factory=Settings)
    """What is played."""
    name: str | None = None
    """Of the run, a folder in `--out`; one that exists goes on. None is the time."""
    out: OutFolder = Path("runs")
    """Folder of all runs."""
    num_workers: Count | None = None
    """Processes that play; none is one for each core, at most 8, or for each CPU of the cluster."""
    ray: Cluster | None = None
    """They are actors on a Ray cluster: at HOST:PORT or ray://HOST:PORT, auto for the one on this
    machine; the flag alone is that of $RAY_ADDRESS, else one that is started for this run."""
    full: bool = False
    """Starts from all presets, 100 tasks and 4 trials: for papers."""
    list: bool = False
    """Shows the policies and ends."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.name is not None and (Path(self.name).name != self.name or self.name == ".."):
            raise ValueError(
                f"--name: expected a name without folders in it, got {self.name!r}; --out is the "
                "folder of all runs"
            )

    @classmethod
    def defaults(cls, words: Sequence[str]) -> BenchmarkOptions | None:
        """Gives what counts where no flag is given."""
        return cls(settings=FULL, full=True) if "--full" in words else None


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Makes the report of a benchmark run again."""

    folder: Positional[InFolder]
    """Folder of the run."""
    task: str | None = None
    """Id of a task whose episodes are shown whole, on a page of its own beside the report."""


def run(options: BenchmarkOptions) -> int:
    """Plays and reports; returns the exit status."""
    console = results_console()
    if options.list:
        _print_policies(console)
        return 0
    settings = options.settings
    settings.check_playable()
    if settings.left_out():
        unplayed = ", ".join(settings.left_out())
        console.print(
            f"[yellow]{unplayed}: nothing to play at these widths and sources[/] (--list)"
        )
    for text, blind in unread(settings).items():
        console.print(
            f"[yellow]{', '.join(blind)}: can read no question of {escape(text)}, and score 0 "
            "there[/] (docs/scripted.md tells what they read)",
            soft_wrap=True,
        )
    folder = options.out / options.name if options.name else _new_folder(options.out)
    started_s, interrupted = time.perf_counter(), False
    try:
        _play(options, folder, console)
    except BaseException as error:
        if not _any_played(folder):
            _remove(folder, options.out)
            raise
        if isinstance(error, KeyboardInterrupt):
            interrupted = True  # the report says that it is partial
        else:
            if isinstance(error, (OSError, WideSeekError)) and not isinstance(error, DataError):
                console.print(f"What has ended is kept: {_going_on(folder)}.", soft_wrap=True)
            raise
    num_valid = _finish(folder, console, None)
    console.print(f"{time.perf_counter() - started_s:.1f} s in all")
    if interrupted:
        raise Interrupted(f"what has ended is in {folder}; the same command with --name "
                          f"{folder.name} goes on")  # fmt: skip
    return 0 if num_valid else 1


def report(options: ReportOptions) -> int:
    """Makes the report again; returns the exit status."""
    _finish(options.folder, results_console(), options.task)
    return 0


def _print_policies(console: Console) -> None:
    for name in names("policies", POLICIES):
        entry = entry_of(name)
        who = {"alone": "width 0", "team": "widths from 1", "any": "all widths"}[entry.team]
        where = f", presets {', '.join(entry.presets)}" if entry.presets else ""
        console.print(f"[bold]{name}[/]  {entry.usage} (plays: {who}{where})", soft_wrap=True)


def _new_folder(out: Path) -> Path:
    """Makes a folder named by the time that no other run has, not even one begun in this second."""
    stem = time.strftime("%Y%m%d-%H%M%S")
    for number in count(1):
        folder = out / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
    return folder


def _any_played(folder: Path) -> bool:
    episodes = folder / EPISODES
    return episodes.exists() and episodes.stat().st_size > 0


def _remove(folder: Path, out: Path) -> None:
    """Takes away what a start that failed has left; anything that is not ours stays."""
    lock = lock_of(folder / EPISODES)
    ours = {RUN, EPISODES, Path(lock.lock_file).name}
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= ours:
        with suppress(OSError), lock:  # it is an OSError when another run holds it
            shutil.rmtree(folder, ignore_errors=True)
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()


def _play(options: BenchmarkOptions, folder: Path, console: Console) -> None:
    on_ray = options.ray is not None
    num_invalid, num_tokens, cost_usd, started_s = 0, 0.0, 0.0, time.perf_counter()
    with progress("worlds", None) as advance:

        def on_start(num_expected: int, num_kept: int) -> None:
            if num_kept:
                console.print(f"{folder} has {num_kept} of {num_expected} episodes; going on")
            advance(count=num_kept, total=num_expected)

        def on_episode(episode: Episode) -> None:
            nonlocal num_invalid, num_tokens, cost_usd
            num_invalid += not episode.valid
            tokens, dollars, _ = figures_of(episode)
            num_tokens, cost_usd = num_tokens + tokens, cost_usd + dollars
            notes = [f"{num_invalid} invalid"] if num_invalid else []
            if num_tokens:
                rate = num_tokens / (time.perf_counter() - started_s)
                notes.append(f"{rate:,.0f} tokens/s, ${cost_usd:.2f}")
            advance(" ".join(notes), what=episode.policy)

        play(
            options.settings,
            folder,
            command=shlex.join(["wideseek", "benchmark", *sys.argv[1:]]),
            num_workers=options.num_workers or (None if on_ray else _num_workers()),
            ray=options.ray,
            on_start=on_start,
            on_episode=on_episode,
        )


def _finish(folder: Path, console: Console, task: str | None) -> int:
    """Makes the report and prints the table; returns how many episodes are valid."""
    rows = make_report(folder, task)
    info = RunInfo.read(folder)
    print_table(rows, console)
    console.print(describe(info))
    if told := calls_told(info.settings):
        console.print(f"Tools: {told}", soft_wrap=True)
    num_finished = sum(row.num_episodes for row in rows)
    num_invalid = sum(row.num_invalid for row in rows)
    if num_finished < info.num_expected:
        console.print(
            f"[bold red]Partial[/]: {num_finished} of {info.num_expected} episodes; "
            f"{_going_on(folder)}."
        )
    if num_invalid:
        console.print(
            f"[bold red]{num_invalid} episodes are invalid[/] and in no mean; "
            f"{_going_on(folder)} and plays them again:"
        )
        for reason in list(dict.fromkeys(row.error for row in rows if row.error))[:MAX_REASONS]:
            console.print(f"  {escape(reason)}", highlight=False, soft_wrap=True)
    for path in write_responses(folder):
        console.print(f"Responses in WideSearch's format: [bold]{path}[/]", soft_wrap=True)
    console.print(f"Report: [bold]{report_path(folder, task)}[/]", soft_wrap=True)
    console.print(f"Every episode: [bold]wideseek view {escape(str(folder))}[/]", soft_wrap=True)
    return num_finished - num_invalid


def _going_on(folder: Path) -> str:
    return f"the same command with [bold]--name {folder.name}[/] goes on"
