"""The episodes of teams as samples of TRL's asynchronous GRPO, one batch for each iteration.

TRL's loss is a mean over tokens. The advantage of a row is scaled so that this mean is the one over
episodes, an episode's agents and an agent's tokens; the clipped loss is homogeneous in it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trainers.grpo import GRPOConfig
from trainers.log import episode_metrics
from trainers.openrlhf.rows import TeamRow, credit, team_rows
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


def rows_per_iteration(config: GRPOConfig) -> int:
    """Gives the rows that every iteration is filled up to: room for two subtasks of each slot."""
    return config.tasks_per_iteration * config.group_size * (1 + 2 * config.n_subagents)


def rows_per_group(config: GRPOConfig) -> int:
    """Gives the rows that every group is filled up to: as much room, and one row to spare."""
    return config.group_size * (1 + 2 * config.n_subagents) + 1


def common_settings(config: GRPOConfig) -> dict[str, Any]:
    """Returns what both of TRL's trainers are told, in TRL's words.

    Raises:
        ValueError: the settings ask for what TRL does not do.
    """
    if config.kl_weight or config.num_updates > 1 or config.lora_rank:
        raise ValueError(
            "`train trl` takes one update of all weights in an iteration, without a KL: set "
            "`kl_weight` and `lora_rank` to 0, and `inner_epochs` and `updates_per_epoch` to 1"
        )
    cpu = not require("torch", "trl").cuda.is_available()
    return {
        "output_dir": config.out,
        "max_steps": config.num_iterations,
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
        "bf16": not cpu,
        "use_cpu": cpu,
    }
