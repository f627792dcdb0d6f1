"""The tools: who may call which, with which arguments, and what answers them.

`TOOLS` is the one table; prompts, JSON schemas, the action space, the argument check and the viewer
follow from it. A tool of a user's own is one `Tool`, named by its import path in `Limits.tools`. A
wrong call never raises: `check` returns the sentence that the agent is shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from wideseek_env.backends import Backend, Hit, Page
from wideseek_env.game.limits import may_seek
from wideseek_env.plugins import resolve
from wideseek_env.records import STEERING, Limits, Role, ToolCall

MAX_TEXT_CHARS = 200_000
"""Longest string that a tool call may carry; what is longer is refused."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool."""

    kind: str
    """string, integer or strings (a list of strings)."""
    usage: str
    """What it means, for the model."""
    required: bool = True


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool found."""

    text: str
    """What the agent is shown."""
    urls: tuple[str, ...] = ()
    """Pages that it is from; credit for cells goes by them."""


Run: TypeAlias = Callable[[Backend, Mapping[str, Any], Limits], Awaitable[ToolOutput]]
"""Answers a checked call from its arguments; raises a `ToolError` that the agent is shown, or a
`BackendError` when what it asks is broken, which makes the episode invalid."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool, as prompts, checks and the game see it."""

    name: str
    usage: str
    """What it does, one sentence, for the model."""
    example: str
    """Its arguments in a right call, as JSON."""
    arguments: Mapping[str, Argument]
    run: Run | None = None
    """What answers it; None: it steers the game, which carries it out itself."""

    def __post_init__(self) -> None:
        """Checks that the game can tell who carries the tool out.

        Raises:
            ValueError: a tool with a `run` has a name that steers the game, or the reverse.
        """
        if (self.run is None) != (self.name in STEERING):
            raise ValueError(
                f"tool {self.name!r}: expected an async function `run`, unless it is one of the "
                f"game's own ({', '.join(STEERING)}), got {self.run!r}"
            )


async def _search(backend: Backend, arguments: Mapping[str, Any], limits: Limits) -> ToolOutput:
    query = arguments["query"]
    hits = await backend.search(query, limits.top_k)
    text = render_hits(query, hits, limits.max_snippet_chars)
    return ToolOutput(text, tuple(hit.url for hit in hits))


async def _open(backend: Backend, arguments: Mapping[str, Any], limits: Limits) -> ToolOutput:
    page = await backend.open(arguments["url"], arguments.get("part", 1))
    return ToolOutput(render_page(page), (page.url,))


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "delegate",
            "Hand subtasks to subagents, which work at the same time and each report back.",
            '{"subtasks": ["List all rivers in Varnia with their lengths."]}',
            {"subtasks": Argument("strings", "One self-contained instruction for each subagent.")},
        ),
        Tool(
            "answer",
            "Hand in the final answer and end the episode.",
            '{"text": "| Name | Length |\\n|---|---|\\n| Alden | 12 km |"}',
            {"text": Argument("string", "The whole answer: a Markdown table, or a short text.")},
        ),
        Tool(
            "search",
            "Search the pages; returns titles, URLs and snippets.",
            '{"query": "longest rivers Varnia"}',
            {"query": Argument("string", "What to search for.")},
            _search,
        ),
        Tool(
            "open",
            "Open a page; long pages come in numbered parts.",
            '{"url": "/river/alden"}',
            {
                "url": Argument("string", "The page's URL, as search or a page gave it."),
                "part": Argument("integer", "Which part, from 1.", required=False),
            },
            _open,
        ),
        Tool(
            "report",
            "Hand the findings to the lead and end the subtask.",
            '{"text": "Alden: 12 km (/river/alden)"}',
            {"text": Argument("string", "Everything that the lead needs, whole.")},
        ),
        Tool(
            "fold",
            "Replace all that you have read and written by a text of yours; your context is free "
            "again. The only call of its turn.",
            '{"text": "Alden: 12 km. Not read yet: /river/brook"}',
            {"text": Argument("string", "All that you will need: you keep your task and this.")},
        ),
    )
}


def tools_of(role: Role, limits: Limits, n_subagents: int) -> Mapping[str, Tool]:
    """Finds the tools that an agent of this role has, by the name that a call gives.

    Raises:
        ValueError: `limits.tools` names one that there is not.
    """
    seeks = may_seek(limits, role, n_subagents)
    information = _information_tools(limits.tools) if seeks else ()
    fold = (TOOLS["fold"],) if limits.max_folds else ()
    if role == "subagent":
        return {tool.name: tool for tool in (*information, TOOLS["report"], *fold)}
    steering = (TOOLS["delegate"], TOOLS["answer"]) if n_subagents else (TOOLS["answer"],)
    return {tool.name: tool for tool in (*steering, *information, *fold)}


@lru_cache(maxsize=64)
def _information_tools(names: tuple[str, ...]) -> tuple[Tool, ...]:
    tools = []
    for name in names:
        tool = resolve("tools", name, TOOLS)
        if not isinstance(tool, Tool) or tool.run is None:
            raise ValueError(
                f"`tools`: expected a `Tool` with an async function `run` at {name!r}, got {tool!r}"
            )
        tools.append(tool)
    return tuple(tools)


def json_schemas(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    """Writes the tools as OpenAI function schemas, the form that chat templates take."""
    kinds: dict[str, dict[str, Any]] = {
        "string": {"type": "string"},
        "integer": {"type": "integer", "minimum": 1},
        "strings": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    }
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.usage,
                "parameters": {
                    "type": "object",
                    "properties": {
                        key: {**kinds[argument.kind], "description": argument.usage}
                        for key, argument in tool.arguments.items()
                    },
                    "required": [k for k, a in tool.arguments.items() if a.required],
                },
            },
        }
        for tool in tools
    ]


def check(call: ToolCall, allowed: Mapping[str, Tool]) -> str | None:
    """Says what is wrong with a call, for the agent, or gives None.

    Args:
        call: the call, after `expand`.
        allowed: what `tools_of` gives for this agent.
    """
    if call.name not in allowed:
        return f"No tool {str(call.name)[:40]!r} here. Allowed: {', '.join(allowed)}."
    tool = allowed[call.name]
    for key, argument in tool.arguments.items():
        if key not in call.arguments:
            if argument.required:
                return f"`{call.name}` needs `{key}`. Example: {tool.example}"
            continue
        if not _fits(call.arguments[key], argument.kind):
            return f"`{key}` of `{call.name}` must be {_KIND_TEXT[argument.kind]}. " + (
                f"Example: {tool.example}"
            )
    unknown = [str(key)[:40] for key in call.arguments if key not in tool.arguments]
    if unknown:
        return f"`{call.name}` has no argument {unknown[0]!r}. Example: {tool.example}"
    return None


_KIND_TEXT = {
    "string": f"a text of 1 to {MAX_TEXT_CHARS} characters",
    "integer": "a whole number from 1",
    "strings": "a list of one or more texts",
}


def _fits(value: object, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_TEXT_CHARS
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(_fits(item, "string") for item in value)
    )


def expand(call: ToolCall) -> tuple[ToolCall, ...]:
    """Returns the call in our names; the paper's tools are aliases, and one may be several calls.

    `create_sub_agents(sub_agents=[{prompt}])` is `delegate`, `search(queries=[{query}])` one
    `search` for each query, `access(urls=[{url}])` one `open` for each URL. What does not have
    that form is returned as it is, for `check` to answer.

    Source: WideSeek-R1 (arXiv 2602.04634), tool definitions of the lead and of the subagents.
    """
    arguments = call.arguments
    if call.name == "create_sub_agents":
        prompts = _field(arguments.get("sub_agents"), "prompt")
        return (ToolCall("delegate", {"subtasks": prompts} if prompts else arguments),)
    if call.name == "access":
        urls = _field(arguments.get("urls"), "url")
        return tuple(ToolCall("open", {"url": url}) for url in urls) or (
            ToolCall("open", arguments),
        )
    if call.name == "search" and "queries" in arguments:
        queries = _field(arguments["queries"], "query")
        return tuple(ToolCall("search", {"query": query}) for query in queries) or (call,)
    return (call,)


def _field(items: object, key: str) -> list[Any]:
    """Returns `key` of each object of a list, where a bare string stands for the object."""
    if not isinstance(items, list):
        return []
    return [item.get(key) if isinstance(item, Mapping) else item for item in items]


def render_hits(query: str, hits: Iterable[Hit], max_snippet_chars: int) -> str:
    """Returns a search's answer as the agent sees it."""
    lines = [f"search: {query}"]
    for rank, hit in enumerate(hits, start=1):
        lines.append(f"{rank}. {hit.title} | {hit.url}")
        if max_snippet_chars:
            lines.append(shorten(hit.snippet, max_snippet_chars))
    if len(lines) == 1:
        lines.append("no results")
    return "\n".join(lines)


def render_page(page: Page) -> str:
    """Returns an opened page as the agent sees it."""
    return f"{page.title} | {page.url} | part {page.part} of {page.num_parts}\n{page.text}"


def shorten(text: str, max_chars: int = 200) -> str:
    """Returns the text, cut to `max_chars` characters with a sign that it was."""
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"
