"""Who can cheat a scorer: `wideseek gauntlet`.

Two rounds, each in both modes. First, answers that real scorers get wrong, with what each mode
gives them. Then the cheating agents play closed worlds, or other tasks, beside the honest agent
`solo`. The command
fails when strict mode pays a cheater more than `solo`, by the mean over the same tasks, or when a
case does not get what is stated for it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.evaluate import evaluate
from agents.rollout import Job
from agents.scripted import CHEATERS, POLICIES, reads
from benchmarks.scorers.cheating_cells import CELL_CASES
from benchmarks.scorers.cheating_tables import NOW, TABLE_CASES, Figures
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, Natural, Seed, check_values
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.cli.terminal import print_table
from wideseek_env.plugins import check
from wideseek_env.records import Episode, Score
from wideseek_env.scoring import score_strict
from wideseek_env.scoring.official.scorer import score_official
from wideseek_env.tasks.named import SourceOptions, source_named
from wideseek_env.worlds import PRESETS

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What both modes gave one case."""

    name: str
    what: str
    official: Figures
    raised: bool
    """Whether the official scorer raised, which it reports as zeros."""
    strict: Figures
    as_stated: bool


@dataclass(frozen=True, slots=True)
class AgentResult:
    """Mean item F1 of one agent over the tasks of a source."""

    name: str
    num_tasks: int
    official: float
    strict: float
    num_above_honest: int
    """Tasks on which strict mode paid it more than the honest agent."""


@dataclass(frozen=True, kw_only=True)
class GauntletOptions:
    """Shows who can cheat a scorer: answers that real scorers get wrong, then cheating agents.

    Ends with status 1 when strict mode pays a cheater more than the honest agent, by the mean over
    the same tasks, or when a case does not get what is stated for it.
    """

    sources: tuple[str, ...] = ("default",)
    """What the agents play: presets of closed worlds, held out from training, corpus:DIR, file:FILE
    or a Python path; solo must be able to read the questions."""
    backend: str | None = None
    """Where the tasks of a file are looked up: a folder of pages, or a Python path."""
    num_tasks: Count = 20
    """Tasks of each source."""
    seed: Seed = 0
    """Of world and tasks."""
    width: Natural = 8
    """Subagents of each agent; 0: all play alone."""
    max_calls: Count | None = None
    """`search` and `open` calls of an episode; by default the source's own budgets alone."""

    def __post_init__(self) -> None:
        for text in self.sources:
            check("sources", text, PRESETS)
        check_values(self)


def play_cases() -> list[CaseResult]:
    """Returns every case of a table, then every case of a cell, as tables of one row."""
    results = []
    for case in TABLE_CASES:
        official, strict = (
            score_official(case.task, case.text, NOW),
            score_strict(case.task, case.text),
        )
        given, deserved = _three(official.score), _three(strict)
        stated = _equal(given, case.official) and _equal(deserved, case.strict)
        raised = official.error is not None
        results.append(CaseResult(case.name, case.what, given, raised, deserved, stated))
    for cell in CELL_CASES:
        official, strict = (
            score_official(cell.task, cell.text, NOW),
            score_strict(cell.task, cell.text),
        )
        stated = strict.item_recall == (1 + cell.strict) / 2 and (
            official.error is not None
            if isinstance(cell.official, str)
            else official.score.item_recall == (1 + cell.official) / 2
        )
        what = f"{cell.column.metric or 'no rule'}: gold {cell.gold!r}, answer {cell.answer!r}"
        given, deserved = _three(official.score), _three(strict)
        raised = official.error is not None
        results.append(CaseResult(cell.name, what, given, raised, deserved, stated))
    return results


async def play_agents(text: str, options: GauntletOptions) -> list[AgentResult]:
    """Plays `solo`, then every cheater, on the same tasks of one source.

    Raises:
        WideSeekError: an episode is invalid, which is not a score of 0.
        ValueError: the source stands for nothing, has a deep task, which has no table, or no
            question that `solo` reads.
    """
    num, seed = options.num_tasks, options.seed
    how = SourceOptions(options.backend, split="test", seed=seed, num_tasks=num)
    source = source_named(text, how)
    tasks = [chosen.task for chosen in source]
    deep = next((task.id for task in tasks if task.kind == "deep"), None)
    if deep is not None:
        raise ValueError(f"{text}: expected tasks whose answer is a table, got {deep}, a deep one")
    if not any(reads(task.question) for task in tasks):
        raise ValueError(
            f"{text}: expected questions that solo can read, of closed worlds or of tables on "
            f"pages, got others, such as {tasks[0].question[:80]!r}: all would score 0 there"
        )
    jobs = [
        Job(
            chosen.task,
            chosen.backend,
            options.width,
            replace(chosen.limits, max_tool_calls=options.max_calls),
            seed=options.seed,
        )
        for chosen in source
    ]
    results: list[AgentResult] = []
    honest: Mapping[str, float] = {}
    for name in ("solo", *CHEATERS):
        policy = POLICIES[name](tasks)
        episodes = (await evaluate(jobs, policy)).checked().episodes
        strict = {e.task.id: e.score.item_f1 for e in episodes if e.score}
        honest = honest or strict
        results.append(
            AgentResult(
                name,
                len(tasks),
                _mean([_official_item_f1(episode) for episode in episodes]),
                _mean(list(strict.values())),
                sum(strict[task] > honest[task] + _TOLERANCE for task in strict),
            )
        )
    return results


def _official_item_f1(episode: Episode) -> float:
    return score_official(episode.task, episode.answer, NOW).score.item_f1


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _three(score: Score) -> Figures:
    return score.success, score.row_f1, score.item_f1


def _equal(given: Figures, stated: Figures) -> bool:
    return all(abs(g - s) <= _TOLERANCE for g, s in zip(given, stated, strict=True))


def _print_cases(results: Sequence[CaseResult], console: Console) -> None:
    grid = Table(box=SIMPLE_HEAD, title="Answers: success, row F1, item F1", title_justify="left")
    for name in ("case", "what it shows", "official", "strict"):
        grid.add_column(name, no_wrap=name != "what it shows", overflow="fold")
    for result in results:
        official = Text(_show(result.official))
        if result.raised:
            official = Text("raises: 0 0 0", style="yellow")
        elif max(result.official) > 1:
            official.stylize("red")
        sign = "" if result.as_stated else " not as stated"
        grid.add_row(result.name, Text(result.what), official, Text(_show(result.strict) + sign))
    print_table(console, grid)


def _show(figures: Figures) -> str:
    return " ".join(f"{figure:.2f}".rstrip("0").rstrip(".") for figure in figures)


def _print_agents(results: Sequence[AgentResult], text: str, console: Console) -> None:
    title = f"Agents on {results[0].num_tasks} tasks of {text}: mean item F1"
    grid = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    for name in ("agent", "official", "strict", "tasks above the honest agent"):
        grid.add_column(name, justify="left" if name == "agent" else "right")
    for index, result in enumerate(results):
        above = "–" if index == 0 else str(result.num_above_honest)
        name = f"{result.name} (honest)" if index == 0 else result.name
        grid.add_row(name, f"{result.official:.3f}", f"{result.strict:.3f}", above)
    print_table(console, grid)


def run(options: GauntletOptions) -> int:
    """Plays both rounds; returns 0 when strict mode holds, 1 when it does not."""
    console = results_console()
    cases = play_cases()
    _print_cases(cases, console)
    num_wrong = sum(not case.as_stated for case in cases)
    winners = []
    for text in options.sources:
        honest, *cheaters = asyncio.run(play_agents(text, options))
        _print_agents([honest, *cheaters], text, console)
        best = honest.strict + _TOLERANCE
        winners += [f"{agent.name} ({text})" for agent in cheaters if agent.strict > best]
    console.print(
        f"{len(cases)} cases, {num_wrong} not as stated; cheaters that strict mode pays more than "
        f"solo: {', '.join(winners) or 'none'}"
    )
    return 1 if num_wrong or winners else 0


if __name__ == "__main__":
    sys.exit(run_command("gauntlet"))
