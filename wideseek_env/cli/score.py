"""`python -m wideseek_env score`: scores a file of responses, or explains the score of one."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wideseek_env.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from wideseek_env.records import Task
    from wideseek_env.scoring.judge.judge import Judge
    from wideseek_env.scoring.responses import Response, ScoredResponse
    from wideseek_env.scoring.statistics import Interval

HELP = "score tables as WideSearch does and without its holes, or explain one score"

_FIGURES = ("success", "row_f1", "item_precision", "item_recall", "item_f1")
_MAX_NAMED = 5
"""Bad lines that are named on the terminal; the rest are counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add = parser.add_argument
    add("--tasks", type=Path, required=True, metavar="FILE",
        help="tasks of this project, WideSearch or WideSeek-R1, or plain questions; "
        "`hub` fetches WideSearch into --tables")  # fmt: skip
    add("--tables", type=Path, metavar="DIR", help="gold tables of WideSearch: <instance_id>.csv")
    add("--responses", type=Path, required=True, metavar="FILE",
        help="JSON lines with instance_id, response and, if you like, trial_idx")  # fmt: skip
    add("--mode", choices=("official", "strict", "both"), default="both", help="(%(default)s)")
    add("--now", type=_read_now, metavar="ISO",
        help="the day that the official scorer completes dates from; by default now")  # fmt: skip
    add("--judge", metavar="URL",
        help="OpenAI-compatible server, up to and including /v1, asked in both modes what the "
        "rules leave open")  # fmt: skip
    add("--judge-model", metavar="NAME", help="what the server calls the model")
    add("--judge-cache", type=Path, metavar="FILE", help="SQLite file that keeps its verdicts")
    add("--judge-price", type=float, nargs=2, metavar=("IN", "OUT"), default=(0.0, 0.0),
        help="US dollars for a million tokens, to report the cost")  # fmt: skip
    add("--out", type=Path, metavar="FILE", help="one JSON line for each response")
    add("--strict", action="store_true", help="stop at a bad line instead of leaving it out")
    add("--explain", metavar="ID", help="show the tables of this task side by side instead")
    add("--html", type=Path, metavar="FILE",
        help="where --explain writes its page (explain_ID.html)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Scores or explains; returns the exit status."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415 - other commands need none of this

    from wideseek_env.scoring.responses import read_responses  # noqa: PLC0415
    from wideseek_env.tasks.files import load_tasks  # noqa: PLC0415

    if not args.out and not args.explain:
        raise ValueError("expected `--out FILE` for the scores, or `--explain ID`; got neither")
    if bool(args.judge) != bool(args.judge_model):
        raise ValueError("`--judge` and `--judge-model` go together: give both or neither")
    if args.out and args.out.resolve() in (args.responses.resolve(), args.tasks.resolve()):
        raise ValueError(f"`--out` would overwrite {args.out}, which is read; name another file")
    console = Console(width=None if sys.stdout.isatty() else 110)  # a pipe has no width
    if str(args.tasks) == "hub":
        args.tasks, args.tables = await _fetch(args.tables)
    skipped: list[DataError] = []
    tasks: dict[str, Task] = {}
    for task in load_tasks(args.tasks, args.tables, strict=args.strict, skipped=skipped):
        tasks[task.id] = task
    responses = read_responses(args.responses, tasks, strict=args.strict, skipped=skipped)
    _print_skipped(skipped, console)
    if not responses:
        raise DataError(
            f"{args.responses}: expected a response to one of the {len(tasks):,} tasks in "
            f"{args.tasks}, got none; compare the instance ids, and look at `--tables`"
        )
    judge = _make_judge(args)
    try:
        if args.explain:
            return await _explain(args, tasks, responses, judge, console)
        scored = await _score(args, tasks, responses, judge)
    finally:
        if judge is not None:
            await judge.close()
    _print_summary(args, tasks, scored, judge, console)
    return 0


async def _fetch(folder: Path | None) -> tuple[Path, Path]:
    from wideseek_env.tasks.hub import fetch_widesearch  # noqa: PLC0415

    if folder is None:
        raise ValueError("`--tasks hub` needs `--tables DIR`, where WideSearch is to be kept")
    return await fetch_widesearch(folder)


def _read_now(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected a moment such as 2026-11-23T00:22, got {text!r}"
        ) from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _make_judge(args: argparse.Namespace) -> Judge | None:
    from wideseek_env.scoring.judge.judge import Judge  # noqa: PLC0415

    return Judge(args.judge, args.judge_model, cache=args.judge_cache) if args.judge else None


def _print_skipped(skipped: Sequence[DataError], console: Console) -> None:
    for error in skipped[:_MAX_NAMED]:
        console.print(f"left out: {error}", style="yellow", markup=False, soft_wrap=True)
    if len(skipped) > _MAX_NAMED:
        console.print(f"and {len(skipped) - _MAX_NAMED} more bad lines", style="yellow")


async def _score(
    args: argparse.Namespace,
    tasks: Mapping[str, Task],
    responses: Sequence[Response],
    judge: Judge | None,
) -> list[ScoredResponse]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    from wideseek_env.scoring.responses import MODES, score_responses  # noqa: PLC0415

    scored = []
    lines = score_responses(
        responses,
        tasks,
        modes=MODES if args.mode == "both" else (args.mode,),
        now=args.now or datetime.now(),
        judge=judge,
    )
    with (
        args.out.open("w", encoding="utf-8") as out,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        bar = progress.add_task("scoring", total=len(responses))
        async for line in lines:
            out.write(json.dumps(line.as_json(), ensure_ascii=False) + "\n")
            scored.append(line)
            progress.advance(bar)
    return scored


def _print_summary(
    args: argparse.Namespace,
    tasks: Mapping[str, Task],
    scored: Sequence[ScoredResponse],
    judge: Judge | None,
    console: Console,
) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from wideseek_env.scoring.responses import by_task  # noqa: PLC0415
    from wideseek_env.scoring.statistics import avg_max_pass_at_k  # noqa: PLC0415

    num_answered = len({line.instance_id for line in scored})
    for mode in scored[0].scores:
        trials = by_task(scored, mode, "success")
        if not trials:
            console.print(f"{mode}: nothing could be scored")
            continue
        fewest, most = min(map(len, trials)), max(map(len, trials))
        k = str(most) if fewest == most else f"{fewest}..{most}"
        grid = Table(title=f"{mode}, in %", title_justify="left", box=SIMPLE_HEAD)
        grid.add_column("figure", no_wrap=True)
        for name in (f"Avg@{k}", f"Max@{k}", f"Pass@{k}"):
            grid.add_column(name, justify="right", no_wrap=True)
        for figure in _FIGURES:
            result = avg_max_pass_at_k(by_task(scored, mode, figure))
            passed = _percent(result.passed) if figure == "success" else ""
            name = figure.replace("_", " ")
            grid.add_row(name, _percent(result.avg), _percent(result.max), passed)
        console.print(grid)
    console.print(
        f"{len(scored):,} responses to {num_answered:,} tasks, intervals of 95 % over tasks"
    )
    _print_counts(tasks, scored, num_answered, console)
    if judge is not None:
        _print_judge(judge, args.judge_price, console)
    else:
        console.print("no judge: llm_judge columns and names were compared as text", style="dim")
    console.print(f"scores in {args.out}")


def _percent(interval: Interval) -> str:
    mean, low, high = (100 * bound for bound in (interval.mean, interval.low, interval.high))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def _print_counts(
    tasks: Mapping[str, Task],
    scored: Sequence[ScoredResponse],
    num_answered: int,
    console: Console,
) -> None:
    num_invalid = sum(None in line.scores.values() for line in scored)
    num_raised = sum(line.error is not None and None not in line.scores.values() for line in scored)
    num_without = sum(
        any(score is not None and not score.parsed for score in line.scores.values())
        for line in scored
    )
    for number, what in (
        (len(tasks) - num_answered, "tasks have no response; they are in no figure"),
        (num_without, "responses hold no table; they count as 0"),
        (num_raised, "responses make the official scorer raise; it counts them as 0"),
        (num_invalid, "responses could not be scored (see `error`); they are in no figure"),
    ):
        if number:
            console.print(f"{number:,} {what}")


def _print_judge(judge: Judge, price: tuple[float, float], console: Console) -> None:
    usage = judge.usage
    cost = (usage.prompt_tokens * price[0] + usage.completion_tokens * price[1]) / 1e6
    share = usage.num_accepted / usage.num_questions if usage.num_questions else 0.0
    console.print(
        f"judge {judge.model}: {usage.num_questions:,} questions, {usage.num_cached:,} from the "
        f"cache, {usage.num_requests:,} requests ({usage.num_retries:,} again), "
        f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
        + (f", {cost:.4f} USD" if cost else "")
        + f"; it overruled the rules in {share:.1%}"
    )


async def _explain(
    args: argparse.Namespace,
    tasks: Mapping[str, Task],
    responses: Sequence[Response],
    judge: Judge | None,
    console: Console,
) -> int:
    from wideseek_env.scoring.explain import explain, print_explanation  # noqa: PLC0415
    from wideseek_env.scoring.explain_html import to_html  # noqa: PLC0415
    from wideseek_env.scoring.judge.strict import align_judged  # noqa: PLC0415
    from wideseek_env.scoring.tables import read_table  # noqa: PLC0415

    mine = [r for r in responses if str(r.instance_id) == args.explain and r.response is not None]
    if not mine:
        raise ValueError(
            f"expected an id with a response in {args.responses}, got {args.explain!r}"
        )
    task = tasks[args.explain]
    if task.kind == "deep":
        raise ValueError(
            f"{task.id} has one answer, {task.gold[0][0]!r}: there is no table to show"
        )
    answer = mine[0].response or ""
    table = read_table(answer)
    alignment = await align_judged(task, table, judge) if judge and table else None
    explanation = explain(task, answer, alignment)
    print_explanation(explanation, console)
    name = re.sub(r"[^\w.-]+", "_", task.id)
    path: Path = args.html or Path(f"explain_{name}.html")
    path.write_text(to_html(explanation), encoding="utf-8")
    if len(mine) > 1:
        console.print(f"this is the first of {len(mine)} responses to this task")
    console.print(f"as a page: {path}")
    return 0
