"""The policies that `python -m benchmarks` can play; adding one is one row of `POLICIES`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agents.learned import LearnedPolicy
from agents.policy import Policy
from agents.scripted import CHEATERS, MakePolicy
from agents.scripted import POLICIES as SCRIPTED
from benchmarks.llm import LLM
from wideseek_env.records import Task


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
    worlds_only: bool = False
    """Whether it reads the questions of closed worlds alone, and so sits out a corpus."""

    def plays(self, width: int) -> bool:
        """Returns whether it plays with this number of subagents."""
        return self.team == "any" or (self.team == "alone") == (width == 0)


def _needs_model(tasks: Iterable[Task]) -> Policy:
    raise ValueError("the policy llm is made by `LLMSettings.opened`")


POLICIES: Mapping[str, Entry] = {
    "solo": Entry(
        SCRIPTED["solo"], "one agent, one page after another", team="alone", sweep_depth=True
    ),
    "fanout": Entry(
        SCRIPTED["fanout"], "the lead splits, subagents read, the lead merges", team="team"
    ),
    "mappo": Entry(
        lambda tasks: LearnedPolicy(),
        "learned with MAPPO on the discrete interface",
        team="team",
        worlds_only=True,
    ),
    LLM: Entry(_needs_model, "a language model: --engine, --model", sweep_depth=True),
    "random": Entry(SCRIPTED["random"], "random valid calls: the floor", reference=True),
    "oracle": Entry(SCRIPTED["oracle"], "answers the gold: the ceiling", reference=True),
    **{
        name: Entry(SCRIPTED[name], "wants reward without the work", reference=True)
        for name in CHEATERS
    },
}
