"""A scripted policy of one's own: the lead hands the question to everyone, and quotes who reports.

    python examples/policy.py
    wideseek benchmark --policies solo,examples.policy:Quote --sources starter --widths 0,1,2

A policy is a class with a `name` and `begin`, which gives the player of one episode. A player has
`decide`; here it is a pair of scripts, which read top-down and are sent what the agent sees next.
"""

from __future__ import annotations

import asyncio

from wideseek.agents.evaluate import Exam, evaluate
from wideseek.agents.policy import EpisodeInfo
from wideseek.agents.scripted.script import (
    Script,
    ScriptPlayer,
    answer,
    delegate,
    report,
    reports_in,
    search,
)

from wideseek_env.reading.pages import read_search
from wideseek_env.records import Observation
from wideseek_env.tasks.source import TaskSource


class Quote:
    """Searches for the question's own words and answers with the titles that it meets."""

    name = "quote"

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Gives the player of one episode."""
        return ScriptPlayer(info, lead, subagent)


def lead(info: EpisodeInfo, observation: Observation) -> Script:
    """Delegates once and puts every line of the reports into the first column."""
    names: list[str] = []
    if info.n_subagents:
        observation = yield delegate([info.question] * info.n_subagents)
        names = [line for result in reports_in(observation) for line in result.body.splitlines()]
    blank = " | ".join("" for _ in info.columns[1:])
    rows = [f"| {name} | {blank} |" for name in dict.fromkeys(names)]
    header = [f"| {' | '.join(info.columns)} |", "|" + "---|" * len(info.columns)]
    yield answer("\n".join(header + rows))


def subagent(info: EpisodeInfo, observation: Observation) -> Script:
    """Searches once and reports the titles of the pages that it finds."""
    observation = yield (search(observation.text),)
    titles = [hit.title for result in observation.results for hit in read_search(result.text)]
    yield report("\n".join(titles))


async def main() -> None:
    """Plays three tasks of a small world with two subagents."""
    source = TaskSource.world("starter", split="test", num_tasks=3)
    done = await evaluate(Exam(source, width=2), Quote())
    print(f"{len(done.episodes)} episodes, item F1 {done.item_f1.mean:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
