"""The policies that `python -m benchmarks` can play; adding one is one row of `POLICIES`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agents.scripted import CHEATERS, MakePolicy
from agents.scripted import POLICIES as SCRIPTED


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy of the table."""

    make: MakePolicy
    """Gets all tasks that the policy will be asked to play; only `oracle` may look at them."""
    usage: str
    """What it does, for `--list`."""
    team: Literal["alone", "team", "any"] = "any"
    """Whether it plays at width 0, at widths from 1, or at all."""
    reference: bool = False
    """Marks an end of the scale; drawn in grey."""
    sweep_depth: bool = False
    """Whether the depth sweep plays it, as a single agent."""
    max_concurrent: int = 1
    """Episodes at once in one process; more helps where a policy waits, as for an engine."""

    def plays(self, width: int) -> bool:
        """Returns whether it plays with this number of subagents."""
        return self.team == "any" or (self.team == "alone") == (width == 0)


POLICIES: Mapping[str, Entry] = {
    "solo": Entry(
        SCRIPTED["solo"], "one agent, one page after another", team="alone", sweep_depth=True
    ),
    "fanout": Entry(
        SCRIPTED["fanout"], "the lead splits, subagents read, the lead merges", team="team"
    ),
    "random": Entry(SCRIPTED["random"], "random valid calls: the floor", reference=True),
    "oracle": Entry(SCRIPTED["oracle"], "answers the gold: the ceiling", reference=True),
    **{
        name: Entry(SCRIPTED[name], "wants reward without the work", reference=True)
        for name in CHEATERS
    },
}
