"""Command line: `python -m benchmarks` plays a grid and reports; `report FOLDER` reports again."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.llm.engines import ENGINES
from agents.llm.policy import LLMConfig, Prices
from benchmarks.compare.flags import numbers
from benchmarks.compare.llm import LLMSettings, figures_of
from benchmarks.compare.policies import POLICIES
from benchmarks.compare.responses import write_responses
from benchmarks.compare.run_folder import RUN, RunInfo
from benchmarks.compare.runner import play
from benchmarks.compare.settings import Settings
from benchmarks.compare.table import print_table
from benchmarks.report.page import describe
from benchmarks.report.report import make_report
from wideseek_env.errors import DataError, WideSeekError
from wideseek_env.formats import FORMATS
from wideseek_env.records import Episode
from wideseek_env.worlds import PRESETS

QUICK = Settings()
MAX_REASONS = 5
"""Most reasons of invalid episodes in the terminal; the report has them whole."""
FULL = Settings(presets=tuple(PRESETS), num_tasks=100, num_trials=4)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0 done, 1 failed, 2 bad arguments, 130 interrupted."""
    given = list(sys.argv[1:] if argv is None else argv)
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        if given[:1] == ["report"]:
            return _report(given[1:], console)
        return _run(given, console)
    except WideSeekError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: cannot read or write: {error}", file=sys.stderr)
    except (ValueError, ImportError) as error:  # a library that an extra brings is not there
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1


def _run(given: Sequence[str], console: Console) -> int:
    arguments = _parser().parse_args(given)
    if arguments.list:
        for name, entry in POLICIES.items():
            who = {"alone": "width 0", "team": "widths from 1", "any": "all widths"}[entry.team]
            where = f", presets {', '.join(entry.presets)}" if entry.presets else ""
            console.print(f"[bold]{name}[/]  {entry.usage} (plays: {who}{where})", soft_wrap=True)
        return 0
    settings = _settings(arguments)
    if arguments.workers < 1:
        raise ValueError(f"--workers: expected at least 1, got {arguments.workers}")
    folder = Path(arguments.out) / (arguments.name or time.strftime("%Y%m%d-%H%M%S"))
    command = shlex.join(["python", "-m", "benchmarks", *given])
    if settings.left_out():
        names = ", ".join(settings.left_out())
        console.print(f"[yellow]{names}: nothing to play at these widths and presets[/] (--list)")
    started_s, interrupted = time.perf_counter(), False
    try:
        _play(settings, folder, command, arguments.workers, console)
    except KeyboardInterrupt:
        # The file holds every episode that ended; the report says that it is partial.
        interrupted = True
        if not (folder / RUN).exists():
            console.print("Interrupted before the first episode.")
            return 130
    except (OSError, WideSeekError) as error:
        if not isinstance(error, DataError) and (folder / RUN).exists():
            console.print(f"What has ended is kept: {_going_on(folder)}.", soft_wrap=True)
        raise
    _finish(folder, console, None)
    console.print(f"{time.perf_counter() - started_s:.1f} s in all")
    return 130 if interrupted else 0


def _report(given: Sequence[str], console: Console) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks report", description="Makes the report of a run again."
    )
    parser.add_argument("folder", type=Path, help="the run's folder")
    parser.add_argument("--task", help="show the episodes of the task with this id whole")
    arguments = parser.parse_args(given)
    _finish(arguments.folder, console, arguments.task)
    return 0


def _play(
    settings: Settings, folder: Path, command: str, num_workers: int, console: Console
) -> None:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
    )
    with progress:
        bar = progress.add_task("worlds", total=None, note="")
        num_invalid, num_tokens, cost_usd, started_s = 0, 0.0, 0.0, time.perf_counter()

        def on_start(num_expected: int, num_kept: int) -> None:
            if num_kept:
                console.print(f"{folder} has {num_kept} of {num_expected} episodes; going on")
            progress.update(bar, total=num_expected, completed=num_kept)

        def on_episode(episode: Episode) -> None:
            nonlocal num_invalid, num_tokens, cost_usd
            num_invalid += not episode.valid
            tokens, dollars, _ = figures_of(episode)
            num_tokens, cost_usd = num_tokens + tokens, cost_usd + dollars
            notes = [f"[red]{num_invalid} invalid[/]"] if num_invalid else []
            if num_tokens:
                rate = num_tokens / (time.perf_counter() - started_s)
                notes.append(f"{rate:,.0f} tokens/s, ${cost_usd:.2f}")
            progress.update(bar, advance=1, description=episode.policy, note=" ".join(notes))

        play(
            settings,
            folder,
            command=command,
            num_workers=num_workers,
            on_start=on_start,
            on_episode=on_episode,
        )


def _finish(folder: Path, console: Console, task: str | None) -> None:
    """Makes the report and prints the table."""
    rows = make_report(folder, task)
    info = RunInfo.read(folder)
    print_table(rows, console)
    console.print(describe(info))
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
    console.print(f"Report: [bold]{folder / 'report.html'}[/]", soft_wrap=True)


def _going_on(folder: Path) -> str:
    return f"the same command with [bold]--name {folder.name}[/] goes on"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Plays policies at several widths on held-out worlds or on real pages, at "
        "equal budget, and reports. `python -m benchmarks report FOLDER` makes a report again.",
        epilog="Also: `python -m benchmarks.speed.concurrency`, `…speed.throughput`",
    )
    add = parser.add_argument
    policies = f"of {','.join(POLICIES)} (default: {','.join(QUICK.policies)})"
    add("--policies", "--policy", type=_names, help=policies)
    add("--widths", type=numbers, help="numbers of subagents, 0 for one agent alone")
    add("--depths", type=numbers, help="turn limits of the depth sweep; an empty text: no sweep")
    add("--presets", type=_names, help=f"of {','.join(PRESETS)}")
    add("--tasks", type=int, help="tasks of each preset")
    add("--trials", type=int, help="episodes of each task")
    add("--seed", type=int, help="of worlds, tasks, policies and intervals")
    add("--budget", type=_budget, help="search and open calls of an episode, or none")
    add("--corpus", help="folder of real pages that takes the place of the presets")
    add("--task-file", help="questions about the corpus: this project's, WideSearch's, QA files")
    add("--tables", help="folder of the gold tables, for WideSearch's format")
    add("--name", help="of the run; one that exists goes on (default: the time)")
    add("--out", default="runs", help="folder of all runs (default: runs)")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    add("--workers", type=int, default=min(cores or 1, 8), help="processes (default: one a core)")
    add("--full", action="store_true", help="all presets, 100 tasks, 4 trials: for papers")
    add("--list", action="store_true", help="show the policies and end")
    _add_model(parser.add_argument_group("the policy llm"))
    return parser


def _add_model(group: argparse._ArgumentGroup) -> None:
    config = LLMConfig()
    add = group.add_argument
    add("--engine", default="openai", help=f"one of {', '.join(ENGINES)} (default: openai)")
    add("--model", help="folder, name on the model hub, or what the server calls it")
    add("--base-url", help="of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1")
    add("--subagent-model", help="another model for the subagents")
    add("--replay", help="episodes.jsonl of a run, played again without an engine")
    add("--format", default=config.format, help=f"of tool calls, one of {', '.join(FORMATS)}")
    add("--temperature", type=float, default=config.temperature, help="0 is greedy")
    add("--max-tokens", type=int, default=config.max_tokens, help="of a turn")
    add("--max-context-tokens", type=int, default=config.max_context_tokens, help="of an agent")
    add("--prompts", choices=("full", "short"), default=config.prompts, help="system prompts")
    add("--few-shot", action="store_true", help="end the system prompt with an example")
    add("--price", type=_prices, default=Prices(), help="dollars per million tokens read,written")
    add("--retries", type=int, default=6, help="of a request that fails for a passing reason")
    add("--concurrent", type=int, default=64, help="episodes in flight")


def _model(arguments: argparse.Namespace) -> LLMSettings | None:
    if arguments.model is None and arguments.replay is None:
        return None
    config = LLMConfig(
        format=arguments.format,
        temperature=arguments.temperature,
        max_tokens=arguments.max_tokens,
        max_context_tokens=arguments.max_context_tokens,
        prompts=arguments.prompts,
        few_shot=arguments.few_shot,
        prices=arguments.price,
    )
    return LLMSettings(
        engine=arguments.engine,
        model=arguments.model,
        base_url=arguments.base_url,
        subagent_model=arguments.subagent_model,
        replay=arguments.replay,
        config=config,
        max_retries=arguments.retries,
        max_concurrent=arguments.concurrent,
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    base = FULL if arguments.full else QUICK
    given = {
        "policies": arguments.policies,
        "widths": arguments.widths,
        "depths": arguments.depths,
        "presets": arguments.presets,
        "num_tasks": arguments.tasks,
        "num_trials": arguments.trials,
        "seed": arguments.seed,
        "corpus": arguments.corpus,
        "task_file": arguments.task_file,
        "tables": arguments.tables,
        "llm": _model(arguments),
    }
    fields = {name: getattr(base, name) for name in Settings.__dataclass_fields__}
    fields |= {name: value for name, value in given.items() if value is not None}
    if arguments.budget is not None:
        fields["budget"] = arguments.budget or None
    if arguments.corpus is not None and arguments.presets is not None:
        raise ValueError("--corpus and --presets: expected one of them, got both")
    return Settings(**fields)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _prices(text: str) -> Prices:
    try:
        prompt, new = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected two prices such as 0.1,0.4, got {text!r}"
        ) from error
    return Prices(prompt=prompt, cached=prompt, new=new)


def _budget(text: str) -> int:
    """Returns the budget, where 0 stands for none."""
    if text == "none":
        return 0
    try:
        if int(text) > 0:
            return int(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a number from 1, or none, got {text!r}")


if __name__ == "__main__":
    sys.exit(main())
