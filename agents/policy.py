"""The policy protocol: who decides, given what an agent sees.

A `Policy` is shared by any number of episodes; `begin` gives a `Player` that plays one of them, all
agents of it. The rollout driver calls `decide` for several agents of one episode at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol

from wideseek_env.records import Decision, Limits, Observation, Task


@dataclass(frozen=True, slots=True)
class EpisodeInfo:
    """What a policy may know of an episode before its first observation; no gold in it."""

    task_id: str
    """From `public_id`: tells tasks apart and tells nothing of them."""
    question: str
    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    kind: Literal["wide", "deep"]
    language: str
    n_subagents: int
    limits: Limits
    seed: int
    """Seeds whatever the policy draws, so that an episode can be played again."""

    @classmethod
    def of(cls, task: Task, n_subagents: int, limits: Limits, seed: int) -> EpisodeInfo:
        """Returns the public part of a task under these limits."""
        return cls(
            task_id=public_id(task),
            question=task.question,
            columns=task.column_names,
            key_columns=task.key_columns,
            kind=task.kind,
            language=task.language,
            n_subagents=n_subagents,
            limits=limits,
            seed=seed,
        )


def public_id(task: Task) -> str:
    """Returns the id by which policies know a task: the same in every process.

    `Task.id` names the world, seed and number, or the page, that a task was made of, from which the
    gold can be made again. This one is a digest of what the policy is told anyway, so there is
    nothing to find out from it, by trying ids either.
    """
    public = (task.question, task.column_names, task.key_columns, task.kind, task.language)
    return blake2b(repr(public).encode(), digest_size=12).hexdigest()


class Player(Protocol):
    """Decides for all agents of one episode."""

    async def decide(self, agent: str, observation: Observation) -> Decision:
        """Decides what `agent` does; `observation.turn == 0` begins a new (sub)task of it."""
        ...


class Policy(Protocol):
    """Plays episodes."""

    name: str
    """As tables and records show it."""

    def begin(self, info: EpisodeInfo) -> Player:
        """Returns the player of one episode."""
        ...
