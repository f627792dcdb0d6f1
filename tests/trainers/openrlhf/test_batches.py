"""Generator, experience maker and losses of a batch, with OpenRLHF's own classes, without Ray."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openrlhf", reason="needs OpenRLHF: `make test-openrlhf`")

import torch
from openrlhf.models.loss import PolicyLoss, ValueLoss
from openrlhf.trainer.ppo_utils.experience import Experience, make_experience_batch
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

from trainers.losses import policy_loss, value_loss
from trainers.openrlhf.actors import averaged_by, weighted_mean
from trainers.openrlhf.executor import _response
from trainers.openrlhf.generator import TeamSamplesGenerator
from trainers.openrlhf.maker import TeamExperienceMaker
from trainers.openrlhf.rows import TeamRow
from trainers.openrlhf.settings import TeamSettings

pytestmark = pytest.mark.openrlhf


def response(name: str, reward: float | None, others: int, group: str = "t") -> dict[str, Any]:
    """An executor's answer: rows of 4, 5, ... tokens, of which the last two train."""
    rows = []
    for number in range(others + 1):
        length = 4 + number
        lead = number == others
        rows.append(
            _response(
                TeamRow(
                    episode=name,
                    group=group,
                    agent="lead" if lead else f"subagent_{number}",
                    role="lead" if lead else "subagent",
                    ids=list(range(1, length + 1)),
                    mask=[False] * (length - 2) + [True] * 2,
                    logprobs=[0.0] * (length - 2) + [-1.0, -2.0],
                    reward=reward if lead else None,
                ),
                "prompt",
                "label",
            )
        )
    return {**rows[-1], "team": rows[:-1], "figures": {"episodes/width": float(others)}}


def generator(batches: list[list[dict[str, Any]]], monkeypatch: Any) -> TeamSamplesGenerator:
    """A generator whose vLLM answers these, batch by batch."""
    args = SimpleNamespace(
        vllm=SimpleNamespace(enable_sleep=False),
        rollout=SimpleNamespace(batch_size=1, n_samples_per_prompt=2),
        algo=SimpleNamespace(dynamic_filtering_enable=False),
    )
    made = TeamSamplesGenerator(SimpleNamespace(args=args), [], [], None, [])
    answers = iter(batches)

    def answer(self: Any, **settings: Any) -> tuple[list[Experience], int, bool]:
        told = next(answers)
        leads = [made._process_response_into_experience(one, max_len=64) for one in told]
        return leads, 1, False

    monkeypatch.setattr(SamplesGenerator, "_generate_vllm", answer)
    return made


def maker(estimator: str = "dr_grpo", **changes: Any) -> TeamExperienceMaker:
    args = SimpleNamespace(
        algo=SimpleNamespace(
            advantage=SimpleNamespace(estimator=estimator, gamma=1.0, lambd=0.5, no_std_norm=False)
        ),
        actor=SimpleNamespace(num_nodes=1, num_gpus_per_node=changes.get("ranks", 1)),
        rollout=SimpleNamespace(micro_batch_size=changes.get("micro", 1)),
        train=SimpleNamespace(micro_batch_size=changes.get("micro", 1), dynamic_batch_enable=False),
        reward=SimpleNamespace(clip_range=(-10, 10)),
    )
    kl = SimpleNamespace(value=changes.get("kl", 0.0))
    return TeamExperienceMaker(None, None, None, None, kl, SimpleNamespace(args=args), None)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(**changes: Any) -> None:
        for name, value in TeamSettings(**changes).to_environment().items():
            monkeypatch.setenv(name, value)

    use()
    return use


def rows_of(monkeypatch: Any, *answers: dict[str, Any]) -> list[Experience]:
    rows, *_ = generator([list(answers)], monkeypatch).generate_samples()
    return rows


def test_a_buffer_counts_episodes_and_hands_out_whole_ones(monkeypatch: Any) -> None:
    answers = [response(str(n), float(n), others=n) for n in range(4)]
    made = generator([answers], monkeypatch)
    first, *_ = made.generate_samples()
    second, *_ = made.generate_samples()
    assert [row.row.episode for row in first] == ["0", "1", "1"]
    assert [row.row.episode for row in second] == ["2"] * 3 + ["3"] * 4
    assert [row.row.role for row in first] == ["lead", "subagent", "lead"]


def test_tokens_reach_openrlhf_as_they_are(monkeypatch: Any) -> None:
    row = rows_of(monkeypatch, response("a", 1.0, 1), response("b", 0.0, 0))[0]
    assert row.sequences.tolist() == [[1, 2, 3, 4]]
    assert row.action_mask.tolist() == [[0, 1, 1]]  # of the token that a position predicts
    assert row.rollout_log_probs.tolist() == [[0.0, -1.0, -2.0]]
    assert "score" not in row.info


def test_an_evaluation_leaves_out_prompts_that_could_not_be_scored(monkeypatch: Any) -> None:
    made = generator([], monkeypatch)
    answers = [response(n, r, 1) for n, r in (("a", 1.0), ("b", None), ("c", 0.5), ("d", 0.0))]
    leads = [made._process_response_into_experience(one, max_len=64) for one in answers]
    monkeypatch.setattr(SamplesGenerator, "generate_eval_samples", lambda self, **_: leads)
    found = made.generate_eval_samples(n_samples_per_prompt=2)
    assert [lead.row.episode for lead in found] == ["c", "d"]


def test_chosen_rows_carry_what_they_count(monkeypatch: Any) -> None:
    rows = rows_of(monkeypatch, response("a", 1.0, 2), response("b", 0.0, 0))
    batch, numbers = maker().choose(rows)
    assert [float(row.info["team_advantage"]) for row in batch] == [0.5, 0.5, 0.5, -0.5]
    weights = [float(row.info["team_weight"]) for row in batch]
    assert weights == pytest.approx([4 / 6, 4 / 6, 4 / 6, 4 / 2])  # their mean is 1
    assert [float(row.rewards) for row in batch] == [1.0, 1.0, 1.0, 0.0]
    assert numbers["rollout/reward_mean"] == 0.5  # over episodes, not rows
    assert numbers["episodes/width"] == 1.0


def test_fillers_make_rows_even_and_weigh_nothing(monkeypatch: Any) -> None:
    rows = rows_of(monkeypatch, response("a", 1.0, 2), response("b", 0.0, 1))
    batch, numbers = maker(micro=3, ranks=2).choose(rows)
    assert len(batch) == 6
    assert numbers["rollout/num_rows_trained"] == 5
    weights = [float(row.info["team_weight"]) for row in batch]
    assert weights[5] == 0
    assert sum(weights) == pytest.approx(6)
    assert batch[5].action_mask.sum() == 1
    assert {frozenset(row.info) for row in batch} == {frozenset(batch[0].info)}


def test_a_batch_without_signal_has_no_rows(monkeypatch: Any) -> None:
    batch, numbers = maker().choose(
        rows_of(monkeypatch, response("a", 1.0, 1), response("b", 1.0, 2))
    )
    assert batch == []
    assert numbers["rollout/num_groups_without_signal"] == 1


def test_an_episode_without_a_score_is_counted_and_is_no_number(monkeypatch: Any) -> None:
    answers = [response("a", 1.0, 1), response("b", None, 2), response("c", 0.0, 0)]
    made = generator([answers], monkeypatch)
    made.args.rollout.n_samples_per_prompt = 3
    batch, numbers = maker().choose(made.generate_samples()[0])
    assert [row.row.episode for row in batch] == ["a", "a", "c"]
    assert numbers["rollout/num_invalid"] == 1
    assert numbers["rollout/reward_mean"] == 0.5


def test_provenance_and_aggregation_are_the_settings(monkeypatch: Any, settings: Any) -> None:
    settings(aggregation="sequence-mean", provenance=1.0)
    batch, _ = maker().choose(rows_of(monkeypatch, response("a", 1.0, 2), response("b", 0.0, 0)))
    assert [float(row.info["team_weight"]) for row in batch] == pytest.approx([1.0] * 4)
    # No subagent supplied a cell, so none differs from the others.
    assert [float(row.info["team_advantage"]) for row in batch] == [0.0, 0.0, 0.5, -0.5]


def forwarded(batch: list[Experience], values: float = 0.25) -> Experience:
    """One batch as `make_experience` leaves it."""
    joined = Experience.concat_experiences(batch, 0)
    shape = joined.action_mask.shape
    joined.kl = torch.full(shape, 0.5)
    joined.values = torch.full(shape, values) * joined.action_mask
    joined.action_log_probs = torch.zeros(shape)
    return joined


def test_every_token_of_every_agent_has_the_episodes_advantage(monkeypatch: Any) -> None:
    batch, _ = maker().choose(rows_of(monkeypatch, response("a", 1.0, 1), response("b", 0.0, 0)))
    (joined,) = maker().compute_advantages_and_returns([forwarded(batch)])
    for row, expected in zip(range(3), (0.5, 0.5, -0.5), strict=True):
        trained = joined.action_mask[row].bool()
        assert joined.advantages[row][trained].tolist() == [expected] * 2


def test_a_kl_in_the_reward_is_what_lies_ahead(monkeypatch: Any) -> None:
    made = maker(kl=0.1)
    batch, _ = made.choose(rows_of(monkeypatch, response("a", 1.0, 0), response("b", 0.0, 0)))
    (joined,) = made.compute_advantages_and_returns([forwarded(batch)])
    trained = joined.action_mask[0].bool()
    assert joined.advantages[0][trained].tolist() == pytest.approx([0.5 - 0.1, 0.5 - 0.05])


def test_a_critic_sees_the_episodes_reward_at_the_end_of_each_row(monkeypatch: Any) -> None:
    made = maker("gae")
    batch, _ = made.choose(rows_of(monkeypatch, response("a", 1.0, 1), response("b", 0.0, 0)))
    (joined,) = made.compute_advantages_and_returns([forwarded(batch)])
    # delta of the last token is R - .25, of the one before 0; lambda is .5
    for row, reward in zip(range(3), (1.0, 1.0, 0.0), strict=True):
        trained = joined.action_mask[row].bool()
        expected = [0.25 + (reward - 0.25) / 2, reward]
        assert joined.returns[row][trained].tolist() == pytest.approx(expected)
    tokens = joined.advantages[joined.action_mask.bool()]
    assert float(tokens.mean()) == pytest.approx(0, abs=1e-6)
    assert float(tokens.std(correction=0)) == pytest.approx(1)


def micro_batch() -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    numbers = {
        name: torch.tensor(rng.normal(size=(3, 5)), dtype=torch.float32)
        for name in ("new", "old", "sampler", "advantages", "values", "before", "returns")
    }
    numbers["mask"] = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])
    return numbers


def by_hand(loss: torch.Tensor, mask: torch.Tensor, weights: list[float]) -> float:
    rows = [float(loss[i][mask[i].bool()].mean()) for i in range(3)]
    return sum(w * row for w, row in zip(weights, rows, strict=True)) / 3


def test_the_policy_loss_is_the_weighted_mean_of_ours() -> None:
    batch, weights = micro_batch(), [1.5, 0.5, 1.0]
    with averaged_by(weighted_mean(torch.tensor(weights))):
        found, *_ = PolicyLoss(0.2, 0.28, dual_clip=10.0, token_level_loss=False)(
            batch["new"],
            batch["old"],
            batch["advantages"],
            action_mask=batch["mask"],
            global_batch_size=torch.tensor(3.0),
        )
    ours, _ = policy_loss(batch["new"], batch["old"], batch["advantages"])
    assert float(found) == pytest.approx(by_hand(ours, batch["mask"], weights), rel=1e-5)


def test_the_value_loss_is_weighted_as_well() -> None:
    batch, weights = micro_batch(), [1.5, 0.5, 1.0]
    with averaged_by(weighted_mean(torch.tensor(weights))):
        found = ValueLoss(0.2)(
            batch["values"],
            batch["before"],
            batch["returns"],
            action_mask=batch["mask"],
            global_batch_size=torch.tensor(3.0),
        )
    ours = value_loss(batch["values"], batch["before"], batch["returns"], 0.2)
    assert float(found) == pytest.approx(by_hand(ours, batch["mask"], weights), rel=1e-5)


def test_openrlhfs_own_mean_is_back_afterwards() -> None:
    from openrlhf.models import loss

    usual = loss.aggregate_loss
    exchanged = weighted_mean(torch.ones(1))
    with pytest.raises(ValueError, match="rows of the whole step"), averaged_by(exchanged):
        loss.aggregate_loss(torch.ones(1, 1), torch.ones(1, 1))
    assert loss.aggregate_loss is usual


def test_what_a_row_is_survives_openrlhfs_buffer(monkeypatch: Any) -> None:
    from openrlhf.trainer.ppo_utils.experience import split_experience_batch

    batch, _ = maker().choose(rows_of(monkeypatch, response("a", 1.0, 1), response("b", 0.0, 0)))
    weights = [float(row.info["team_weight"]) for row in batch]
    (joined,) = maker().compute_advantages_and_returns([forwarded(batch)])
    items = split_experience_batch(joined)
    again = make_experience_batch(items)
    assert torch.as_tensor(again.info["team_weight"]).tolist() == pytest.approx(weights)
