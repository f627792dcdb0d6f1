"""The steering tool `fold`: an agent replaces all that it has read by a text of its own.

A trajectory is cut into *segments* by its folds. A fold is a turn like every other: it counts as
one, it has a level, and it stays in the record with all that was read before it; so credit for
cells goes by the whole trajectory. What begins anew is the context alone: in the next segment the
agent has its (sub)task and the text that it handed in, and the characters that it may read and
write are counted from these. Calls, turns and folds go on from where they were.

Off by default: `Limits.max_folds` is 0, and there is no such tool.
"""

from __future__ import annotations

from wideseek_env.game.seats import OpenTrajectory
from wideseek_env.records import Limits, ToolCall, ToolResult

HEADING = "Your context was folded. You noted:\n"
"""What the game says before an agent's own text."""


def max_chars_of_fold(limits: Limits) -> int:
    """Returns the most characters that a folded text may have."""
    return min(limits.max_fold_chars, limits.max_context_chars // 2)


def ways_out(trajectory: OpenTrajectory) -> str:
    """Names the calls of use to an agent whose turns or context are used up."""
    ends = "`answer`" if trajectory.role == "lead" else "`report`"
    folds_left = trajectory.segment < trajectory.limits.max_folds
    return f"`fold` or {ends}" if folds_left and trajectory.turns_left > 1 else ends


def why_no_fold(trajectory: OpenTrajectory, call: ToolCall, num_calls: int) -> str | None:
    """Says what is wrong with a well-formed `fold`, for the agent, or gives None.

    Args:
        trajectory: the agent's; its latest turn is the one that folds.
        call: the call.
        num_calls: of this turn.
    """
    limits = trajectory.limits
    if num_calls > 1:
        return "`fold` must be the only call of its turn: what others bring would be lost."
    if trajectory.segment >= limits.max_folds:
        return f"No fold is left: you had {limits.max_folds}."
    if trajectory.turns_left < 1:
        return "Not carried out: there was no turn left to use it."
    most, length = max_chars_of_fold(limits), len(call.arguments["text"])
    if length > most:
        return f"`text` of `fold` may have at most {most} characters, got {length}."
    return None


def fold(trajectory: OpenTrajectory, call: ToolCall) -> ToolResult:
    """Begins the next segment, and gives the agent its own text to go on from."""
    trajectory.begin_segment()
    text = HEADING + str(call.arguments["text"])
    return ToolResult(text, "ok", call, heading_chars=len(HEADING))
