"""The terms that GRPO and PPO share: correction, KL, and how rows are dealt out to updates."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from toy_learning import tiny_lm, toy_play  # noqa: E402

from trainers.batch import micro_batches, rows_of, spread  # noqa: E402
from trainers.config import PolicyConfig  # noqa: E402
from trainers.model import Learner  # noqa: E402
from trainers.update import known_of, policy_terms, token_metrics, updates_of  # noqa: E402


def setting(**changes):
    config = PolicyConfig(**{"out": "unused", "model": "toy", "device": "cpu", **changes})
    learner = Learner(tiny_lm(), config)
    rows = rows_of(toy_play(learner.lm, tasks=3, group=4)(0))
    advantage = spread(torch.linspace(-1, 1, len(rows)).double().numpy(), rows, "cpu")
    return config, learner, rows, known_of(rows, advantage, config, learner)


def terms_of(config, learner, rows, known):
    (batch,) = micro_batches(rows, range(len(rows)), 10**6, "cpu")
    order = batch.tokens.argsort()
    logprobs, entropy = learner.score(learner.states(batch), batch)
    if config.num_updates == 1:
        known.old[batch.tokens] = logprobs.detach()
    terms = policy_terms(logprobs, entropy, batch.tokens, known, config)
    return {name: term.detach()[order] for name, term in terms.items()}


def test_policy_terms_on_policy_are_minus_the_advantage():
    config, learner, rows, known = setting(kl_weight=0.0)
    terms = terms_of(config, learner, rows, known)
    torch.testing.assert_close(terms["policy/loss"], -known.advantage)
    assert terms["policy/clip_fraction"].sum() == 0
    assert "policy/kl" not in terms


@pytest.mark.parametrize("num_updates", [1, 2])
def test_policy_terms_weigh_tokens_that_the_sampler_thought_less_likely(num_updates):
    config, learner, rows, known = setting(kl_weight=0.0, inner_epochs=num_updates)
    known.sampler = known.sampler - 0.5
    terms = terms_of(config, learner, rows, known)
    expected = -known.advantage * torch.exp(torch.tensor(0.5))
    torch.testing.assert_close(terms["policy/loss"], expected, atol=1e-4, rtol=1e-4)
    known.sampler = known.sampler - 5.0
    capped = terms_of(config, learner, rows, known)["policy/loss"]
    torch.testing.assert_close(capped, -known.advantage * 2.0)


def test_policy_terms_add_the_kl_to_the_start_model():
    config, learner, rows, known = setting(kl_weight=0.5)
    known.reference = known.reference + 1.0
    terms = terms_of(config, learner, rows, known)
    expected = torch.full_like(known.advantage, torch.e - 2)
    torch.testing.assert_close(terms["policy/kl"], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        terms["policy/loss"], -known.advantage + 0.5 * expected, atol=1e-4, rtol=1e-4
    )


def test_updates_of_deal_out_whole_episodes_with_weights_that_sum_to_one():
    config, _, rows, known = setting(inner_epochs=2, updates_per_epoch=3)
    updates = list(updates_of(rows, known, config, iteration=4))
    assert len(updates) == config.num_updates == 6
    for first in (0, 3):
        parts = [chosen for chosen, _ in updates[first : first + 3]]
        assert sorted(i for part in parts for i in part) == list(range(len(rows)))
        of_episodes = [{rows[i].episode for i in part} for part in parts]
        assert sum(len(part) for part in of_episodes) == 12
    for chosen, weight in updates:
        assert weight.sum().item() == pytest.approx(1.0, abs=1e-5)
        others = spread(
            torch.tensor([float(i not in chosen) for i in range(len(rows))]).numpy(), rows, "cpu"
        )
        assert (weight * others).sum() == 0
    again = [chosen for chosen, _ in updates_of(rows, known, config, iteration=4)]
    assert again == [chosen for chosen, _ in updates]
    assert again != [chosen for chosen, _ in updates_of(rows, known, config, iteration=5)]


def test_updates_of_tokens_that_do_not_train_weigh_nothing():
    config, _, rows, known = setting()
    untrained = replace(rows[0], trains=rows[0].trains & (rows[0].turn == 1))
    rows = [untrained, *rows[1:]]
    known.trains[:4] = 0.0
    ((_, weight),) = updates_of(rows, known, config, iteration=0)
    assert weight[:4].tolist() == [0.0] * 4
    assert weight[4] > weight[-1] > 0  # half the tokens, so twice the weight
    assert weight.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_token_metrics_tell_the_drift_of_tokens_that_train():
    config, learner, rows, known = setting()
    terms_of(config, learner, rows, known)
    known.sampler = known.old - 0.25
    known.sampler[0] -= 1.0
    metrics = token_metrics(rows, known)
    assert metrics["policy/drift_max"] == pytest.approx(1.25, abs=1e-5)
    assert metrics["policy/drift"] == pytest.approx(0.25 + 1 / len(known.old), abs=1e-5)
    known.trains[0] = 0.0
    assert token_metrics(rows, known)["policy/drift_max"] == pytest.approx(0.25, abs=1e-5)
