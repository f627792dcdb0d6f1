"""Options of `wideseek train discrete`; reading them needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from wideseek_env.cli.options import (
    AtLeastZero,
    Count,
    Natural,
    OutFolder,
    Positive,
    Seed,
    Share,
    check_values,
    flag,
)


@dataclass(frozen=True, kw_only=True)
class DiscreteOptions:
    """Trains managers on the discrete interface with PPO, as the shipped weights were.

    First each task is played by every fixed order of the moves, and what the best of them chose is
    imitated; then the team plays on and learns by its own item F1. Needs the extra train. A run
    that was stopped goes on with the same command.
    """

    out: OutFolder
    """Folder for weights.safetensors, the log (metrics.jsonl) and the checkpoint."""
    sources: tuple[str, ...] = (
        "worlds:default:0-2",
        "worlds:conflict:0-2",
        "worlds:missing:0-2",
        "worlds:hops:0-2",
        "worlds:hard:0-2",
    )
    """Tasks: presets of closed worlds and whatever else `wideseek benchmark --sources` takes."""
    num_tasks: Count = 48
    """Tasks of each world, or of each other source."""
    budgets: tuple[Count, ...] = (25, 40, 60, 120, 240)
    """`search` and `open` calls of an episode, drawn for each task that is played."""
    widths: tuple[Count, ...] = (1, 2, 4, 8, 16)
    """Subagents, drawn for each task that is played."""
    num_lessons: Natural = 400
    """Tasks that all orders play for imitation; 0 starts from random weights."""
    num_iterations: Count = 200
    """Iterations of play and learning."""
    tasks_per_iteration: Count = 50
    """Tasks drawn in an iteration, each with a source, a budget and a width."""
    group_size: Count = 4
    """Episodes of each of them; what one is worth is told by the others."""
    lr: Positive = 3e-4
    """Of Adam; falls to a twentieth."""
    entropy: AtLeastZero = 0.01
    """Weight of the entropy bonus; falls as the rate does."""
    lam: Share = 0.97
    """Of the generalised advantages over an agent's choices; nothing is discounted."""
    num_epochs: Count = 4
    """Passes over the choices of an iteration."""
    hidden: Count = 128
    """Width of the two hidden layers."""
    num_workers: Natural = 0
    """Processes that play; 0: one for each core."""
    seed: Seed = 0
    """Of networks, draws and moves."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.group_size < 2:
            raise ValueError("--group-size: expected 2 or more, got 1: nothing to compare with")
        for name in ("sources", "budgets", "widths"):
            if not getattr(self, name):
                raise ValueError(f"{flag(name)}: expected at least one, got none")
