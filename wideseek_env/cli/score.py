"""`wideseek score`: scores a file of responses, or explains the score of one."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from wideseek_env.cli.options import (
    AtLeastZero,
    InFile,
    OutFile,
    check_values,
)
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.cli.terminal import print_table, progress
from wideseek_env.errors import DataError, Interrupted
from wideseek_env.plugins import check
from wideseek_env.scoring.explain import explain, print_explanation
from wideseek_env.scoring.explain_html import to_html
from wideseek_env.scoring.judge.judge import Judge
from wideseek_env.scoring.judge.strict import align_judged
from wideseek_env.scoring.named import SCORERS
from wideseek_env.scoring.official.dates import utc_now
from wideseek_env.scoring.responses import by_task, read_responses, score_responses
from wideseek_env.scoring.statistics import avg_max_pass_at_k
from wideseek_env.scoring.tables import read_table
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.hub import fetch_widesearch

if TYPE_CHECKING:
    from rich.console import Console

    from wideseek_env.records import Task
    from wideseek_env.scoring.responses import Response, ScoredResponse
    from wideseek_env.scoring.statistics import Interval

_FIGURES = ("success", "row_f1", "item_precision", "item_recall", "item_f1")
_MAX_NAMED = 5
"""Bad lines that are named on the terminal; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Scores tables as WideSearch does and without its holes, or explains one score."""

    tasks: Path
    """Tasks of this project, of WideSearch or WideSeek-R1, or plain questions; `hub` fetches
    WideSearch into `--tables`."""
    responses: InFile
    """JSON lines with instance_id, response and, if you like, trial_idx."""
    tables: Path | None = None
    """Folder of WideSearch's gold tables, <instance_id>.csv."""
    scorers: tuple[str, ...] = tuple(SCORERS)
    """Who scores: official, WideSearch's own; strict, without its holes; or Python paths such as
    my_package.scoring:Mine."""
    now: str | None = None
    """Day from which the official scorer completes dates, such as 2026-11-23T00:22; none is now."""
    judge: str | None = None
    """OpenAI-compatible server, up to and including /v1, which official and strict ask what their
    rules leave open."""
    judge_model: str | None = None
    """What the server calls the model."""
    record: OutFile | None = None
    """SQLite file that keeps the judge's verdicts and answers what it holds; that of the tool calls
    of `wideseek benchmark --record`, if you like."""
    replay_tools: InFile | None = None
    """Such a file, which answers in place of the judge: nobody is asked."""
    judge_price: tuple[AtLeastZero, AtLeastZero] = (0.0, 0.0)
    """US dollars for a million tokens, read and written, to report the cost."""
    out: OutFile | None = None
    """File for one JSON line for each response."""
    strict: bool = False
    """Stops at a bad line in place of leaving it out."""
    explain: str | None = None
    """Id of a task whose tables are shown side by side instead."""
    html: OutFile | None = None
    """Page that `--explain` writes; none is explain_ID.html."""

    def __post_init__(self) -> None:
        check_values(self)
        if not self.scorers or len(set(self.scorers)) < len(self.scorers):
            got = ",".join(self.scorers) or "none"
            raise ValueError(f"--scorers: expected at least one, and each once, got {got}")
        for name in self.scorers:
            check("scorers", name, SCORERS)
        if not self.out and not self.explain:
            raise ValueError("expected `--out FILE` for the scores, or `--explain ID`; got neither")
        if self.replay_tools is not None and (self.judge or self.record):
            raise ValueError(
                "--replay-tools answers from its file alone: leave out --judge and --record"
            )
        if bool(self.judge or self.replay_tools) != bool(self.judge_model):
            raise ValueError(
                "--judge-model names the model of --judge, or whose verdicts --replay-tools holds: "
                "give both or neither"
            )
        if self.record is not None and not self.judge:
            raise ValueError("--record keeps the verdicts of a judge: give --judge as well")
        if self.judge and not self.judge.startswith(("http://", "https://")):
            raise ValueError(
                f"--judge: expected an address such as http://127.0.0.1:8000/v1, got {self.judge!r}"
            )
        if self.out and self.out.resolve() in (self.responses.resolve(), self.tasks.resolve()):
            raise ValueError(
                f"`--out` would overwrite {self.out}, which is read; name another file"
            )
        if str(self.tasks) == "hub" and self.tables is None:
            raise ValueError("`--tasks hub` needs `--tables DIR`, where WideSearch is to be kept")
        self.moment()

    def moment(self) -> datetime:
        """Gives the moment that dates are completed from, in UTC and without a zone."""
        if self.now is None:
            return utc_now()
        try:
            moment = datetime.fromisoformat(self.now)
        except ValueError as error:
            raise ValueError(
                f"--now: expected a moment such as 2026-11-23T00:22, got {self.now!r}"
            ) from error
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def run(options: ScoreOptions) -> int:
    """Scores or explains; returns the exit status."""
    try:
        return asyncio.run(_run(options))
    except KeyboardInterrupt as error:
        kept = f"the scores so far are in {options.out}" if options.out else "nothing is written"
        raise Interrupted(f"{kept}; the same command begins again") from error


async def _run(options: ScoreOptions) -> int:
    console = results_console()
    path, tables = options.tasks, options.tables
    if str(path) == "hub" and tables is not None:
        path, tables = await fetch_widesearch(tables)
    skipped: list[DataError] = []
    tasks: dict[str, Task] = {}
    for task in load_tasks(path, tables, strict=options.strict, skipped=skipped):
        tasks[task.id] = task
    responses = read_responses(options.responses, tasks, strict=options.strict, skipped=skipped)
    _print_skipped(skipped, console)
    if not responses:
        raise DataError(
            f"{options.responses}: expected a response to one of the {len(tasks):,} tasks in "
            f"{path}, got none; compare the instance ids, and look at `--tables`"
        )
    judge = _make_judge(options)
    try:
        if options.explain:
            return await _explain(options, tasks, responses, judge, console)
        scored = await _score(options, tasks, responses, judge)
    finally:
        if judge is not None:
            await judge.close()
    _print_summary(options, tasks, scored, judge, console)
    return 0 if any(score is not None for line in scored for score in line.scores.values()) else 1


def _make_judge(options: ScoreOptions) -> Judge | None:
    if options.judge_model is None:
        return None
    return Judge(options.judge, options.judge_model, cache=options.record or options.replay_tools)


def _print_skipped(skipped: Sequence[DataError], console: Console) -> None:
    for error in skipped[:_MAX_NAMED]:
        console.print(f"left out: {error}", style="yellow", markup=False, soft_wrap=True)
    if len(skipped) > _MAX_NAMED:
        console.print(f"and {len(skipped) - _MAX_NAMED} more bad lines", style="yellow")


async def _score(
    options: ScoreOptions,
    tasks: Mapping[str, Task],
    responses: Sequence[Response],
    judge: Judge | None,
) -> list[ScoredResponse]:
    scored = []
    lines = score_responses(
        responses,
        tasks,
        scorers=options.scorers,
        now=options.moment(),
        judge=judge,
    )
    path = options.out or Path(os.devnull)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("w", encoding="utf-8") as out,
        progress("scoring", len(responses)) as advance,
    ):
        async for line in lines:
            out.write(json.dumps(line.as_json(), ensure_ascii=False) + "\n")
            out.flush()
            scored.append(line)
            advance()
    return scored


def _print_summary(
    options: ScoreOptions,
    tasks: Mapping[str, Task],
    scored: Sequence[ScoredResponse],
    judge: Judge | None,
    console: Console,
) -> None:
    num_answered = len({line.instance_id for line in scored})
    for scorer in scored[0].scores:
        trials = by_task(scored, scorer, "success")
        if not trials:
            console.print(f"{scorer}: nothing could be scored")
            continue
        fewest, most = min(map(len, trials)), max(map(len, trials))
        k = str(most) if fewest == most else f"{fewest}..{most}"
        grid = Table(title=f"{scorer}, in %", title_justify="left", box=SIMPLE_HEAD)
        grid.add_column("figure", no_wrap=True)
        for name in (f"Avg@{k}", f"Max@{k}", f"Pass@{k}"):
            grid.add_column(name, justify="right", no_wrap=True)
        for figure in _FIGURES:
            result = avg_max_pass_at_k(by_task(scored, scorer, figure))
            passed = _percent(result.passed) if figure == "success" else ""
            name = figure.replace("_", " ")
            grid.add_row(name, _percent(result.avg), _percent(result.max), passed)
        print_table(console, grid)
    console.print(
        f"{len(scored):,} responses to {num_answered:,} tasks, intervals of 95 % over tasks"
    )
    _print_counts(tasks, scored, num_answered, console)
    if judge is not None:
        _print_judge(judge, options.judge_price, console)
    else:
        console.print("no judge: llm_judge columns and names were compared as text", style="dim")
    console.print(f"scores in {options.out}")


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
    options: ScoreOptions,
    tasks: Mapping[str, Task],
    responses: Sequence[Response],
    judge: Judge | None,
    console: Console,
) -> int:
    wanted = str(options.explain)
    mine = [r for r in responses if str(r.instance_id) == wanted and r.response is not None]
    if not mine:
        raise ValueError(f"expected an id with a response in {options.responses}, got {wanted!r}")
    task = tasks[wanted]
    if task.kind == "deep":
        raise ValueError(
            f"{task.id} has one answer, {task.gold[0][0]!r}: there is no table to show"
        )
    answer = mine[0].response or ""
    table = read_table(answer, task.column_names)
    alignment = await align_judged(task, table, judge) if judge and table else None
    explanation = explain(task, answer, alignment)
    print_explanation(explanation, console)
    name = re.sub(r"[^\w.-]+", "_", task.id)
    path = options.html or Path(f"explain_{name}.html")
    path.write_text(to_html(explanation), encoding="utf-8")
    if len(mine) > 1:
        console.print(f"this is the first of {len(mine)} responses to this task")
    console.print(f"as a page: {path}")
    return 0
