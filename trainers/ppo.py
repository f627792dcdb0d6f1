"""Multi-agent PPO: `wideseek train ppo --preset tiny --out runs/ppo`.

As `trainers/grpo.py`, with a value head in place of the group: what an agent's token or turn is
worth is what came of it beyond what the head expected there. The team's reward comes after the last
step of every agent. One value head serves lead and subagents; it reads the model's own features.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from tyro.conf import OmitArgPrefixes

from trainers import checkpoint
from trainers.advantages import Floats, gae
from trainers.batch import TokenRow, agents_of, rows_of, rows_that_train
from trainers.config import TINY, OutName, PolicyConfig, preset_of
from trainers.interrupt import Stop
from trainers.log import RunLog, Timer, episode_metrics
from trainers.losses import value_loss
from trainers.model import Learner
from trainers.update import known_of, policy_terms, token_metrics, updates_of
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import AtLeastZero, Count, Share
from wideseek_env.plugins import late, require
from wideseek_env.records import Episode

if TYPE_CHECKING:
    from torch import Tensor, nn

torch = late("torch", "train")


@dataclass(frozen=True, kw_only=True)
class PPOConfig(PolicyConfig):
    """Settings of multi-agent PPO."""

    out: OutName = "runs/ppo"
    """Folder for logs and checkpoints; a run that it holds goes on from its last checkpoint."""
    tasks_per_iteration: Count = 32
    """Tasks of an iteration."""
    group_size: Count = 1
    """Episodes of each task in an iteration; nothing is compared within a task."""
    step_of: Literal["token", "turn"] = "turn"
    """What counts as one step of the decision process: a token, or a turn as a whole."""
    gamma: Share = 1.0
    """Discount of a step; 1, as the reward should not depend on how many turns it took."""
    lam: Share = 0.95
    """0 trusts the value head, 1 the rewards."""
    bootstrap: Literal["time_budget", "truncated"] = "time_budget"
    """Which episodes without an answer count as unfinished, and are worth what the head expects of
    their last state. Turn budgets are told to the agents and so part of the game: with `truncated`
    they are unfinished as well, and a lead that never answers loses nothing by it."""
    value_weight: AtLeastZero = 0.5
    """Weight of the value loss."""
    value_clip: AtLeastZero = 0.2
    """How far a value may move in an iteration and still gain."""
    inner_epochs: Count = 2
    """Passes over the episodes of an iteration."""


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {**TINY, "model": "runs/sft", "lr": 1e-4, "num_iterations": 50},
}

SHOWN = (
    "reward/total",
    "episodes/item_f1",
    "episodes/width",
    "turns/wrong",
    "policy/entropy",
    "policy/kl",
    "policy/clip_fraction",
    "policy/drift",
    "value/loss",
    "value/explained",
)


def value_head(lm: Any) -> nn.Linear:
    """Returns a value head for a model; its first values are 0."""
    head = torch.nn.Linear(lm.config.hidden_size, 1)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return head


def train(
    config: PPOConfig,
    learner: Learner,
    play: Callable[[int], list[Episode]],
    held_out: Callable[[int], dict[str, float]] = lambda iteration: {},
) -> None:
    """Trains from the last checkpoint of the run, or from the start, to `num_iterations`.

    Args:
        config: settings.
        learner: the model with a value head; keeps the start model when `kl_weight` is not 0.
        play: gives the episodes of an iteration, played with the learner's weights as they are now.
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
            valid = [episode for episode in episodes if episode.valid]
            rows = rows_that_train(rows_of(valid, config.trained_roles))
            if rows:
                metrics |= improve(rows, valid, config, learner, iteration=iteration, timer=timer)
            ends = stop.asked
            with timer("checkpoint"):
                if ends or checkpoint.due(config, iteration + 1):
                    checkpoint.save(learner, config, iteration + 1)
            with timer("evaluate"):
                metrics |= held_out(iteration)
            log.write(iteration, {**metrics, **timer.seconds})
            if ends:
                stop.now(iteration + 1)


def improve(
    rows: list[TokenRow],
    episodes: Sequence[Episode],
    config: PPOConfig,
    learner: Learner,
    *,
    iteration: int,
    timer: Timer,
) -> dict[str, float]:
    """Takes an iteration's optimiser steps; returns its numbers, means under the loss's weights.

    Args:
        rows: B trajectories with at least one token that trains.
        episodes: those that `TokenRow.episode` counts.
        config: settings.
        learner: changed in place.
        iteration: seeds the order of updates.
        timer: gets the phases.
    """
    learner.lm.train()
    device = learner.device
    totals: dict[str, float] = defaultdict(float)
    with timer("old_logprobs"):
        values, last = old_values(rows, config, learner)
        numbers = estimate(rows, episodes, values.double().cpu().numpy(), last, config)
        advantage, aims, starts = (torch.from_numpy(n).to(device).float() for n in numbers)
        known = known_of(rows, advantage, config, learner)
    with timer("update"):
        for update, (chosen, weight) in enumerate(updates_of(rows, known, config, iteration)):
            # Where steps are turns, the value of a turn is asked before its first token alone.
            value_weight = weight * starts / (weight * starts).sum()
            for batch in learner.micro_batches(rows, chosen):
                at, states = batch.tokens, learner.states(batch)
                logprobs, entropy = learner.score(states, batch)
                if config.num_updates == 1:  # nothing has changed yet
                    known.old[at] = logprobs.detach()
                terms = policy_terms(logprobs, entropy, at, known, config)
                now = learner.values(states[batch.before])
                error = value_loss(now, values[at], aims[at], config.value_clip)
                total = (terms["policy/loss"] * weight[at]).sum()
                torch.autograd.backward(
                    total + config.value_weight * (error * value_weight[at]).sum()
                )
                for name, term in terms.items():
                    totals[name] += float((term.detach() * weight[at]).sum()) / config.num_updates
                mean_error = float((error.detach() * value_weight[at]).sum())
                totals["value/loss"] += mean_error / config.num_updates
            norm, lr = learner.update(iteration * config.num_updates + update)
            totals["optimiser/gradient_norm"] += norm / config.num_updates
            totals["optimiser/lr"] = lr
    learner.lm.eval()
    asked = (known.trains * starts) > 0
    return {
        **totals,
        **token_metrics(rows, known),
        "value/mean": float(values[asked].mean()),
        "value/explained": explained(values[asked].cpu(), aims[asked].cpu()),
    }


def old_values(
    rows: Sequence[TokenRow], config: PPOConfig, learner: Learner
) -> tuple[Tensor, dict[int, float]]:
    """Returns the value before each sampled token, (T,), and after the last token of each row."""
    num_tokens = sum(int(row.sampled.sum()) for row in rows)
    values = torch.zeros(num_tokens, device=learner.device)
    last: dict[int, float] = {}
    with torch.no_grad():
        for batch in learner.micro_batches(rows, range(len(rows))):
            states = learner.states(batch)
            values[batch.tokens] = learner.values(states[batch.before])
            ends = learner.values(states[batch.ends]).tolist()
            last.update(zip(batch.rows, ends, strict=True))
    return values, last


def estimate(
    rows: Sequence[TokenRow],
    episodes: Sequence[Episode],
    values: Floats,
    last: dict[int, float],
    config: PPOConfig,
) -> tuple[Floats, Floats, Floats]:
    """Returns advantages, returns and whether a step starts (1.0 or 0.0) of each token, (T,).

    All tokens of a step have its advantage; advantages are then scaled to mean 0 and standard
    deviation 1 over the steps that train. Segments of one trajectory are one process: a fold is a
    step, and what comes after it is worth what the head expects at the start of the next segment.

    Args:
        rows: B rows, segments of one trajectory one after the other.
        episodes: those that `TokenRow.episode` counts.
        values: (T,) before each sampled token.
        last: value after the last token of each row.
        config: settings.
    """
    unfinished = ("time_budget", *(("turn_budget",) if config.bootstrap == "truncated" else ()))
    tokens = []
    place = 0
    for _, segments in groupby(enumerate(agents_of(rows)), key=lambda numbered: numbered[1]):
        numbers = [number for number, _ in segments]
        turn = np.concatenate([rows[number].turn[rows[number].sampled] for number in numbers])
        episode = episodes[rows[numbers[-1]].episode]
        starts = np.ones(len(turn), dtype=bool)
        if config.step_of == "turn":
            starts[1:] = turn[1:] != turn[:-1]
        before = values[place : place + len(turn)][starts]
        place += len(turn)
        rewards = np.zeros(len(before))
        rewards[-1] = episode.reward
        after = last[numbers[-1]] if episode.end in unfinished else 0.0
        advantages, returns = gae(rewards, before, after, config.gamma, config.lam)
        step = np.cumsum(starts) - 1
        tokens.append(np.stack([advantages[step], returns[step], starts]))
    advantage, aim, start = np.concatenate(tokens, axis=1)
    trained = advantage[np.concatenate([row.trains[row.sampled] for row in rows]) & (start > 0)]
    scale = trained.std() or 1.0
    return (advantage - trained.mean()) / scale, aim, start


def explained(values: Tensor, returns: Tensor) -> float:
    """Returns the share of the variance of returns that values explain; 0 when there is none."""
    variance = float(returns.var(correction=0))
    return 1 - float((returns - values).var(correction=0)) / variance if variance > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class PPOOptions:
    """Trains lead and subagents together with multi-agent PPO; needs the extra train.

    Ctrl-C ends the iteration and keeps a checkpoint; the same command goes on.
    """

    preset: Literal["tiny"] | None = None
    """Settings to start from; flags that are given count more."""
    config: OmitArgPrefixes[PPOConfig] = field(default_factory=PPOConfig)
    """Settings of the run."""

    @classmethod
    def defaults(cls, words: Sequence[str]) -> PPOOptions | None:
        """Gives what counts where no flag is given."""
        name = preset_of(words, PRESETS)
        return cls(preset=name, config=PPOConfig(**PRESETS[name])) if name else None


def run(options: PPOOptions) -> int:
    """Trains from the command line; returns the exit status."""
    train_anew(options.config)
    return 0


def train_anew(config: PPOConfig) -> None:
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
    learner = Learner(
        lm,
        config,
        tokenizer=tokenizer.hf,
        head=value_head(lm),
        reference=config.kl_weight > 0,
    )
    policy = sampling_policy(learner, tokenizer)
    train(
        config, learner, Collector(config, policy, source).collect, held_out_scores(config, policy)
    )


if __name__ == "__main__":
    sys.exit(run_command("train ppo"))
