"""Turns rewards into advantages; pure functions on numpy arrays in float64, called by the trainers.

The team's reward belongs to an episode, so the baseline is over the episodes of one task and never
over trajectories: an episode with nine subagents counts once, like one with none.

Shape letters: E episodes, N trajectories of one episode, B trajectories of a batch, T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from wideseek_env.plugins import resolve

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

NO_SIGNAL = 1e-6
"""Rewards of a group that differ by no more than this are equal, rounding apart."""


def group_advantages(rewards: Floats, groups: Ints, baseline: str = "mean-std") -> Floats:
    """Returns the advantage of each episode over the others of its task, (E,).

    A group whose rewards are all equal, or of one episode, has advantage 0: it says nothing.

    Args:
        rewards: (E,) reward of each episode; episodes that could not be scored are left out before.
        groups: (E,) which task each episode played; need not be sorted or of equal size.
        baseline: one of `BASELINES`, or the Python path of a function like theirs.

    Raises:
        ValueError: the baseline is unknown, the shapes differ, or a reward is not finite.

    Source: WideSeek-R1 (arXiv 2602.04634), section 3, with the sample standard deviation (G - 1)
        as its code has it; leave-one-out is RLOO (arXiv 2402.14740).

    Example:
        >>> group_advantages(np.array([1.0, 0.0, 5.0, 5.0]), np.array([0, 0, 1, 1]), "mean")
        array([ 0.5, -0.5,  0. ,  0. ])
    """
    of_group = resolve("advantages", baseline, BASELINES)
    if rewards.shape != groups.shape or rewards.ndim != 1:
        raise ValueError(
            f"`rewards` and `groups` must be of one shape (E,), got {rewards.shape} and "
            f"{groups.shape}"
        )
    if not np.isfinite(rewards).all():
        raise ValueError("`rewards` must be finite; leave out the episodes without a score")
    advantages = np.zeros(rewards.shape)
    for group in np.unique(groups):
        members = groups == group
        if has_signal(rewards[members]):
            advantages[members] = of_group(rewards[members].astype(np.float64))
    return advantages


def has_signal(rewards: Floats) -> bool:
    """Returns whether the rewards of one group, (G,), differ by more than rounding."""
    return len(rewards) > 1 and bool(np.ptp(rewards) > NO_SIGNAL)


def _mean_std(rewards: Floats) -> Floats:
    centred = _mean(rewards)
    centred /= rewards.std(ddof=1)
    return centred


def _mean(rewards: Floats) -> Floats:
    centred: Floats = rewards - rewards.mean()
    return centred


def _leave_one_out(rewards: Floats) -> Floats:
    others = (rewards.sum() - rewards) / (len(rewards) - 1)
    centred: Floats = rewards - others
    return centred


BASELINES: dict[str, Callable[[Floats], Floats]] = {
    "mean-std": _mean_std,
    "mean": _mean,
    "leave-one-out": _leave_one_out,
}
"""Name to function: rewards of one group with signal, (G,), G >= 2, to its advantages."""


def gae(
    rewards: Floats, values: Floats, last_value: float, gamma: float, lam: float
) -> tuple[Floats, Floats]:
    """Returns generalised advantages and returns (what the value head learns) of one trajectory.

    A step is one token or one turn, as the caller likes; observations are no steps.

    Args:
        rewards: (T,) after each step.
        values: (T,) estimate before each step.
        last_value: estimate of what comes after the last step; 0 when the trajectory terminated.
        gamma: discount of one step, in [0, 1].
        lam: 0 trusts the values, 1 the rewards.

    Source: Schulman et al. (arXiv 1506.02438), equation 16.

    Example:
        >>> gae(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 0.0, 1.0, 1.0)
        (array([0.5, 0.5]), array([1., 1.]))
    """
    advantages = np.zeros(len(rewards))
    advantage, next_value = 0.0, last_value
    for step in range(len(rewards) - 1, -1, -1):
        delta = rewards[step] + gamma * next_value - values[step]
        advantage = delta + gamma * lam * advantage
        advantages[step], next_value = advantage, values[step]
    return advantages, advantages + values


def sequence_weights(
    num_tokens: Ints, episodes: Ints, aggregation: str, agents: Ints | None = None
) -> Floats:
    """Returns the weight of each of a row's tokens in the loss, (B,).

    The loss of a batch is the sum over its tokens of weight times loss; all weights sum to 1, so
    it does not matter how the rows are spread over micro-batches. Trajectories without a token that
    trains weigh nothing and are counted nowhere.

    Args:
        num_tokens: (B,) tokens of each row that train.
        episodes: (B,) the episode that each row belongs to.
        aggregation: `agent-mean`: over episodes, over an episode's agents, over an agent's tokens
            (the paper's); `sequence-mean`: over trajectories, over a trajectory's tokens;
            `token-mean`: over all tokens.
        agents: (B,) the trajectory that each row is a segment of, by a number of its own: a mean
            over a trajectory's tokens goes over all of its segments. None: each row is a whole one.

    Source: WideSeek-R1 (arXiv 2602.04634), objective; an agent is one trajectory (one subtask).

    Example:
        >>> sequence_weights(np.array([2, 1, 4]), np.array([0, 0, 1]), "agent-mean")
        array([0.125, 0.25 , 0.125])
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(
            f"`aggregation` must be one of {', '.join(AGGREGATIONS)}, got {aggregation!r}"
        )
    if agents is not None:
        _, first, of_agent = np.unique(agents, return_index=True, return_inverse=True)
        whole = np.bincount(of_agent, num_tokens).astype(np.int64)
        weights = sequence_weights(whole, episodes[first], aggregation)[of_agent]
        return np.where(num_tokens > 0, weights, 0.0)
    trains = num_tokens > 0
    weights = np.zeros(len(num_tokens))
    if not trains.any():
        return weights
    tokens = num_tokens[trains].astype(np.float64)
    if aggregation == "token-mean":
        weights[trains] = 1 / tokens.sum()
    elif aggregation == "sequence-mean":
        weights[trains] = 1 / (len(tokens) * tokens)
    else:
        _, episode, num_agents = np.unique(
            episodes[trains], return_inverse=True, return_counts=True
        )
        weights[trains] = 1 / (len(num_agents) * num_agents[episode] * tokens)
    return weights


Aggregation: TypeAlias = Literal["agent-mean", "sequence-mean", "token-mean"]
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)


def cell_shares(readers: Sequence[Sequence[int]], num_trajectories: int, num_cells: int) -> Floats:
    """Returns the part of the gold table that each trajectory supplied, (N,), each in [0, 1].

    Every correct cell is split evenly over the trajectories that read a source of it: the Shapley
    value of the game in which a cell counts as soon as one of the players has read it.

    Args:
        readers: for each correct cell the trajectories that read it; a cell may have none.
        num_trajectories: N of the episode.
        num_cells: cells of the gold table, at least 1.

    Example:
        >>> cell_shares([[1], [1, 2], []], num_trajectories=3, num_cells=4)
        array([0.   , 0.375, 0.125])
    """
    shares = np.zeros(num_trajectories)
    for cell in readers:
        for trajectory in cell:
            shares[trajectory] += 1 / (len(cell) * num_cells)
    return shares


def provenance_advantages(
    shared: Floats, shares: Floats, groups: Ints, subagent: NDArray[Any], weight: float
) -> Floats:
    """Returns advantages in which a subagent also answers for the cells that it supplied, (B,).

    A subagent's share is compared with those of all subagents on the same task, in units of their
    standard deviation; the lead keeps the shared advantage, because how many subagents there are
    and what they are asked is its doing, not theirs.

    Args:
        shared: (B,) the episode's advantage, for each trajectory (not for each segment of one).
        shares: (B,) from `cell_shares`.
        groups: (B,) which task each trajectory belongs to.
        subagent: (B,) bool, whether the trajectory is a subagent's.
        weight: 0 is the shared advantage, 1 leaves subagents their own share alone.
    """
    mixed = shared.astype(np.float64)
    own = group_advantages(shares[subagent], groups[subagent], "mean-std")
    mixed[subagent] = (1 - weight) * shared[subagent] + weight * own
    return mixed
