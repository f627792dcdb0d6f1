"""Opened pages summed up by a model before the agent reads them: `open(url, goal)`.

The game knows nothing of it: `goal` is taken off the call before the game sees it, and the page is
replaced on its way to the agent. The record keeps the whole page, as the tool gave it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from wideseek_env.formats.reading import visible
from wideseek_env.game.tools import Tool, json_schemas
from wideseek_env.records import ToolCall, ToolResult

_GOAL = {"type": "string", "description": "What to look for; the page is summed up for it."}

Sum = Callable[[str, str], Awaitable[str]]
"""From goal and page to what a model wrote of it."""


def schemas(tools: Iterable[Tool], with_goal: bool) -> list[dict[str, Any]]:
    """Writes the tools' JSON schemas; with `goal` on `open` when pages are summed up."""
    written = json_schemas(tools)
    for tool in written:
        if with_goal and tool["function"]["name"] == "open":
            tool["function"]["parameters"]["properties"]["goal"] = _GOAL
    return written


def take_goals(calls: Iterable[ToolCall]) -> tuple[tuple[ToolCall, ...], dict[str, str]]:
    """Returns the calls as the game knows them, and the goal for each URL.

    The paper's `access(urls=[{url, info_to_extract}])` has its goals in another place.
    """
    kept: list[ToolCall] = []
    goals: dict[str, str] = {}
    for call in calls:
        arguments = dict(call.arguments)
        if call.name == "open" and isinstance(arguments.get("goal"), str):
            goals[str(arguments.get("url"))] = arguments.pop("goal")
            kept.append(ToolCall(call.name, arguments))
            continue
        if call.name == "access" and isinstance(arguments.get("urls"), list):
            for item in arguments["urls"]:
                if isinstance(item, dict) and isinstance(item.get("info_to_extract"), str):
                    goals[str(item.get("url"))] = item["info_to_extract"]
        kept.append(call)
    return tuple(kept), goals


async def sum_up(
    results: Sequence[ToolResult], goals: dict[str, str], default: str, min_chars: int, sum_: Sum
) -> list[ToolResult]:
    """Returns the results with each long page replaced by its summary, all made at once.

    Args:
        results: what a turn brought.
        goals: URL to what to look for.
        default: what to look for where the agent did not say; its (sub)task.
        min_chars: pages shorter than this are shown whole.
        sum_: asks the model.
    """

    async def shown(result: ToolResult) -> ToolResult:
        call = result.call
        is_page = call is not None and call.name == "open" and result.status == "ok"
        if call is None or not is_page or len(result.text) < min_chars:
            return result
        goal = goals.get(str(call.arguments.get("url")), default)
        summary = visible(await sum_(goal, result.text))
        title = result.text.partition("\n")[0]
        return replace(result, text=f"{title}\n{summary}") if summary else result

    return list(await asyncio.gather(*(shown(result) for result in results)))
