"""TRL's `AsyncGRPOTrainer` on whole teams: a second engine over the rows of `trainers/openrlhf`.

    wideseek train trl --preset tiny --model agents/learned/lm/sft --out runs/trl

TRL takes samples that carry their own advantage, so a team needs no change of it: a rollout worker
of ours plays the episodes of an iteration, and a weight transfer of ours hands the trained weights
to the model that plays. One iteration is one batch of episodes, filled up to an equal number of
rows; as TRL fetches a batch before it trains on the last, episodes are one iteration old.

TRL's loss is a mean over tokens. The advantage of a row is scaled so that this mean is the one over
episodes, an episode's agents and an agent's tokens; the clipped loss is homogeneous in it.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.llm.policy import LLMPolicy
from trainers.config import preset_of
from trainers.grpo import PRESETS, GRPOConfig, GRPOOptions
from trainers.log import episode_metrics
from trainers.openrlhf.rows import TeamRow, credit, team_rows
from wideseek_env.cli.commands import run_command
from wideseek_env.plugins import require
from wideseek_env.records import Episode


class TeamRollouts:
    """Plays a batch whenever the trainer has new weights; TRL's `rollout_worker`.

    Args:
        play: gives the episodes of an iteration, G of each task.
        config: how rows are credited, and how many fill an iteration.
        row_class: TRL's `RolloutSample`.
    """

    def __init__(
        self,
        play: Callable[[int], list[Episode]],
        config: GRPOConfig,
        row_class: Callable[..., Any],
    ) -> None:
        self._play, self._config, self._row_class = play, config, row_class
        self.rollout_buffer: queue.Queue[Any] = queue.Queue()
        self.metrics_queue: queue.Queue[dict[str, float]] = queue.Queue()
        self._versions: queue.Queue[int | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)
        self._version = 0
        self._error: Exception | None = None

    def start(self) -> None:
        """Begins to play, one batch ahead: TRL fetches the next before it trains on the last."""
        self._versions.put(self._version)
        self._thread.start()

    def stop(self) -> None:
        """Ends after the batch in hand."""
        self._versions.put(None)

    def update_model_version(self, model_version: int) -> None:
        """Plays another batch, with the weights that have just come."""
        self._version = model_version
        self._versions.put(model_version)

    def check_health(self, stale_after_s: float) -> None:
        """Raises what has ended the play.

        Raises:
            RuntimeError: it has ended.
        """
        if self._error is not None:
            raise RuntimeError("the episodes of an iteration could not be played") from self._error

    def _run(self) -> None:
        iteration = 0
        while (version := self._versions.get()) is not None:
            try:
                samples = self._samples(self._play(iteration), version)
            except Exception as error:  # noqa: BLE001 - the trainer raises it, in its own thread
                self._error = error
                return
            for sample in samples:
                self.rollout_buffer.put(sample)
            iteration += 1

    def _samples(self, episodes: Sequence[Episode], version: int) -> list[Any]:
        figures = episode_metrics(episodes)
        self.metrics_queue.put(figures)
        rows = [
            row
            for number, episode in enumerate(episodes)
            for row in team_rows(episode, episode_id=str(number), group=episode.task.id)
        ]
        told = credit(
            rows,
            baseline=self._config.baseline,
            aggregation=self._config.aggregation,
            provenance=self._config.provenance,
        )
        chosen = [number for number in range(len(rows)) if told.trains[number]]
        missing = rows_per_iteration(self._config) - len(chosen)
        spare = [row for row in rows if row.num_trained]
        if missing < 0 or not spare:
            raise ValueError(
                f"expected 1 to {rows_per_iteration(self._config)} rows in an iteration, "
                f"got {len(spare)}"
            )
        total = sum(rows[number].num_trained for number in chosen) + missing
        samples = []
        for number in chosen:
            row, scale = rows[number], told.weights[number] * total / rows[number].num_trained
            advantage = told.advantages[number] * scale
            samples.append(
                self._sample(row, row.mask, advantage, int(told.groups[number]), version)
            )
        filler = min(spare, key=lambda row: len(row.ids))
        one = [number == filler.mask.index(True) for number in range(len(filler.ids))]
        return samples + [self._sample(filler, one, 0.0, -1, version)] * missing

    def _sample(
        self, row: TeamRow, mask: list[bool], advantage: float, group: int, version: int
    ) -> Any:
        return self._row_class(
            prompt=[],
            completion=[],
            input_ids=np.array(row.ids),
            completion_mask=np.array(mask, dtype=np.int64),
            old_log_probs=np.array(row.logprobs, dtype=np.float32),
            advantage=float(advantage),
            model_version=version,
            group_id=int(group),
            metrics={},
        )


class TeamWeights:
    """Hands the trained weights to the model that plays; TRL's `weight_transfer`.

    Args:
        lm: the model that plays.
        changed: called when it has new weights.
    """

    def __init__(self, lm: Any, changed: Callable[[], None]) -> None:
        self._lm, self._changed = lm, changed

    def send_weights(self, iterator: Iterator[tuple[str, Any]]) -> None:
        """Copies all weights."""
        own = dict(self._lm.named_parameters())
        for name, weight in iterator:
            own[name].data.copy_(weight)
        self._changed()

    def init_weight_transfer(self) -> None:
        """Needs nothing."""

    pause = resume = destroy = init_weight_transfer


def trainer_of(
    config: GRPOConfig, play: Callable[[int], list[Episode]], lm: Any, changed: Callable[[], None]
) -> Any:
    """Returns TRL's trainer.

    Args:
        config: settings; `model` is a folder or a name.
        play: gives the episodes of an iteration, played by `lm`.
        lm: gets the trained weights.
        changed: called when it has got them.

    Raises:
        ValueError: the settings ask for what TRL does not do.
    """
    if config.kl_weight or config.num_updates > 1 or config.lora_rank:
        raise ValueError(
            "TRL's asynchronous GRPO takes one update an iteration and knows no start model"
        )
    trl = require("trl.experimental.async_grpo", "trl")
    worker = require("trl.experimental.async_grpo.async_rollout_worker", "trl")
    datasets = require("datasets", "trl")
    if lm.device.type != "cuda":
        from trainers.third_party.trl_cpu import do_without_gpu  # noqa: PLC0415

        do_without_gpu()
    return trl.AsyncGRPOTrainer(
        config.model,
        args=trl.AsyncGRPOConfig(**settings_of(config)),
        train_dataset=datasets.Dataset.from_list([{"prompt": "played by the rollout worker"}]),
        rollout_worker=TeamRollouts(play, config, worker.RolloutSample),
        weight_transfer=TeamWeights(lm, changed),
    )


@dataclass(frozen=True, kw_only=True)
class TRLOptions(GRPOOptions):
    """Trains lead and subagents with TRL's asynchronous GRPO; needs the extra trl.

    The settings are those of `train grpo`, without a KL and with one update an iteration.
    """

    @classmethod
    def defaults(cls, words: Sequence[str]) -> TRLOptions:
        """Gives what counts where no flag is given."""
        name = preset_of(words, PRESETS)
        settings = PRESETS[name] if name else {}
        return cls(preset=name, config=GRPOConfig(**{**settings, "kl_weight": 0.0}))


def run(options: TRLOptions) -> int:
    """Trains from the command line; returns the exit status."""
    require("trl.experimental.async_grpo", "trl")
    from agents.llm.engines.transformers import TransformersEngine  # noqa: PLC0415 - heavy
    from trainers.collector import Collector, source_of  # noqa: PLC0415
    from trainers.models import load_model  # noqa: PLC0415
    from trainers.policies import llm_config  # noqa: PLC0415

    config = options.config
    source = source_of(config)  # a wrong name is found before the model is loaded
    lm, tokenizer = load_model(config.model)
    engine = TransformersEngine(lm, tokenizer=tokenizer)
    policy = LLMPolicy(engine, llm_config(config, lm))
    collect = Collector(config, lambda tasks: policy, source).collect
    trainer = trainer_of(config, collect, lm, engine.forget_prefixes)
    trainer.train()
    trainer.save_model(config.out)
    return 0


def settings_of(config: GRPOConfig) -> dict[str, Any]:
    """Returns a configuration in TRL's words."""
    cpu = not require("torch", "trl").cuda.is_available()
    return {
        "output_dir": config.out,
        "max_steps": config.num_iterations,
        "per_device_train_batch_size": rows_per_iteration(config),
        "gradient_accumulation_steps": 1,
        "token_budget": 0,  # batches are counted in rows: all of an iteration in one
        "weight_sync_steps": 1,
        "learning_rate": config.lr,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": config.warmup_steps,
        "adam_beta2": 0.95,
        "max_grad_norm": config.max_grad_norm,
        "epsilon": config.clip_low,
        "epsilon_high": config.clip_high,
        "seed": config.seed,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "dtype": "float32",
        "bf16": not cpu,
        "use_cpu": cpu,
    }


def rows_per_iteration(config: GRPOConfig) -> int:
    """Gives the rows that every iteration is filled up to: room for two subtasks of each slot."""
    return config.tasks_per_iteration * config.group_size * (1 + 2 * config.n_subagents)


if __name__ == "__main__":
    sys.exit(run_command("train trl"))
