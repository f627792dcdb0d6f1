"""Scripts: what one agent does on one (sub)task, written as a generator that is read top-down.

A script yields the calls of one turn and gets the next observation back. `ScriptPlayer` keeps one
running script for each agent; all scripted policies but `random` are a pair of scripts, one for the
lead and one for the subagents.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias

from agents.policy import EpisodeInfo
from wideseek_env.game.episode import role_of
from wideseek_env.game.limits import may_seek
from wideseek_env.records import Decision, Observation, Role, ToolCall, ToolResult

Calls: TypeAlias = tuple[ToolCall, ...]
Script: TypeAlias = Generator[Calls, Observation, None]
"""Yields the calls of a turn, is sent the observation that follows; ends by answering."""
StartScript: TypeAlias = Callable[[EpisodeInfo, Observation], Script]
"""Begins a script, given the first observation of the (sub)task."""


class ScriptPlayer:
    """Plays one episode: the lead by one script, each subtask by another.

    Args:
        info: the episode.
        lead: the lead's script.
        subagent: the script of a subagent, begun anew for every subtask.
    """

    def __init__(self, info: EpisodeInfo, lead: StartScript, subagent: StartScript) -> None:
        self._info = info
        self._start: dict[Role, StartScript] = {"lead": lead, "subagent": subagent}
        self._running: dict[str, Script] = {}

    async def decide(self, agent: str, observation: Observation) -> Decision:
        """Returns the next calls of the agent's script; none once the script is over."""
        try:
            if observation.turn == 0:
                self._running[agent] = self._start[role_of(agent)](self._info, observation)
                return Decision(next(self._running[agent]))
            return Decision(self._running[agent].send(observation))
        except StopIteration:
            return Decision()


def search(query: str) -> ToolCall:
    """Returns a `search` call."""
    return ToolCall("search", {"query": query})


def open_page(url: str, part: int = 1) -> ToolCall:
    """Returns an `open` call; `part` is left out when it is the first."""
    return ToolCall("open", {"url": url} if part == 1 else {"url": url, "part": part})


def report(text: str) -> Calls:
    """Returns the turn that ends a subtask."""
    return (ToolCall("report", {"text": text or "Nothing found."}),)


def answer(text: str) -> Calls:
    """Returns the turn that ends the episode."""
    return (ToolCall("answer", {"text": text or "No answer."}),)


def delegate(subtasks: list[str]) -> Calls:
    """Returns the turn that hands out subtasks."""
    return (ToolCall("delegate", {"subtasks": subtasks}),)


def reports_in(observation: Observation) -> list[ToolResult]:
    """Returns the reports that the lead is shown; of a subtask that brought none, an empty one."""
    return [result for result in observation.results if result.trajectory is not None]


def has_tools(info: EpisodeInfo) -> bool:
    """Returns whether the lead may search and open by itself."""
    return may_seek(info.limits, "lead", info.n_subagents)
