"""The five tools: who may call which, with which arguments, and how their answers read.

`TOOLS` is the one table; prompts, JSON schemas, the action space and the argument check follow from
it. A wrong call never raises: `check` returns the sentence that the agent is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wideseek_env.backends import Hit, Page
from wideseek_env.records import Limits, Role, ToolCall

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
class Tool:
    """One tool, as prompts and checks see it."""

    name: str
    usage: str
    """What it does, one sentence, for the model."""
    example: str
    """Its arguments in a right call, as JSON."""
    arguments: Mapping[str, Argument]


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
        ),
        Tool(
            "open",
            "Open a page; long pages come in numbered parts.",
            '{"url": "/river/alden"}',
            {
                "url": Argument("string", "The page's URL, as search or a page gave it."),
                "part": Argument("integer", "Which part, from 1.", required=False),
            },
        ),
        Tool(
            "report",
            "Hand the findings to the lead and end the subtask.",
            '{"text": "Alden: 12 km (/river/alden)"}',
            {"text": Argument("string", "Everything that the lead needs, whole.")},
        ),
    )
}


def tool_names(role: Role, limits: Limits, n_subagents: int) -> tuple[str, ...]:
    """Returns the tools that an agent of this role has, in the order of `TOOLS`."""
    if role == "subagent":
        return ("search", "open", "report")
    if n_subagents == 0:
        return ("answer", "search", "open")
    if limits.lead_tools:
        return ("delegate", "answer", "search", "open")
    return ("delegate", "answer")


def json_schemas(names: Iterable[str]) -> list[dict[str, Any]]:
    """Returns the tools as OpenAI function schemas, the form that chat templates take."""
    kinds: dict[str, dict[str, Any]] = {
        "string": {"type": "string"},
        "integer": {"type": "integer", "minimum": 1},
        "strings": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    }
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": TOOLS[name].usage,
                "parameters": {
                    "type": "object",
                    "properties": {
                        key: {**kinds[argument.kind], "description": argument.usage}
                        for key, argument in TOOLS[name].arguments.items()
                    },
                    "required": [k for k, a in TOOLS[name].arguments.items() if a.required],
                },
            },
        }
        for name in names
    ]


def check(call: ToolCall, allowed: tuple[str, ...]) -> str | None:
    """Returns what is wrong with a call, for the agent, or None.

    Args:
        call: the call, after `expand`.
        allowed: names that `tool_names` gives for this agent.
    """
    if call.name not in allowed:
        return f"No tool {str(call.name)[:40]!r} here. Allowed: {', '.join(allowed)}."
    tool = TOOLS[call.name]
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
