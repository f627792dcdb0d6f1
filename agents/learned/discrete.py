"""A policy of one's own over the discrete interface: one function that chooses among legal moves.

    from agents.learned import DiscretePolicy

    policy = DiscretePolicy(lambda agent, seen, rng: rng.choice(seen["action_mask"].nonzero()[0]))

Written into `mine.py`, it stands in the table with `wideseek benchmark --policies fanout,mine:policy`.
"""  # noqa: E501 - a command is one line

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agents.policy import EpisodeInfo
from wideseek_env.discrete.interface import DiscreteInterface
from wideseek_env.game.episode import role_of
from wideseek_env.records import Decision, Observation
from wideseek_env.worlds import PRESETS

Act: TypeAlias = Callable[[str, dict[str, NDArray[Any]], np.random.Generator], Any]
"""(agent, what it sees, generator) to the number of a move. The agent is `lead` or `subagent_3`;
it sees `observation` float32 (D,) and `action_mask` int8 (K,), as in the environment; what is
drawn comes from the generator, so that an episode can be played again."""


class DiscretePolicy:
    """Plays closed worlds with one or more subagents, by the moves of the discrete interface.

    An illegal move is a turn in which nothing is done, as in the environment.

    Args:
        act: chooses; called for one agent at a time.
        name: as tables show it.
    """

    team: Literal["alone", "team", "any"] = "team"
    """Benchmarks leave out what it cannot play: width 0,"""
    presets = tuple(PRESETS)
    """and questions of others than closed worlds."""

    def __init__(self, act: Act, name: str = "own") -> None:
        self.name = name
        self.act = act

    def begin(self, info: EpisodeInfo) -> _Player:
        """Gives the player of one episode; all it draws follows from `info.seed`.

        Raises:
            ValueError: there are no subagents, or the question is none of a closed world's.
        """
        if info.n_subagents < 1:
            raise ValueError(
                f"the moves of {self.name} are a lead's, who has subagents; got `n_subagents` 0, "
                "give 1 up"
            )
        return _Player(self.act, info)


class _Player:
    def __init__(self, act: Act, info: EpisodeInfo) -> None:
        self._act = act
        self._seed = info.seed
        self._interface = DiscreteInterface(info.n_subagents, info.limits)
        self._interface.begin_question(info.question, info.n_subagents)
        # One generator for each agent, so that who is asked first does not change what is drawn.
        self._rng: dict[str, np.random.Generator] = {}

    async def decide(self, agent: str, observation: Observation) -> Decision:
        seen = self._interface.observe(agent, observation)
        if agent not in self._rng:
            self._rng[agent] = np.random.default_rng([self._seed, *agent.encode()])
        return self._interface.decide(agent, self._act(agent, seen, self._rng[agent]))


def draw(
    logits: NDArray[Any], mask: NDArray[Any], rng: np.random.Generator, temperature: float = 1.0
) -> int:
    """Draws a legal move.

    Args:
        logits: of all moves (K,).
        mask: of legal moves (K,).
        rng: of the agent.
        temperature: divides the logits; 0 takes the likeliest legal move.
    """
    legal = np.flatnonzero(mask)
    among = np.asarray(logits, np.float64)[legal]
    if temperature == 0:
        return int(legal[among.argmax()])
    odds = np.exp((among - among.max()) / temperature)
    return int(rng.choice(legal, p=odds / odds.sum()))


def torch_actor(lead: Any, subagent: Any, temperature: float = 1.0) -> Act:
    """Lets two torch modules choose: features (1, D) to logits (1, K), one module for each role.

        policy = DiscretePolicy(torch_actor(lead_net, subagent_net), "mine")

    Args:
        lead: of the lead's moves.
        subagent: of the subagents' moves.
        temperature: of `draw`.
    """
    import torch  # noqa: PLC0415 - who has a torch module has torch

    nets: Mapping[str, Any] = {"lead": lead.eval(), "subagent": subagent.eval()}

    def act(agent: str, seen: dict[str, NDArray[Any]], rng: np.random.Generator) -> int:
        net = nets[role_of(agent)]
        device = next((weight.device for weight in net.parameters()), None)
        features = torch.as_tensor(seen["observation"], device=device)
        with torch.inference_mode():
            logits = net(features.unsqueeze(0)).squeeze(0).float().cpu().numpy()
        return draw(logits, seen["action_mask"], rng, temperature)

    return act
