"""Plays the grid of a run into its folder: in this process, or spread over several.

The only writer is this process, through `EpisodeFile`, which holds the lock. Workers get slices of
the grid and hand back encoded episodes; they make worlds and tasks again from the settings, which
is quicker than sending them.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

from agents.episode_file import EpisodeFile
from agents.policy import Policy
from agents.rollout import Job, rollout
from benchmarks.compare.corpus import corpus_backend, corpus_tasks
from benchmarks.compare.llm import LLM
from benchmarks.compare.policies import entry_of
from benchmarks.compare.run_folder import EPISODES, RunInfo, check_same
from benchmarks.compare.settings import Cell, Settings
from wideseek_env.backends import Backend
from wideseek_env.errors import WideSeekError
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import Episode, Limits, Task
from wideseek_env.worlds import PRESETS, World

ALONE_TURNS = 80
"""Turn limit of one agent alone outside the depth sweep; its calls and context bind first."""
_SLICE = 6
"""Episodes that a worker plays before it hands them back."""

OnEpisode = Callable[[Episode], None]


@cache
def tasks_of(settings: Settings, preset: str) -> tuple[Task, ...]:
    """Returns the tasks of a preset, or about the settings' corpus.

    Raises:
        DataError: the corpus holds nothing to ask for.
    """
    if settings.corpus is not None:
        file, tables = (Path(p) if p else None for p in (settings.task_file, settings.tables))
        return corpus_tasks(Path(settings.corpus), settings.num_tasks, settings.seed, file, tables)
    world = World(preset, seed=settings.seed, split="test")
    return tuple(world.tasks(settings.num_tasks, seed=settings.seed))


@lru_cache(maxsize=2)
def backend_of(settings: Settings, preset: str) -> Backend:
    """Returns the pages of a preset's world, or of the settings' corpus.

    Raises:
        DataError: the corpus holds no pages.
    """
    if settings.corpus is not None:
        return corpus_backend(Path(settings.corpus))
    return World(preset, seed=settings.seed, split="test").backend()


def limits_of(cell: Cell, limits: Limits, budget: int | None) -> Limits:
    """Returns the preset's limits with the run's budget and, for one alone, its turn limit."""
    if cell.width == 0:
        limits = replace(limits, max_lead_turns=cell.depth or ALONE_TURNS)
    return replace(limits, max_tool_calls=budget)


def jobs_of(settings: Settings, cell: Cell) -> list[Job]:
    """Returns the episodes of one cell of the grid."""
    given = Limits() if settings.corpus is not None else PRESETS[cell.preset].limits
    limits = limits_of(cell, given, settings.budget)
    return [
        Job(
            task,
            n_subagents=cell.width,
            limits=limits,
            seed=zlib.crc32(f"{settings.seed}/{task.id}/{trial}".encode()),
            metadata={
                "policy": cell.policy,
                "preset": cell.preset,
                "depth": cell.depth,
                "trial": trial,
                "budget": settings.budget,
            },
        )
        for task in tasks_of(settings, cell.preset)
        for trial in range(settings.num_trials)
    ]


def play(
    settings: Settings,
    folder: Path,
    *,
    command: str,
    num_workers: int = 1,
    on_start: Callable[[int, int], None] = lambda num_expected, num_kept: None,
    on_episode: OnEpisode = lambda episode: None,
) -> None:
    """Plays what the folder does not hold yet; each episode is in the file before `on_episode`.

    Ctrl-C raises KeyboardInterrupt when the episodes that have ended are in the file.

    Args:
        settings: of the run.
        folder: of the run; made when it is not there.
        command: for the record.
        num_workers: processes; with 1 the episodes are played in this one.
        on_start: told the number of episodes of the whole run, and how many are kept from before.
        on_episode: told every episode that was played.

    Raises:
        DataError: the folder belongs to a run of other settings, or another process writes to it.
        OSError: the folder cannot be written.
    """
    go_on = check_same(folder, settings)
    cells = settings.cells()
    num_expected = sum(len(jobs_of(settings, cell)) for cell in cells)
    with EpisodeFile(folder / EPISODES) as file:
        if not go_on:
            RunInfo.new(settings, num_expected, command).write(folder)
        on_start(num_expected, len(file.keys))

        def keep(episode: Episode) -> None:
            file.append(episode)
            on_episode(episode)

        if num_workers == 1 or settings.plays_llm:  # an engine lives in one process
            asyncio.run(_play_here(settings, cells, frozenset(file.keys), keep))
        else:
            _play_there(settings, cells, frozenset(file.keys), num_workers, keep)


def _preset(cell: Cell) -> str:
    return cell.preset


async def _play_here(
    settings: Settings, cells: Sequence[Cell], done: frozenset[str], keep: OnEpisode
) -> None:
    """Plays all cells of a policy on a preset as one rollout: widths share its concurrency."""
    by_policy = sorted(cells, key=lambda cell: (cell.preset, cell.policy))
    async with contextlib.AsyncExitStack() as stack:
        model = (
            await stack.enter_async_context(settings.llm.opened()) if settings.plays_llm else None
        )
        for (preset, name), members in groupby(by_policy, lambda cell: (cell.preset, cell.policy)):
            jobs = (j for cell in members for j in jobs_of(settings, cell) if j.key not in done)
            await _play_jobs(settings, preset, name, jobs, keep, model=model)


async def _play_jobs(
    settings: Settings,
    preset: str,
    name: str,
    jobs: Iterable[Job],
    keep: OnEpisode,
    *,
    model: Policy | None = None,
) -> None:
    """Plays jobs of one policy on one preset; `model` is the policy behind the name `llm`."""
    if name == LLM and model is not None:
        policy, max_concurrent = model, settings.llm.max_concurrent
    else:
        entry = entry_of(name)
        policy, max_concurrent = entry.make(tasks_of(settings, preset)), entry.max_concurrent
    backend = backend_of(settings, preset)
    played = rollout(jobs, policy, backend, max_concurrent=max_concurrent)
    async with contextlib.aclosing(played) as episodes:
        async for episode in episodes:
            keep(episode)


def _play_there(
    settings: Settings,
    cells: Sequence[Cell],
    done: frozenset[str],
    num_workers: int,
    keep: OnEpisode,
) -> None:
    """Plays slices of cells in worker processes; Ctrl-C keeps those that were under way.

    Raises:
        WideSeekError: a worker process died.
    """
    # Spawned, as a fork would copy the locks of the index's threads.
    context = multiprocessing.get_context("spawn")
    waiting = _slices(settings, cells, done)
    running: set[Future[list[bytes]]] = set()
    with ProcessPoolExecutor(num_workers, context, _end_with_parent) as pool:
        try:
            while True:
                # A short queue, so that an interrupt does not have to wait for a long one.
                while len(running) < 2 * num_workers and (part := next(waiting, None)) is not None:
                    with _interrupt_blocked():
                        running.add(pool.submit(_play_slice, settings, *part))
                if not running:
                    return
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                _keep_all(ended, keep)
        except KeyboardInterrupt:
            left = [future for future in running if not future.cancel()]
            _keep_all(left, keep)
            raise
        except BrokenProcessPool as error:
            raise WideSeekError(
                "a worker process died, perhaps for want of memory; go on with fewer --workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _keep_all(futures: Iterable[Future[list[bytes]]], keep: OnEpisode) -> None:
    for future in futures:
        for line in future.result():
            keep(decode_episode(line))


def _slices(
    settings: Settings, cells: Sequence[Cell], done: frozenset[str]
) -> Iterator[tuple[Cell, list[int]]]:
    """Yields (cell, numbers of jobs to play), preset by preset, as a worker holds few presets."""
    for cell in sorted(cells, key=_preset):
        left = [i for i, job in enumerate(jobs_of(settings, cell)) if job.key not in done]
        for start in range(0, len(left), _SLICE):
            yield cell, left[start : start + _SLICE]


def _play_slice(settings: Settings, cell: Cell, numbers: Sequence[int]) -> list[bytes]:
    lines: list[bytes] = []
    jobs = jobs_of(settings, cell)
    chosen = [jobs[number] for number in numbers]

    def keep(episode: Episode) -> None:
        lines.append(encode(episode))

    asyncio.run(_play_jobs(settings, cell.preset, cell.policy, chosen, keep))
    return lines


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Holds Ctrl-C back for a moment; processes that are begun in it never get it.

    The terminal sends it to every process, but only the one that writes may act on it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Ends this worker when the process that began it is killed; it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("expected to be run in a worker process, got the main process")

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
