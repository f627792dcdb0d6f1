"""A hand-made task with its pages, small enough to check by eye, for tests of the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from agents.rollout import Job
from wideseek_env.backends import Hit, Page
from wideseek_env.errors import PageNotFound
from wideseek_env.records import Column, Decision, Episode, Observation, Task, ToolCall

RIVERS = {"Alden": "12", "Brook": "30", "Cray": "7"}
TASK = Task(
    id="rivers",
    question="List all rivers. Columns: Name, Length.",
    columns=(Column("Name"), Column("Length", "number_near", ("extract_number",), 0.0)),
    key_columns=("Name",),
    gold=tuple(RIVERS.items()),
    sources=tuple(((f"/{name}",), (f"/{name}",)) for name in RIVERS),
)


class TinyBackend:
    """Three pages; `delay_s(url or query)` tells how long an answer takes."""

    def __init__(self, delay_s: Callable[[str], float] | None = None) -> None:
        self.delay_s = delay_s
        self.asked: list[str] = []

    async def search(self, query: str, top_k: int) -> list[Hit]:
        await self._wait(query)
        names = [name for name in RIVERS if name.lower() in query.lower()] or list(RIVERS)
        return [Hit(f"/{name}", name, f"{name} is a river.") for name in names[:top_k]]

    async def open(self, url: str, part: int = 1) -> Page:
        await self._wait(url)
        name = url.removeprefix("/")
        if name not in RIVERS or part != 1:
            raise PageNotFound(f"no page {url!r} with a part {part}")
        return Page(url, name, f"{name} is a river. Length: {RIVERS[name]} km.")

    async def close(self) -> None:
        """Frees nothing: there is nothing to free."""

    async def _wait(self, asked: str) -> None:
        self.asked.append(asked)
        if self.delay_s is not None:
            await asyncio.sleep(self.delay_s(asked))


def call(name: str, **arguments: Any) -> Decision:
    """Returns a decision with one call."""
    return Decision((ToolCall(name, arguments),))


def calls(*decisions: Decision) -> Decision:
    """Returns one decision with the calls of several."""
    return Decision(tuple(one for decision in decisions for one in decision.calls))


HEADER = "| Name | Length |\n|---|---|\n"
GOLD_ANSWER = HEADER + "".join(f"| {name} | {length} |\n" for name, length in RIVERS.items())


class ByScript:
    """A policy whose agents follow given decisions; a slot starts over with each subtask."""

    name = "by_script"

    def __init__(self, **scripts: Sequence[Decision | Exception]) -> None:
        self.scripts = scripts
        self.seen: dict[str, list[Observation]] = {}

    def begin(self, info: Any) -> ByScript:
        self.seen = {}
        return self

    async def decide(self, agent: str, observation: Observation) -> Decision:
        self.seen.setdefault(agent, []).append(observation)
        script = self.scripts.get(agent) or self.scripts["subagents"]
        step = script[min(observation.turn, len(script) - 1)]
        if isinstance(step, Exception):
            raise step
        return step


class FanOut:
    """Delegates one river to each subagent, which opens its page; merges the reports."""

    name = "tiny_fan_out"

    def begin(self, info: Any) -> FanOut:
        return self

    async def decide(self, agent: str, observation: Observation) -> Decision:
        if agent == "lead":
            if observation.turn == 0:
                return call("delegate", subtasks=list(RIVERS))
            reports = [r.body for r in observation.results if r.trajectory is not None]
            return call("answer", text=HEADER + "\n".join(reports))
        if observation.turn == 0:
            return call("search", query=observation.text)
        if observation.turn == 1:
            return call("open", url=observation.results[0].urls[0])
        text = observation.text
        name, length = text.split(" |")[0], text.split("Length: ")[1].split(" ")[0]
        return call("report", text=f"| {name} | {length} |")


def jobs(number: int, backend: Any = None) -> list[Job]:
    """Returns jobs of the task, which differ in their seeds, for teams of three."""
    backend = backend or TinyBackend()
    return [Job(TASK, backend, 3, seed=seed) for seed in range(number)]


def what_happened(episode: Episode) -> list[Any]:
    """Returns all that an episode holds of its course but the times."""
    return [
        (t.agent, t.prompt, t.end, [(u.decision, [r.text for r in u.results]) for u in t.turns])
        for t in episode.trajectories
    ]
