"""Reads the actors' weights, without torch, so that playing needs none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from wideseek_env.discrete.interface import DISCRETE_VERSION
from wideseek_env.errors import DataError

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Actor:
    """A multilayer perceptron with tanh between its layers."""

    layers: tuple[tuple[Array, Array], ...]
    """Weight (outputs, inputs) and bias (outputs,) of each layer."""

    def logits(self, observation: Array) -> Array:
        """Returns the logits (K,) of all moves for an observation (D,)."""
        hidden = observation
        for weight, bias in self.layers[:-1]:
            hidden = np.tanh(weight @ hidden + bias)
        weight, bias = self.layers[-1]
        return weight @ hidden + bias


@dataclass(frozen=True, slots=True)
class Weights:
    """The actors of both roles."""

    lead: Actor
    subagent: Actor
    about: Mapping[str, Any]
    """What made them: `config`, `version` of the interface, scores."""


def load_weights(path: Path) -> Weights:
    """Returns the actors that a training script wrote.

    Raises:
        DataError: the file is none of ours, or was made at another version of the interface.
    """
    tensors, metadata = read_safetensors(path)
    about = json.loads(metadata.get("wideseek", "{}"))
    if about.get("version") != DISCRETE_VERSION:
        raise DataError(
            f"expected weights for version {DISCRETE_VERSION} of the discrete interface in "
            f"{str(path)!r}, got {about.get('version')!r}; train again with `wideseek train "
            "discrete` or `wideseek train mappo`"
        )
    return Weights(_actor(tensors, "lead"), _actor(tensors, "subagent"), about)


def read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Reads the float32 tensors and the metadata of a safetensors file.

    Raises:
        DataError: the file is not in this format, or holds other types.
    """
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise DataError(f"expected a safetensors file, got {str(path)!r} ({error})") from error
    for tensor in tensors.values():
        if tensor.dtype != np.float32:
            raise DataError(f"{str(path)!r}: expected float32 weights, got {tensor.dtype}")
    return tensors, metadata


def _actor(tensors: Mapping[str, Array], role: str) -> Actor:
    num = sum(name.startswith(f"{role}.") and name.endswith(".weight") for name in tensors)
    return Actor(
        tuple(
            (tensors[f"{role}.{index}.weight"], tensors[f"{role}.{index}.bias"])
            for index in range(num)
        )
    )
