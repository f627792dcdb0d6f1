"""Engines turn tokens (or chat messages) into tokens; one protocol, one module for each.

An engine is shared by all agents of all episodes in flight: `generate` is called many times at
once, and batching, retries, deadlines and back-pressure are the engine's own work. To add one,
write a class of these members and name it by its path (`my_package.engines:Mine`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from wideseek_env.errors import PolicyError
from wideseek_env.plugins import resolve

if TYPE_CHECKING:
    from agents.llm.tokenizers import Tokenizer

__all__ = [
    "ENGINES",
    "Completion",
    "ContextOverflow",
    "Engine",
    "FollowingEngine",
    "Request",
    "make_engine",
]


class ContextOverflow(PolicyError):
    """A prompt does not fit into the engine's context; the agent's trajectory ends, no more."""


@dataclass(frozen=True, slots=True)
class Request:
    """One turn to be written."""

    conversation: str
    """Names the agent's conversation: the next request of the same name continues this one."""
    prompt_ids: tuple[int, ...] = ()
    """The whole prompt, for engines with a tokenizer; else empty."""
    messages: tuple[Mapping[str, Any], ...] = ()
    """The whole prompt, for engines without one; else empty."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """JSON schemas, when the server itself writes tool calls."""
    max_tokens: int = 1024
    """Most tokens to sample, at least 1."""
    temperature: float = 1.0
    """0 takes the most likely token."""
    top_p: float = 1.0
    """Samples among the most likely tokens of this total probability, in (0, 1]."""
    seed: int = 0
    """Of this request alone, 0 .. 2**63 - 1; the same for the same turn of the same episode."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What was written."""

    text: str
    """Without the stop token. With native tool calls: the server's message, as JSON."""
    ids: tuple[int, ...] = ()
    """Sampled ids, the stop token included; empty when the server does not tell them."""
    logprobs: tuple[float, ...] = ()
    """Of each of `ids` under the model itself (temperature 1, no top-p); empty when unknown."""
    finish: Literal["stop", "length"] = "stop"
    """Whether a stop token ended it, or `max_tokens`."""
    prompt_ids: tuple[int, ...] | None = None
    """The prompt as the engine read it, where it tells."""
    num_prompt_tokens: int = 0
    num_new_tokens: int = 0
    num_cached_tokens: int = 0
    """Prompt tokens that did not have to be computed again."""


class Engine(Protocol):
    """Writes turns.

    Raises from `generate`: `ContextOverflow` when one prompt is too long; `PolicyError` when the
    engine cannot answer at all (server down, key refused), which ends the episode as invalid.
    """

    name: str
    """As tables and records show it."""

    @property
    def tokenizer(self) -> Tokenizer | None:
        """None: the engine reads messages, and the server alone knows the tokens."""
        ...

    @property
    def max_context_tokens(self) -> int | None:
        """Longest prompt and turn together; None: only the server knows."""
        ...

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns one completion for each request, in their order."""
        ...

    async def close(self) -> None:
        """Frees what the engine holds; calling it twice is harmless."""
        ...


@runtime_checkable
class FollowingEngine(Engine, Protocol):
    """An engine that can play with the weights of a model in training."""

    async def load_weights(self, folder: Path) -> None:
        """Plays with the weights of a folder, of the same model, from here on."""
        ...


ENGINES = {
    "openai": "agents.llm.engines.openai:OpenAIEngine",
    "transformers": "agents.llm.engines.transformers:TransformersEngine",
    "vllm": "agents.llm.engines.vllm:VLLMEngine",
}
"""The engines that play for real; each is imported when it is asked for."""


def make_engine(kind: str, model: str, **options: Any) -> Engine:
    """Makes an engine by name, importing its library.

    Args:
        kind: one of `ENGINES`, or another that `wideseek_env.plugins.resolve` finds.
        model: a folder, a name on the model hub, or what the server calls it.
        **options: see the engine's class.

    Raises:
        ValueError: no engine has this name.
        ImportError: its library is missing; the message names the extra to install.
    """
    engine: Engine = resolve("engines", kind, ENGINES)(model, **options)
    return engine
