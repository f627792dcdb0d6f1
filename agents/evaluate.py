"""The evaluation: a policy plays the tasks of a source under terms that are equal for all.

`Exam` makes the jobs, `evaluate` plays them. Benchmarks, experiments and trainers' held-out scores
all go through these two, so that a figure of one can be set beside that of another.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import Any, overload

from agents.policy import Policy
from agents.rollout import Job, rollout
from wideseek_env.errors import WideSeekError
from wideseek_env.game.reward import RewardConfig
from wideseek_env.records import Episode, Limits
from wideseek_env.scoring import Scorer
from wideseek_env.scoring.statistics import Interval, bootstrap_interval
from wideseek_env.tasks.named import SourceOptions, preset_named, source_named
from wideseek_env.tasks.source import TaskSource
from wideseek_env.worlds import TaskKind

ALONE_TURNS = 80
"""Turns of one agent alone: a source's limits are for a lead that delegates. The calls and the
context bind first. A fold takes no turn from the others: it has one more for each that it may make.
"""


def limits_for(
    width: int,
    given: Limits,
    *,
    budget: int | None = None,
    depth: int | None = None,
    max_folds: int = 0,
) -> Limits:
    """Adapts a source's limits to the number of subagents.

    Args:
        width: subagents; one agent alone gets `depth` turns.
        given: the source's own.
        budget: `search` and `open` calls of all agents together; None: as `given` has it.
        depth: turns of one agent alone, folds among them; None: `ALONE_TURNS` and its folds.
        max_folds: of each agent on one (sub)task; 0: as `given` has it.
    """
    if max_folds:
        given = replace(given, max_folds=max_folds)
    if width == 0:
        given = replace(given, max_lead_turns=depth or ALONE_TURNS + given.max_folds)
    return given if budget is None else replace(given, max_tool_calls=budget)


def held_out(
    source: str, num_tasks: int, *, kind: TaskKind = "wide", backend: str | None = None
) -> TaskSource:
    """Makes tasks that no training saw.

    Closed worlds give the first task of each of the test worlds 0, 1, ..., which share no name with
    a training world. Of other sources so many tasks are drawn: whether they were trained on is for
    who names them to know.

    Args:
        source: a preset, or another text that `source_named` takes.
        num_tasks: how many.
        kind: of tasks of closed worlds.
        backend: for tasks of a file.

    Raises:
        ValueError: nothing is called so.
    """
    preset = preset_named(source)
    if preset is None:
        return source_named(source, SourceOptions(backend, split="test", num_tasks=num_tasks))
    seeds = range(num_tasks)
    return TaskSource.worlds(preset, seeds, split="test", tasks_each=1, kind=kind)


@dataclass(frozen=True)
class Exam(Sequence[Job]):
    """A source's tasks under equal terms, as jobs: every policy that is compared gets these.

    Jobs are made when they are asked for. Seeds follow from `seed`, task and trial alone, so the
    same trial of a task has the same seed at each width.
    """

    source: TaskSource
    width: int = 8
    """Subagents; with 0 the lead plays alone."""
    num_trials: int = 1
    """Episodes of each task."""
    budget: int | None = None
    """`search` and `open` calls of an episode, all agents together; None: the source's limit."""
    depth: int | None = None
    """Turns of one agent alone; None: as `limits_for` has it."""
    max_folds: int = 0
    """Folds of each agent on one (sub)task; 0: the source's limit."""
    seed: int = 0
    """Of the episodes' seeds."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Goes into the records, beside trial, budget and depth."""

    def __len__(self) -> int:
        return len(self.source) * self.num_trials

    @overload
    def __getitem__(self, index: int) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Job]: ...
    def __getitem__(self, index: Any) -> Any:
        """Makes the job of a number: task by task, and of each its trials."""
        number = range(len(self))[index]
        if isinstance(number, range):
            return [self[n] for n in number]
        where, trial = divmod(number, self.num_trials)
        chosen = self.source[where]
        return Job(
            chosen.task,
            chosen.backend,
            n_subagents=self.width,
            limits=limits_for(
                self.width,
                chosen.limits,
                budget=self.budget,
                depth=self.depth,
                max_folds=self.max_folds,
            ),
            seed=zlib.crc32(f"{self.seed}/{chosen.task.id}/{trial}".encode()),
            source=self.source.name,
            metadata={
                **self.metadata,
                "depth": self.depth,
                "trial": trial,
                "budget": self.budget,
            },
        )


@dataclass(frozen=True)
class Evaluation:
    """What a policy did in an exam; invalid episodes are there, and in no mean."""

    policy: str
    episodes: Sequence[Episode]
    """In the order of the jobs."""

    @cached_property
    def valid(self) -> Sequence[Episode]:
        """Episodes that have a score."""
        return [episode for episode in self.episodes if episode.valid]

    @property
    def num_invalid(self) -> int:
        """Episodes that could not be scored."""
        return len(self.episodes) - len(self.valid)

    @property
    def item_f1(self) -> Interval:
        """Mean over tasks of the mean over their trials, with its 95 % interval over tasks.

        Raises:
            WideSeekError: every episode is invalid.
        """
        by_task: dict[str, list[float]] = {}
        for episode in self.valid:
            if episode.score is not None:
                by_task.setdefault(episode.task.id, []).append(episode.score.item_f1)
        if not by_task:
            raise WideSeekError(f"no episode of {self.policy} has a score: {self._first_error()}")
        return bootstrap_interval([fmean(trials) for trials in by_task.values()])

    def checked(self) -> Evaluation:
        """Gives itself, for what compares task by task: a missing one would shift the others.

        Raises:
            WideSeekError: an episode is invalid.
        """
        if self.num_invalid:
            raise WideSeekError(
                f"expected a score of every task, got none of {self.num_invalid} in "
                f"{len(self.episodes)} episodes of {self.policy}: {self._first_error()}"
            )
        return self

    def _first_error(self) -> str:
        for episode in self.episodes:
            if not episode.valid and episode.error:
                reason = episode.error.partition("\n")[0]  # a traceback follows
                return f"{episode.task.id}: {reason}"
        return "there is none"


async def evaluate(
    jobs: Sequence[Job],
    policy: Policy,
    *,
    max_concurrent: int = 64,
    scorer: Scorer | None = None,
    reward: RewardConfig | None = None,
) -> Evaluation:
    """Plays jobs, such as those of an `Exam`, and gives their episodes in the order of the jobs.

    Args:
        jobs: what to play.
        policy: shared by all episodes.
        max_concurrent: episodes that run at once.
        scorer: as for `rollout`.
        reward: as for `rollout`.
    """
    played = rollout(jobs, policy, max_concurrent=max_concurrent, scorer=scorer, reward=reward)
    async with aclosing(played) as ended:
        by_key = {str(episode.metadata["key"]): episode async for episode in ended}
    return Evaluation(policy.name, [by_key[job.key(policy.name)] for job in jobs])
