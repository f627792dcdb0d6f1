"""How fast the game itself is: `wideseek speed throughput`.

Random play through the `tools` and the `discrete` interface on the embedded world, in one process
and in several, the cost of a turn against the length of the episode, the time until an environment
is ready, and a thousand episodes in one process. Rates are by CPU time of the process that plays,
as other load on the machine must not count.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
from msgspec import Meta

from agents.rollout import Job, rollout
from agents.scripted.script import open_page
from agents.scripted.simple import RandomPolicy
from benchmarks.speed.targets import Measurement, print_measurements
from wideseek_env import World, parallel_env
from wideseek_env.backends import Backend
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, Positive, check_values
from wideseek_env.cli.terminal import console
from wideseek_env.game.episode import Game
from wideseek_env.records import Decision, Episode, Limits, Task

NUM_SUBAGENTS = 8
NUM_PROCESSES = 2
"""As many as the smallest machine has cores."""


@lru_cache(maxsize=1)
def _world() -> tuple[Backend, tuple[Task, ...], Limits]:
    """Returns backend, tasks and limits of the default world."""
    world = World("default")
    return world.backend(), tuple(world.tasks(8)), world.preset.limits


def random_play(seconds: float) -> tuple[float, float]:
    """Returns agent turns for each CPU second: of `env.step` alone, and with drawing the actions.

    Args:
        seconds: CPU time to play for.
    """
    env = parallel_env(NUM_SUBAGENTS)
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(number)
    _, infos = env.reset(seed=0)
    num_turns, stepping_s = 0, 0.0
    started_s = time.process_time()
    while time.process_time() - started_s < seconds:
        if not env.agents:
            _, infos = env.reset()
        active = [agent for agent in env.agents if infos[agent]["active"]]
        actions = {agent: env.action_space(agent).sample() for agent in active}
        before_s = time.process_time()
        _, _, _, _, infos = env.step(actions)
        stepping_s += time.process_time() - before_s
        num_turns += len(active)
    all_s = time.process_time() - started_s
    env.close()
    return num_turns / stepping_s, num_turns / all_s


def random_moves(seconds: float, seed: int = 0) -> float:
    """Returns agent steps of the `discrete` interface for each CPU second of `env.step`.

    A step of the environment is one of each of its agents, waiting ones too.

    Args:
        seconds: CPU time to play for.
        seed: of tasks and moves.
    """
    env = parallel_env(NUM_SUBAGENTS, interface="discrete")
    rng = np.random.default_rng(seed)
    observations, _ = env.reset(seed=seed)
    num_steps, stepping_s = 0, 0.0
    while stepping_s < seconds:
        if not env.agents:
            observations, _ = env.reset()
        legal = {agent: np.flatnonzero(o["action_mask"]) for agent, o in observations.items()}
        actions = {agent: int(rng.choice(moves)) for agent, moves in legal.items()}
        before_s = time.process_time()
        observations, _, _, _, _ = env.step(actions)
        stepping_s += time.process_time() - before_s
        num_steps += len(actions)
    env.close()
    return num_steps / stepping_s


def moves_in_processes(seconds: float, num_processes: int) -> float:
    """Returns the sum of `random_moves` of processes that play at the same time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_processes, context) as pool:
        return sum(pool.map(random_moves, [seconds] * num_processes, range(num_processes)))


def turn_costs(num_turns: int) -> tuple[float, float]:
    """Returns CPU seconds of a turn in the first and in the last quarter of one long episode.

    One agent alone opens a page, `num_turns` times; its context is big enough for all.
    """
    backend, (task, *_), limits = _world()
    limits = replace(limits, max_lead_turns=num_turns, max_context_chars=10**9)
    url = task.sources[0][0][0]

    async def episode() -> list[float]:
        game, marks = Game(task, backend, 0, limits=limits), []
        decision = Decision((open_page(url),))
        while await game.observation("lead") is not None:
            marks.append(time.process_time())
            await game.act("lead", decision)
        return marks

    gc.collect()
    marks = asyncio.run(episode())
    quarter = len(marks) // 4
    first_s = (marks[quarter] - marks[0]) / quarter
    return first_s, (marks[-1] - marks[-1 - quarter]) / quarter


def start_times() -> tuple[float, float, float]:
    """Returns the seconds of an import, of making and resetting an environment, and its CPU time.

    The best of three fresh processes, as the first one also reads the disk.
    """
    code = (
        "import time; a = time.perf_counter(); import wideseek_env; b = time.perf_counter(); "
        f"wideseek_env.parallel_env(n_subagents={NUM_SUBAGENTS}).reset(seed=0); "
        "print(b - a, time.perf_counter() - b, time.process_time())"
    )
    runs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        runs.append([float(part) for part in done.stdout.split()])
    import_s, ready_s, cpu_s = (min(column) for column in zip(*runs, strict=True))
    return import_s, ready_s, cpu_s


def idle_memory(num_episodes: int) -> float:
    """Returns bytes of memory for each episode that has begun and waits for its first decision."""
    backend, tasks, _ = _world()
    gc.collect()
    tracemalloc.start()
    games = [
        Game(tasks[number % len(tasks)], backend, NUM_SUBAGENTS, seed=number)
        for number in range(num_episodes)
    ]
    gc.collect()
    size_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size_bytes / len(games)


async def play_at_once(num_episodes: int) -> tuple[int, int, float]:
    """Plays random episodes, all in flight at once; returns valid ones, turns and CPU seconds."""
    backend, tasks, limits = _world()
    jobs = [
        Job(tasks[n % len(tasks)], backend, NUM_SUBAGENTS, limits, seed=n)
        for n in range(num_episodes)
    ]
    started_s = time.process_time()
    episodes: list[Episode] = []
    async for episode in rollout(jobs, RandomPolicy(), max_concurrent=num_episodes):
        episodes.append(episode)
    return (
        sum(episode.valid for episode in episodes),
        sum(episode.num_turns for episode in episodes),
        time.process_time() - started_s,
    )


def measure(seconds: float, num_turns: int, num_episodes: int) -> list[Measurement]:
    """Returns all figures.

    Args:
        seconds: CPU time of random play.
        num_turns: length of the long episode.
        num_episodes: in flight at once.
    """
    import_s, ready_s, start_cpu_s = start_times()
    stepping, drawing = random_play(seconds)
    moves, together = random_moves(seconds), moves_in_processes(seconds, NUM_PROCESSES)
    first_s, last_s = turn_costs(num_turns)
    idle_bytes = idle_memory(num_episodes)
    num_valid, num_played, cpu_s = asyncio.run(play_at_once(num_episodes))
    return [
        Measurement("import wideseek_env", f"{import_s:.2f} s", "under 0.5 s", import_s < 0.5),
        Measurement("parallel_env(8), reset", f"{ready_s:.2f} s", "under 1.5 s", ready_s < 1.5),
        Measurement("CPU time of both", f"{start_cpu_s:.2f} s"),
        Measurement(
            "random play, agent turns a second", f"{stepping:,.0f}", "3,000", stepping >= 3000
        ),
        Measurement("the same, with drawing the actions", f"{drawing:,.0f}"),
        Measurement(
            "discrete interface, agent steps a second", f"{moves:,.0f}", "8,000", moves >= 8000
        ),
        Measurement(
            f"{NUM_PROCESSES} processes at once, of so many times one",
            f"{together / moves / NUM_PROCESSES:.0%}",
            "90 %",
            together / moves / NUM_PROCESSES >= 0.9,
        ),
        Measurement(f"a turn, first quarter of {num_turns:,}", f"{first_s * 1e6:.0f} µs"),
        Measurement(
            "a turn, last quarter", f"{last_s * 1e6:.0f} µs", "no growth", last_s < 1.25 * first_s
        ),
        Measurement("memory of an idle episode", f"{idle_bytes / 1024:.1f} KiB"),
        Measurement(
            f"{num_episodes:,} episodes at once, valid",
            f"{num_valid:,}",
            "all",
            num_valid == num_episodes,
        ),
        Measurement("the same, agent turns a second", f"{num_played / cpu_s:,.0f}"),
    ]


@dataclass(frozen=True, kw_only=True)
class ThroughputOptions:
    """Measures the speed and memory of the game, by CPU time of one process.

    Ends with status 1 when a target is missed.
    """

    seconds: Positive = 5.0
    """CPU time of random play."""
    num_turns: Annotated[int, Meta(ge=8)] = 8_000
    """Length of the long episode."""
    num_episodes: Count = 1_000
    """Episodes in flight at once."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: ThroughputOptions) -> int:
    """Prints the figures; returns 0 when every target is reached, else 1."""
    figures = measure(options.seconds, options.num_turns, options.num_episodes)
    title = "Throughput, by CPU time of one process"
    return 0 if print_measurements(console(), figures, title) else 1


if __name__ == "__main__":
    sys.exit(run_command("speed throughput"))
