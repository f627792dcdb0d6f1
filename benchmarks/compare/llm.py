"""Language models in a benchmark run: which one plays, through which engine, and how.

The policy `llm` plays what the flags name; `hf:FOLDER` and the address of a server are policies by
themselves, so that several models stand in one table, under the same flags for how they play.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import OmitArgPrefixes

from agents.episode_file import read_episodes
from agents.llm.engines import ENGINES, Engine, make_engine
from agents.llm.engines.openai import served_model
from agents.llm.policy import LLMConfig, LLMPolicy
from agents.llm.replay import ReplayPolicy
from agents.policy import Policy
from wideseek_env.cli.options import Count, Natural, PathRule, check_values
from wideseek_env.errors import DataError
from wideseek_env.formats import get_format
from wideseek_env.plugins import check
from wideseek_env.records import Episode

LLM = "llm"
"""Name of the policy on the command line and in the table."""
_SERVERS = ("http://", "https://")
REACHED_BY = ("base_url", "max_retries", "max_concurrent")
"""Settings of the model that alter no episode."""


def is_model(policy: str) -> bool:
    """Tells whether a language model plays under this name."""
    return policy == LLM or policy.startswith(("hf:", *_SERVERS))


@dataclass(frozen=True, slots=True)
class LLMSettings:
    """Which model plays; part of a run's settings, so that a run goes on with the same model."""

    engine: str = "openai"
    """Who runs it: openai, transformers, vllm, or the path of an engine of your own."""
    model: str | None = None
    """Folder, name on the model hub, or what the server calls it."""
    base_url: str | None = None
    """Address of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1; several servers of
    the same model, with commas between them, share the work."""
    subagent_model: str | None = None
    """Another model of the same engine for the subagents."""
    replay: Annotated[str, PathRule("file", "read")] | None = None
    """Episodes of a run (episodes.jsonl) that are played again instead, without any engine."""
    config: OmitArgPrefixes[LLMConfig] = field(default_factory=LLMConfig)
    """How the model plays."""
    max_folds: Natural = 0
    """Times that an agent may fold its context into notes on one (sub)task; 0: it cannot."""
    max_retries: Natural = 6
    """Of a request to a server that fails for a passing reason."""
    max_concurrent: Count = 64
    """Episodes in flight; each has up to one request for each of its agents."""

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The servers' addresses."""
        if self.base_url is None:
            return ()
        return tuple(url.strip() for url in self.base_url.split(","))

    @property
    def chosen(self) -> bool:
        """Whether these name something that can play."""
        return self.model is not None or self.replay is not None

    def __post_init__(self) -> None:
        check_values(self)
        check("engines", self.engine, ENGINES)
        native_tools = get_format(self.config.format).native_tools
        if self.model is not None and self.replay is not None:
            raise ValueError(
                "the policy llm plays a model or a record: give --model or --replay, one of them"
            )
        if self.base_url is not None and self.engine != "openai":
            raise ValueError(f"--base-url goes with the engine openai, got {self.engine!r}")
        for url in self.base_urls:
            if not url.startswith(_SERVERS):
                raise ValueError(
                    f"--base-url: expected an address such as http://127.0.0.1:8000/v1, got {url!r}"
                )
        if native_tools and self.engine != "openai":
            raise ValueError(
                f"--format {self.config.format} goes with the engine openai, got "
                f"{self.engine!r}; choose hermes or json"
            )

    def named(self, policy: str) -> LLMSettings:
        """Gives the settings of the model that plays under this name.

        Raises:
            ValueError: there is no such folder, or a setting does not go with the engine.
        """
        if policy == LLM:
            return self
        if policy.startswith("hf:"):
            folder, engine = policy.removeprefix("hf:"), self.engine
            if not Path(folder).is_dir():
                raise ValueError(f"policies: expected a folder after hf:, got {folder!r}")
            local = "transformers" if engine == "openai" else engine
            return replace(self, engine=local, model=folder, base_url=None, replay=None)
        url, _, model = policy.partition("#")
        return replace(self, engine="openai", model=model or None, base_url=url, replay=None)

    async def found(self) -> LLMSettings:
        """Gives these settings with the model's name, for which its server is asked if need be."""
        if self.model is not None or self.replay is not None:
            return self
        return replace(self, model=await served_model(*self.base_urls))

    def make(self, name: str | None = None) -> Policy:
        """Makes the policy, in whichever process.

        Args:
            name: as records show it; None: that of the engines.

        Raises:
            ImportError: the engine's library is missing; names the extra to install.
            DataError: the record holds something else than episodes, or none of this policy.
        """
        if self.replay is not None:
            played = read_episodes(Path(self.replay), tokens=True)
            recorded = [episode for episode in played if episode.metadata.get("policy") == LLM]
            if not recorded:
                raise DataError(
                    f"--replay: expected episodes that the policy {LLM} played in {self.replay}, "
                    "found none"
                )
            return ReplayPolicy(recorded)
        subagents = self._engine(self.subagent_model) if self.subagent_model else None
        engine = self._engine(self.model or "")
        return LLMPolicy(engine, self.config, subagent_engine=subagents, name=name)

    @asynccontextmanager
    async def opened(self, name: str | None = None) -> AsyncIterator[Policy]:
        """Gives the policy, see `make`; its engines are closed at the end."""
        policy = (await self.found()).make(name)
        try:
            yield policy
        finally:
            if isinstance(policy, LLMPolicy):
                await policy.close()

    def _engine(self, model: str) -> Engine:
        options: dict[str, Any] = {}
        if self.engine == "openai":
            options["max_retries"] = self.max_retries
            if self.base_urls:
                options["base_url"] = self.base_urls
        return make_engine(self.engine, model, **options)


def figures_of(episode: Episode) -> tuple[float, float, float]:
    """Returns (tokens that models wrote in an episode, dollars it cost, turns with drift)."""
    usages = [t.decision.usage for trajectory in episode.trajectories for t in trajectory.turns]
    tokens = sum(usage.get("new_tokens", 0.0) for usage in usages)
    cost_usd = sum(usage.get("cost_usd", 0.0) for usage in usages)
    return tokens, cost_usd, sum(usage.get("drift", 0.0) for usage in usages)
