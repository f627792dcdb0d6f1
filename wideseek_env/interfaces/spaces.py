"""Gymnasium spaces for text and tool calls: cheap to check, honest about what is legal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from wideseek_env.game.tools import Argument, Tool, check, expand
from wideseek_env.records import ToolCall

MAX_TEXT_CHARS = 2_000_000
"""Longest text in the spaces: above what any budget lets an agent see or write."""


class TextSpace(spaces.Text):
    """All strings up to a length, empty and non-ASCII ones included.

    A subclass of `gymnasium.spaces.Text`, so that libraries know it; but its `contains` does not
    look at each character (microseconds where `Text` takes milliseconds), and a full Unicode
    character set, which takes `Text` eight seconds to build, is not built. `sample` draws printable
    ASCII.
    """

    def __init__(self, max_length: int = MAX_TEXT_CHARS, seed: int | None = None) -> None:
        printable = "".join(map(chr, range(32, 127)))
        super().__init__(max_length, min_length=0, charset=printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """Returns whether `x` is a string that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Returns up to 64 printable characters; masks mean nothing here and are ignored."""
        length = int(self.np_random.integers(0, min(self.max_length, 64) + 1))
        return "".join(chr(c) for c in self.np_random.integers(32, 127, size=length))


class ToolCallSpace(spaces.Space[Any]):
    """What an agent may do in one turn: a list of up to `max_calls` tool calls.

    A tool call is `{"name": ..., "arguments": {...}}`; the empty list means wait. `contains` tells
    what is well formed; the environment takes anything else too, and tells the agent what was
    wrong.

    Args:
        tools: the tools that the agent has, by name.
        max_calls: most calls in one turn.
        max_subtasks: most subtasks that `sample` delegates; at least 1.
        queries: what `sample` searches for, at least one.
        seed: of `sample`.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        *,
        max_calls: int = 5,
        max_subtasks: int = 1,
        queries: Sequence[str] = ("list",),
        seed: int | None = None,
    ) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)
        self.tools = tools
        self.max_calls = max_calls
        self.max_subtasks = max_subtasks
        self._queries = tuple(queries)

    @property
    def is_np_flattenable(self) -> bool:
        """Whether samples can be turned into arrays: no."""
        return False

    def contains(self, x: Any) -> bool:
        """Returns whether `x` is a list of well-formed calls of tools that the agent has."""
        if not isinstance(x, (list, tuple)):
            return False
        calls: list[ToolCall] = []
        for item in x:
            if not (isinstance(item, Mapping) and set(item) == {"name", "arguments"}):
                return False
            if not (isinstance(item["name"], str) and isinstance(item["arguments"], Mapping)):
                return False
            calls.extend(expand(ToolCall(item["name"], item["arguments"])))
        return len(calls) <= self.max_calls and all(check(c, self.tools) is None for c in calls)

    def sample(self, mask: Any = None, probability: Any = None) -> list[dict[str, Any]]:
        """Returns zero to `max_calls` random well-formed calls; masks are ignored."""
        number = int(self.np_random.integers(0, self.max_calls + 1))
        return [self._sample_call() for _ in range(number)]

    def __eq__(self, other: object) -> bool:
        """Tells whether both take the same calls; Gymnasium's vector environments ask."""
        return (
            isinstance(other, ToolCallSpace)
            and list(self.tools) == list(other.tools)
            and self.max_calls == other.max_calls
            and self.max_subtasks == other.max_subtasks
        )

    def __hash__(self) -> int:
        """Goes with `__eq__`."""
        return hash((tuple(self.tools), self.max_calls, self.max_subtasks))

    def __repr__(self) -> str:
        return f"ToolCallSpace({', '.join(self.tools)}; {self.max_calls} calls)"

    def _sample_call(self) -> dict[str, Any]:
        rng = self.np_random
        tool = list(self.tools.values())[rng.integers(len(self.tools))]
        arguments = {
            key: self._sample_argument(key, argument, rng)
            for key, argument in tool.arguments.items()
            if argument.required or rng.random() < 0.1
        }
        return {"name": tool.name, "arguments": arguments}

    def _sample_argument(self, key: str, argument: Argument, rng: np.random.Generator) -> Any:
        if argument.kind == "integer":
            return int(rng.integers(1, 4))
        if argument.kind == "strings":
            number = int(rng.integers(1, self.max_subtasks + 1))
            return [self._query(rng) for _ in range(number)]
        if key == "url":
            return "/"  # well formed; which pages there are, a space does not know
        if key == "text":
            return f"| Name |\n|---|\n| {self._query(rng)} |"
        return self._query(rng)

    def _query(self, rng: np.random.Generator) -> str:
        return self._queries[rng.integers(len(self._queries))]
