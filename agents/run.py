"""Runs: episodes played into a file, here or in worker processes, that can be stopped and go on.

The only writer is this process, through `EpisodeFile`, which holds the lock. Workers are sent how
the jobs and the policies are made, play slices of them, and hand back encoded episodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from rich.progress import Progress, TextColumn

from agents.episode_file import EpisodeFile, read_episodes
from agents.policy import Policy
from agents.rollout import Job, rollout
from wideseek_env.errors import WideSeekError
from wideseek_env.game.reward import RewardConfig
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import Episode
from wideseek_env.scoring import Scorer

_SLICE = 6
"""Episodes that a worker plays before it hands them back."""

OnEpisode = Callable[[Episode], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What one policy plays in a run."""

    exams: Sequence[Sequence[Job]]
    """Jobs, such as those of `Exam`s; they share the policy's concurrency."""
    make: Callable[[], Policy]
    """Makes the policy. With workers, it and the exams must be what `pickle` can send."""
    max_concurrent: int = 64
    """Episodes at once in one process."""
    scorer: Scorer | None = None
    """Scores the answers; None: strict."""
    reward: RewardConfig | None = None
    """Weights of the reward terms; None: the item F1 alone."""


def run(path: Path, jobs: Sequence[Job], policy: Policy, **settings: Any) -> list[Episode]:
    """Plays all jobs into a file, with a progress bar, and returns the file's episodes.

    A run that was stopped goes on with the same call: valid episodes stay, invalid ones and those
    that were in flight are played again. Ctrl-C raises KeyboardInterrupt, as usual; what has ended
    by then is in the file.

    Args:
        path: JSON lines, one episode each.
        jobs: what to play.
        policy: shared by all episodes.
        **settings: see `Part`.

    Raises:
        DataError: another run writes to the file, or it holds something else.
        OSError: the file cannot be written.
    """
    with (
        EpisodeFile(path) as file,
        Progress(*Progress.get_default_columns(), TextColumn("{task.fields[note]}")) as bar,
    ):
        todo = sum(job.key(policy.name) not in file.keys for job in jobs)
        row = bar.add_task(policy.name, total=todo, note="")
        ended, invalid, sum_f1 = 0, 0, 0.0

        def keep(episode: Episode) -> None:
            nonlocal ended, invalid, sum_f1
            file.append(episode)
            ended += 1
            invalid += not episode.valid
            sum_f1 += episode.score.item_f1 if episode.score else 0.0
            mean = f"item F1 {sum_f1 / (ended - invalid):.3f}" if ended > invalid else ""
            bar.update(row, advance=1, note=f"{mean} invalid {invalid}")

        part = Part([jobs], lambda: policy, **settings)
        asyncio.run(play_here([part], frozenset(file.keys), keep))
    return list(read_episodes(path))


async def play_here(parts: Iterable[Part], done: frozenset[str], keep: OnEpisode) -> None:
    """Plays parts one after another in this process.

    Args:
        parts: what to play.
        done: keys of jobs that are left out.
        keep: told each episode as it ends.
    """
    for part in parts:
        await _play(part, chain.from_iterable(part.exams), part.make(), done, keep)


async def _play(
    part: Part, jobs: Iterable[Job], policy: Policy, done: frozenset[str], keep: OnEpisode
) -> None:
    left = (job for job in jobs if job.key(policy.name) not in done)
    played = rollout(
        left,
        policy,
        max_concurrent=part.max_concurrent,
        scorer=part.scorer,
        reward=part.reward,
    )
    async with contextlib.aclosing(played) as episodes:
        async for episode in episodes:
            keep(episode)


def play_in_workers(
    parts: Sequence[Part], done: frozenset[str], keep: OnEpisode, num_workers: int
) -> None:
    """Plays slices of parts in worker processes; Ctrl-C keeps those that were under way.

    Args:
        parts: what to play; sent to each worker once.
        done: keys of jobs that are left out.
        keep: told each episode, in this process.
        num_workers: processes.

    Raises:
        WideSeekError: a worker process died.
    """
    # Spawned, as a fork would copy the locks of the index's threads.
    context = multiprocessing.get_context("spawn")
    waiting = _slices(parts)
    running: set[Future[list[bytes]]] = set()
    with ProcessPoolExecutor(num_workers, context, _begin_worker, (parts, done)) as pool:
        try:
            while True:
                # A short queue, so that an interrupt does not have to wait for a long one.
                while len(running) < 2 * num_workers and (part := next(waiting, None)) is not None:
                    with _interrupt_blocked():
                        running.add(pool.submit(_play_slice, *part))
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
                "a worker process died, perhaps for want of memory; go on with fewer workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _keep_all(futures: Iterable[Future[list[bytes]]], keep: OnEpisode) -> None:
    for future in futures:
        for line in future.result():
            keep(decode_episode(line))


def _slices(parts: Sequence[Part]) -> Iterator[tuple[int, int, int]]:
    """Yields (number of the part, of its exam, of the first job), in order: workers hold few."""
    for number, part in enumerate(parts):
        for which, exam in enumerate(part.exams):
            for start in range(0, len(exam), _SLICE):
                yield number, which, start


_parts: Sequence[Part] = ()
_done: frozenset[str] = frozenset()


def _begin_worker(parts: Sequence[Part], done: frozenset[str]) -> None:
    """Keeps what this worker plays, and ends it when the process that began it is killed."""
    global _parts, _done
    _parts, _done = parts, done
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("expected to be run in a worker process, got the main process")

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _play_slice(number: int, which: int, start: int) -> list[bytes]:
    part, lines = _parts[number], list[bytes]()

    def keep(episode: Episode) -> None:
        lines.append(encode(episode))

    jobs = part.exams[which][start : start + _SLICE]
    asyncio.run(_play(part, jobs, _policy_of(number), _done, keep))
    return lines


@cache
def _policy_of(number: int) -> Policy:
    return _parts[number].make()


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Holds Ctrl-C back for a moment; processes that are begun in it never get it.

    The terminal sends it to every process, but only the one that writes may act on it. Blocking is
    what the new processes inherit; in this one another thread may still take the signal, and a
    process that is half begun would complain, so it is put off as well.
    """
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)
