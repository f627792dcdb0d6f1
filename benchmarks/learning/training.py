"""Tokens a second of a GRPO iteration, ours against TRL's: `wideseek speed training`.

One agent, one turn, so that both do the same: the same tiny model from scratch, the same prompts
(questions of a starter world), the same group, and answers of the same length, as an untrained
model hardly ever stops. Sampling, log-probabilities, reference model and update are in the time;
the first iteration is not. The two run in turn in one process, and CPU seconds are compared, as
they do not depend on who else uses the machine.

Needs `pip install trl`, which is no extra of ours.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.llm.engines import Completion, Request
from agents.llm.tokenizers import HFTokenizer
from trainers.batch import rows_of
from trainers.grpo import GRPOConfig, improve, prepare
from trainers.log import Timer
from trainers.model import Learner
from trainers.sft import SFTConfig
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, check_values
from wideseek_env.plugins import MissingExtra, late, require
from wideseek_env.records import Decision, Episode, Limits, Score, Task, TokenSpan, Trajectory, Turn
from wideseek_env.worlds import World

torch, profiler = late("torch", "train"), late("torch.profiler", "train")
engines, models = late("agents.llm.engines.transformers", "train"), late("trainers.models", "train")

LR, KL_WEIGHT = 1e-4, 0.001
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "scaled_dot_product")
"""Operations that are matrix products, attention among them."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Compares the speed of GRPO with TRL's; needs the extra train and `pip install trl`."""

    num_iterations: Count = 4
    """Timed iterations of each trainer."""
    num_tasks: Count = 4
    """Prompts of an iteration."""
    group_size: Count = 8
    """Answers to each prompt."""
    max_new_tokens: Count = 128
    """Longest answer, in tokens."""

    def __post_init__(self) -> None:
        check_values(self)


def reward(ids: Sequence[int]) -> float:
    """Returns something that an untrained model varies in: the share of single bytes."""
    return sum(i < 256 for i in ids) / max(len(ids), 1)


def episode(task: Task, prompt: Sequence[int], written: Completion) -> Episode:
    """Returns one turn of one agent as a record."""
    span = TokenSpan(tuple(prompt), written.ids, written.logprobs)
    turn = Turn(Decision(tokens=span), (), 0.0, 0.0, 0.0, 0)
    value = reward(written.ids)
    return Episode(
        task=task,
        policy="benchmark",
        seed=0,
        n_subagents=0,
        limits=Limits(),
        trajectories=(Trajectory("lead", "lead", task.question, (turn,), "answered"),),
        end="answered",
        answer=written.text,
        score=Score(0.0, 0.0, 0.0, 0.0, value, value, value),
        reward_terms={"bytes": value},
        provenance=(),
        seconds=0.0,
    )


def ours(
    start: Path, tasks: Sequence[Task], args: TrainingOptions
) -> tuple[list[tuple[float, int]], float]:
    """Measures CPU seconds and tokens of each iteration, and an update's share of products."""
    config = GRPOConfig(
        out="unused", model=str(start), lr=LR, kl_weight=KL_WEIGHT, device="cpu", warmup_steps=0
    )
    lm, tokenizer = models.load_model(str(start))
    learner = Learner(lm, config)
    engine = engines.TransformersEngine(learner.lm, tokenizer=tokenizer)
    prompts = [prompt_of(tokenizer, task) for task in tasks]
    iterations = []
    for iteration in range(args.num_iterations + 1):
        start_s = time.process_time()
        engine.forget_prefixes()
        requests = [
            Request(
                f"{iteration}/{index}/{member}",
                tuple(prompt),
                max_tokens=args.max_new_tokens,
                seed=iteration * 10_000 + index * 100 + member,
            )
            for index, prompt in enumerate(prompts)
            for member in range(args.group_size)
        ]
        written = asyncio.run(engine.generate(requests))
        episodes = [
            episode(tasks[number // args.group_size], request.prompt_ids, completion)
            for number, (request, completion) in enumerate(zip(requests, written, strict=True))
        ]
        rows, advantages, _ = prepare(episodes, config)
        improve(rows, advantages, config, learner, iteration=iteration, timer=Timer())
        tokens = sum(int(row.sampled.sum()) for row in rows_of(episodes))
        iterations.append((time.process_time() - start_s, tokens))
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as seen:
        improve(rows, advantages, config, learner, iteration=args.num_iterations, timer=Timer())
    times = {e.key: e.self_cpu_time_total for e in seen.key_averages()}
    products = sum(time for name, time in times.items() if any(p in name for p in PRODUCTS))
    return iterations[1:], products / sum(times.values())


def theirs(start: Path, tasks: Sequence[Task], args: TrainingOptions) -> list[tuple[float, int]]:
    """Returns CPU seconds and sampled tokens of each iteration of TRL's trainer."""
    datasets: Any = importlib.import_module("datasets")
    transformers: Any = importlib.import_module("transformers")
    trl: Any = importlib.import_module("trl")
    lm, tokenizer = models.load_model(str(start))
    ends: list[float] = []
    counts: list[int] = []

    def count(completion_ids: list[list[int]], **_: Any) -> list[float]:
        counts.append(sum(len(ids) for ids in completion_ids))
        return [reward(ids) for ids in completion_ids]

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    texts = [tokenizer.decode(prompt_of(tokenizer, task)) for task in tasks]
    settings = trl.GRPOConfig(
        output_dir=str(start / "trl"),
        per_device_train_batch_size=len(tasks) * args.group_size,
        num_generations=args.group_size,
        max_completion_length=args.max_new_tokens,
        max_steps=args.num_iterations + 1,
        learning_rate=LR,
        beta=KL_WEIGHT,
        epsilon_high=0.28,
        warmup_steps=0,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        shuffle_dataset=False,
    )
    dataset = datasets.Dataset.from_list(
        [{"prompt": text} for text in texts] * (args.num_iterations + 1)
    )
    trainer = trl.GRPOTrainer(
        model=lm,
        reward_funcs=count,
        args=settings,
        train_dataset=dataset,
        processing_class=tokenizer.hf,
        callbacks=[Clock()],
    )
    trainer.train()
    return list(zip(np.diff(ends).tolist(), counts[1:], strict=True))


def prompt_of(tokenizer: HFTokenizer, task: Task) -> list[int]:
    """Returns a question as a chat."""
    return tokenizer.encode(tokenizer.render([{"role": "user", "content": task.question}]))


def run(args: TrainingOptions) -> int:
    """Runs both and prints one line of JSON; returns the exit status."""
    require("torch.utils.tensorboard", "train")
    for module in ("trl", "datasets"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"{module} is not installed: pip install trl, no extra of ours")
    tasks = list(World("starter", seed=0).tasks(args.num_tasks))
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(out=folder, model="tiny", source="worlds:starter:0", format="json")
        start = models.make_tiny(config, "fanout")
        torch.manual_seed(0)
        iterations_of = {}
        iterations_of["ours"], products = ours(start, tasks, args)
        torch.manual_seed(0)
        iterations_of["trl"] = theirs(start, tasks, args)
        found: dict[str, Any] = {}
        for name, iterations in iterations_of.items():
            seconds, tokens = (sum(column) for column in zip(*iterations, strict=True))
            found[name] = {
                "sampled_tokens": tokens,
                "cpu_s": round(seconds, 3),
                "sampled_tokens_per_cpu_s": round(tokens / seconds, 1),
            }
    found["share_of_matrix_products_in_our_update"] = round(products, 3)
    found["threads"] = torch.get_num_threads()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(run_command("speed training"))
