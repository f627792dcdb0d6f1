"""What an episode hands to a trainer that is not ours: its rows, and what each of them counts.

The contract, which any engine of rows can be fed with (this module imports none of them):

- a row is one trajectory as the tokens that were sampled and shown, never encoded again;
- the rows of an episode stand together, the lead's last; every row has the episode's id;
- the reward is the episode's and stands on the lead's row; None means that the episode could not be
  scored, which is not a reward of 0;
- `mask` is True on the tokens that train; turns that do not train are sampled tokens outside of it;
- episodes of one group played the same task and are compared with each other.

`credit` turns the rows of a batch into one advantage and one weight for each row, so that an engine
that averages over rows follows the objective of `trainers/grpo.py`.

Shape letters: E episodes, B rows of a batch, L tokens of one row, T tokens of the longest.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainers.advantages import (
    Aggregation,
    Floats,
    Ints,
    gae,
    group_advantages,
    has_signal,
    provenance_advantages,
    sequence_weights,
)
from trainers.batch import rows_of, shares_of
from wideseek_env.records import Episode, Limits, Role

Baseline: TypeAlias = Literal["mean-std", "mean", "leave-one-out"]


@dataclass(frozen=True, slots=True)
class TeamRow:
    """One trajectory of an episode."""

    episode: str
    """Id of the episode; the same on all of its rows and on no other's."""
    group: str
    """The prompt; episodes of one group are compared."""
    agent: str
    role: Role
    ids: list[int]
    """(L,) tokens in order, shown and sampled; empty for a lead that could not take a turn."""
    mask: list[bool]
    """(L,) whether the token trains; the first one never does, as nothing comes before it."""
    logprobs: list[float]
    """(L,) the sampler's; 0.0 where a token was shown, or the engine gave none."""
    reward: float | None = None
    """The episode's, on the lead's row; None there: it could not be scored."""
    share: float = 0.0
    """Part of the gold table that this trajectory read and the answer got right."""

    @property
    def num_trained(self) -> int:
        """Tokens that train."""
        return sum(self.mask)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Begin and end of each run of tokens that train."""
        found, start = [], 0
        for trains, run in itertools.groupby(self.mask):
            end = start + len(list(run))
            if trains:
                found.append((start, end))
            start = end
        return found


def refuse_folds(limits: Limits) -> None:
    """Looks before a run whether its agents may fold, which these rows cannot hold.

    Raises:
        ValueError: they may.
    """
    if limits.max_folds:
        raise ValueError(
            "an agent is one row here and the lead's carries the reward, but one that folds has a "
            "row for each segment: set `max_folds` to 0, or train with `wideseek train grpo`"
        )


def team_rows(episode: Episode, *, episode_id: str, group: str) -> list[TeamRow]:
    """Returns the rows of an episode, the lead's last; trajectories without tokens have none.

    The lead has a row in any case, as the reward stands on it.

    Args:
        episode: as a policy with an engine played it.
        episode_id: differs from that of every other episode of the batch.
        group: what the episode is compared within.

    Raises:
        ValueError: an agent has folded its context.
    """
    if episode.num_folds:
        refuse_folds(episode.limits)
    share = shares_of(episode)
    has_tokens = any(u.decision.tokens for t in episode.trajectories for u in t.turns)
    rows = [
        TeamRow(
            episode=episode_id,
            group=group,
            agent=episode.trajectories[row.trajectory].agent,
            role=row.role,
            ids=row.ids.tolist(),
            mask=row.trains.tolist(),
            logprobs=np.nan_to_num(row.logprobs).tolist(),
            reward=episode.reward if row.role == "lead" and episode.valid else None,
            share=float(share[row.trajectory]),
        )
        for row in (rows_of([episode]) if has_tokens else ())
    ]
    lead = [row for row in rows if row.role == "lead"] or [
        TeamRow(
            episode_id, group, "lead", "lead", [], [], [], episode.reward if episode.valid else None
        )
    ]
    return [row for row in rows if row.role != "lead"] + lead


def episodes_of(rows: Sequence[TeamRow]) -> list[list[TeamRow]]:
    """Returns the rows of each episode.

    Raises:
        ValueError: the rows break the contract; the message says where.
    """
    episodes = [list(part) for _, part in itertools.groupby(rows, key=lambda row: row.episode)]
    names = [part[0].episode for part in episodes]
    twice = {name for name in names if names.count(name) > 1} if len({*names}) < len(names) else ()
    if twice:
        raise ValueError(f"the rows of an episode must stand together, {min(twice)!r} is in pieces")
    for part in episodes:
        roles = [row.role for row in part]
        if roles[-1] != "lead" or roles.count("lead") != 1:
            raise ValueError(
                f"episode {part[0].episode!r}: expected one lead, last of its rows, got {roles}"
            )
        if any(row.reward is not None for row in part[:-1]):
            raise ValueError(
                f"episode {part[0].episode!r}: the reward belongs on the lead's row alone"
            )
    return episodes


@dataclass(frozen=True, slots=True)
class Credit:
    """What each row of a batch counts."""

    advantages: Floats
    """(B,) of every trained token of the row."""
    rewards: Floats
    """(B,) the episode's; NaN where it could not be scored."""
    weights: Floats
    """(B,) of the row's mean over its tokens in the loss; they add up to 1, or to 0."""
    trains: NDArray[np.bool_]
    """(B,) whether the row counts at all; the weights of the others are 0."""
    episodes: Ints
    """(B,) number of the row's episode in the batch."""
    groups: Ints
    """(B,) number of its group."""
    num_groups: int
    num_silent: int
    """Groups without signal: all rewards equal, or one episode left."""


def credit(
    rows: Sequence[TeamRow],
    *,
    baseline: Baseline | None = "mean-std",
    aggregation: Aggregation = "agent-mean",
    provenance: float = 0.0,
) -> Credit:
    """Returns advantage and weight of each row of a batch.

    Left out are episodes without a score, groups without signal (as in `trainers/grpo.py`), and
    rows of which no token trains; they count nowhere.

    Args:
        rows: B rows of whole episodes, as `team_rows` gives them.
        baseline: what an episode's reward is compared with; None: nothing (a critic does it), the
            advantage is the reward itself and every scored group has signal.
        aggregation: how tokens are averaged, see `trainers.advantages.sequence_weights`.
        provenance: part of a subagent's advantage that comes from the cells that it supplied.
    """
    episodes = episodes_of(rows)
    episode = np.repeat(np.arange(len(episodes)), [len(part) for part in episodes])
    numbers = {name: i for i, name in enumerate(dict.fromkeys(row.group for row in rows))}
    group = np.array([numbers[part[-1].group] for part in episodes], dtype=np.int64)
    reward = np.array([np.nan if (r := p[-1].reward) is None else r for p in episodes])
    by_episode, signal = _compared(reward, group, baseline)
    advantages, groups, speaks = by_episode[episode], group[episode], signal[episode]
    if provenance and speaks.any():
        share = np.array([row.share for row in rows])[speaks]
        subagent = np.array([row.role == "subagent" for row in rows])[speaks]
        advantages[speaks] = provenance_advantages(
            advantages[speaks], share, groups[speaks], subagent, provenance
        )
    tokens: Ints = np.array([row.num_trained for row in rows], dtype=np.int64)
    trains = speaks & (tokens > 0)
    weights = np.zeros(len(rows))
    weights[trains] = tokens[trains] * sequence_weights(
        tokens[trains], episode[trains], aggregation
    )
    num_groups = len(set(group[~np.isnan(reward)]))
    return Credit(
        advantages=np.where(trains, advantages, 0.0),
        rewards=reward[episode],
        weights=weights,
        trains=trains,
        episodes=episode,
        groups=groups,
        num_groups=num_groups,
        num_silent=num_groups - len(set(group[signal])),
    )


def _compared(
    reward: Floats, group: Ints, baseline: Baseline | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the advantage of each episode and whether its group has signal, (E,) each."""
    valid = ~np.isnan(reward)
    if baseline is None:
        return reward, valid
    advantages = np.zeros(len(reward))
    advantages[valid] = group_advantages(reward[valid], group[valid], baseline)
    loud = [g for g in np.unique(group[valid]) if has_signal(reward[valid & (group == g)])]
    return advantages, valid & np.isin(group, loud)


def token_gae(
    rewards: Floats, values: Floats, mask: NDArray[np.bool_], gamma: float, lam: float
) -> tuple[Floats, Floats]:
    """Returns advantages and returns of the tokens that train, 0 elsewhere, (B, T) each.

    A step is a token that trains: what an agent was shown in between is no step, so it neither
    discounts nor has a value. OpenRLHF's own estimate steps through shown tokens as if they had the
    value 0, which is right for one turn, and for several only where gamma and lambda are 1.

    Args:
        rewards: (B, T), the episode's after the last token that trains.
        values: (B, T) before each token.
        mask: (B, T) whether the token trains.
        gamma: discount of one token.
        lam: 0 trusts the values, 1 the rewards.
    """
    advantages, returns = np.zeros(values.shape), np.zeros(values.shape)
    for row, steps in enumerate(mask):
        advantages[row, steps], returns[row, steps] = gae(
            rewards[row, steps], values[row, steps], 0.0, gamma, lam
        )
    return advantages, returns
