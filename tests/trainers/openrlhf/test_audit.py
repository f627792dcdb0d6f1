"""The audit against OpenRLHF's own models and losses, as DeepSpeed would see them, without Ray."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("openrlhf", reason="needs OpenRLHF: `make test-openrlhf`")

import torch
import torch.distributed as dist
from openrlhf.models import Actor, get_llm_for_sequence_regression
from openrlhf.models.loss import PolicyLoss, ValueLoss
from openrlhf.trainer.ppo_utils.experience import (
    Experience,
    make_experience_batch,
    remove_padding_in_sequences,
    split_experience_batch,
)
from test_batches import maker, response, rows_of, settings  # noqa: F401 - a fixture
from toy_learning import tiny_lm

from trainers.openrlhf.actors import averaged_by, weighted_mean
from trainers.openrlhf.audit import CriticAudit, PolicyAudit

pytestmark = pytest.mark.openrlhf


@pytest.fixture(autouse=True)
def alone(tmp_path: Path) -> Iterator[None]:
    """One rank, which is all of them."""
    dist.init_process_group("gloo", f"file://{tmp_path}/ranks", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def args(estimator: str) -> Any:
    advantage = SimpleNamespace(
        estimator=estimator, gamma=1.0, lambd=0.5, is_correction_level="off"
    )
    return SimpleNamespace(
        algo=SimpleNamespace(advantage=advantage, kl=SimpleNamespace(use_loss=False)),
        actor=SimpleNamespace(eps_clip_low_high=(0.2, 0.28), dual_clip=10.0),
        critic=SimpleNamespace(value_clip=0.5),
        rollout=SimpleNamespace(temperature=1.0),
    )


def made_items(estimator: str, models: tuple[Any, Any], monkeypatch: Any) -> list[Experience]:
    """What lies in the replay buffer after a batch of three teams of different sizes."""
    actor, critic = models
    answers = (response("a", 1.0, 2), response("b", 0.0, 0))
    batch, _ = maker(estimator).choose(rows_of(monkeypatch, *answers))
    joined = Experience.concat_experiences(batch, 0)
    seen = (joined.sequences, joined.action_mask, joined.attention_mask)
    with torch.no_grad():
        joined.values = critic(*seen)
        joined.action_log_probs = actor(*seen)
    joined.kl = torch.zeros(joined.action_mask.shape)
    (joined,) = maker(estimator).compute_advantages_and_returns([joined])
    return remove_padding_in_sequences(split_experience_batch(joined))


def norm_of(model: Any, items: list[Experience], loss_of: Any) -> float:
    """The norm of the gradient of OpenRLHF's loss over micro-batches of two rows."""
    rows = torch.tensor(float(len(items)))
    for start in range(0, len(items), 2):
        batch = make_experience_batch(items[start : start + 2])
        weights = torch.as_tensor(batch.info["team_weight"], dtype=torch.float32)
        found = model(batch.sequences, batch.action_mask, batch.attention_mask)
        with averaged_by(weighted_mean(weights)):
            loss_of(found, batch, rows).backward()
    parameters = [p for p in model.parameters() if p.grad is not None]
    return math.sqrt(sum(float(p.grad.float().square().sum()) for p in parameters))


def policy_loss(found: torch.Tensor, batch: Experience, rows: torch.Tensor) -> torch.Tensor:
    loss, *_ = PolicyLoss(0.2, 0.28, dual_clip=10.0, token_level_loss=False)(
        found,
        batch.action_log_probs,
        batch.advantages,
        action_mask=batch.action_mask,
        global_batch_size=rows,
    )
    return loss


def critic_loss(found: torch.Tensor, batch: Experience, rows: torch.Tensor) -> torch.Tensor:
    return ValueLoss(0.5)(
        found,
        batch.values,
        batch.returns,
        action_mask=batch.action_mask,
        global_batch_size=rows,
    )


@pytest.fixture
def models(tmp_path: Path) -> tuple[Any, Any]:
    tiny_lm().save_pretrained(tmp_path / "lm")
    critic = get_llm_for_sequence_regression(
        str(tmp_path / "lm"),
        "critic",
        attn_implementation="eager",
        param_dtype="bf16",
        init_value_head=True,
    )
    actor = Actor(str(tmp_path / "lm"), attn_implementation="eager")
    actor.model.float()
    return actor, critic.float()


def test_the_critics_gradient_is_that_of_the_value_loss(models: Any, monkeypatch: Any) -> None:
    items = made_items("gae", models, monkeypatch)
    audit = CriticAudit(models[1], args("gae"))
    audit.compute(items)
    found = audit.compare(norm_of(models[1], items, critic_loss))
    assert found["audit/critic_gradient_norm"] > 1e-3
    assert found["audit/critic_difference"] < 1e-5
    wrong = items[:-1]  # an audit that cannot fail shows nothing
    audit = CriticAudit(models[1], args("gae"))
    audit.compute(wrong)
    models[1].zero_grad()
    assert audit.compare(norm_of(models[1], items, critic_loss))["audit/critic_difference"] > 0.01


@pytest.mark.parametrize("estimator", ["dr_grpo", "gae"])
def test_the_policys_gradient_is_that_of_the_policy_loss(
    estimator: str, models: Any, monkeypatch: Any
) -> None:
    items = made_items(estimator, models, monkeypatch)
    audit = PolicyAudit(models[0].model, args(estimator), kl_weight=0.0)
    audit.compute(items)
    found = audit.compare(norm_of(models[0], items, policy_loss))
    assert found["audit/gradient_norm"] > 1e-3
    assert found["audit/difference"] < 1e-5
    assert "audit/rounded_difference" not in found


def test_in_bfloat16_what_rounding_does_is_told_from_error(models: Any, monkeypatch: Any) -> None:
    models[0].model.bfloat16()
    items = made_items("dr_grpo", models, monkeypatch)
    audit = PolicyAudit(models[0].model, args("dr_grpo"), kl_weight=0.0)
    audit.compute(items)
    found = audit.compare(norm_of(models[0], items, policy_loss))
    assert found["audit/gradient_norm"] != found["audit/rounded_gradient_norm"]
    assert found["audit/rounded_difference"] < 0.01
