"""A tool of one's own: a calculator that every agent who seeks can call.

    python examples/tool.py

A tool is one `Tool`: name, what the model is told, arguments, and an async function. Naming it in
`Limits.tools` by its import path is all: the prompt, the parsers, the action space, the check of
arguments and the viewer know it, and so does every worker process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import wideseek_env
from wideseek_env.backends import Backend
from wideseek_env.errors import ToolError
from wideseek_env.game.tools import Argument, Tool, ToolOutput
from wideseek_env.records import Limits


async def add(backend: Backend, arguments: Mapping[str, Any], limits: Limits) -> ToolOutput:
    """Adds the numbers of a list; what is no number is told to the agent."""
    try:
        numbers = [float(number) for number in arguments["numbers"]]
    except ValueError as error:
        raise ToolError(f"`numbers` must hold numbers only: {error}.") from error
    return ToolOutput(f"sum: {sum(numbers):g}")


SUM = Tool(
    name="sum",
    usage="Add numbers.",
    example='{"numbers": ["12.5", "30"]}',
    arguments={"numbers": Argument("strings", "The numbers, as texts.")},
    run=add,
)


def main() -> None:
    """Lets a single agent call the tool once, and prints what it is shown."""
    limits = Limits(tools=("search", "open", "examples.tool:SUM"))
    env = wideseek_env.parallel_env(n_subagents=0, limits=limits)
    env.reset(seed=0)
    call = {"name": "sum", "arguments": {"numbers": ["12.5", "30"]}}
    observations, *_ = env.step({"lead": [call]})
    print(observations["lead"]["text"])
    env.close()


if __name__ == "__main__":
    main()
