"""A `verifiers` environment: lead and subagents as its roles, for `vf-eval` and prime-rl.

    vf-eval wideseek --env.taskset.source starter -n 4 -m MODEL -b http://127.0.0.1:8000/v1

The game, its prompts and its budgets are those of `LLMPolicy`: to it, verifiers is an engine. Every
(sub)task is an interaction of its own with the role's agent, so each conversation is a trace, and
all traces of an episode get the team's reward. `wideseek/__init__.py` shows the two classes to
verifiers' loader. Needs the extra `verifiers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Any, Literal

from agents.llm.engines import Completion, ContextOverflow, Request
from agents.llm.policy import LLMConfig, LLMPolicy
from agents.rollout import Job, run_episode
from wideseek_env.errors import PolicyError
from wideseek_env.game.episode import role_of
from wideseek_env.plugins import MissingExtra
from wideseek_env.records import Episode
from wideseek_env.tasks.named import SourceOptions, source_named
from wideseek_env.tasks.source import TaskSource

try:
    import verifiers.v1 as vf
except ImportError as error:
    raise MissingExtra("verifiers is needed: pip install 'wideseek[verifiers]'") from error


class WideSeekData(vf.TaskData):
    """A row: the question, and where the source has it."""

    number: int


class WideSeekTasksetConfig(vf.TasksetConfig):
    """Which tasks load, under `--env.taskset.*`."""

    source: str = "default"
    """A preset of closed worlds, or another text that `wideseek benchmark --sources` takes."""
    backend: str | None = None
    """Where the tasks of a file are looked up."""
    split: Literal["train", "test"] = "train"
    """Of closed worlds; those of `test` share no name with those of `train`."""
    num_tasks: int | None = None
    """Of the source; None: 64 of a closed world, or all."""
    seed: int = 0
    """Of the world, or of the draw of tasks."""


class WideSeekTaskset(vf.Taskset[vf.Task[WideSeekData], WideSeekTasksetConfig]):
    """The tasks of a source; gold and pages stay in this process."""

    @cached_property
    def source(self) -> TaskSource:
        """Tasks with their pages and limits."""
        config = self.config
        options = SourceOptions(
            config.backend, split=config.split, num_tasks=config.num_tasks, seed=config.seed
        )
        return source_named(config.source, options)

    def load(self) -> Iterator[vf.Task[WideSeekData]]:
        """Yields the tasks in the source's order."""
        for number, chosen in enumerate(self.source):
            task = chosen.task
            yield vf.Task(WideSeekData(id=task.id, prompt=task.question, number=number))


def _seat() -> vf.AgentConfig:
    # A bare chat in a process of this machine: the tools are the game's, not the harness'.
    return vf.AgentConfig(harness={"id": "null"}, runtime={"type": "subprocess"})


class WideSeekEnvConfig(vf.EnvConfig):
    """Who plays and how, under `--env.*`."""

    lead: vf.AgentConfig = _seat()
    subagent: vf.AgentConfig = _seat()
    max_concurrent_agents: int | None = None
    """None: subagents work at the same time, which is the point."""
    n_subagents: int = 4
    """Slots beside the lead."""
    format: str = "hermes"
    """How tool calls are written: hermes or json."""
    max_context_tokens: int = 32_768
    """Most tokens of one conversation."""


class WideSeekTeam(vf.Env[WideSeekEnvConfig]):
    """One episode: the lead delegates by text, subagents are begun as it does so."""

    async def run(self, task: vf.Task[WideSeekData], agents: Any) -> None:
        """Plays a task; an episode that could not be scored is an error and no reward.

        Raises:
            PolicyError: the episode is invalid.
        """
        config = self.config
        chosen = self.taskset.source[task.data.number]
        job = Job(chosen.task, chosen.backend, config.n_subagents, chosen.limits)
        how = LLMConfig(format=config.format, max_context_tokens=config.max_context_tokens)
        engine = _Interactions(task, agents)
        try:
            episode = await run_episode(job, LLMPolicy(engine, how, name="verifiers"))
        finally:
            await engine.close()
        if not episode.valid:
            raise PolicyError(episode.error or "the episode could not be scored")
        if any(trace.errors for _, trace in engine.traces):
            raise PolicyError("a seat of the team has failed, so the episode has no score")
        for role, trace in engine.traces:
            _record(role, trace, episode)


def _record(role: str, trace: Any, episode: Episode) -> None:
    trace.record_reward("team", episode.reward)
    if role == "lead" and episode.score is not None:
        trace.record_metric("row_f1", episode.score.row_f1)
        trace.record_metric("success", episode.score.success)
        trace.record_metric("width", float(episode.width))
        trace.record_metric("tool_calls", float(episode.num_tool_calls))


class _Interactions:
    """Verifiers' agents as an engine: a conversation is an interaction that is held open."""

    name = "verifiers"
    tokenizer = None
    max_context_tokens = None

    def __init__(self, task: vf.Task[WideSeekData], agents: Any) -> None:
        self._task, self._agents = task, agents
        self._open: dict[str, Any] = {}
        self._stack = AsyncExitStack()
        self.traces: list[tuple[str, Any]] = []

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [await self._turn(request) for request in requests]

    async def close(self) -> None:
        await self._stack.aclose()

    async def _turn(self, request: Request) -> Completion:
        talk = self._open.get(request.conversation)
        if talk is None:
            talk = self._open[request.conversation] = await self._begin(request)
        new: list[str] = []
        for message in reversed(request.messages):
            if message["role"] != "user":
                break
            new.insert(0, str(message["content"]))
        segment = await talk.turn("\n".join(new))
        if segment.terminated and talk.trace.errors:
            raise PolicyError(f"verifiers has ended the exchange: {talk.trace.errors[-1]}")
        if segment.terminated:
            raise ContextOverflow("verifiers has ended the exchange, by a limit of the agent's")
        return Completion(segment.last_reply)

    async def _begin(self, request: Request) -> Any:
        role = role_of(request.conversation.split("/")[1])
        (system,) = (m["content"] for m in request.messages if m["role"] == "system")
        data = self._task.data.model_copy(update={"prompt": None, "system_prompt": system})
        seat = self._agents.lead if role == "lead" else self._agents.subagent
        talk = await self._stack.enter_async_context(seat.interaction(vf.Task(data)))
        self.traces.append((role, talk.trace))
        return talk
