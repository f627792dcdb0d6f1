"""PPO of a team on the discrete interface.

    wideseek train discrete --out runs/discrete

In each iteration some tasks are drawn, each with a budget and a width, and played several times.
The reward of an episode is its item F1 over the mean of the others of its task, as tasks, budgets
and widths differ more than episodes do; it stands after the last choice of every agent, and a
critic spreads it over the choices before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainers.advantages import gae, group_advantages
from trainers.checkpoint import check_settings
from trainers.discrete.lessons import teach
from trainers.discrete.networks import ROLES, Networks
from trainers.discrete.options import DiscreteOptions
from trainers.discrete.play import Crew, Played, draw, sources_of
from trainers.interrupt import Stop
from trainers.log import RunLog, Timer
from trainers.losses import policy_loss, value_loss
from wideseek_env.cli.commands import run_command
from wideseek_env.game.episode import role_of
from wideseek_env.plugins import late

if TYPE_CHECKING:
    from torch import Tensor

torch = late("torch", "train")

SHOWN = ("play/item_f1", "policy/entropy_lead", "policy/entropy_subagent")
_MINIBATCHES = 5
_CLIP = 0.2
_VALUE_WEIGHT = 4.0
"""Rewards over the others' mean are small, about 0.1, and their errors squared smaller."""
_LEAST_RATE = 0.05
_CHECKPOINT_EVERY = 10
_MAY_CHANGE = {"out", "num_workers"}


@dataclass(frozen=True, slots=True)
class Batch:
    """The choices of one role in an iteration, N of them."""

    features: Tensor
    masks: Tensor
    moves: Tensor
    told: Tensor
    logprobs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor


def train(options: DiscreteOptions) -> Networks:
    """Trains a team, or goes on with what `out` holds.

    Raises:
        DataError: `out` holds a run with other settings.
        WideSeekError: a worker died, or nothing could be scored.
        Interrupted: Ctrl-C; the last iteration is kept.
    """
    torch.set_num_threads(1)  # the networks are small, and threads wait for one another
    torch.manual_seed(options.seed)
    sizes = [len(source) for source in sources_of(options)]
    networks = Networks(options)
    first = _resume(networks)
    with (
        Stop(str(options.out)) as stop,
        Crew(options) as crew,
        RunLog(options.out, first, SHOWN, options.num_iterations) as log,
    ):
        if first == 0 and options.num_lessons:
            rng = np.random.default_rng([options.seed, 0])
            draws = [draw(options, sizes, rng) for _ in range(options.num_lessons)]
            means = teach(networks, crew, draws)
            sys.stdout.write(
                "lessons  " + "  ".join(f"{k} {v:.3f}" for k, v in means.items()) + "\n"
            )
        for iteration in range(first, options.num_iterations):
            metrics = _iterate(networks, crew, sizes, iteration)
            log.write(iteration, metrics)
            done, ends = iteration + 1, stop.asked  # asked once: it may come at any moment
            if ends or done % _CHECKPOINT_EVERY == 0 or done == options.num_iterations:
                _save(networks, done, metrics)
            if ends and done < options.num_iterations:
                stop.now(done)
    return networks


def _iterate(
    networks: Networks, crew: Crew, sizes: Sequence[int], iteration: int
) -> dict[str, float]:
    """Plays and learns once; all that is drawn follows from the seed and the iteration."""
    options, timer = networks.options, Timer()
    rng = np.random.default_rng([options.seed, 1, iteration])
    drawn = [draw(options, sizes, rng) for _ in range(options.tasks_per_iteration)]
    draws = [
        replace(d, seed=int(rng.integers(2**31))) for d in drawn for _ in range(options.group_size)
    ]
    with timer("play"):
        played = crew.play(networks.weights(), draws)
    with timer("update"):
        left = max(1.0 - iteration / options.num_iterations, _LEAST_RATE)
        for group in networks.adam.param_groups:
            group["lr"] = options.lr * left
        batches = make_batches(networks, played)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        entropies = update(networks, batches, left, generator)
    scores = [e.item_f1 for e in played if e.item_f1 is not None]
    return {
        "play/item_f1": float(np.mean(scores)),
        "play/invalid": float(len(played) - len(scores)),
        "play/choices": float(sum(len(batch.moves) for batch in batches.values())),
        **entropies,
        **timer.seconds,
    }


def make_batches(networks: Networks, played: Sequence[Played]) -> dict[str, Batch]:
    """Turns groups of episodes into what the update needs, by role.

    Args:
        networks: that played.
        played: the groups, one after another; an episode without a score takes no part.
    """
    number = np.arange(len(played)) // networks.options.group_size
    scored = [n for n, episode in enumerate(played) if episode.item_f1 is not None]
    f1 = np.array([played[n].item_f1 for n in scored])
    rewards = group_advantages(f1, number[scored], "leave-one-out")
    batches = {}
    for role in ROLES:
        rows = [
            (choices, networks.told(played[n].draw), float(reward))
            for n, reward in zip(scored, rewards, strict=True)
            for agent, choices in played[n].choices.items()
            if role_of(agent) == role
        ]
        if rows:
            batches[role] = _batch(networks, role, rows)
    return batches


def _batch(networks: Networks, role: str, rows: Sequence[Any]) -> Batch:
    features, masks, moves = (
        torch.from_numpy(np.concatenate([getattr(choices, name) for choices, _, _ in rows]))
        for name in ("features", "masks", "moves")
    )
    told = torch.tensor([told for choices, told, _ in rows for _ in choices.moves]).float()
    with torch.no_grad():
        values = networks.values(role, features, told)
        logprobs = networks.logprobs(role, features, masks).gather(1, moves[:, None]).squeeze(1)
    ends = np.cumsum([len(choices.moves) for choices, _, _ in rows])
    pairs = []
    for own, (_, _, reward) in zip(np.split(values.double().numpy(), ends[:-1]), rows, strict=True):
        rewards = np.zeros(len(own))
        rewards[-1] = reward
        pairs.append(gae(rewards, own, 0.0, 1.0, networks.options.lam))
    advantages, returns = (
        torch.from_numpy(np.concatenate(part)).float() for part in zip(*pairs, strict=True)
    )
    advantages = (advantages - advantages.mean()) / (advantages.std(unbiased=False) + 1e-6)
    return Batch(features, masks, moves, told, logprobs, values, advantages, returns)


def update(
    networks: Networks, batches: dict[str, Batch], left: float, generator: Any
) -> dict[str, float]:
    """Makes an iteration's gradient steps; returns each role's mean entropy at its end.

    Args:
        networks: that learn.
        batches: from `make_batches`.
        left: share of the entropy bonus that is left.
        generator: deals the choices out to minibatches.
    """
    options, entropies = networks.options, dict[str, float]()
    for _ in range(options.num_epochs):
        for role, batch in batches.items():
            for some in torch.randperm(len(batch.moves), generator=generator).chunk(_MINIBATCHES):
                logprobs = networks.logprobs(role, batch.features[some], batch.masks[some])
                chosen = logprobs.gather(1, batch.moves[some, None]).squeeze(1)
                policy, _ = policy_loss(
                    chosen,
                    batch.logprobs[some],
                    batch.advantages[some],
                    clip_low=_CLIP,
                    clip_high=_CLIP,
                )
                known = logprobs.masked_fill(~batch.masks[some], 0)
                entropy = -(known.exp() * known * batch.masks[some]).sum(1).mean()
                values = networks.values(role, batch.features[some], batch.told[some])
                value = value_loss(values, batch.values[some], batch.returns[some], clip=None)
                networks.adam.zero_grad()
                loss = policy.mean() - options.entropy * left * entropy
                (loss + _VALUE_WEIGHT * value.mean()).backward()
                torch.nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
                networks.adam.step()
                entropies[f"policy/entropy_{role}"] = float(entropy.detach())
    return entropies


def _save(networks: Networks, done: int, metrics: dict[str, float]) -> None:
    """Writes the weights for play and the checkpoint, each whole or not at all."""
    options = networks.options
    out = Path(options.out)
    networks.save(out / ".weights", {"iterations": done, "train_item_f1": metrics["play/item_f1"]})
    os.replace(out / ".weights", out / "weights.safetensors")
    state = {
        "next_iteration": done,
        "config": {**asdict(options), "out": None},
        "networks": networks.state(),
    }
    with open(out / ".checkpoint", "wb") as file:
        torch.save(state, file)
    os.replace(out / ".checkpoint", out / "checkpoint.pt")


def _resume(networks: Networks) -> int:
    """Takes what an earlier call of the same run left; gives the next iteration."""
    options = networks.options
    path = Path(options.out) / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    check_settings(options.out, state["config"], asdict(options), _MAY_CHANGE)
    networks.load(state["networks"])
    return int(state["next_iteration"])


def run(options: DiscreteOptions) -> int:
    """Trains; returns the exit status."""
    train(options)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("train discrete"))
