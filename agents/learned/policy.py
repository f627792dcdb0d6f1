"""The learned policy: each agent sees its own features and draws a legal move."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agents.learned.weights import Weights, load_weights
from agents.policy import EpisodeInfo
from wideseek_env.discrete.interface import DiscreteInterface
from wideseek_env.records import Decision, Observation

WEIGHTS = Path(__file__).parent / "mappo" / "weights.safetensors"
"""The weights that we ship; `MODEL_CARD.md` beside them says how they were made."""
TEMPERATURE = 0.5
"""Training draws at 1, and its entropy bonus leaves every move some chance, of
which tens of draws an episode take many; 0.5 is better at every budget on the training worlds."""


class LearnedPolicy:
    """Plays with one or more subagents and the weights of a training run.

    Moves are drawn, and not the likeliest ones made: agents that cannot tell two states apart would
    else repeat a move that brings nothing.

    Args:
        weights: file that `trainers/third_party/torchrl_mappo.py` wrote.
        name: as tables show it.
        temperature: divides the logits; above 0.

    Raises:
        DataError: the weights belong to another version of the discrete interface.
    """

    def __init__(
        self, weights: Path = WEIGHTS, name: str = "mappo", temperature: float = TEMPERATURE
    ) -> None:
        self.name = name
        self._temperature = temperature
        self._weights = load_weights(weights)

    def begin(self, info: EpisodeInfo) -> _LearnedPlayer:
        """Returns the player of one episode; all it draws follows from `info.seed`.

        Raises:
            ValueError: there are no subagents, or the question is none of a closed world's.
        """
        if info.n_subagents < 1:
            raise ValueError("the learned policy leads subagents, got `n_subagents` 0; give 1 up")
        return _LearnedPlayer(self._weights, self._temperature, info)


class _LearnedPlayer:
    def __init__(self, weights: Weights, temperature: float, info: EpisodeInfo) -> None:
        self._weights = weights
        self._temperature = temperature
        self._seed = info.seed
        self._interface = DiscreteInterface(info.n_subagents, info.limits)
        self._interface.begin_question(info.question, info.n_subagents)
        # One generator for each agent, so that who is asked first does not change what is drawn.
        self._rng: dict[str, np.random.Generator] = {}

    async def decide(self, agent: str, observation: Observation) -> Decision:
        seen = self._interface.observe(agent, observation)
        actor = self._weights.lead if agent == "lead" else self._weights.subagent
        legal = np.flatnonzero(seen["action_mask"])
        logits = actor.logits(seen["observation"])[legal] / self._temperature
        chances = np.exp(logits - logits.max())
        if agent not in self._rng:
            self._rng[agent] = np.random.default_rng([self._seed, *agent.encode()])
        move = self._rng[agent].choice(legal, p=chances / chances.sum())
        return self._interface.decide(agent, int(move))
