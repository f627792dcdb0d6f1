"""MAPPO and IPPO with TorchRL on the discrete interface; makes the weights that we ship.

    wideseek train mappo --num-steps 200000 --out run

Agents of a role share one actor. The critic of MAPPO sees the global state beside the agent's own
observation, that of IPPO the observation alone. Written: `weights.safetensors` (actors, with what
made them), `curve.csv`.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from wideseek_env.cli.commands import run_command
from wideseek_env.plugins import MissingExtra

if __name__ == "__main__":  # first, as --help needs no library, and its lack is a sentence
    sys.exit(run_command("train mappo"))

try:
    import torch
    from safetensors.torch import save_file
    from tensordict import TensorDictBase
    from tensordict.nn import TensorDictModule, TensorDictSequential
    from torch import nn
    from torchrl.collectors import Collector
    from torchrl.modules import MaskedCategorical, ProbabilisticActor
    from torchrl.objectives import ClipPPOLoss
    from torchrl.objectives.value import GAE
except ImportError as error:
    raise MissingExtra("TorchRL is needed: pip install 'wideseek[torchrl]'") from error

from trainers.third_party.options import Config, MappoOptions, readable
from trainers.third_party.torchrl_env import GROUPS, BatchedWideSeek, make_batch
from wideseek_env.backends import Backend
from wideseek_env.discrete.interface import DISCRETE_VERSION
from wideseek_env.environment import WideSeekEnv
from wideseek_env.game.shaping import Shaping
from wideseek_env.records import Limits, Task
from wideseek_env.worlds import World


class Place(NamedTuple):
    """Tasks that some of the environments draw from."""

    tasks: Sequence[Task]
    backend: Backend
    limits: Limits


def places_of(config: Config) -> list[Place]:
    """Makes the places that a run trains in: worlds, or the source that it names.

    Raises:
        ValueError: the source stands for nothing, or has a task that no rule reads.
    """
    if config.source is None:
        worlds = [World(p, seed=seed) for p in config.presets for seed in range(config.num_worlds)]
        return [
            Place(list(world.tasks(64, seed=world.seed)), world.backend(), world.preset.limits)
            for world in worlds
        ]
    assigned = readable(config.source, config.backend)[:]
    return [Place([each.task for each in assigned], assigned[0].backend, assigned[0].limits)]


def make_envs(config: Config, num_subagents: int) -> BatchedWideSeek:
    """Returns the batch of training environments; those of one place share its backend."""
    places = places_of(config)
    shaping = Shaping(provenance=config.provenance, potential=config.potential, gamma=config.gamma)

    def make(index: int) -> WideSeekEnv:
        place = places[index % len(places)]
        budget = config.budgets[index // len(places) % len(config.budgets)]
        return WideSeekEnv(
            num_subagents,
            interface="discrete",
            tasks=place.tasks,
            backend=place.backend,
            limits=replace(place.limits, max_tool_calls=budget),
            shaping=shaping,
        )

    return make_batch(make, config.num_envs, config.seed, config.widths)


class Critic(nn.Module):
    """Values of the agents of a group.

    Args:
        size: features of an agent's observation.
        state: features of the global state; 0 when it is not seen.
        hidden: width of the hidden layers.
    """

    def __init__(self, size: int, state: int, hidden: int) -> None:
        super().__init__()
        self._sees_state = state > 0
        self.net = _mlp(size + state, hidden, 1)

    def forward(self, observation: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """Returns (..., N, 1) for observations (..., N, D) and states (..., S)."""
        if self._sees_state:
            every = state.unsqueeze(-2).expand(*observation.shape[:-1], state.shape[-1])
            observation = torch.cat([observation, every], -1)
        return self.net(observation)


def _mlp(num_in: int, hidden: int, num_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(num_in, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(),
        nn.Linear(hidden, num_out),
    )  # fmt: skip


@dataclass
class Group:
    """Networks, loss and estimator of one role."""

    actor: ProbabilisticActor
    critic: TensorDictModule
    loss: ClipPPOLoss
    gae: GAE


def make_group(name: str, env: BatchedWideSeek, config: Config) -> Group:
    """Makes the learner of one role."""
    spec = env.observation_spec[name, "observation"]
    num_moves = env.observation_spec[name, "action_mask"].shape[-1]
    size, state = spec.shape[-1], env.observation_spec["state"].shape[-1]
    net = TensorDictModule(
        _mlp(size, config.hidden, num_moves), [(name, "observation")], [(name, "logits")]
    )
    actor = ProbabilisticActor(
        net,
        in_keys={"logits": (name, "logits"), "mask": (name, "action_mask")},
        out_keys=[(name, "action")],
        distribution_class=MaskedCategorical,
        return_log_prob=True,
        log_prob_key=(name, "log_prob"),
    )
    critic = TensorDictModule(
        Critic(size, state if config.algorithm == "mappo" else 0, config.hidden),
        [(name, "observation"), "state"],
        [(name, "state_value")],
    )
    loss = ClipPPOLoss(
        actor, critic, clip_epsilon=0.2, entropy_coeff=config.entropy,
        critic_coeff=0.5, normalize_advantage=False, loss_critic_type="l2",
    )  # fmt: skip
    gae = GAE(gamma=config.gamma, lmbda=config.lmbda, value_network=critic)
    keys = {
        "reward": (name, "reward"), "done": (name, "done"), "terminated": (name, "terminated"),
        "advantage": (name, "advantage"), "value_target": (name, "value_target"),
        "value": (name, "state_value"),
    }  # fmt: skip
    gae.set_keys(**keys)
    loss.set_keys(action=(name, "action"), sample_log_prob=(name, "log_prob"), **keys)
    return Group(actor, critic, loss, gae)


def train(config: Config, out: Path, num_subagents: int = 8) -> list[dict[str, float]]:
    """Trains, writes weights and curve into `out`, and returns the curve.

    Each row of the curve has `step` (environment steps so far), `item_f1` (mean over the episodes
    that were scored since the last row), `num_episodes` and `num_invalid` (scored, and not),
    `entropy_*` and `seconds`.
    """
    torch.manual_seed(config.seed)
    env = make_envs(config, num_subagents)
    groups = {name: make_group(name, env, config) for name in GROUPS}
    policy = TensorDictSequential(*(group.actor for group in groups.values()))
    frames = config.num_envs * config.horizon
    collector = Collector(env, policy, frames_per_batch=frames, total_frames=config.num_steps)
    parameters = [p for group in groups.values() for p in group.loss.parameters()]
    adam = torch.optim.Adam(parameters, lr=config.lr, eps=1e-5)
    curve: list[dict[str, float]] = []
    start_s, step = time.perf_counter(), 0
    out.mkdir(parents=True, exist_ok=True)
    for data in collector:
        step += data.numel()
        left = max(1.0 - step / config.num_steps, 0.1)
        for options in adam.param_groups:
            options["lr"] = config.lr * left
        entropies = update(data, groups, adam, config, left)
        ended = data["next", "done"].squeeze(-1)
        row = {
            "step": float(step),
            **counts(data["next", "item_f1"].squeeze(-1)[ended]),
            **entropies,
            "seconds": time.perf_counter() - start_s,
        }
        curve.append(row)
        print(" ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)  # noqa: T201
        save_actors(groups, config, curve, out / "weights.safetensors")
    collector.shutdown()
    with (out / "curve.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, curve[0].keys())
        writer.writeheader()
        writer.writerows(curve)
    return curve


def counts(item_f1: torch.Tensor) -> dict[str, float]:
    """Sums up the episodes that ended in a row; NaN is one without a score."""
    scored = item_f1[~item_f1.isnan()]
    return {
        "item_f1": float(scored.mean()),
        "num_episodes": float(len(scored)),
        "num_invalid": float(len(item_f1) - len(scored)),
    }


def update(
    data: TensorDictBase,
    groups: dict[str, Group],
    adam: torch.optim.Optimizer,
    config: Config,
    left: float,
) -> dict[str, float]:
    """Makes the gradient steps of one batch (B, T) of experience; returns entropies by role."""
    for name, group in groups.items():
        shape = data["next", name, "reward"].shape
        for key in ("done", "terminated"):
            data["next", name, key] = data["next", key].unsqueeze(-2).expand(shape)
        with torch.no_grad():
            group.gae(data)
        # An agent with one choice learns nothing from it and must not shift the mean.
        chooses = data[name, "action_mask"].sum(-1, keepdim=True) > 1
        advantage = data[name, "advantage"]
        chosen = advantage[chooses]
        data[name, "advantage"] = (advantage - chosen.mean()) / (chosen.std() + 1e-6) * chooses
        group.loss.entropy_coeff.fill_(config.entropy * left)
    flat = data.reshape(-1)
    entropies: dict[str, float] = {}
    for indices in _minibatches(len(flat), config):
        batch = flat[indices]
        total = torch.zeros(())
        for name, group in groups.items():
            terms = group.loss(batch)
            total = total + sum(terms[key] for key in _LOSSES)
            entropies[f"entropy_{name}"] = float(terms["entropy"])
        adam.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_([p for g in adam.param_groups for p in g["params"]], 1.0)
        adam.step()
    return entropies


_LOSSES = ("loss_objective", "loss_entropy", "loss_critic")


def _minibatches(size: int, config: Config) -> Iterator[torch.Tensor]:
    for _ in range(config.num_epochs):
        yield from torch.randperm(size).split(config.minibatch)


def save_actors(
    groups: dict[str, Group], config: Config, curve: Sequence[dict[str, float]], path: Path
) -> None:
    """Writes the actors as `role.layer.weight`, with config and version as metadata."""
    tensors = {}
    for name, group in groups.items():
        layers = [m for m in group.actor.modules() if isinstance(m, nn.Linear)]
        for index, layer in enumerate(layers):
            tensors[f"{name}.{index}.weight"] = layer.weight.detach().contiguous()
            tensors[f"{name}.{index}.bias"] = layer.bias.detach().contiguous()
    about: dict[str, Any] = {
        "version": DISCRETE_VERSION,
        "config": asdict(config),
        "train_item_f1": curve[-1]["item_f1"],
    }
    save_file(tensors, path, metadata={"wideseek": json.dumps(about)})


def run(options: MappoOptions) -> int:
    """Trains; returns the exit status."""
    torch.set_num_threads(1)  # the networks are small, and threads wait for one another
    train(options.config, options.out)
    return 0
