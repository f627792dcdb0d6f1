"""Options of the trainers that other libraries bring; reading them needs none of the libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tyro.conf import OmitArgPrefixes

from wideseek_env.cli.options import (
    AtLeastZero,
    Count,
    Natural,
    OutFolder,
    Positive,
    Seed,
    Share,
    check_presets,
    check_values,
)
from wideseek_env.cli.world import Port
from wideseek_env.plugins import check
from wideseek_env.reading.question import parse_question
from wideseek_env.tasks.named import SourceOptions, check_backend, source_named
from wideseek_env.tasks.source import TaskSource
from wideseek_env.worlds import PRESETS, Split


@dataclass(frozen=True, kw_only=True)
class LibraryOptions:
    """Trains with another RL library on the discrete interface; needs the extra of its name."""

    num_steps: Count = 20_000
    """Environment steps."""
    source: str = "easy"
    """Tasks: a preset of closed worlds, or other wide ones about the things of closed worlds, in
    English, such as file:made/tasks.jsonl."""
    backend: str | None = None
    """Where the tasks of a file are looked up: a folder or file of pages, or a Python path."""
    seed: Seed = 0
    """Of networks, tasks and actions."""

    def __post_init__(self) -> None:
        check("sources", self.source, PRESETS)
        check_values(self)
        check_backend(self.backend, self.source)

    def tasks(self) -> TaskSource:
        """Makes the source.

        Raises:
            ValueError: it stands for nothing, or has a task that no rule reads.
        """
        return readable(self.source, self.backend)


@dataclass(frozen=True, kw_only=True)
class SB3Options(LibraryOptions):
    """Trains one MaskablePPO of SB3-contrib for all agents; needs the extra sb3."""

    out: OutFolder | None = None
    """Folder for model.zip, which `wideseek benchmark --policies sb3:FILE` plays; None keeps
    nothing."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run."""

    algorithm: Literal["mappo", "ippo"] = "mappo"
    """mappo: central critic; ippo: each agent's critic sees what the agent sees."""
    presets: tuple[str, ...] = ("conflict", "missing")
    """Worlds of the train split."""
    source: str | None = None
    """Tasks in place of the worlds', such as file:made/tasks.jsonl: wide ones about the things of
    closed worlds, in English."""
    backend: str | None = None
    """Where the tasks of a file are looked up: a folder or file of pages, or a Python path."""
    budgets: tuple[Count, ...] = (25, 40, 60, 90)
    """`search` and `open` calls of an episode; environments take them in turn."""
    widths: tuple[Count, ...] = (1, 2, 4, 8)
    """Slots of an episode, drawn for each; 16 and the others between are left for the test."""
    num_steps: Count = 200_000
    """Environment steps of all environments together."""
    num_envs: Count = 32
    """Environments in one batch: the policy's cost is shared by all."""
    num_worlds: Count = 2
    """Training worlds of each preset, with 64 tasks each."""
    horizon: Count = 96
    """Steps of each environment between two updates; episodes have about 15."""
    num_epochs: Count = 4
    """Passes over the data of an update."""
    minibatch: Count = 768
    """Environment steps in a gradient step."""
    lr: Positive = 7e-4
    """Of Adam; falls to a tenth."""
    gamma: Share = 1.0
    """Episodes are short and end by themselves."""
    lmbda: Share = 0.95
    """Of GAE."""
    entropy: AtLeastZero = 0.02
    """Weight of the entropy bonus; falls to a tenth."""
    hidden: Count = 64
    """Width of the two hidden layers."""
    provenance: Share = 0.0
    """Of `Shaping`: part of the reward that goes by the cells that a subagent supplied."""
    potential: AtLeastZero = 0.0
    """Of `Shaping`: weight of the potential."""
    seed: Seed = 0
    """Of networks, tasks and actions."""

    def __post_init__(self) -> None:
        check_presets(self.presets)
        check_values(self)
        check_backend(self.backend, *([self.source] if self.source else self.presets))


@dataclass(frozen=True, kw_only=True)
class MappoOptions:
    """Trains MAPPO or IPPO with TorchRL on the discrete interface; needs the extra torchrl."""

    out: OutFolder
    """Folder for weights.safetensors and curve.csv."""
    config: OmitArgPrefixes[Config] = field(default_factory=Config)
    """Settings of the run."""


@dataclass(frozen=True, kw_only=True)
class OpenEnvOptions:
    """Serves the environment to OpenEnv's clients until it is stopped; needs the extra openenv."""

    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 opens it to the network."""
    port: Port = 8000
    """Port of the server."""
    n_subagents: Natural = 8
    """Slots of an episode."""
    preset: str = "default"
    """Closed worlds that tasks are drawn from."""
    split: Split = "train"
    """Of the worlds."""
    interface: Literal["text", "discrete"] = "text"
    """What actions and observations are."""

    def __post_init__(self) -> None:
        check_values(self)
        check_presets([self.preset], "--preset")


def readable(text: str, backend: str | None) -> TaskSource:
    """Makes a source whose questions the discrete interface reads.

    Raises:
        ValueError: the source stands for nothing, or has a task that no rule reads.
    """
    source = source_named(text, SourceOptions(backend))
    for each in source:
        if parse_question(each.task.question) is None:
            raise ValueError(
                f"--source: expected questions about things of closed worlds, in English, got "
                f"{each.task.question[:80]!r}"
            )
    return source
