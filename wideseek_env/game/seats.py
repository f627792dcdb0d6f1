"""What the game keeps for each agent while it plays: its seat, and the trajectory it is on.

Mutable and private to `episode.py`; `OpenTrajectory.snapshot` gives the frozen record.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from operator import attrgetter

from wideseek_env.game.limits import max_turns
from wideseek_env.game.tools import shorten
from wideseek_env.records import (
    Decision,
    Limits,
    Observation,
    Role,
    ToolResult,
    Trajectory,
    TrajectoryEnd,
    Turn,
)


@dataclass(slots=True)
class OpenTrajectory:
    """One agent's work on one (sub)task, as far as it has come."""

    index: int
    """Position in the episode's trajectories."""
    agent: str
    role: Role
    prompt: str
    calls_left: int | None
    """`search` and `open` calls that this trajectory may still make; None is no bound."""
    limits: Limits
    """Of the episode."""
    delegated_by: tuple[int, int] | None = None
    """The trajectory that delegated this one, and in which of its turns; None: nobody."""
    turns: list[Turn] = field(default_factory=list)
    end: TrajectoryEnd = "running"
    last_shown: bool = False
    """Whether the agent has been shown the observation of its last turn."""
    segment: int = 0
    """Folds so far."""
    segment_begins: int = 0
    """First turn since the latest of them."""
    context_left: int = field(init=False)
    """Characters that it may still read and write in this segment."""

    def __post_init__(self) -> None:
        self.context_left = self.limits.max_context_chars - len(self.prompt)

    @property
    def turns_left(self) -> int:
        """Decisions that it may still make; in mid-turn after this one."""
        return max_turns(self.limits, self.role) - len(self.turns)

    def begin_turn(self, decision: Decision, seen_s: float, now_s: float, level: int) -> None:
        """Records a decision the moment that it is made; its results come later."""
        self.turns.append(Turn(decision, (), seen_s, now_s, now_s, level))
        self.context_left -= decision.num_chars

    def begin_segment(self) -> None:
        """Empties the context but for the (sub)task; the record keeps the turns."""
        self.segment += 1
        self.segment_begins = len(self.turns)
        self.context_left = self.limits.max_context_chars - len(self.prompt)
        self.last_shown = False

    def add_results(self, results: list[ToolResult], now_s: float) -> None:
        """Adds what the latest decision brought, cut to what the context still holds."""
        turn = self.turns[-1]
        fitted = [self._fit(result) for result in results]
        self.turns[-1] = replace(turn, results=(*turn.results, *fitted), ended_s=now_s)

    def observation(self, turns_left: int) -> Observation:
        """Shows the agent its (sub)task, or what its latest turn brought."""
        if not self.turns:
            return Observation(self.prompt, 0, turns_left)
        results = self.turns[-1].results
        texts = [result.text for result in results]
        if self.segment and self.segment_begins == len(self.turns):
            texts.insert(0, self.prompt)
        return Observation("\n\n".join(texts), len(self.turns), turns_left, results, self.segment)

    def snapshot(self) -> Trajectory:
        """Returns the record, as far as it has come."""
        parent, parent_turn = self.delegated_by or (None, None)
        return Trajectory(
            agent=self.agent,
            role=self.role,
            prompt=self.prompt,
            turns=tuple(self.turns),
            end=self.end,
            parent=parent,
            parent_turn=parent_turn,
        )

    def word_to_lead(self, report: str | None) -> ToolResult:
        """Returns the report as the lead is shown it; None: word that there is none."""
        subtask = shorten(self.prompt)
        if report is None:
            spent = self.end.replace("_", " ")
            text = f"{self.agent} used up its {spent} on: {subtask}"
            return ToolResult(text, "failed", trajectory=self.index, heading_chars=len(text))
        heading = f"report from {self.agent} on: {subtask}\n"
        return ToolResult(heading + report, trajectory=self.index, heading_chars=len(heading))

    def _fit(self, result: ToolResult) -> ToolResult:
        left = max(self.context_left, 0)
        self.context_left -= len(result.text)
        if len(result.text) <= left or result.status == "notice":
            return result
        return replace(
            result,
            text=f"{result.text[:left]} [cut: your context is full]",
            heading_chars=min(result.heading_chars, left),
            cut=True,
        )


@dataclass(slots=True)
class Seat:
    """One agent: the lead, or a subagent slot that takes one subtask after another."""

    agent: str
    role: Role
    trajectory: OpenTrajectory | None = None
    """What it works on; None while a slot is idle."""
    observation: Observation | None = None
    """What it must decide on now; None while it is idle, waiting, or its tools run."""
    seen_s: float = 0.0
    """When `observation` was there."""
    clock: int = 0
    """Turns on the longest chain that led here (a Lamport clock)."""
    waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Lets whoever awaits this seat's observation look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


@dataclass(slots=True)
class Inbox:
    """Reports on their way to the lead."""

    reports: list[tuple[int, ToolResult]] = field(default_factory=list)
    """Not yet delivered: (clock of the slot, report)."""
    wanted: int = 0
    """How many the lead waits for before it goes on; 0: it need not wait."""
    awaited: bool = False
    """Whether the lead has ended its turn and waits."""

    def take(self) -> tuple[list[ToolResult], int]:
        """Returns the reports that are there, in the order of delegation, and the latest clock."""
        reports = sorted((result for _, result in self.reports), key=attrgetter("trajectory"))
        clock = max((clock for clock, _ in self.reports), default=0)
        self.reports.clear()
        self.wanted = 0
        self.awaited = False
        return reports, clock
