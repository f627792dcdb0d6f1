"""How much waiting the rollout driver saves: `wideseek speed concurrency`.

One lead hands a subtask to each of 8 subagents, and each opens 10 pages, one after another. A page
takes a lognormal time (mean 100 ms, sigma 0.8). The same episode is played in three ways: agents
take turns; all act at once and wait for the slowest (`env.step`); each goes on as soon as its own
page is there (the driver). None can be quicker than the critical path, the slowest subagent.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

from rich.table import Table

from agents.policy import EpisodeInfo
from agents.rollout import Job, run_episode
from agents.scripted.script import Script, ScriptPlayer, answer, delegate, open_page, report
from agents.stepping import step_through
from benchmarks.speed.targets import print_targets
from wideseek_env import parallel_env
from wideseek_env.backends import Hit, Page
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, check_values
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.cli.terminal import print_table
from wideseek_env.game.episode import Game
from wideseek_env.records import Column, Limits, Observation, Task

LIMITS = Limits(max_subagent_turns=1_000)
TASK = Task("latency", "Open every page.", (Column("Page"),), ("Page",), (("x",),))
NUM_SUBAGENTS, NUM_CALLS, MEAN_S, SIGMA = 8, 10, 0.1, 0.8


class SlowPages:
    """A backend whose pages take a time that was drawn beforehand, so that all ways wait the same.

    Args:
        mean_s: mean of the lognormal distribution, in seconds.
        sigma: its shape: the deviation of the logarithm.
        seed: of the draw.
    """

    def __init__(self, mean_s: float, sigma: float, seed: int) -> None:
        rng = random.Random(seed)
        mu = math.log(mean_s) - sigma**2 / 2
        self.seconds = [
            [rng.lognormvariate(mu, sigma) for _ in range(NUM_CALLS)] for _ in range(NUM_SUBAGENTS)
        ]

    @property
    def critical_path_s(self) -> float:
        """The slowest subagent's waiting: no order of the calls can take less."""
        return max(map(sum, self.seconds))

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Finds nothing, at once."""
        return []

    async def open(self, url: str, part: int = 1) -> Page:
        """Returns the page /SUBAGENT/CALL when its time is over."""
        subagent, call = map(int, url.strip("/").split("/"))
        await asyncio.sleep(self.seconds[subagent][call])
        return Page(url, url, "x")

    async def close(self) -> None:
        """Frees nothing: there is nothing to free."""


class OnePageAfterAnother:
    """The lead delegates once; each subagent opens its pages and reports."""

    name = "one page after another"

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode."""
        return ScriptPlayer(info, _lead, _subagent)


def _lead(info: EpisodeInfo, observation: Observation) -> Script:
    yield delegate([str(number) for number in range(NUM_SUBAGENTS)])
    yield answer("| Page |\n|---|\n| x |")


def _subagent(info: EpisodeInfo, observation: Observation) -> Script:
    for call in range(NUM_CALLS):
        yield (open_page(f"/{observation.text}/{call}"),)
    yield report("done")


async def take_turns(pages: SlowPages) -> int:
    """Plays with one agent at a time; returns the number of turns."""
    game = Game(TASK, pages, NUM_SUBAGENTS, limits=LIMITS)
    player = OnePageAfterAnother().begin(EpisodeInfo.of(TASK, NUM_SUBAGENTS, LIMITS, 0))
    while not game.over:
        for agent in game.agents:
            observation = None if game.over else game.pending(agent)
            if observation is not None:
                await game.act(agent, await player.decide(agent, observation))
    return (await game.record()).num_turns


def step_together(pages: SlowPages) -> int:
    """Plays through `env.step`, which waits for the slowest agent; returns the number of turns."""
    env = parallel_env(NUM_SUBAGENTS, tasks=[TASK], backend=pages, limits=LIMITS)
    episode = step_through(env, OnePageAfterAnother())
    env.close()
    return episode.num_turns


async def drive(pages: SlowPages) -> int:
    """Plays by the rollout driver, without a barrier; returns the number of turns."""
    job = Job(TASK, pages, NUM_SUBAGENTS, LIMITS)
    return (await run_episode(job, OnePageAfterAnother())).num_turns


@dataclass(frozen=True, slots=True)
class Timing:
    """Mean wall seconds of one episode in each way."""

    take_turns_s: float
    step_together_s: float
    drive_s: float
    critical_path_s: float


def measure(num_episodes: int, mean_s: float = MEAN_S, sigma: float = SIGMA) -> Timing:
    """Returns the mean times of episodes that differ in what they draw.

    Raises:
        RuntimeError: the three ways did not play the same number of turns.
    """
    times: list[Timing] = []
    for seed in range(num_episodes):
        pages = SlowPages(mean_s, sigma, seed)
        turns_s, num_turns = _timed(partial(_run, take_turns, pages))
        steps_s, num_steps = _timed(partial(step_together, pages))
        drive_s, num_driven = _timed(partial(_run, drive, pages))
        if not num_turns == num_steps == num_driven:
            raise RuntimeError(
                f"expected the same episode in all ways, got {num_turns}, {num_steps} and "
                f"{num_driven} turns"
            )
        times.append(Timing(turns_s, steps_s, drive_s, pages.critical_path_s))
    return Timing(
        fmean(t.take_turns_s for t in times),
        fmean(t.step_together_s for t in times),
        fmean(t.drive_s for t in times),
        fmean(t.critical_path_s for t in times),
    )


def _run(way: Callable[[SlowPages], Coroutine[Any, Any, int]], pages: SlowPages) -> int:
    return asyncio.run(way(pages))


def _timed(way: Callable[[], int]) -> tuple[float, int]:
    started_s = time.perf_counter()
    num_turns = way()
    return time.perf_counter() - started_s, num_turns


@dataclass(frozen=True, kw_only=True)
class ConcurrencyOptions:
    """Measures how much waiting the rollout driver saves: turn-taking, barrier and driver.

    Ends with status 1 when a target is missed.
    """

    num_episodes: Count = 4
    """Episodes, each with times of its own."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: ConcurrencyOptions) -> int:
    """Prints the comparison; returns 0 when every target is reached, else 1."""
    timing = measure(options.num_episodes)
    table = Table(
        title=f"{NUM_SUBAGENTS} subagents x {NUM_CALLS} calls, lognormal, mean {MEAN_S * 1000:.0f} "
        f"ms, sigma {SIGMA}; mean of {options.num_episodes} episodes",
        title_justify="left",
    )
    for header in ("way", "seconds", "times the driver's"):
        table.add_column(header, justify="left" if header == "way" else "right")
    for name, seconds in (
        ("one agent at a time", timing.take_turns_s),
        ("all at once, barrier (env.step)", timing.step_together_s),
        ("driver, no barrier", timing.drive_s),
        ("critical path", timing.critical_path_s),
    ):
        table.add_row(name, f"{seconds:.3f}", f"{seconds / timing.drive_s:.2f}")
    console = results_console()
    print_table(console, table)
    targets = {
        "at least 5 x quicker than turns": timing.take_turns_s >= 5 * timing.drive_s,
        "at least 1.5 x quicker than the barrier": timing.step_together_s >= 1.5 * timing.drive_s,
        "within 10 % of the critical path": timing.drive_s <= 1.1 * timing.critical_path_s,
    }
    return 0 if print_targets(console, targets) else 1


if __name__ == "__main__":
    sys.exit(run_command("speed concurrency"))
