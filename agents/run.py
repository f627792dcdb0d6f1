"""Runs: episodes played into a file, here or in worker processes, that can be stopped and go on.

The only writer is this process, through `EpisodeFile`, which holds the lock. Workers are sent how
the jobs and the policies are made, play slices of them, and hand back encoded episodes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any, TypeAlias, cast

from rich.progress import Progress, TextColumn

from agents.episode_file import EpisodeFile, read_episodes
from agents.policy import Policy
from agents.rollout import Job, rollout
from agents.workers import Worker, interrupt_blocked
from wideseek_env.game.reward import RewardConfig
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import Episode
from wideseek_env.scoring import Scorer

SLICE = 6
"""Episodes that a worker plays before it hands them back."""
MAX_REASONS = 5
"""Most reasons of invalid episodes that are told; the records have them whole."""

OnEpisode = Callable[[Episode], None]
Slice: TypeAlias = tuple[int, int, int]
"""Number of a part, of its exam, of the first job."""


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
    that were in flight are played again. Why episodes are invalid is told at the end. Ctrl-C raises
    KeyboardInterrupt, as usual; what has ended by then is in the file.

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
        ended, invalid, sum_f1, reasons = 0, 0, 0.0, Counter[str]()

        def keep(episode: Episode) -> None:
            nonlocal ended, invalid, sum_f1
            file.append(episode)
            ended += 1
            invalid += not episode.valid
            if episode.error:
                reasons[episode.error.partition("\n")[0]] += 1
            sum_f1 += episode.score.item_f1 if episode.score else 0.0
            mean = f"item F1 {sum_f1 / (ended - invalid):.3f}" if ended > invalid else ""
            bar.update(row, advance=1, note=f"{mean} invalid {invalid}")

        part = Part([jobs], lambda: policy, **settings)
        asyncio.run(play_here([part], frozenset(file.keys), keep))
        for reason, count in reasons.most_common(MAX_REASONS):
            told = f"{count} invalid: {reason}"
            bar.console.print(told, markup=False, highlight=False, soft_wrap=True)
    return list(read_episodes(path))


async def play_here(parts: Iterable[Part], done: frozenset[str], keep: OnEpisode) -> None:
    """Plays parts one after another in this process.

    Args:
        parts: what to play.
        done: keys of jobs that are left out.
        keep: told each episode as it ends.
    """
    for part in parts:
        await play_jobs(part, chain.from_iterable(part.exams), part.make(), done, keep)


async def play_jobs(
    part: Part, jobs: Iterable[Job], policy: Policy, done: frozenset[str], keep: OnEpisode
) -> None:
    """Plays jobs of a part, with its policy, that are not done."""
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
    waiting = slices_of(parts)
    workers: list[Worker] = []
    busy: dict[Connection, Worker] = {}

    def take(pipe: Connection, go_on: bool) -> None:
        worker = busy.pop(pipe)
        lines = worker.receive()
        if go_on and (part := next(waiting, None)) is not None:
            worker.send(part)  # before the episodes are kept, so that it need not wait for that
            busy[pipe] = worker
        for line in lines:
            keep(decode_episode(line))

    ensure_running()  # the first start of a process would do it, and let Ctrl-C in meanwhile
    try:
        for part in islice(waiting, num_workers):
            with interrupt_blocked():
                workers.append(Worker(partial(_player, parts, done)))
                workers[-1].send(part)
                busy[workers[-1].pipe] = workers[-1]
        while busy:
            for pipe in wait(list(busy)):
                with interrupt_blocked():
                    take(cast(Connection, pipe), go_on=True)
    except KeyboardInterrupt:
        for pipe in list(busy):
            take(pipe, go_on=False)
        raise
    finally:
        for worker in workers:
            worker.end(is_busy=worker.pipe in busy)


def slices_of(parts: Sequence[Part]) -> Iterator[Slice]:
    """Yields (number of the part, of its exam, of the first job), in order: workers hold few."""
    for number, part in enumerate(parts):
        for which, exam in enumerate(part.exams):
            for start in range(0, len(exam), SLICE):
                yield number, which, start


def _player(parts: Sequence[Part], done: frozenset[str]) -> Callable[[Slice], list[bytes]]:
    """Makes what plays slices in a worker; each policy is made once."""
    policy_of = cache(lambda number: parts[number].make())

    def play(which: Slice) -> list[bytes]:
        number, exam, start = which
        jobs = parts[number].exams[exam][start : start + SLICE]
        return _play_slice(parts[number], jobs, policy_of(number), done)

    return play


def _play_slice(
    part: Part, jobs: Sequence[Job], policy: Policy, done: frozenset[str]
) -> list[bytes]:
    lines = list[bytes]()

    def keep(episode: Episode) -> None:
        lines.append(encode(episode))

    asyncio.run(play_jobs(part, jobs, policy, done, keep))
    return lines
