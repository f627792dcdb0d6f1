"""The rollout driver: plays episodes, each agent on its own, many episodes at once.

There is no barrier inside an episode: every agent goes on as soon as its own tools have answered.
`play` is the whole loop. What goes wrong in a policy, a backend or a scorer makes that one episode
invalid, with its reason, and never ends the run.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.policy import EpisodeInfo, Player, Policy
from agents.storable import mended, prove
from wideseek_env.backends import Backend
from wideseek_env.errors import PolicyError, ScoringError, contained
from wideseek_env.game.episode import LEAD, Game
from wideseek_env.game.reward import RewardConfig
from wideseek_env.records import Decision, Episode, Limits, Score, Task
from wideseek_env.scoring import Scorer, StrictScorer


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to play."""

    task: Task
    backend: Backend
    n_subagents: int = 8
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    source: str = ""
    """Name of the task source; without one, the backend's class stands for it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Goes into the record as it is: preset, trial, budget."""

    def key(self, policy: str) -> str:
        """Tells this job of a policy from all others of a run, so that a run can be resumed."""
        where = self.source or type(self.backend).__qualname__
        parts = [policy, where, self.task.id, str(self.n_subagents), str(self.seed)]
        parts += [repr(self.limits)]
        parts += [f"{name}={self.metadata[name]}" for name in sorted(self.metadata)]
        return "|".join(parts)


async def play(game: Game, player: Player) -> None:
    """Drives a game to its end, all agents at the same time.

    Raises:
        ExceptionGroup: a policy or a backend raised.
    """

    async def drive(agent: str) -> None:
        while (observation := await game.observation(agent)) is not None:
            with contained(PolicyError, f"the policy, asked for {agent},"):
                decision = await player.decide(agent, observation)
            if not isinstance(decision, Decision):
                raise TypeError(f"expected a Decision of {agent}, got {decision!r}")
            await game.act(agent, decision)

    async with asyncio.TaskGroup() as group:
        slots = [group.create_task(drive(agent)) for agent in game.agents if agent != LEAD]
        await drive(LEAD)
        for slot in slots:  # the game is over: nobody waits for a tool that still runs
            slot.cancel()


async def run_episode(
    job: Job,
    policy: Policy,
    *,
    scorer: Scorer | None = None,
    reward: RewardConfig | None = None,
) -> Episode:
    """Plays one episode; whatever goes wrong in it makes it invalid and is kept in `error`."""
    game = Game(
        job.task,
        job.backend,
        job.n_subagents,
        limits=job.limits,
        scorer=_guarded(scorer or StrictScorer()),
        reward=reward,
        seed=job.seed,
    )
    info = EpisodeInfo.of(job.task, job.n_subagents, job.limits, job.seed)
    deadline = asyncio.timeout(job.limits.episode_timeout_s)
    try:
        async with deadline:
            with contained(PolicyError, "the policy's `begin`"):
                player = policy.begin(info)
            await play(game, player)
    except Exception as error:  # noqa: BLE001 - the one boundary: a bad episode is data, no crash
        if deadline.expired():
            game.expire()
        else:
            game.fail(_describe(error))
    return await _recorded(game, policy.name, {**job.metadata, "key": job.key(policy.name)})


async def _recorded(game: Game, policy: str, metadata: Mapping[str, Any]) -> Episode:
    """Returns the game's record, proved readable; else that of an invalid episode, mended."""
    try:
        return prove(await game.record(policy, metadata))
    except Exception as error:  # noqa: BLE001 - of the same boundary
        game.end, game.error = "invalid", f"its record cannot be kept: {_describe(error)}"
        return mended(await game.record(policy, metadata))


def _guarded(scorer: Scorer) -> Scorer:
    """Returns the scorer, whose failures of any kind make the one episode invalid."""

    async def score(task: Task, answer: str | None) -> Score:
        try:
            with contained(ScoringError, "the scorer"):
                return await scorer(task, answer)
        except ScoringError:
            raise
        except Exception as error:
            raise ScoringError(_describe(error)) from error

    return score


async def rollout(
    jobs: Iterable[Job],
    policy: Policy,
    *,
    max_concurrent: int = 64,
    scorer: Scorer | None = None,
    reward: RewardConfig | None = None,
) -> AsyncGenerator[Episode, None]:
    """Plays many episodes, of any worlds, and yields each as it ends, in the order of ending.

    Args:
        jobs: what to play; taken one by one, so it may be endless.
        policy: shared by all episodes.
        max_concurrent: episodes that run at once, at least 1.
        scorer: scores the answers; strict by default.
        reward: weights of the reward terms.

    Raises:
        ValueError: `max_concurrent` is less than 1.
    """
    if max_concurrent < 1:
        raise ValueError(f"`max_concurrent` must be at least 1, got {max_concurrent!r}")
    waiting = iter(jobs)
    running: set[asyncio.Task[Episode]] = set()
    try:
        while True:
            while len(running) < max_concurrent and (job := next(waiting, None)) is not None:
                episode = run_episode(job, policy, scorer=scorer, reward=reward)
                running.add(asyncio.create_task(episode))
            if not running:
                return
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _describe(error: BaseException) -> str:
    """Returns type, message and traceback of an error; of the first one in a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    lines = "".join(traceback.format_exception(error)).strip()
    return f"{type(error).__name__}: {error}\n{lines}"
