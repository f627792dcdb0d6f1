"""TRL's `AsyncGRPOTrainer` on whole teams: a second engine over the rows of `trainers/openrlhf`.

    python -m trainers.third_party.trl_async_grpo --model agents/learned/lm/sft --steps 20

TRL takes samples that carry their own advantage, so a team needs no change of it: a rollout worker
of ours plays the episodes of a step, and its weight transfer hands the trained weights to the model
that plays. One step is one batch of episodes, filled up to an equal number of rows.

TRL's loss is a mean over tokens. The advantage of a row is scaled so that this mean is the one over
episodes, an episode's agents and an agent's tokens; the clipped loss is homogeneous in it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from trainers.log import episode_metrics
from trainers.openrlhf.rows import TeamRow, credit, team_rows
from wideseek_env.plugins import require
from wideseek_env.records import Episode


class TeamRollouts:
    """Plays a batch whenever the trainer has new weights; TRL's `rollout_worker`.

    Args:
        play: gives the episodes of a step, G of each task.
        rows_per_step: rows of every step, at least those that an episode batch can have.
        row_class: TRL's `RolloutSample`.
    """

    def __init__(
        self,
        play: Callable[[int], list[Episode]],
        rows_per_step: int,
        row_class: Callable[..., Any],
    ) -> None:
        self._play, self.rows_per_step, self._row_class = play, rows_per_step, row_class
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
            raise RuntimeError("the episodes of a step could not be played") from self._error

    def _run(self) -> None:
        step = 0
        while (version := self._versions.get()) is not None:
            try:
                samples = self._samples(self._play(step), version)
            except Exception as error:  # noqa: BLE001 - the trainer raises it, in its own thread
                self._error = error
                return
            for sample in samples:
                self.rollout_buffer.put(sample)
            step += 1

    def _samples(self, episodes: Sequence[Episode], version: int) -> list[Any]:
        figures = episode_metrics(episodes)
        self.metrics_queue.put(figures)
        rows = [
            row
            for number, episode in enumerate(episodes)
            for row in team_rows(episode, episode_id=str(number), group=episode.task.id)
        ]
        told = credit(rows)
        chosen = [number for number in range(len(rows)) if told.trains[number]]
        if len(chosen) > self.rows_per_step or not rows:
            raise ValueError(
                f"expected 1 to {self.rows_per_step} rows in a step, got {len(chosen)}"
            )
        filler = min((row for row in rows if row.num_trained), key=lambda row: len(row.ids))
        fillers = [filler] * (self.rows_per_step - len(chosen))
        total = sum(rows[n].num_trained for n in chosen) + len(fillers)
        samples = []
        for number in chosen:
            row = rows[number]
            share = told.weights[number] * total / row.num_trained
            samples.append(
                self._sample(
                    row, row.mask, told.advantages[number] * share, told.groups[number], version
                )
            )
        one = [False] * len(filler.ids)
        one[filler.mask.index(True)] = True
        samples += [self._sample(row, one, 0.0, -1, version) for row in fillers]
        return samples

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


def do_without_gpu() -> None:
    """Gives TRL's packed rows an attention of torch's, as its own has no kernel for a CPU."""
    packing = require("trl.experimental.async_grpo.packing", "trl")
    torch = require("torch", "trl")

    def attend(
        query: Any, key: Any, value: Any, ends_q: Any, ends_k: Any, *_: Any, **more: Any
    ) -> Any:
        parts = []
        for number in range(len(ends_q) - 1):
            q, k, v = (
                heads[ends[number] : ends[number + 1]].transpose(0, 1)
                for heads, ends in ((query, ends_q), (key, ends_k), (value, ends_k))
            )
            seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril(
                k.shape[1] - q.shape[1]
            )
            part = torch.nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=seen, scale=more["softmax_scale"], enable_gqa=True
            )
            parts.append(part.transpose(0, 1))
        return torch.cat(parts)

    kernel = type("Kernel", (), {"flash_attn_varlen_func": staticmethod(attend)})
    packing._flash_attn = lambda: kernel
    trainer = require("trl.experimental.async_grpo.async_grpo_trainer", "trl")
    trainer.get_peak_flops_per_device = lambda *_: None  # it asks a GPU for its name


def trainer_of(
    model: str,
    out: str,
    lm: Any,
    changed: Callable[[], None],
    rollouts: TeamRollouts,
    **settings: Any,
) -> Any:
    """Returns TRL's trainer, ready to train.

    Args:
        model: folder of the start model.
        out: folder of the run.
        lm: the model that plays, on any device.
        changed: called when it has new weights.
        rollouts: plays.
        **settings: of TRL's `AsyncGRPOConfig`.
    """
    trl = require("trl.experimental.async_grpo", "trl")
    datasets = require("datasets", "trl")
    size = rollouts.rows_per_step
    config = trl.AsyncGRPOConfig(
        out,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=1,
        token_budget=0,  # by rows: all of a step in one micro-batch
        weight_sync_steps=1,
        epsilon=0.2,
        epsilon_high=0.28,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        **settings,
    )
    return trl.AsyncGRPOTrainer(
        model,
        args=config,
        train_dataset=datasets.Dataset.from_list([{"prompt": "played by the rollout worker"}]),
        rollout_worker=rollouts,
        weight_transfer=TeamWeights(lm, changed),
    )
