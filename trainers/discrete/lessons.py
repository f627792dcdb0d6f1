"""The first lesson: what the best fixed order of the moves does on each task.

No order is the best everywhere: with few calls it pays to read little, with many to check all. So
each task is played by all of them, and the choices of those that did best are imitated. Where two
did equally well both are right, and the student keeps both in mind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.learned.orders import ORDERS
from trainers.discrete.networks import ROLES, Networks
from trainers.discrete.play import Choices, Crew, Draw, Played
from wideseek_env.game.episode import role_of
from wideseek_env.plugins import late

torch = late("torch", "train")

_AS_GOOD = 0.01
"""Item F1 within which two orders did equally well."""
_SMOOTHING = 0.02
"""Chance that is kept for the moves that no order made: they may be better."""
_EPOCHS, _BATCH, _LR = 12, 256, 1e-3


def teach(networks: Networks, crew: Crew, draws: Sequence[Draw]) -> dict[str, float]:
    """Lets the actors imitate the best order of each task.

    Returns:
        The mean item F1 of each order, and `best`: of the best one for each task.
    """
    played = {order: crew.play(order, draws) for order in ORDERS}
    lessons = best_of(list(played.values()))
    rng = torch.Generator().manual_seed(networks.options.seed)
    for role in ROLES:
        choices = [
            (choices, weight)
            for episode, weight in lessons
            for agent, choices in episode.choices.items()
            if role_of(agent) == role
        ]
        if choices:
            _imitate(networks, role, choices, rng)
    means = {order: _mean(episodes) for order, episodes in played.items()}
    best = sum((e.item_f1 or 0.0) * weight for e, weight in lessons) / len(draws)
    return {**means, "best": best}


def best_of(played: Sequence[Sequence[Played]]) -> list[tuple[Played, float]]:
    """Picks, of each task, the episodes that did best, with weights that sum to 1.

    A task on which all had 0 teaches nothing.

    Args:
        played: by order, the same tasks.
    """
    lessons = []
    for episodes in zip(*played, strict=True):
        scores = [-1.0 if e.item_f1 is None else e.item_f1 for e in episodes]
        best = [e for e, f1 in zip(episodes, scores, strict=True) if f1 > max(scores) - _AS_GOOD]
        if max(scores) > 0:
            lessons += [(episode, 1 / len(best)) for episode in best]
    return lessons


def _imitate(
    networks: Networks, role: str, choices: Sequence[tuple[Choices, float]], rng: torch.Generator
) -> None:
    """Makes the actor's cross entropy on weighted choices small."""
    features, masks, moves = (
        torch.from_numpy(np.concatenate([getattr(c, name) for c, _ in choices]))
        for name in ("features", "masks", "moves")
    )
    weights = torch.tensor([weight for c, weight in choices for _ in c.moves])
    adam = torch.optim.Adam(networks.actors[role].parameters(), lr=_LR)
    for _ in range(_EPOCHS):
        for some in torch.randperm(len(moves), generator=rng).split(_BATCH):
            logprobs = networks.logprobs(role, features[some], masks[some])
            chosen = logprobs.gather(1, moves[some, None]).squeeze(1)
            legal = masks[some].float()
            evenly = logprobs.masked_fill(~masks[some], 0).sum(1) / legal.sum(1)
            loss = -((1 - _SMOOTHING) * chosen + _SMOOTHING * evenly) * weights[some]
            adam.zero_grad()
            (loss.sum() / weights[some].sum()).backward()
            adam.step()


def _mean(episodes: Sequence[Played]) -> float:
    return float(np.mean([e.item_f1 for e in episodes if e.item_f1 is not None]))
