"""The settings that all trainers share, and the command line that follows from any of them.

A trainer's configuration is a frozen dataclass under `RunConfig` with a sentence below each field;
`from_command_line` makes one flag of each field, with that sentence as its help.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from wideseek_env.records import Role

Config = TypeVar("Config", bound="RunConfig")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What is played, by which model, and how it is optimised."""

    out: str
    """Folder for logs and checkpoints; a run that it holds goes on from its last checkpoint."""
    model: str
    """Start model: a Hugging Face name, a folder, or the folder of a run of ours."""
    seed: int = 0
    """Seeds tasks, sampling and the order of updates; the same seed is the same run."""
    num_steps: int = 100
    """Steps of the run; each plays new episodes."""

    source: str = "worlds:starter:0-7"
    """Tasks to train on, as `wideseek_env.tasks.named` reads them: worlds:PRESET:FIRST-LAST (more
    worlds, fewer names to learn by heart), corpus:DIR, file:FILE, or a Python path."""
    backend: str = ""
    """Where the tasks of a file:FILE are looked up: a folder of pages, or a Python path."""
    num_tasks: int = 64
    """Tasks made in each closed world; other sources give all of theirs. They are played in a new
    order in each pass."""
    kind: Literal["wide", "deep", "hybrid"] = "wide"
    """Kind of task in worlds; hybrid is wide and deep in turn, on which the paper's model learnt
    most."""
    eval_every: int = 0
    """Steps between scores on held-out tasks; 0 never scores."""
    eval_source: str = ""
    """Held-out tasks, as `source`; of closed worlds, and by default, the preset's test worlds."""
    eval_tasks: int = 32
    """Held-out tasks that are played each time, at `n_subagents`."""
    n_subagents: int = 4
    """Subagent slots of an episode; 0 trains a single agent."""
    random_width: bool = False
    """Draws the slots of each task from 1 to `n_subagents`, so that a model knows all widths."""
    max_lead_turns: int = 0
    """Turns of the lead; 0 is the source's limit, and for one agent alone enough turns."""
    tasks_per_step: int = 4
    """Tasks of a step."""
    group_size: int = 8
    """Episodes of each task in a step (G)."""
    reward: Literal["paper", "item_f1"] = "paper"
    """`paper` adds small terms for format, opening pages and length to the item F1."""
    format: Literal["hermes", "json"] = "hermes"
    """How tool calls are written; `json` takes fewer tokens, for tiny models."""
    prompts: Literal["full", "short"] = "full"
    """`short` says only what differs between episodes, to a model that learns the rest."""
    max_new_tokens: int = 4096
    """Longest turn, in tokens."""
    max_context_tokens: int = 32_768
    """Longest conversation of an agent; at most what the model can read."""
    max_concurrent: int = 64
    """Episodes that are played at once."""
    roles: Literal["both", "lead", "subagent"] = "both"
    """Whose tokens train; the other role plays with the same weights all the same."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon` is for the matrices of small models from scratch; the rest of them gets AdamW."""
    lr: float = 1e-6
    """Peak learning rate; the paper's suits a 4B model, a model of 1M learns at 1e-4."""
    warmup_steps: int = 10
    """Optimiser steps in which the rate rises to `lr`; without them a cold Adam jumps."""
    lr_end: float = 1.0
    """Share of `lr` that is left at the last step, reached on a straight line; 1 is constant."""
    weight_decay: float = 0.0
    """Decoupled, on matrices alone."""
    max_grad_norm: float = 1.0
    """Larger gradients are scaled down to this norm."""
    budget_tokens: int = 16_384
    """Tokens of a micro-batch, padding included; bounds memory, changes no number but rounding."""

    device: str = "auto"
    """`auto` takes a GPU when there is one."""
    bf16: bool = True
    """On a GPU, multiplies in bfloat16; weights and optimiser stay float32. Slower on a CPU."""
    activation_checkpointing: bool = False
    """Computes activations again in the backward pass: less memory, a third more time."""
    lora_rank: int = 0
    """Trains adapters of this rank in place of the weights; 0 trains the weights. Needs peft."""

    checkpoint_every: int = 10
    """Steps between checkpoints; the last step always has one."""
    keep_checkpoints: int = 2
    """Checkpoints that stay; older ones are deleted."""

    @property
    def num_updates(self) -> int:
        """Optimiser steps of a step."""
        return 1

    @property
    def trained_roles(self) -> tuple[Role, ...]:
        """Roles whose tokens train."""
        return ("lead", "subagent") if self.roles == "both" else (self.roles,)

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value, choices = getattr(self, name), get_args(hint)
            if choices and value not in choices:
                names = ", ".join(map(repr, choices))
                raise ValueError(f"`{name}` must be one of {names}, got {value!r}")
            if hint is int and name not in MAY_BE_ZERO and value < 1:
                raise ValueError(f"`{name}` must be at least 1, got {value!r}")


TINY: dict[str, Any] = {
    "format": "json",
    "prompts": "short",
    "max_new_tokens": 512,
    "max_context_tokens": 2048,
    "budget_tokens": 4096,
}
"""What a model of a million parameters from scratch plays; part of the trainers' presets."""

MAY_BE_ZERO = (
    "seed",
    "n_subagents",
    "eval_every",
    "max_lead_turns",
    "warmup_steps",
    "lora_rank",
)


@dataclass(frozen=True, kw_only=True)
class PolicyConfig(RunConfig):
    """What GRPO and PPO share: the clipped policy loss."""

    aggregation: Literal["agent-mean", "sequence-mean", "token-mean"] = "agent-mean"
    """How tokens are averaged; `agent-mean` lets no agent count more because it wrote more."""
    clip_low: float = 0.2
    """The ratio of new to old probability has no gradient below 1 minus this."""
    clip_high: float = 0.28
    """The same above 1 plus this; larger, so that unlikely tokens can still grow."""
    dual_clip: float = 10.0
    """Bound on the loss of a bad token that became likely, in advantages."""
    kl_weight: float = 0.001
    """Weight of the KL to the start model; 0 saves its memory and forward pass."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """How the KL is estimated from the sampled tokens."""
    sampler_cap: float = 2.0
    """Upper bound of the weight that corrects for a sampler unlike the trainer; 0 is no weight."""
    inner_epochs: int = 1
    """Passes over the episodes of a step."""
    updates_per_epoch: int = 1
    """Optimiser steps of a pass; its episodes are dealt out to them at random."""

    @property
    def num_updates(self) -> int:
        """Optimiser steps of a step."""
        return self.inner_epochs * self.updates_per_epoch


def from_command_line(
    config_type: type[Config], presets: Mapping[str, Mapping[str, Any]], argv: Sequence[str] | None
) -> Config:
    """Returns the configuration that flags ask for: those of a preset, then the ones given."""
    parser = argparse.ArgumentParser(description=inspect.getdoc(config_type))
    parser.add_argument("--preset", choices=tuple(presets), help="settings to start from")
    help_of, hints = sentences(config_type), get_type_hints(config_type)
    for field in fields(config_type):
        hint, flag = hints[field.name], "--" + field.name.replace("_", "-")
        settings: dict[str, Any] = {"default": argparse.SUPPRESS, "help": help_of[field.name]}
        if hint is bool:
            settings["action"] = argparse.BooleanOptionalAction
        else:
            choices = get_args(hint)
            settings["type"] = type(choices[0]) if choices else hint
            settings["choices"] = choices or None
        parser.add_argument(flag, **settings)
    given = vars(parser.parse_args(argv))
    settings = {**presets.get(given.pop("preset"), {}), **given}
    for field in fields(config_type):
        if field.default is MISSING and field.name not in settings:
            parser.error(f"needs --{field.name}, or a --preset that has it")
    return config_type(**settings)


def sentences(config_type: type) -> dict[str, str]:
    """Returns the sentence under each field, read from the source of the class and its bases."""
    found: dict[str, str] = {}
    for kind in reversed(config_type.__mro__[:-1]):
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                value = text.value if isinstance(text, ast.Expr) else None
                sentence = value.value if isinstance(value, ast.Constant) else ""
                found[field.target.id] = " ".join(str(sentence).split()).replace("%", "%%")
    return found
