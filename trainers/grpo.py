"""Multi-agent GRPO: `wideseek train grpo --preset tiny --out runs/grpo`.

One model plays lead and subagents. `train` is the whole loop: play a group of episodes of each
task, compare each episode's reward with its group, and follow the clipped gradient of every token
that the team wrote. The advantage is of the episode; how tokens are averaged is `aggregation`.

Source: WideSeek-R1 (arXiv 2602.04634); the constants are the paper's unless a field says why not.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tyro.conf import OmitArgPrefixes

from trainers import checkpoint
from trainers.advantages import (
    BASELINES,
    Floats,
    group_advantages,
    has_signal,
    provenance_advantages,
)
from trainers.batch import TokenRow, agents_of, rows_of, shares_of, spread
from trainers.config import SMOL, SMOL_SFT, TINY, OutName, PolicyConfig, preset_of
from trainers.interrupt import Stop
from trainers.log import RunLog, Timer, episode_metrics
from trainers.model import Learner
from trainers.update import known_of, policy_terms, token_metrics, updates_of
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Share
from wideseek_env.plugins import check, late, require
from wideseek_env.records import Episode

torch = late("torch", "train")


@dataclass(frozen=True, kw_only=True)
class GRPOConfig(PolicyConfig):
    """Settings of multi-agent GRPO."""

    out: OutName = "runs/grpo"
    """Folder for logs and checkpoints; a run that it holds goes on from its last checkpoint."""
    baseline: str = "mean-std"
    """What an episode's reward is compared with, over the episodes of its task: mean-std, mean,
    leave-one-out, or the path of a function as examples/advantage.py has it."""
    provenance: Share = 0.0
    """Part of a subagent's advantage that comes from the cells it supplied; 0 is the paper's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check("advantages", self.baseline, BASELINES)


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        **TINY,
        "model": "runs/sft",
        "source": "worlds:starter:0-399",
        "num_tasks": 8,
        "n_subagents": 8,
        "random_width": True,
        "max_new_tokens": 320,
        "budget_tokens": 1300,
        "tasks_per_iteration": 8,
        # A higher rate, or less KL, widens the team sooner and breaks the copying of names.
        "lr": 3e-4,
        "lr_end": 0.1,
        "kl_weight": 0.05,
        "warmup_steps": 3,
        "num_iterations": 40,
        "checkpoint_every": 5,
    },
    "smol": {
        **SMOL,
        "model": SMOL_SFT,
        "out": "runs/smol-grpo",
        # A lead decides the width, and its tokens are a third of a team's.
        "roles": "lead",
        "updates_per_epoch": 2,
        "lr": 3e-5,
        "kl_weight": 0.0,
        "warmup_steps": 2,
        "num_iterations": 20,
        "checkpoint_every": 2,
    },
    "paper": {
        "model": "Qwen/Qwen3-4B",
        "source": "worlds:default:0-7",
        "kind": "hybrid",
        "n_subagents": 10,
        "tasks_per_iteration": 128,
        "group_size": 8,
        "lr": 1e-6,
        "num_tasks": 2500,
        "activation_checkpointing": True,
    },
}

SHOWN = (
    "reward/total",
    "episodes/item_f1",
    "episodes/width",
    "episodes/tool_calls",
    "turns/wrong",
    "turns/tokens",
    "policy/entropy",
    "policy/kl",
    "policy/clip_fraction",
    "policy/drift",
    "groups/without_signal",
)


def train(
    config: GRPOConfig,
    learner: Learner,
    play: Callable[[int], list[Episode]],
    held_out: Callable[[int], dict[str, float]] = lambda iteration: {},
) -> None:
    """Trains from the last checkpoint of the run, or from the start, to `num_iterations`.

    Args:
        config: settings.
        learner: the model; keeps a frozen copy of the start when `kl_weight` is not 0.
        play: gives an iteration's episodes, G of each task, played with the learner's weights now.
        held_out: gives scores on held-out tasks after an iteration, when it is time.
    """
    first_iteration = checkpoint.resume(learner, config)
    with (
        Stop(config.out) as stop,
        RunLog(Path(config.out), first_iteration, SHOWN, config.num_iterations) as log,
    ):
        for iteration in range(first_iteration, config.num_iterations):
            timer = Timer()
            with timer("play"):
                episodes = play(iteration)
            metrics = episode_metrics(episodes)
            rows, advantages, counts = prepare(episodes, config)
            metrics |= counts
            if rows:
                metrics |= improve(
                    rows, advantages, config, learner, iteration=iteration, timer=timer
                )
            ends = stop.asked
            with timer("checkpoint"):
                if ends or checkpoint.due(config, iteration + 1):
                    checkpoint.save(learner, config, iteration + 1)
            with timer("evaluate"):
                metrics |= held_out(iteration)
            log.write(iteration, {**metrics, **timer.seconds})
            if ends:
                stop.now(iteration + 1)


def prepare(
    episodes: Sequence[Episode], config: GRPOConfig
) -> tuple[list[TokenRow], Floats, dict[str, float]]:
    """Makes the rows that train, their advantages, (B,) each, and counts for the log.

    Leaves out invalid episodes and groups whose rewards are all equal, and counts the latter.
    """
    valid = [episode for episode in episodes if episode.valid]
    names = sorted({episode.task.id for episode in valid})
    groups = np.array([names.index(episode.task.id) for episode in valid], dtype=np.int64)
    rewards = np.array([episode.reward for episode in valid], dtype=np.float64)
    signal = [has_signal(rewards[groups == group]) for group in range(len(names))]
    counts = {
        "groups/without_signal": float(signal.count(False)),
        "groups/count": float(len(signal)),
    }

    by_episode = group_advantages(rewards, groups, config.baseline)
    rows = rows_of(valid, config.trained_roles)
    rows = [row for row in rows if signal[groups[row.episode]]]
    episode = np.array([row.episode for row in rows], dtype=np.int64)
    advantages = by_episode[episode]
    if config.provenance:
        # Segments of one trajectory are one agent: none is compared with itself.
        _, first, agent = np.unique(agents_of(rows), return_index=True, return_inverse=True)
        shares = np.array([shares_of(valid[rows[i].episode])[rows[i].trajectory] for i in first])
        subagent = np.array([rows[i].role == "subagent" for i in first], dtype=bool)
        advantages = provenance_advantages(
            advantages[first], shares, groups[episode[first]], subagent, config.provenance
        )[agent]
    trains = [i for i, row in enumerate(rows) if row.trains.any()]
    return [rows[i] for i in trains], advantages[trains], counts


def improve(
    rows: list[TokenRow],
    advantages: Floats,
    config: GRPOConfig,
    learner: Learner,
    *,
    iteration: int,
    timer: Timer,
) -> dict[str, float]:
    """Takes an iteration's optimiser steps; returns its numbers, means under the loss's weights.

    Args:
        rows: B trajectories with at least one token that trains.
        advantages: (B,)
        config: settings.
        learner: changed in place.
        iteration: seeds the order of updates.
        timer: gets the phases.
    """
    learner.lm.train()
    totals: dict[str, float] = defaultdict(float)
    with timer("old_logprobs"):
        known = known_of(rows, spread(advantages, rows, learner.device), config, learner)
    with timer("update"):
        for update, (chosen, weight) in enumerate(updates_of(rows, known, config, iteration)):
            for batch in learner.micro_batches(rows, chosen):
                logprobs, entropy = learner.score(learner.states(batch), batch)
                if config.num_updates == 1:  # nothing has changed yet
                    known.old[batch.tokens] = logprobs.detach()
                terms = policy_terms(logprobs, entropy, batch.tokens, known, config)
                torch.autograd.backward((terms["policy/loss"] * weight[batch.tokens]).sum())
                for name, term in terms.items():
                    mean = (term.detach() * weight[batch.tokens]).sum()
                    totals[name] += float(mean) / config.num_updates
            norm, lr = learner.update(iteration * config.num_updates + update)
            totals["optimiser/gradient_norm"] += norm / config.num_updates
            totals["optimiser/lr"] = lr
    learner.lm.eval()
    return {**totals, **token_metrics(rows, known)}


@dataclass(frozen=True, kw_only=True)
class GRPOOptions:
    """Trains lead and subagents together with multi-agent GRPO; needs the extra train.

    Ctrl-C ends the iteration and keeps a checkpoint; the same command goes on.
    """

    preset: Literal["tiny", "smol", "paper"] | None = None
    """Settings to start from; flags that are given count more."""
    config: OmitArgPrefixes[GRPOConfig] = field(default_factory=GRPOConfig)
    """Settings of the run."""

    @classmethod
    def defaults(cls, words: Sequence[str]) -> GRPOOptions | None:
        """Gives what counts where no flag is given."""
        name = preset_of(words, PRESETS)
        return cls(preset=name, config=GRPOConfig(**PRESETS[name])) if name else None


def run(options: GRPOOptions) -> int:
    """Trains from the command line; returns the exit status."""
    train_anew(options.config)
    return 0


def train_anew(config: GRPOConfig) -> None:
    """Loads the model and trains, or goes on with the run in `config.out`.

    Raises:
        MissingExtra: a library of the extra train is not installed.
    """
    require("torch.utils.tensorboard", "train")
    from trainers.collector import Collector, held_out_scores, source_of  # noqa: PLC0415 - heavy
    from trainers.models import load_model  # noqa: PLC0415
    from trainers.policies import sampling_policy  # noqa: PLC0415

    source = source_of(config)  # a wrong name is found before the model is loaded
    lm, tokenizer = load_model(config.model)
    learner = Learner(lm, config, tokenizer=tokenizer.hf, reference=config.kl_weight > 0)
    policy = sampling_policy(learner, tokenizer)
    train(
        config, learner, Collector(config, policy, source).collect, held_out_scores(config, policy)
    )


if __name__ == "__main__":
    sys.exit(run_command("train grpo"))
