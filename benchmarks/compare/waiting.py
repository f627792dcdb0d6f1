"""How long somebody would wait for an episode if language models wrote its turns.

Scripted agents decide in microseconds and closed worlds answer in less, so the wall time of a run
here says nothing of width. `waiting_s` gives every turn the time that `Latency` states and adds up
along the longest chain of turns that wait for one another, as the record has it: a subagent's first
turn waits for the turn that delegated it, the lead's next one for the reports that it shows. Agents
that do not wait for one another take no time from one another: machines are never short.
"""

from __future__ import annotations

from dataclasses import dataclass

from wideseek_env.records import Episode, Turn


@dataclass(frozen=True, slots=True)
class Latency:
    """What things take; the defaults are of a mid-sized model on a server and of a slow web."""

    turn_s: float = 0.5
    """Before a turn's first token."""
    read_chars_per_s: float = 20_000.0
    """About 5,000 tokens a second of what is new in the prompt; after a fold all of it is."""
    written_chars_per_s: float = 160.0
    """About 40 tokens a second."""
    call_s: float = 1.0
    """A search or an open; those of one turn run at the same time."""


def waiting_s(episode: Episode, latency: Latency | None = None) -> float:
    """Adds up the latencies along the longest chain of turns, in seconds.

    Args:
        episode: a whole record.
        latency: of each thing; None: the defaults.
    """
    latency = latency or Latency()
    by_level = sorted(
        (turn.level, index, number)
        for index, trajectory in enumerate(episode.trajectories)
        for number, turn in enumerate(trajectory.turns)
    )
    ends: dict[tuple[int, int], float] = {}
    for _, index, number in by_level:  # whatever a turn waits for has a lower level
        turns = episode.trajectories[index].turns
        begins = max((ends[waited] for waited in _waits_for(episode, index, number)), default=0.0)
        before = turns[number - 1] if number else None
        read = len(episode.trajectories[index].prompt) if before is None or before.folded else 0
        read += sum(len(result.text) for result in before.results) if before else 0
        ends[index, number] = begins + _takes(turns[number], read, latency)
    return max(ends.values(), default=0.0)


def _waits_for(episode: Episode, index: int, number: int) -> list[tuple[int, int]]:
    """Returns the turns, as (trajectory, turn), that had to be over before one began."""
    trajectory = episode.trajectories[index]
    if number == 0:
        by = trajectory.parent, trajectory.parent_turn
        return [(by[0], by[1])] if by[0] is not None and by[1] is not None else []
    reported = (result.trajectory for result in trajectory.turns[number - 1].results)
    others = [(k, len(episode.trajectories[k].turns) - 1) for k in reported if k is not None]
    return [(index, number - 1), *(each for each in others if each[1] >= 0)]


def _takes(turn: Turn, num_read: int, latency: Latency) -> float:
    asks = any(r.call and r.call.informs and r.status in ("ok", "failed") for r in turn.results)
    return (
        latency.turn_s
        + num_read / latency.read_chars_per_s
        + turn.decision.num_chars / latency.written_chars_per_s
        + latency.call_s * asks
    )
