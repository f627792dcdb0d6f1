"""The collector: plays the episodes that an iteration of training learns from.

`Collector.collect(iteration)` depends on the iteration, the configuration and the weights alone, so
a run that goes on from a checkpoint plays what it would have played.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from agents.evaluate import Exam, evaluate, held_out, limits_for
from agents.rollout import Job
from agents.scripted import MakePolicy
from trainers.config import RunConfig
from trainers.draw import Draw
from trainers.log import episode_metrics
from wideseek_env.game.reward import RewardConfig
from wideseek_env.records import Episode
from wideseek_env.scoring.named import scorer_named
from wideseek_env.tasks.named import SourceOptions, preset_named, source_named
from wideseek_env.tasks.source import TaskSource


def source_of(config: RunConfig) -> TaskSource:
    """Makes the tasks that a run trains on.

    Raises:
        ValueError: `source` stands for nothing.
    """
    num_tasks = config.num_tasks if preset_named(config.source) else None
    options = SourceOptions(config.backend, num_tasks=num_tasks, kind=config.kind)
    return source_named(config.source, options)


class Collector:
    """Tasks of a run, and who plays them.

    Args:
        config: settings.
        policy: called before each iteration with its tasks; gives who plays them.
        source: tasks; None: those that `config.source` names.
    """

    def __init__(
        self, config: RunConfig, policy: MakePolicy, source: TaskSource | None = None
    ) -> None:
        self._config = config
        self._policy = policy
        self.source = source_of(config) if source is None else source
        paper = config.reward == "paper"
        self._reward = RewardConfig.paper() if paper else RewardConfig()
        self._scorer = scorer_named(config.scorer)

    def collect(self, iteration: int) -> list[Episode]:
        """Plays an iteration's episodes: G of each of its tasks, by task and member.

        Raises:
            ValueError: an iteration has more tasks than there are.
        """
        jobs = self.jobs(iteration)
        policy = self._policy([job.task for job in jobs])
        played = evaluate(
            jobs,
            policy,
            max_concurrent=self._config.max_concurrent,
            scorer=self._scorer,
            reward=self._reward,
        )
        return list(asyncio.run(played).episodes)

    def jobs(self, iteration: int) -> list[Job]:
        """Makes an iteration's jobs: every task once in each pass, in an order of the pass.

        Raises:
            ValueError: an iteration has more tasks than there are.
        """
        config = self._config
        draw = Draw(
            num_tasks=len(self.source),
            tasks_per_iteration=config.tasks_per_iteration,
            n_subagents=config.n_subagents,
            random_width=config.random_width,
            seed=config.seed,
        )
        return [
            self._job(number, width, iteration, member)
            for number, width in draw.iteration(iteration)
            for member in range(config.group_size)
        ]

    def _job(self, number: int, width: int, iteration: int, member: int) -> Job:
        config, chosen = self._config, self.source[number]
        limits = limits_for(width, chosen.limits, max_folds=config.max_folds)
        if config.max_lead_turns is not None:
            limits = replace(limits, max_lead_turns=config.max_lead_turns)
        seed = (config.seed * 1_000_003 + iteration) * config.group_size + member
        return Job(chosen.task, chosen.backend, width, limits, seed, self.source.name)


def held_out_scores(config: RunConfig, policy: MakePolicy) -> Callable[[int], dict[str, float]]:
    """Makes what scores a run on tasks that it does not train on, every `eval_every` iterations.

    It gives the numbers of the episodes under names `eval/...`, and none when it is not time.

    Args:
        config: settings.
        policy: gives the policy that learns, as its weights are then.

    Raises:
        ValueError: `eval_source` stands for nothing.
    """
    if not config.eval_every:
        return lambda iteration: {}
    text = config.source if config.eval_source is None else config.eval_source
    source = held_out(text, config.eval_tasks, kind=config.kind, backend=config.backend)
    exam = Exam(source, config.n_subagents, seed=config.seed, max_folds=config.max_folds)
    scorer, limit = scorer_named(config.scorer), config.max_concurrent

    def scores(iteration: int) -> dict[str, float]:
        if (iteration + 1) % config.eval_every:
            return {}
        who = policy([job.task for job in exam])
        played = asyncio.run(evaluate(exam, who, max_concurrent=limit, scorer=scorer))
        return {f"eval/{name}": v for name, v in episode_metrics(played.episodes).items()}

    return scores
