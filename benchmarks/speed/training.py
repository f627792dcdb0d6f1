"""How fast GRPO learns, beside TRL's: `wideseek speed training [turn] [solo] [team]`.

Both take optimiser steps in turn, in one process, with one thread, in float32, from the same model
and on the very same tokens, with a start model for the KL. CPU seconds are compared, as they do not
depend on who else uses the machine; the first step of each does not count.

- turn: one question, one answer of an untrained model, which hardly ever stops: rows of nearly one
  length, which suits TRL best. Here sampling is compared, too, each with its own engine.
- solo: whole episodes of one agent alone; what it was shown between its turns does not train.
- team: the conversations of lead and subagents, a row each.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
from rich.table import Table
from tyro.conf import Positional

from agents.llm.engines import Request
from benchmarks.speed.targets import verdict
from trainers.advantages import group_advantages
from trainers.batch import TokenRow, rows_of
from trainers.collector import Collector
from trainers.grpo import PRESETS, GRPOConfig, improve
from trainers.log import Timer
from trainers.model import Learner
from trainers.sft import SFTConfig
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, check_values
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.cli.terminal import print_table
from wideseek_env.plugins import late, require
from wideseek_env.worlds import World

torch, profiler = late("torch", "train"), late("torch.profiler", "train")
engines, models = late("agents.llm.engines.transformers", "train"), late("trainers.models", "train")
policies, peer = late("trainers.policies", "train"), late("benchmarks.speed.training_peer", "trl")

TRAINED = Path(__file__).resolve().parents[2] / "agents/learned/lm/sft"
"""The tiny model that plays `solo` and `team`."""
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "scaled_dot_product")
"""Operations that are matrix products, attention among them."""
NUM_TASKS, LEAST_PRODUCTS = 4, 0.6
NUM_PROFILED = 2
"""Steps after those that are timed."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Compares the speed of our GRPO with that of TRL's; needs the extra trl.

    Ends with status 1 when ours is slower, or less than 60 % of our update is matrix products.
    """

    parts: Positional[tuple[Literal["turn", "solo", "team"], ...]] = ("turn", "solo", "team")
    """What is learnt from: turn, solo, team."""
    num_steps: Count = 5
    """Timed steps of each trainer."""
    group_size: Count = 8
    """Answers to each of four questions, or episodes of each of four tasks."""
    max_new_tokens: Count = 128
    """Longest answer of `turn`, in tokens."""
    trl_rows: Count = 8
    """Most rows of a forward pass of TRL's; ours are cut by tokens (`--budget-tokens` of the
    trainers)."""

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured of one kind of work."""

    name: str
    ours: list[float]
    """Tokens for each CPU second, step by step."""
    theirs: list[float]
    our_products: float
    """Part of the time of a step that matrix products take."""
    their_products: float

    @property
    def ratios(self) -> list[float]:
        """How much faster ours is, step by step."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]


def compare(
    name: str,
    ours: Callable[[int], int],
    theirs: Callable[[Any], Sequence[int]],
    num_steps: int,
) -> Comparison:
    """Lets both take steps in turn: one that does not count, those that do, some with a profiler.

    Args:
        name: of the work.
        ours: takes our step of a number; returns its tokens.
        theirs: takes all of TRL's steps, with a clock; returns the tokens of each.
        num_steps: that count.
    """
    seconds, tokens, products = [], [], []
    seen = profile()

    def step(number: int) -> None:
        with profile() if number > num_steps else nullcontext() as looked:
            begun_s = time.process_time()
            tokens.append(ours(number))
            seconds.append(time.process_time() - begun_s)
        if looked is not None:
            products.append(products_of(looked))

    turns = peer.Turns(step, seen)
    of_each = theirs(turns)
    timed = slice(1, num_steps + 1)
    return Comparison(
        name,
        [n / s for n, s in zip(tokens[timed], seconds[timed], strict=True)],
        [n / s for n, s in zip(of_each[timed], turns.seconds[timed], strict=True)],
        median(products),
        products_of(seen),
    )


def profile() -> Any:
    """Returns a profiler that tells operations of different sizes apart."""
    return profiler.profile(activities=[profiler.ProfilerActivity.CPU], record_shapes=True)


def products_of(seen: Any) -> float:
    """Returns the part of a profile that is matrix products.

    Its times are those of a clock: whoever else uses the machine makes single operations seem long.
    So each counts as much as is usual for its kind and size.
    """
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in seen.events():
        times[event.name, str(event.input_shapes)].append(event.self_cpu_time_total)
    usual = {kind: median(each) * len(each) for kind, each in times.items()}
    products = sum(t for (name, _), t in usual.items() if any(p in name for p in PRODUCTS))
    return products / sum(usual.values())


def update_of(
    name: str, start: Path, rows: list[TokenRow], config: GRPOConfig, options: TrainingOptions
) -> Comparison:
    """Compares optimiser steps on given rows, with drawn rewards."""
    rows = rows[: len(rows) // options.trl_rows * options.trl_rows]
    rewards = np.random.default_rng(0).random(len(rows))
    advantages = group_advantages(rewards, np.zeros(len(rows), dtype=np.int64), "mean-std")
    learner = Learner(models.load_model(str(start))[0], config)
    num_tokens = sum(len(row.ids) for row in rows)

    def ours(number: int) -> int:
        improve(rows, advantages, config, learner, iteration=number, timer=Timer())
        return num_tokens

    def theirs(turns: Any) -> list[int]:
        num = options.num_steps + 1 + NUM_PROFILED
        peer.learn(
            start,
            rows,
            rewards.tolist(),
            config=config,
            turns=turns,
            micro_rows=options.trl_rows,
            num_steps=num,
        )
        return [num_tokens] * num

    sampled = sum(int(row.sampled.sum()) for row in rows)
    text = f"{name}: update on {len(rows)} rows, {num_tokens:,} tokens, {sampled:,} sampled"
    return compare(text, ours, theirs, options.num_steps)


class Answers:
    """Answers of a model to questions, sampled by our engine.

    Args:
        learner: whose model samples.
        tokenizer: its tokenizer.
        options: how many, how long.
    """

    def __init__(self, learner: Learner, tokenizer: Any, options: TrainingOptions) -> None:
        self._engine = engines.TransformersEngine(learner.lm, tokenizer=tokenizer)
        self._options = options
        tasks = World("starter", seed=0).tasks(NUM_TASKS)
        chats = [[{"role": "user", "content": task.question}] for task in tasks]
        self.prompts = [tokenizer.encode(tokenizer.render(chat)) for chat in chats]

    def sample(self, step: int) -> list[TokenRow]:
        """Returns a group of answers to each question."""
        size = self._options.group_size
        requests = [
            Request(
                f"{step}/{number}",
                tuple(self.prompts[number // size]),
                max_tokens=self._options.max_new_tokens,
                seed=step * 10_000 + number,
            )
            for number in range(size * len(self.prompts))
        ]
        self._engine.forget_prefixes()
        rows = []
        for number, written in enumerate(asyncio.run(self._engine.generate(requests))):
            shown, new = requests[number].prompt_ids, written.ids
            turn = np.array([-1] * len(shown) + [0] * len(new))
            logprobs = np.array([np.nan] * len(shown) + [*written.logprobs])
            ids = np.array([*shown, *new])
            rows.append(TokenRow(ids, turn, logprobs, turn == 0, number, 0, "lead"))
        return rows


def reward(ids: Sequence[int]) -> float:
    """Returns something that an untrained model varies in: the share of single bytes."""
    return sum(i < 256 for i in ids) / max(len(ids), 1)


def iteration_of(start: Path, config: GRPOConfig, options: TrainingOptions) -> Comparison:
    """Compares sampling and learning together."""
    lm, tokenizer = models.load_model(str(start))
    learner = Learner(lm, config)
    answers = Answers(learner, tokenizer, options)
    groups = np.repeat(np.arange(NUM_TASKS), options.group_size)

    def ours(number: int) -> int:
        rows = answers.sample(number)
        rewards = np.array([reward(row.ids[row.sampled].tolist()) for row in rows])
        advantages = group_advantages(rewards, groups, "mean-std")
        improve(rows, advantages, config, learner, iteration=number, timer=Timer())
        return sum(int(row.sampled.sum()) for row in rows)

    def theirs(turns: Any) -> list[int]:
        texts = [tokenizer.decode(ids) for ids in answers.prompts]
        num = options.num_steps + 1 + NUM_PROFILED
        counts: list[int] = peer.sample_and_learn(
            start, texts, reward, config=config, turns=turns, num_steps=num
        )
        return counts

    return compare("turn: sampling and update, sampled tokens", ours, theirs, options.num_steps)


def measure_turn(options: TrainingOptions, folder: Path) -> list[Comparison]:
    """Compares an untrained model's answers of one turn."""
    made = SFTConfig(out=str(folder), model="tiny", source="worlds:starter:0", format="json")
    start = models.make_tiny(made, "fanout")
    config = config_of(start, options)
    lm, tokenizer = models.load_model(str(start))
    rows = Answers(Learner(lm, config), tokenizer, options).sample(0)
    return [
        update_of("turn", start, rows, config, options),
        iteration_of(start, config, options),
    ]


def measure_episodes(options: TrainingOptions, name: str) -> list[Comparison]:
    """Compares updates on whole episodes that the tiny model has played."""
    config = config_of(TRAINED, options)
    width = {"n_subagents": 4, "random_width": False}
    if name == "solo":
        width = {"n_subagents": 0, "max_lead_turns": 8}
    config = replace(config, **width)
    lm, tokenizer = models.load_model(str(TRAINED))
    policy = policies.sampling_policy(Learner(lm, config, reference=False), tokenizer)
    rows = rows_of(Collector(config, policy).collect(0))
    rows = [row for row in rows if row.trains.any()]
    return [update_of(name, TRAINED, rows, config, options)]


def config_of(start: Path, options: TrainingOptions) -> GRPOConfig:
    """Returns our settings, those of the preset `tiny` where they cost time."""
    tiny = {**PRESETS["tiny"], "tasks_per_iteration": NUM_TASKS, "warmup_steps": 0, "lr": 1e-5}
    sizes = {"group_size": options.group_size, "max_new_tokens": options.max_new_tokens}
    return GRPOConfig(**{**tiny, **sizes, "out": "unused", "model": str(start), "device": "cpu"})


def run(options: TrainingOptions) -> int:
    """Measures the parts and prints each; returns the exit status."""
    for module in ("trl", "requests"):
        require(module, "trl")
    torch.set_num_threads(1)
    console, reached = results_console(), True
    for part in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            found = (
                measure_turn(options, Path(folder))
                if part == "turn"
                else measure_episodes(options, part)
            )
        print_table(console, table_of(found))
        reached = reached and all(map(is_reached, found))
    return 0 if reached else 1


def is_reached(figure: Comparison) -> bool:
    """Tells whether ours is at least level; of a mere update, also whether it is busy."""
    return median(figure.ratios) >= 1 and (
        "sampling" in figure.name or figure.our_products >= LEAST_PRODUCTS
    )


def table_of(found: Sequence[Comparison]) -> Table:
    """Shows medians, and the range of the ratio over the steps."""
    table = Table("tokens a CPU second", "ours", "TRL", "ratio (range)", "products: ours, TRL", "")
    for figure in found:
        table.add_row(
            figure.name,
            f"{median(figure.ours):,.0f}",
            f"{median(figure.theirs):,.0f}",
            f"{median(figure.ratios):.2f} ({min(figure.ratios):.2f}-{max(figure.ratios):.2f})",
            f"{figure.our_products:.0%}, {figure.their_products:.0%}",
            verdict(is_reached(figure)),
        )
    return table


if __name__ == "__main__":
    sys.exit(run_command("speed training"))
