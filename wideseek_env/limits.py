"""The budgets of an episode; the defaults are the paper's (WideSeek-R1, arXiv 2602.04634)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """What an episode may use. Every limit has a defined end: the agent is told, nothing raises."""

    max_lead_turns: int = 10
    """Decisions of the lead; after the last without an answer the episode is truncated."""
    max_subagent_turns: int = 20
    """Decisions of a subagent on one subtask; after the last without a report it has failed."""
    max_calls_per_turn: int = 5
    """Tool calls that run in one turn; the rest are refused."""
    max_tool_calls: int | None = None
    """`search` and `open` calls of all agents together; None is no bound. For equal budgets."""
    top_k: int = 3
    """Search results for each query."""
    max_snippet_chars: int = 300
    """Length of a search result's snippet; 0 shows titles and URLs alone."""
    max_context_chars: int = 120_000
    """Characters that one agent may read and write on one (sub)task, about 32k tokens; what does
    not fit is cut, and the agent is told to report or answer."""
    tool_timeout_s: float = 30.0
    """Deadline of one `search` or `open`."""
    episode_timeout_s: float | None = None
    """Wall time of the episode; None is no bound, as it makes results depend on the machine. In
    `env.step` the time is looked at when a turn ends; the rollout driver stops in mid-turn."""
    wait_for: int | Literal["all"] = "all"
    """Reports the lead waits for after it delegated: "all", or a number (0: it goes on at once)."""
    lead_tools: bool = False
    """Whether the lead may search and open by itself; always so without subagents."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            _check(limit.name, getattr(self, limit.name))


_AT_LEAST_ZERO = {"max_snippet_chars", "max_tool_calls", "wait_for"}


def _check(name: str, value: object) -> None:
    if name == "lead_tools":
        if not isinstance(value, bool):
            raise TypeError(f"`lead_tools` must be True or False, got {value!r}")
        return
    if name == "wait_for" and value == "all":
        return
    if value is None and name in ("max_tool_calls", "episode_timeout_s"):
        return
    number = (int, float) if name.endswith("_s") else (int,)
    lowest = 0 if name in _AT_LEAST_ZERO else 1
    if isinstance(value, bool) or not isinstance(value, number):
        other = " or 'all'" if name == "wait_for" else ""
        raise TypeError(f"`{name}` must be a number{other}, got {value!r}")
    if name.endswith("_s") and value <= 0:
        raise ValueError(f"`{name}` must be more than 0 seconds, got {value!r}")
    if not name.endswith("_s") and value < lowest:
        raise ValueError(f"`{name}` must be at least {lowest}, got {value!r}")
