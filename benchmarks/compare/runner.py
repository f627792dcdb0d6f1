"""Plays the grid of a run into its folder: in this process, or spread over several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import groupby
from pathlib import Path

from agents.episode_file import EpisodeFile
from agents.evaluate import Exam
from agents.policy import Policy
from agents.ray_run import play_on_ray
from agents.run import OnEpisode, Part, play_here, play_in_workers
from benchmarks.compare.llm import LLM, is_model
from benchmarks.compare.policies import entry_of
from benchmarks.compare.run_folder import EPISODES, RunInfo, check_same
from benchmarks.compare.settings import GridCell, Settings
from wideseek_env.backends.named import close_named
from wideseek_env.records import Episode
from wideseek_env.scoring.named import scorer_named
from wideseek_env.tasks.named import SourceOptions, preset_named, source_named
from wideseek_env.tasks.source import TaskSource


def source_of(settings: Settings, text: str) -> TaskSource:
    """Makes a source of the grid; the tasks of closed worlds are held out from training."""
    options = SourceOptions(
        backend=settings.asked,
        tables=settings.tables,
        split="test",
        seed=settings.seed,
        num_tasks=settings.num_tasks,
        salt=settings.read_salt(),
    )
    return source_named(text, options)


def exam_of(settings: Settings, cell: GridCell, source: TaskSource) -> Exam:
    """Makes the jobs of one cell of the grid."""
    llm = is_model(cell.policy)
    return Exam(
        source,
        cell.width,
        num_trials=settings.num_trials,
        budget=settings.budget,
        depth=cell.depth,
        max_folds=settings.llm.max_folds if llm else entry_of(cell.policy).max_folds,
        seed=settings.seed,
        metadata={"policy": cell.policy, "source": cell.source},
    )


def unread(settings: Settings) -> dict[str, list[str]]:
    """Finds the policies that can read no question of a source, and so score 0 on all of it."""
    found: dict[str, list[str]] = {}
    for text in settings.sources:
        if preset_named(text):
            continue  # read by every policy that plays it
        questions = [assigned.task.question for assigned in source_of(settings, text)]
        for name in dict.fromkeys(cell.policy for cell in settings.cells() if cell.source == text):
            reads = entry_of(name).reads
            if reads is not None and not any(map(reads, questions)):
                found.setdefault(text, []).append(name)
    return found


def parts_of(
    settings: Settings, models: Mapping[str, Callable[[], Policy]] | None = None
) -> list[Part]:
    """Makes what is played: a part for each policy on each source, its widths together.

    Args:
        settings: of the run.
        models: what makes the language models, by their names among the policies.
    """
    sources = {text: source_of(settings, text) for text in settings.sources}
    scorer = scorer_named(settings.scorer)
    by_policy = sorted(settings.cells(), key=lambda cell: (cell.source, cell.policy))
    parts = []
    for (text, name), members in groupby(by_policy, lambda cell: (cell.source, cell.policy)):
        source = sources[text]
        exams = [exam_of(settings, cell, source) for cell in members]
        if models and name in models:
            make, limit = models[name], settings.llm.max_concurrent
        else:
            make, limit = partial(_make, name, source), entry_of(name).max_concurrent
        parts.append(Part(exams, make, limit, scorer))
    return parts


def play(
    settings: Settings,
    folder: Path,
    *,
    command: str,
    num_workers: int | None = 1,
    ray: str | None = None,
    on_start: Callable[[int, int], None] = lambda num_expected, num_kept: None,
    on_episode: OnEpisode = lambda episode: None,
) -> None:
    """Plays what the folder does not hold yet; each episode is in the file before `on_episode`.

    Ctrl-C raises KeyboardInterrupt when the episodes that have ended are in the file.

    Args:
        settings: of the run.
        folder: of the run; made when it is not there.
        command: for the record.
        num_workers: processes; 1: the episodes are played in this one. On Ray, actors; None: one
            for each CPU of the cluster.
        ray: a cluster, as `play_on_ray` takes it; None: none.
        on_start: told the number of episodes of the whole run, and how many are kept from before.
        on_episode: told every episode that was played.

    Raises:
        DataError: the folder belongs to a run of other settings, or another process writes to it;
            or a source has no tasks or pages.
        OSError: the folder cannot be written.
    """
    go_on = check_same(folder, settings)
    parts = parts_of(settings)
    num_expected = sum(len(exam) for part in parts for exam in part.exams)
    with EpisodeFile(folder / EPISODES) as file:
        if not go_on:
            RunInfo.new(settings, num_expected, command).write(folder)
        done = frozenset(file.keys)
        on_start(num_expected, len(done))

        def keep(episode: Episode) -> None:
            file.append(episode)
            on_episode(episode)

        if len(done) == num_expected:
            return
        try:
            if ray is not None:
                models = asyncio.run(_models(settings))
                play_on_ray(parts_of(settings, models), done, keep, ray, num_workers)
            elif settings.models:  # an engine lives in one process
                asyncio.run(_play_models(settings, done, keep))
            elif num_workers is None or num_workers == 1:
                asyncio.run(play_here(parts, done, keep))
            else:
                play_in_workers(parts, done, keep, num_workers)
        finally:
            close_named()  # so that a record of calls holds all that the report tells of it


async def _play_models(settings: Settings, done: frozenset[str], keep: OnEpisode) -> None:
    async with AsyncExitStack() as stack:
        models = {
            name: partial(
                _same,
                await stack.enter_async_context(settings.llm.named(name).opened(_shown(name))),
            )
            for name in settings.models
        }
        await play_here(parts_of(settings, models), done, keep)


async def _models(settings: Settings) -> dict[str, Callable[[], Policy]]:
    """Gives what makes each language model in whichever process; servers are asked for theirs."""
    named = {name: await settings.llm.named(name).found() for name in settings.models}
    return {name: partial(llm.make, _shown(name)) for name, llm in named.items()}


def _shown(name: str) -> str | None:
    return None if name == LLM else name


def _same(policy: Policy) -> Policy:
    return policy


def _make(name: str, source: TaskSource) -> Policy:
    return entry_of(name).make([assignment.task for assignment in source])
