"""The rules of the game, as a state machine without policies, tokens or spaces.

A driver asks `await game.observation(agent)` what an agent sees, and hands its decision to
`await game.act(agent, decision)`, for all agents at the same time. `agents/rollout.py` drives each
agent on its own; `environment.py` drives all of them step by step. Both get the same episode for
the same decisions: as long as the lead waits for all reports (`Limits.wait_for`), nothing here
depends on the order in which agents act.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Literal

from wideseek_env.backends import Backend
from wideseek_env.errors import BackendError, ScoringError
from wideseek_env.game.fold import fold, ways_out, why_no_fold
from wideseek_env.game.provenance import credit_cells
from wideseek_env.game.reward import RewardConfig, reward_terms
from wideseek_env.game.seats import Inbox, OpenTrajectory, Seat
from wideseek_env.game.toolrun import ToolRunner
from wideseek_env.game.tools import Tool, check, expand, tools_of
from wideseek_env.jsonlines import storable
from wideseek_env.records import (
    Decision,
    Episode,
    EpisodeEnd,
    Limits,
    Observation,
    Role,
    Score,
    Task,
    ToolCall,
    ToolResult,
    Trajectory,
    TrajectoryEnd,
)
from wideseek_env.scoring import Scorer, StrictScorer, checked

LEAD = "lead"


def agent_names(n_subagents: int) -> tuple[str, ...]:
    """Names the agents of an episode: the lead, then the subagent slots."""
    return (LEAD, *(f"subagent_{index}" for index in range(n_subagents)))


def role_of(agent: str) -> Role:
    """Tells the role of an agent by its name."""
    return "lead" if agent == LEAD else "subagent"


class Game:
    """One episode.

    Args:
        task: what is asked; the agents see its question alone.
        backend: answers `search` and `open`.
        n_subagents: slots, at least 0; with 0 the lead searches and opens by itself.
        limits: budgets.
        scorer: scores the answer; the strict scorer by default.
        reward: weights of the reward terms.
        seed: kept in the record; the rules themselves draw nothing.

    Raises:
        ValueError: `n_subagents` is negative.
    """

    def __init__(
        self,
        task: Task,
        backend: Backend,
        n_subagents: int = 8,
        *,
        limits: Limits | None = None,
        scorer: Scorer | None = None,
        reward: RewardConfig | None = None,
        seed: int = 0,
    ) -> None:
        if n_subagents < 0:
            raise ValueError(f"`n_subagents` must be at least 0, got {n_subagents!r}")
        self.task = task
        self.n_subagents = n_subagents
        self.limits = limits or Limits()
        self.agents = agent_names(n_subagents)
        self.end: EpisodeEnd | None = None
        self.answer: str | None = None
        self.error: str | None = None
        self._runner = ToolRunner(backend, self.limits)
        self._scorer = scorer or StrictScorer()
        self._reward = reward or RewardConfig()
        self._seed = seed
        self._start_s = time.perf_counter()
        self._seconds = 0.0
        self._trajectories: list[OpenTrajectory] = []
        self._inbox = Inbox()
        self._seats = {agent: Seat(agent, role_of(agent)) for agent in self.agents}
        self._tools: dict[Role, Mapping[str, Tool]] = {
            "lead": tools_of("lead", self.limits, n_subagents),
            "subagent": tools_of("subagent", self.limits, n_subagents),
        }
        self._begin(self._seats[LEAD], task.question, self.limits.max_tool_calls)

    @property
    def over(self) -> bool:
        """Whether the game has ended; then `record` gives the episode."""
        return self.end is not None

    def trajectories(self) -> tuple[Trajectory, ...]:
        """Returns all trajectories as far as they have come."""
        return tuple(trajectory.snapshot() for trajectory in self._trajectories)

    def pending(self, agent: str) -> Observation | None:
        """Looks, without waiting, at what an agent must decide on now; None: nothing."""
        return None if self.over else self._seat(agent).observation

    async def observation(self, agent: str) -> Observation | None:
        """Waits until an agent must decide; returns what it sees, or None once the game is over."""
        seat = self._seat(agent)
        while not self.over and seat.observation is None:
            if seat.waiter is not None and not seat.waiter.done():
                raise RuntimeError(f"two callers wait for {agent}; one driver an agent is allowed")
            seat.waiter = asyncio.get_running_loop().create_future()
            await seat.waiter
        return None if self.over else seat.observation

    async def act(self, agent: str, decision: Decision) -> None:
        """Carries out a decision: records the turn, runs its tool calls at once, moves the game on.

        Does nothing once the game is over, so that agents in mid-thought need not be told.

        Raises:
            RuntimeError: the agent has nothing to decide now.
        """
        if self.over:
            return
        seat = self._seat(agent)
        trajectory = seat.trajectory
        if seat.observation is None or trajectory is None:
            raise RuntimeError(f"{agent} has nothing to decide now; await `observation` first")
        last = seat.observation.turns_left == 1
        seat.observation = None
        decision = storable(decision)
        trajectory.begin_turn(decision, seat.seen_s, self._now_s(), level=seat.clock)
        seat.clock += 1
        try:
            results = await self._carry_out(seat, decision, last)
        except BackendError as error:
            self.fail(f"{type(error).__name__}: {error}")
            return
        trajectory.add_results(results, self._now_s())
        if not self.over:
            self._move_on(seat)

    def expire(self) -> None:
        """Ends the game because its wall time is used up."""
        self._finish("time_budget")

    def cancel(self) -> None:
        """Ends the game from outside; its record is whole, and marked as cancelled."""
        self._finish("cancelled")

    def fail(self, error: str) -> None:
        """Ends the game as invalid: something broke that is no agent's fault."""
        if not self.over:
            self.error = error
        self._finish("invalid")

    async def record(self, policy: str = "", metadata: Mapping[str, Any] | None = None) -> Episode:
        """Scores the answer and returns the episode; a game that still runs is cancelled.

        A scorer that fails makes the episode invalid: `score` is None, never 0.
        """
        self.cancel()
        trajectories = self.trajectories()
        score: Score | None = None
        if self.end not in ("cancelled", "invalid"):
            try:
                score = checked(await self._scorer(self.task, self.answer))
            except ScoringError as error:
                self.end, self.error = "invalid", f"{type(error).__name__}: {error}"
        return Episode(
            task=self.task,
            policy=policy,
            seed=self._seed,
            n_subagents=self.n_subagents,
            limits=self.limits,
            trajectories=trajectories,
            end=self.end or "cancelled",
            answer=self.answer,
            score=score,
            reward_terms=reward_terms(score, trajectories, self._reward) if score else {},
            provenance=credit_cells(self.task, score, trajectories) if score else (),
            seconds=self._seconds,
            error=self.error,
            metadata=metadata or {},
        )

    # What a decision does.

    async def _carry_out(self, seat: Seat, decision: Decision, last: bool) -> list[ToolResult]:
        """Returns the answers to a decision's calls, in their order."""
        if decision.context_full:
            self._run_out(seat, "context_budget")
            return []
        calls = [part for call in decision.calls for part in expand(call)]
        if decision.error is not None:
            return [ToolResult(decision.error, "wrong")]
        if not calls:
            return self._wait(seat)
        most = self.limits.max_calls_per_turn
        wrongs = [self._wrong(seat, call, last, len(calls)) for call in calls[:most]]
        checked = list(zip(calls[:most], wrongs, strict=True))
        running = [call for call, wrong in checked if wrong is None and call.informs]
        # Tools first: a report or answer in the same turn must not free the slot under them.
        found = iter(await self._runner.run(running))
        results = []
        for call, wrong in checked:
            if wrong is not None:
                results.append(ToolResult(wrong, "wrong", call))
            elif call.informs:
                results.append(next(found))
            else:
                results.append(self._direct(seat, call))
        if len(calls) > most:
            text = f"Only {most} calls a turn: {len(calls) - most} were not carried out."
            results.append(ToolResult(text, "wrong"))
        return results

    def _wait(self, seat: Seat) -> list[ToolResult]:
        working = any(s.trajectory is not None for s in self._seats.values() if s is not seat)
        if seat.role == "lead" and (working or self._inbox.reports):
            self._inbox.wanted = 1
            return []
        allowed = ", ".join(self._tools[seat.role])
        return [ToolResult(f"No tool was called. Allowed: {allowed}.", "wrong")]

    def _wrong(self, seat: Seat, call: ToolCall, last: bool, num_calls: int) -> str | None:
        """Returns why a call cannot be carried out, or None; takes it from the call budget."""
        wrong = check(call, self._tools[seat.role])
        if wrong is not None:
            return wrong
        if call.name == "fold":
            return why_no_fold(self._on(seat), call, num_calls)
        if last and (call.informs or call.name == "delegate"):
            return "Not carried out: there was no turn left to use it."
        trajectory = self._on(seat)
        if call.informs and trajectory.calls_left is not None:
            if trajectory.calls_left == 0:
                return "Your search and open calls are used up: report or answer."
            trajectory.calls_left -= 1
        return None

    def _direct(self, seat: Seat, call: ToolCall) -> ToolResult:
        """Carries out a call that steers the game: delegate, answer, report or fold."""
        if seat.trajectory is None or self.over:
            return ToolResult("Not carried out: this had ended before.", "wrong", call)
        if call.name == "delegate":
            return self._delegate(seat, call)
        if call.name == "fold":
            return fold(seat.trajectory, call)
        text = str(call.arguments["text"])
        if call.name == "answer":
            self.answer = text
            seat.trajectory.end = "answered"
            self._finish("answered")
            return ToolResult("Answer received.", "ok", call)
        self._end_subtask(seat, "reported", text)
        return ToolResult("Report received.", "ok", call)

    # Subtasks and reports.

    def _delegate(self, lead: Seat, call: ToolCall) -> ToolResult:
        """Gives subtasks to the free slots, lowest numbers first, and lets the lead wait."""
        if self._inbox.wanted:
            text = "One `delegate` a turn: put all subtasks into one list."
            return ToolResult(text, "wrong", call)
        free = [s for s in self._seats.values() if s.role == "subagent" and s.trajectory is None]
        if not free:
            return ToolResult("No subagent is free: wait for a report.", "wrong", call)
        # What is too much is dropped and counted; a lost turn would unteach learners to delegate.
        subtasks = list(call.arguments["subtasks"])[: len(free)]
        num_dropped = len(call.arguments["subtasks"]) - len(subtasks)
        wait_for, pool = self.limits.wait_for, self._on(lead)
        share = None  # equal shares, so that the episode does not depend on who is faster
        if pool.calls_left is not None:
            share = pool.calls_left // len(subtasks if wait_for == "all" else free)
            pool.calls_left -= share * len(subtasks)
        begun = []
        for seat, subtask in zip(free, subtasks, strict=False):
            seat.clock = lead.clock
            begun.append(self._begin(seat, subtask, share, (pool.index, len(pool.turns) - 1)))
        out = len(self._inbox.reports) + sum(
            s.role == "subagent" and s.trajectory is not None for s in self._seats.values()
        )
        self._inbox.wanted = out if wait_for == "all" else min(wait_for, out)
        names = ", ".join(seat.agent for seat in free[: len(subtasks)])
        dropped = f" No subagent is free for the other {num_dropped}." if num_dropped else ""
        return ToolResult(f"Delegated to {names}.{dropped}", "ok", call, begun=tuple(begun))

    def _end_subtask(self, seat: Seat, end: TrajectoryEnd, report: str | None) -> None:
        """Frees the slot and keeps the report, or word of its absence, for the lead."""
        trajectory = self._on(seat)
        trajectory.end = end
        seat.trajectory = None
        self._inbox.reports.append((seat.clock, trajectory.word_to_lead(report)))
        pool = self._trajectories[0]
        if pool.calls_left is not None and trajectory.calls_left is not None:
            pool.calls_left += trajectory.calls_left

    def _deliver(self) -> None:
        """Adds the reports that are there to the lead's turn, in the order of delegation."""
        lead = self._seats[LEAD]
        reports, clock = self._inbox.take()
        lead.clock = max(lead.clock, clock)
        self._on(lead).add_results(reports, self._now_s())

    # The course of the game.

    def _begin(
        self, seat: Seat, prompt: str, calls: int | None, by: tuple[int, int] | None = None
    ) -> int:
        """Begins the agent's next trajectory, which a turn `by` delegated; returns its index."""
        index, who = len(self._trajectories), (seat.agent, seat.role)
        seat.trajectory = OpenTrajectory(index, *who, prompt, calls, self.limits, by)
        self._trajectories.append(seat.trajectory)
        self._show(seat)
        return index

    def _move_on(self, seat: Seat) -> None:
        """Gives the agent its next observation, or lets it wait; passes reports on."""
        timeout_s = self.limits.episode_timeout_s
        if timeout_s is not None and self._now_s() >= timeout_s:
            self.expire()
            return
        if seat.role == "lead":
            self._inbox.awaited = self._inbox.wanted > 0
            if not self._inbox.awaited:
                self._deliver()
                self._show(seat)
        elif seat.trajectory is not None:
            self._show(seat)
        if self._inbox.awaited and len(self._inbox.reports) >= self._inbox.wanted:
            self._deliver()
            self._show(self._seats[LEAD])

    def _show(self, seat: Seat) -> None:
        """Makes the agent's next observation; ends the trajectory that has had its last."""
        trajectory = self._on(seat)
        left = trajectory.turns_left
        full = trajectory.context_left <= 0
        if trajectory.last_shown:
            self._run_out(seat, "turn_budget" if left == 0 else "context_budget")
            return
        if left == 1 or full:
            trajectory.last_shown = True
            if trajectory.turns:
                why = "Your context is full" if full else "This is your last turn"
                notice = ToolResult(f"{why}: call {ways_out(trajectory)} now.", "notice")
                trajectory.add_results([notice], self._now_s())
        seat.observation = trajectory.observation(1 if trajectory.last_shown else left)
        seat.seen_s = self._now_s()
        seat.wake()

    def _run_out(self, seat: Seat, end: Literal["turn_budget", "context_budget"]) -> None:
        if seat.role == "lead":
            self._on(seat).end = end
            self._finish(end)
        else:
            self._end_subtask(seat, end, report=None)

    def _finish(self, end: EpisodeEnd) -> None:
        if self.over:
            return
        for trajectory in self._trajectories:
            if trajectory.end == "running":
                trajectory.end = "cancelled"
        self.end = end
        self._seconds = self._now_s()
        for seat in self._seats.values():
            seat.observation = None
            seat.wake()

    def _seat(self, agent: str) -> Seat:
        if agent not in self._seats:
            raise ValueError(f"expected one of {', '.join(self.agents)}, got {agent!r}")
        return self._seats[agent]

    @staticmethod
    def _on(seat: Seat) -> OpenTrajectory:
        if seat.trajectory is None:
            raise RuntimeError(f"{seat.agent} has no (sub)task now")
        return seat.trajectory

    def _now_s(self) -> float:
        return time.perf_counter() - self._start_s
