"""What the limits of an episode may be, and what they are for a role.

`records.Limits` asks about each of its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wideseek_env.records import Limits, Role

_AT_LEAST_ZERO = {"max_snippet_chars", "max_tool_calls", "max_folds", "wait_for"}
_MAY_BE_NONE = {"max_tool_calls", "episode_timeout_s"}


def check_limit(name: str, value: object) -> None:
    """Checks one limit.

    Raises:
        TypeError: it is of another type than expected.
        ValueError: it is out of range.
    """
    if name == "tools":
        if not (isinstance(value, tuple) and all(isinstance(tool, str) for tool in value)):
            raise TypeError(f"`tools` must be a tuple of names, got {value!r}")
        return
    if name == "lead_tools":
        if not isinstance(value, bool):
            raise TypeError(f"`lead_tools` must be True or False, got {value!r}")
        return
    if (name == "wait_for" and value == "all") or (value is None and name in _MAY_BE_NONE):
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


def max_turns(limits: Limits, role: Role) -> int:
    """Returns how many decisions an agent of this role has on one (sub)task."""
    return limits.max_lead_turns if role == "lead" else limits.max_subagent_turns


def may_seek(limits: Limits, role: Role, n_subagents: int) -> bool:
    """Tells whether an agent of this role has tools for information."""
    return role == "subagent" or n_subagents == 0 or limits.lead_tools
