"""The learned policy: each agent sees its own features and draws a legal move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.learned.discrete import DiscretePolicy, draw
from agents.learned.weights import Weights, load_weights

WEIGHTS = Path(__file__).parent / "mappo" / "weights.safetensors"
"""The weights that we ship; `MODEL_CARD.md` beside them says how they were made."""
TEMPERATURE = 0.5
"""Training draws at 1, and its entropy bonus leaves every move some chance, of
which tens of draws an episode take many; 0.5 is better at every budget on the training worlds."""


class LearnedPolicy(DiscretePolicy):
    """Plays with one or more subagents and the weights of a training run.

    Moves are drawn, and not the likeliest ones made: agents that cannot tell two states apart would
    else repeat a move that brings nothing.

    Args:
        weights: actors, or the file that a trainer of the discrete interface wrote.
        name: as tables show it.
        temperature: divides the logits; 0 takes the likeliest move.

    Raises:
        DataError: the weights belong to another version of the discrete interface.
    """

    def __init__(
        self,
        weights: Path | Weights = WEIGHTS,
        name: str = "mappo",
        temperature: float = TEMPERATURE,
    ) -> None:
        actors = load_weights(weights) if isinstance(weights, Path) else weights

        def act(agent: str, seen: dict[str, NDArray[Any]], rng: np.random.Generator) -> int:
            actor = actors.lead if agent == "lead" else actors.subagent
            return draw(actor.logits(seen["observation"]), seen["action_mask"], rng, temperature)

        super().__init__(act, name)
