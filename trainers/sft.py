"""Supervised start: `wideseek train sft --preset tiny --out runs/sft`.

A scripted teacher plays new episodes in the model's own conversation; those that score well are
kept, and the model learns to write the teacher's turns. Only tokens that an agent wrote train.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tyro.conf import OmitArgPrefixes

from agents.scripted import POLICIES
from trainers import checkpoint
from trainers.advantages import Aggregation, sequence_weights
from trainers.batch import TokenRow, agents_of, rows_of, spread
from trainers.config import SMOL, SMOL_SFT, SMOLLM2, TINY, OutName, RunConfig, preset_of
from trainers.interrupt import Stop
from trainers.log import RunLog, Timer, episode_metrics
from trainers.model import Learner
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, Share
from wideseek_env.plugins import late, one_of, require
from wideseek_env.records import Episode

torch = late("torch", "train")


@dataclass(frozen=True, kw_only=True)
class SFTConfig(RunConfig):
    """Settings of supervised learning."""

    model: str = "tiny"
    """Start model: tiny makes one from scratch, else a Hugging Face name, a folder, or a run."""
    out: OutName = "runs/sft"
    """Folder for logs and checkpoints; a run that it holds goes on from its last checkpoint."""
    teacher: str = "fanout"
    """Scripted policy to learn from, one of `agents.scripted.POLICIES`."""
    min_item_f1: Share = 0.5
    """Episodes of the teacher below this item F1 are left out."""
    group_size: Count = 1
    """Episodes of each task in an iteration; a teacher that draws nothing plays all alike."""
    tasks_per_iteration: Count = 16
    """Tasks of an iteration."""
    aggregation: Aggregation = "token-mean"
    """How tokens are averaged; every token is a lesson of its own here."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.teacher not in POLICIES:
            raise ValueError(f"--teacher: expected {one_of(POLICIES, self.teacher)}")


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        **TINY,
        "model": "tiny",
        "teacher": "partial",
        "min_item_f1": 0.1,
        "num_iterations": 2600,
        "source": "worlds:starter:0-399",
        "num_tasks": 8,
        "n_subagents": 8,
        "random_width": True,
        "tasks_per_iteration": 4,
        "budget_tokens": 1300,
        "optimizer": "muon",
        "lr": 4e-3,
        "lr_end": 0.1,
        "warmup_steps": 20,
        "checkpoint_every": 100,
        "keep_checkpoints": 20,
    },
    "smol": {
        **SMOL,
        "model": SMOLLM2,
        "out": SMOL_SFT,
        "teacher": "partial",
        "min_item_f1": 0.1,
        "lr": 3e-4,
        "lr_end": 0.1,
        "warmup_steps": 5,
        "num_iterations": 20,
        "checkpoint_every": 5,
    },
}

SHOWN = ("sft/loss", "sft/perfect_tokens", "sft/kept", "episodes/item_f1", "tokens/trained")


def train(
    config: SFTConfig,
    learner: Learner,
    play: Callable[[int], list[Episode]],
    held_out: Callable[[int], dict[str, float]] = lambda iteration: {},
) -> None:
    """Trains from the last checkpoint of the run, or from the start, to `num_iterations`.

    Args:
        config: settings.
        learner: the model.
        play: gives the episodes of an iteration, played by a teacher and with tokens.
        held_out: gives scores on held-out tasks after an iteration, when it is time.
    """
    first_iteration = checkpoint.resume(learner, config)
    with (
        Stop(config.out) as stop,
        RunLog(Path(config.out), first_iteration, SHOWN, config.num_iterations) as log,
    ):
        for iteration in range(first_iteration, config.num_iterations):
            timer = Timer()
            with timer("play"):
                episodes = play(iteration)
            kept = [e for e in episodes if e.score and e.score.item_f1 >= config.min_item_f1]
            metrics = {**episode_metrics(episodes), "sft/kept": len(kept) / len(episodes)}
            rows = [row for row in rows_of(kept, config.trained_roles) if row.trains.any()]
            if rows:
                with timer("update"):
                    metrics |= imitate(rows, config, learner, iteration)
            ends = stop.asked
            with timer("checkpoint"):
                if ends or checkpoint.due(config, iteration + 1):
                    checkpoint.save(learner, config, iteration + 1)
            with timer("evaluate"):
                metrics |= held_out(iteration)
            log.write(iteration, {**metrics, **timer.seconds})
            if ends:
                stop.now(iteration + 1)


def imitate(
    rows: list[TokenRow], config: SFTConfig, learner: Learner, iteration: int
) -> dict[str, float]:
    """Takes one optimiser step towards the rows' tokens; returns its numbers."""
    learner.lm.train()
    counts = np.array([int(row.trains.sum()) for row in rows])
    episodes = np.array([row.episode for row in rows])
    per_row = sequence_weights(counts, episodes, config.aggregation, agents_of(rows))
    trains = np.concatenate([row.trains[row.sampled] for row in rows])
    weight = spread(per_row, rows, learner.device)
    weight *= torch.from_numpy(trains).to(learner.device)
    totals: dict[str, float] = defaultdict(float)
    for batch in learner.micro_batches(rows, range(len(rows))):
        logprobs, entropy = learner.score(learner.states(batch), batch)
        of_batch = weight[batch.tokens]
        torch.autograd.backward(-(logprobs * of_batch).sum())
        totals["sft/loss"] -= float((logprobs.detach() * of_batch).sum())
        totals["sft/entropy"] += float((entropy * of_batch).sum())
        # More likely than all others together: greedy decoding would write it.
        totals["sft/perfect_tokens"] += float(((logprobs > np.log(0.5)) * of_batch).sum())
    norm, lr = learner.update(iteration)
    learner.lm.eval()
    return {
        **totals,
        "optimiser/gradient_norm": norm,
        "optimiser/lr": lr,
        "tokens/trained": float(counts.sum()),
        "tokens/rows": float(sum(len(row.ids) for row in rows)),
        "tokens/longest_row": float(max(len(row.ids) for row in rows)),
    }


@dataclass(frozen=True, kw_only=True)
class SFTOptions:
    """Lets a model imitate a scripted teacher; needs the extra train.

    Ctrl-C ends the iteration and keeps a checkpoint; the same command goes on.
    """

    preset: Literal["tiny", "smol"] | None = None
    """Settings to start from; flags that are given count more."""
    config: OmitArgPrefixes[SFTConfig] = field(default_factory=SFTConfig)
    """Settings of the run."""

    @classmethod
    def defaults(cls, words: Sequence[str]) -> SFTOptions | None:
        """Gives what counts where no flag is given."""
        name = preset_of(words, PRESETS)
        return cls(preset=name, config=SFTConfig(**PRESETS[name])) if name else None


def run(options: SFTOptions) -> int:
    """Trains from the command line; returns the exit status."""
    train_anew(options.config)
    return 0


def train_anew(config: SFTConfig) -> None:
    """Loads the model and trains, or goes on with the run in `config.out`.

    Raises:
        MissingExtra: a library of the extra train is not installed.
    """
    require("torch.utils.tensorboard", "train")
    from trainers.collector import Collector, held_out_scores, source_of  # noqa: PLC0415 - heavy
    from trainers.models import load_model, make_tiny  # noqa: PLC0415
    from trainers.policies import sampling_policy, teaching_policy  # noqa: PLC0415

    source = source_of(config)  # a wrong name is found before the model is loaded
    name = make_tiny(config, config.teacher) if config.model == "tiny" else config.model
    lm, tokenizer = load_model(str(name))
    learner = Learner(lm, config, tokenizer=tokenizer.hf, reference=False)
    teacher = teaching_policy(config, lm, tokenizer, config.teacher)
    student = sampling_policy(learner, tokenizer)
    play = Collector(config, teacher, source).collect
    train(config, learner, play, held_out_scores(config, student))


if __name__ == "__main__":
    sys.exit(run_command("train sft"))
