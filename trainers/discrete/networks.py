"""Actors and critics of the discrete trainer, their optimiser, and their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.learned.weights import Actor, Weights
from trainers.discrete.options import DiscreteOptions
from trainers.discrete.play import Draw
from wideseek_env.discrete.features import LEAD_FEATURES, SUBAGENT_FEATURES
from wideseek_env.discrete.interface import DISCRETE_VERSION
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES
from wideseek_env.plugins import late

if TYPE_CHECKING:
    from torch import Tensor, nn

torch = late("torch", "train")

ROLES: Mapping[str, tuple[int, int]] = {
    "lead": (len(LEAD_FEATURES), len(LEAD_MOVES)),
    "subagent": (len(SUBAGENT_FEATURES), len(SUBAGENT_MOVES)),
}
"""Features and moves of each role."""


class Networks:
    """An actor and a critic for each role; all subagents share theirs.

    A critic sees what the agent sees and, in training alone, what no agent is told: the source, the
    calls and the width of the episode (MAPPO's central critic, arXiv 2103.01955).

    Args:
        options: of the run.
    """

    def __init__(self, options: DiscreteOptions) -> None:
        self.options = options
        told = len(options.sources) + 2
        self.actors = {r: _mlp(size, options.hidden, k) for r, (size, k) in ROLES.items()}
        self.critics = {r: _mlp(size + told, options.hidden, 1) for r, (size, _) in ROLES.items()}
        with torch.no_grad():
            for actor in self.actors.values():
                actor[-1].weight.mul_(0.1)  # begins near to equal chances
        self.adam = torch.optim.Adam(self.parameters(), lr=options.lr, eps=1e-5)

    def parameters(self) -> list[Tensor]:
        """Lists all that trains."""
        nets = (*self.actors.values(), *self.critics.values())
        return [parameter for net in nets for parameter in net.parameters()]

    def told(self, draw: Draw) -> list[float]:
        """Gives what a critic is told of an episode."""
        sources = [float(index == draw.source) for index in range(len(self.options.sources))]
        return [*sources, np.log2(draw.width) / 4, np.log(draw.budget / 25) / 2]

    def logprobs(self, role: str, features: Tensor, masks: Tensor) -> Tensor:
        """Returns the log-probabilities (N, K) of all moves; that of an illegal one is -inf."""
        logits = self.actors[role](features).masked_fill(~masks, -torch.inf)
        return torch.log_softmax(logits, -1)

    def values(self, role: str, features: Tensor, told: Tensor) -> Tensor:
        """Returns the critic's estimates, (N,)."""
        estimates: Tensor = self.critics[role](torch.cat([features, told], -1)).squeeze(-1)
        return estimates

    def weights(self) -> Weights:
        """Copies the actors, for play."""
        actors = [
            Actor(tuple((_copy(layer.weight), _copy(layer.bias)) for layer in _layers(net)))
            for net in self.actors.values()
        ]
        return Weights(*actors, {})

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Writes the actors, as `agents.learned.weights.load_weights` reads them."""
        from safetensors.numpy import save_file  # noqa: PLC0415 - of the extra train

        tensors = {
            f"{role}.{index}.{name}": _copy(getattr(layer, name))
            for role, net in self.actors.items()
            for index, layer in enumerate(_layers(net))
            for name in ("weight", "bias")
        }
        config = {**asdict(self.options), "out": None}
        told = {"version": DISCRETE_VERSION, "config": config, **about}
        save_file(tensors, path, metadata={"wideseek": json.dumps(told)})

    def state(self) -> dict[str, Any]:
        """Gives all weights and the optimiser, for a checkpoint."""
        nets = {f"{k}.{r}": n.state_dict() for k, nets in self._nets() for r, n in nets.items()}
        return {**nets, "adam": self.adam.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes what a checkpoint has."""
        self.adam.load_state_dict(state["adam"])
        for kind, nets in self._nets():
            for role, net in nets.items():
                net.load_state_dict(state[f"{kind}.{role}"])

    def _nets(self) -> list[tuple[str, dict[str, nn.Sequential]]]:
        return [("actor", self.actors), ("critic", self.critics)]


def _mlp(num_in: int, hidden: int, num_out: int) -> nn.Sequential:
    linear, tanh = torch.nn.Linear, torch.nn.Tanh
    net: nn.Sequential = torch.nn.Sequential(
        linear(num_in, hidden), tanh(), linear(hidden, hidden), tanh(), linear(hidden, num_out)
    )
    return net


def _layers(net: nn.Sequential) -> list[nn.Linear]:
    return [module for module in net if isinstance(module, torch.nn.Linear)]


def _copy(tensor: Tensor) -> Any:
    return tensor.detach().numpy().copy()
