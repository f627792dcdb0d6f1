"""Turns a score into named reward terms; the only place where rewards are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wideseek_env.records import Decision, Score, Trajectory


@dataclass(frozen=True, slots=True)
class RewardConfig:
    """Weights of the team's reward; by default it is the item F1 and nothing else."""

    item_f1: float = 1.0
    """Times the item F1, in [0, 1]."""
    parsed: float = 0.0
    """Added when a table (or answer) could be read from what the lead handed in."""
    opened: float = 0.0
    """Added when any agent opened a page."""
    long_turn: float = 0.0
    """Taken off in full when the longest turn has `long_turn_tokens[1]` tokens, in part from
    `long_turn_tokens[0]`."""
    long_turn_tokens: tuple[int, int] = (3_000, 5_000)

    @classmethod
    def paper(cls) -> RewardConfig:
        """Returns the weights that WideSeek-R1 trained with (arXiv 2602.04634)."""
        return cls(item_f1=1.0, parsed=0.1, opened=0.05, long_turn=0.1)


def reward_terms(
    score: Score, trajectories: Sequence[Trajectory], config: RewardConfig
) -> dict[str, float]:
    """Returns the named terms of the team's reward; terms with weight 0 are left out.

    Args:
        score: what the scorer gave; item F1 in [0, 1].
        trajectories: of all agents.
        config: the weights.
    """
    terms = {
        "item_f1": config.item_f1 * score.item_f1,
        "parsed": config.parsed * float(score.parsed),
        "opened": config.opened * float(_any_page_opened(trajectories)),
        "long_turn": -config.long_turn * _excess(trajectories, *config.long_turn_tokens),
    }
    weights = {name: getattr(config, name) for name in terms}
    return {name: value for name, value in terms.items() if weights[name] != 0}


def _any_page_opened(trajectories: Sequence[Trajectory]) -> bool:
    return any(
        result.status == "ok" and result.call is not None and result.call.name == "open"
        for trajectory in trajectories
        for turn in trajectory.turns
        for result in turn.results
    )


def _excess(trajectories: Sequence[Trajectory], low: int, high: int) -> float:
    """Returns how far the longest turn is from `low` to `high` tokens, in [0, 1]."""
    longest = max((_num_tokens(u.decision) for t in trajectories for u in t.turns), default=0)
    return min(max((longest - low) / (high - low), 0.0), 1.0)


def _num_tokens(decision: Decision) -> int:
    if decision.tokens is not None:
        return len(decision.tokens.ids)
    return int(decision.usage.get("new_tokens", 0))  # as `LLMPolicy` counts them
