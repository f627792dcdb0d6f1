"""The settings that all trainers share.

A trainer's configuration is a frozen dataclass under `RunConfig` with a sentence below each field,
from which its command line is made (`wideseek_env.cli.options`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from trainers.advantages import Aggregation
from wideseek_env.cli.options import (
    AtLeastZero,
    Count,
    Natural,
    PathRule,
    Positive,
    Seed,
    Share,
    check_values,
)
from wideseek_env.plugins import check
from wideseek_env.records import Role
from wideseek_env.scoring.named import SCORERS
from wideseek_env.tasks.named import check_backend
from wideseek_env.worlds import TaskKind

OutName = Annotated[str, PathRule("folder", "write")]


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What is played, by which model, and how it is optimised."""

    out: OutName
    """Folder for logs and checkpoints; a run that it holds goes on from its last checkpoint."""
    model: str = "runs/sft"
    """Start model: a Hugging Face name, a folder, or the folder of a run of ours."""
    seed: Seed = 0
    """Seeds tasks, sampling and the order of updates; the same seed is the same run."""
    num_iterations: Count = 100
    """Iterations of the run; each plays new episodes."""

    source: str = "worlds:starter:0-7"
    """Tasks to train on, as `wideseek_env.tasks.named` reads them: worlds:PRESET:FIRST-LAST (more
    worlds, fewer names to learn by heart), corpus:DIR, file:FILE, or a Python path."""
    backend: str | None = None
    """Where the tasks of a file:FILE are looked up: a folder of pages, or a Python path."""
    num_tasks: Count = 64
    """Tasks made in each closed world; other sources give all of theirs. They are played in a new
    order in each pass."""
    kind: TaskKind = "wide"
    """Kind of task in worlds; hybrid is wide and deep in turn, on which the paper's model learnt
    most."""
    eval_every: Natural = 0
    """Iterations between scores on held-out tasks; 0 never scores."""
    eval_source: str | None = None
    """Held-out tasks, as `source`, and its own by default; of closed worlds, the test worlds."""
    eval_tasks: Count = 32
    """Held-out tasks that are played each time, at `n_subagents`."""
    n_subagents: Natural = 4
    """Subagent slots of an episode; 0 trains a single agent."""
    random_width: bool = False
    """Draws the slots of each task from 1 to `n_subagents`, so that a model knows all widths."""
    max_lead_turns: Count | None = None
    """Turns of the lead; None: the source's limit, and for one agent alone enough turns."""
    max_folds: Natural = 0
    """Times that an agent may fold its context on one (sub)task; 0: the source's limit."""
    tasks_per_iteration: Count = 4
    """Tasks of an iteration."""
    group_size: Count = 8
    """Episodes of each task in an iteration (G)."""
    scorer: str = "strict"
    """Scores the answers: strict, official, or a Python path such as my_package.scoring:Mine."""
    reward: Literal["paper", "item_f1"] = "paper"
    """`paper` adds small terms for format, opening pages and length to the item F1."""
    format: Literal["hermes", "json"] = "hermes"
    """How tool calls are written; `json` takes fewer tokens, for tiny models."""
    prompts: Literal["full", "short"] = "full"
    """`short` says only what differs between episodes, to a model that learns the rest."""
    engine: str = "transformers"
    """Samples: transformers, in this process; or any engine that reads weights from a folder, which
    are written there before each iteration: vllm, or a Python path."""
    max_new_tokens: Count = 4096
    """Longest turn, in tokens."""
    max_context_tokens: Count = 32_768
    """Longest conversation of an agent; at most what the model can read."""
    max_concurrent: Count = 64
    """Episodes that are played at once."""
    roles: Literal["both", "lead", "subagent"] = "both"
    """Whose tokens train; the other role plays with the same weights all the same."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon` is for the matrices of small models from scratch; the rest of them gets AdamW."""
    lr: Positive = 1e-6
    """Peak learning rate; the paper's suits a 4B model, a model of 1M learns at 1e-4."""
    warmup_steps: Natural = 10
    """Optimiser steps in which the rate rises to `lr`; without them a cold Adam jumps."""
    lr_end: Share = 1.0
    """Share of `lr` that is left at the end, reached on a straight line; 1 is constant."""
    weight_decay: AtLeastZero = 0.0
    """Decoupled, on matrices alone."""
    max_grad_norm: Positive = 1.0
    """Larger gradients are scaled down to this norm."""
    budget_tokens: Count = 16_384
    """Tokens of a micro-batch, padding included; bounds memory, changes no number but rounding."""

    device: str = "auto"
    """`auto` takes a GPU when there is one."""
    bf16: Literal["auto", "on", "off"] = "auto"
    """Multiplies in bfloat16; weights and optimiser stay float32. `auto`: on a GPU, and on a CPU
    that has instructions for it if the model is not tiny."""
    activation_checkpointing: bool = False
    """Computes activations again in the backward pass: less memory, a third more time."""
    lora_rank: Natural = 0
    """Trains adapters of this rank in place of the weights; 0 trains the weights. Needs peft."""

    checkpoint_every: Count = 10
    """Iterations between checkpoints; the last one always has one."""
    keep_checkpoints: Count = 2
    """Checkpoints that stay; older ones are deleted."""

    @property
    def num_updates(self) -> int:
        """Optimiser steps of an iteration."""
        return 1

    @property
    def trained_roles(self) -> tuple[Role, ...]:
        """Roles whose tokens train."""
        return ("lead", "subagent") if self.roles == "both" else (self.roles,)

    def __post_init__(self) -> None:
        check_values(self)
        check("scorers", self.scorer, SCORERS)
        check_backend(self.backend, self.source, *filter(None, [self.eval_source]))


TINY: dict[str, Any] = {
    "format": "json",
    "prompts": "short",
    "max_new_tokens": 512,
    "max_context_tokens": 2048,
    "budget_tokens": 4096,
}
"""What a model of a million parameters from scratch plays; part of the trainers' presets."""


SMOLLM2, SMOL_SFT = "runs/smollm2", "runs/smol-sft"
"""Folders of SmolLM2-135M-Instruct, which `wideseek smollm2` makes, and of its supervised start."""
SMOL: dict[str, Any] = {
    "source": "worlds:starter:0-399",
    "num_tasks": 8,
    "n_subagents": 4,
    "random_width": True,
    "format": "json",
    "prompts": "full",
    "max_new_tokens": 256,
    "max_context_tokens": 2048,
    "budget_tokens": 1300,
    "tasks_per_iteration": 4,
}
"""What a pretrained model of 135 million parameters plays, with the prompts of large ones; its tool
calls are short, as every token counts on a CPU. Part of the trainers' presets."""


@dataclass(frozen=True, kw_only=True)
class PolicyConfig(RunConfig):
    """What GRPO and PPO share: the clipped policy loss."""

    aggregation: Aggregation = "agent-mean"
    """How tokens are averaged; `agent-mean` lets no agent count more because it wrote more."""
    clip_low: AtLeastZero = 0.2
    """The ratio of new to old probability has no gradient below 1 minus this."""
    clip_high: AtLeastZero = 0.28
    """The same above 1 plus this; larger, so that unlikely tokens can still grow."""
    dual_clip: AtLeastZero = 10.0
    """Bound on the loss of a bad token that became likely, in advantages."""
    kl_weight: AtLeastZero = 0.001
    """Weight of the KL to the start model; 0 saves its memory and forward pass."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """How the KL is estimated from the sampled tokens."""
    sampler_cap: AtLeastZero = 2.0
    """Upper bound of the weight that corrects for a sampler unlike the trainer; 0 is no weight."""
    inner_epochs: Count = 1
    """Passes over the episodes of an iteration."""
    updates_per_epoch: Count = 1
    """Optimiser steps of a pass; its episodes are dealt out to them at random."""

    @property
    def num_updates(self) -> int:
        """Optimiser steps of an iteration."""
        return self.inner_epochs * self.updates_per_epoch


def preset_of(words: Sequence[str], presets: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Finds the `--preset` of a command line, before its other flags are read."""
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        name = following if word == "--preset" else word.removeprefix("--preset=")
        if word.startswith("--preset") and name in presets:
            return name
    return None
