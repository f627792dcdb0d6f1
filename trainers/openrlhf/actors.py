"""OpenRLHF's policy and critic workers, with one optimiser step for each rollout batch.

Two things differ from the parents. A batch has another number of rows each time, so gradient
accumulation is set anew and the optimiser's step is counted. And every mean over rows is weighted
by what a row counts, in the policy loss and in the KL, entropy and value losses alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
import torch
from openrlhf.models import loss as losses
from openrlhf.trainer.ray import ppo_actor
from openrlhf.trainer.ray.ppo_actor import PolicyModelActor
from openrlhf.trainer.ray.ppo_critic import CriticModelActor

from trainers.openrlhf.settings import TeamSettings

# Ray replaces a decorated class by a handle; the class itself is what can be extended.
_Policy: Any = PolicyModelActor.__ray_metadata__.modified_class
_Critic: Any = CriticModelActor.__ray_metadata__.modified_class

NOT_METRICS = ("team_weight", "team_episode", "team_group")
"""Entries of `Experience.info` that say what a row is, and would be logged as if they measured."""


class TeamPolicyWorker(_Policy):  # type: ignore[misc]
    """Trains the policy on rows of whole episodes."""

    def init_model_from_pretrained(self, *args: Any, **settings: Any) -> None:
        """Loads the model and lets the loss of a micro-batch weigh its rows."""
        super().init_model_from_pretrained(*args, **settings)
        weigh_rows(self.trainer, self.actor.model)

    def fit(self, kl_ctl: float = 0.0) -> dict[str, float]:
        """Takes one optimiser step for each epoch over the rows that were appended."""
        audit = None
        if TeamSettings.from_environment().audit:
            from trainers.openrlhf.audit import PolicyAudit  # noqa: PLC0415 - where it is asked for

            audit = PolicyAudit(self.actor.model.module, self.strategy.args, kl_ctl)
            audit.compute(self.trainer.replay_buffer.items)
        with one_step_an_epoch(self.trainer, self.strategy, self.actor.model):
            status: dict[str, float] = super().fit(kl_ctl)
        return status | (audit.compare(status["actor_grad_norm"]) if audit else {})


class TeamCriticWorker(_Critic):  # type: ignore[misc]
    """Trains the critic on rows of whole episodes."""

    def init_model_from_pretrained(self, *args: Any, **settings: Any) -> None:
        """Loads the model and lets the loss of a micro-batch weigh its rows."""
        super().init_model_from_pretrained(*args, **settings)
        weigh_rows(self.trainer, self.critic)

    def fit(self) -> dict[str, float]:
        """Takes one optimiser step for each epoch over the rows that were appended."""
        audit = None
        if TeamSettings.from_environment().audit:
            from trainers.openrlhf.audit import CriticAudit  # noqa: PLC0415 - where it is asked for

            audit = CriticAudit(self.critic.module, self.strategy.args)
            audit.compute(self.trainer.replay_buffer.items)
        with one_step_an_epoch(self.trainer, self.strategy, self.critic):
            status: dict[str, float] = super().fit()
        # OpenRLHF's own figure is a mean over micro-batches, of which the last alone has a norm.
        status["critic_grad_norm"] = self.strategy.get_grad_norm(self.critic)
        return status | (audit.compare(status["critic_grad_norm"]) if audit else {})


@contextmanager
def one_step_an_epoch(trainer: Any, strategy: Any, engine: Any) -> Iterator[None]:
    """Makes all rows of the replay buffer one optimiser step, and counts the steps taken.

    OpenRLHF and DeepSpeed hold on to the number of rows of a step that they were started with, and
    DeepSpeed counts micro-batches over the whole run, so that a batch of another size would step in
    the middle of itself.

    Args:
        trainer: OpenRLHF's `ActorPPOTrainer` or `CriticPPOTrainer`.
        strategy: its `DeepspeedStrategy`.
        engine: DeepSpeed's.

    Raises:
        RuntimeError: the optimiser took another number of steps than there were epochs.
    """
    args = strategy.args
    rows = len(trainer.replay_buffer.items)
    all_rows = rows * engine.dp_world_size
    if args.train.dynamic_batch_enable:
        # It plans the steps of an epoch from these three, in episodes.
        args.train.batch_size = args.rollout.batch_size = all_rows
        args.rollout.n_samples_per_prompt = 1
    else:
        engine.set_train_batch_size(all_rows)
        strategy.accumulated_gradient = rows // args.train.micro_batch_size
        engine.micro_steps = 0
    before = engine.global_steps
    yield
    taken, expected = engine.global_steps - before, args.train.max_epochs
    if taken != expected:
        raise RuntimeError(
            f"expected {expected} optimiser steps on a batch of {rows} rows a rank, one for each "
            f"epoch, DeepSpeed took {taken}; this adapter fits openrlhf 0.11.2 and deepspeed 0.19.6"
        )


def weigh_rows(trainer: Any, engine: Any) -> None:
    """Lets every loss of a micro-batch weigh its rows by `info["team_weight"]`.

    OpenRLHF averages in one function, `aggregate_loss`, which is not told which rows it has; it is
    exchanged while a micro-batch is computed.

    In dynamic batches DeepSpeed is also told which micro-batch ends a step. OpenRLHF leaves it to
    believe that each does, upon which it keeps the gradient of the last one alone.

    Args:
        trainer: OpenRLHF's `ActorPPOTrainer` or `CriticPPOTrainer`.
        engine: DeepSpeed's.
    """
    training_step, buffer = trainer.training_step, trainer.replay_buffer

    def weighted_step(experience: Any, *args: Any) -> dict[str, Any]:
        *_, step, _ = args  # the rest is the weight of the KL, and what the loss is divided by
        if buffer.dynamic_batch:
            engine.set_gradient_accumulation_boundary(bool(buffer.dynamic_optimizer_step[step]))
        taken = {name: experience.info.pop(name) for name in NOT_METRICS}
        weights = torch.as_tensor(taken["team_weight"], dtype=torch.float32)
        with averaged_by(weighted_mean(weights.to(experience.action_mask.device))):
            told: dict[str, Any] = training_step(experience, *args)
        return told

    trainer.training_step = weighted_step


def weighted_mean(weights: torch.Tensor) -> Callable[..., torch.Tensor]:
    """Returns OpenRLHF's `aggregate_loss`, as a mean over rows of weighted means over tokens.

    Args:
        weights: (B,) of each row of a micro-batch; over all rows of a step their mean is 1.
    """

    def aggregate_loss(
        loss: torch.Tensor,
        loss_mask: torch.Tensor,
        *,
        token_level_loss: bool = True,
        dp_size: int = 1,
        batch_num_tokens: torch.Tensor | None = None,
        global_batch_size: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if global_batch_size is None:
            raise ValueError("expected the number of rows of the whole step, got none")
        tokens = loss_mask.sum(dim=-1).clamp(min=1)
        rows = (loss * loss_mask).sum(dim=-1) / tokens
        return (rows * weights).sum() / global_batch_size * dp_size

    return aggregate_loss


@contextmanager
def averaged_by(aggregate_loss: Callable[..., torch.Tensor]) -> Iterator[None]:
    """Exchanges OpenRLHF's `aggregate_loss` while something runs."""
    usual = losses.aggregate_loss
    losses.aggregate_loss = ppo_actor.aggregate_loss = aggregate_loss
    try:
        yield
    finally:
        losses.aggregate_loss = ppo_actor.aggregate_loss = usual


TeamPolicyActor = ray.remote(num_gpus=1)(TeamPolicyWorker)
TeamCriticActor = ray.remote(num_gpus=1)(TeamCriticWorker)
