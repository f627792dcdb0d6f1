"""Losses against hand arithmetic, and the whole objective against nested loops in float64."""

from __future__ import annotations

import doctest
import math
import random
import statistics

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from trainers import losses  # noqa: E402
from trainers.advantages import group_advantages, sequence_weights  # noqa: E402
from trainers.losses import kl, policy_loss, sampler_weights, value_loss  # noqa: E402


def test_examples_in_docstrings_hold():
    assert doctest.testmod(losses).failed == 0


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "clipped"),
    [
        (1.0, 2.0, -2.0, False),
        (1.2, 1.0, -1.2, False),
        (1.5, 1.0, -1.28, True),  # above 1 + 0.28
        (0.5, 1.0, -0.5, False),  # a good token that became unlikely: pulled back up
        (0.5, -1.0, 0.8, True),  # below 1 - 0.2
        (1.5, -1.0, 1.5, False),  # a bad token that became likely: pushed down in full
        (20.0, -1.0, 10.0, True),  # dual clip
        (20.0, -3.0, 30.0, True),
        (1.5, 0.0, 0.0, False),
    ],
)
def test_policy_loss_hand_values(ratio, advantage, expected, clipped):
    logprobs = torch.tensor([math.log(ratio)], dtype=torch.float64, requires_grad=True)
    loss, was_clipped = policy_loss(
        logprobs, torch.zeros(1), torch.tensor([advantage], dtype=torch.float64)
    )
    assert loss.item() == pytest.approx(expected)
    assert was_clipped.item() is clipped
    loss.sum().backward()
    assert logprobs.grad.item() == pytest.approx(0.0 if clipped else expected)


def test_kl_estimators_hand_values():
    logprobs, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -1.0])
    assert kl(logprobs, reference, "k1").tolist() == [0.5, -1.0]
    assert kl(logprobs, reference, "k2").tolist() == [0.125, 0.5]
    expected = [math.exp(-0.5) - 1 + 0.5, math.exp(1.0) - 1 - 1.0]
    assert kl(logprobs, reference, "k3").tolist() == pytest.approx(expected)
    with pytest.raises(ValueError, match="`estimator` must be one of k1, k2, k3"):
        kl(logprobs, reference, "k4")


def test_kl_k1_and_k3_are_unbiased():
    policy = torch.log_softmax(torch.tensor([0.3, -1.0, 0.9], dtype=torch.float64), 0)
    reference = torch.log_softmax(torch.tensor([-0.2, 0.4, 0.1], dtype=torch.float64), 0)
    exact = (policy.exp() * (policy - reference)).sum().item()
    for estimator in ("k1", "k3"):
        mean = (policy.exp() * kl(policy, reference, estimator)).sum().item()
        assert mean == pytest.approx(exact, abs=1e-12)


def test_sampler_weights_are_capped_from_above_alone():
    old = torch.log(torch.tensor([0.5, 0.1, 0.9]))
    sampler = torch.log(torch.tensor([0.5, 0.2, 0.1]))
    assert sampler_weights(old, sampler, 2.0).tolist() == pytest.approx([1.0, 0.5, 2.0])
    assert sampler_weights(old, sampler, None).tolist() == [1.0, 1.0, 1.0]
    assert sampler_weights(old, old + 2e-4, 2.0).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("value", "clip", "expected"),
    [(0.1, 0.2, 0.405), (0.5, 0.2, 0.32), (-0.5, 0.2, 1.125), (0.5, None, 0.125)],
)
def test_value_loss_hand_values(value, clip, expected):
    loss = value_loss(torch.tensor([value]), torch.tensor([0.0]), torch.tensor([1.0]), clip)
    assert loss.item() == pytest.approx(expected)


def make_batch(seed):
    """Returns groups[episodes[agents[turns[(new, old, reference log-probability)]]]], rewards."""
    rng = random.Random(seed)

    def token():
        old = -3 * rng.random()
        return old + rng.gauss(0, 0.3), old, old + rng.gauss(0, 0.3)

    def agent():
        return [[token() for _ in range(rng.randint(1, 6))] for _ in range(rng.randint(1, 4))]

    groups = [[[agent() for _ in range(rng.randint(1, 5))] for _ in range(4)] for _ in range(3)]
    return groups, [[rng.random() for _ in group] for group in groups]


def reference_objective(groups, rewards):
    """DESIGN's formula with the paper's constants, as nested means over plain floats."""
    episodes = []
    for group, group_rewards in zip(groups, rewards, strict=True):
        mean, std = statistics.fmean(group_rewards), statistics.stdev(group_rewards)
        for episode, reward in zip(group, group_rewards, strict=True):
            advantage = (reward - mean) / std
            agents = []
            for agent in episode:
                tokens = []
                for new, old, reference in (token for turn in agent for token in turn):
                    r = math.exp(new - old)
                    gain = min(r * advantage, min(max(r, 0.8), 1.28) * advantage)
                    if advantage < 0:
                        gain = max(gain, 10 * advantage)
                    k3 = math.exp(reference - new) - (reference - new) - 1
                    tokens.append(gain - 0.001 * k3)
                agents.append(statistics.fmean(tokens))
            episodes.append(statistics.fmean(agents))
    return -statistics.fmean(episodes)


def our_objective(groups, rewards, aggregation):
    flat = [(g, e) for g, group in enumerate(groups) for e in range(len(group))]
    per_episode = group_advantages(
        np.array([rewards[g][e] for g, e in flat]), np.array([g for g, _ in flat])
    )
    rows = [
        (index, [token for turn in agent for token in turn])
        for index, (g, e) in enumerate(flat)
        for agent in groups[g][e]
    ]
    weights = sequence_weights(
        np.array([len(tokens) for _, tokens in rows]), np.array([i for i, _ in rows]), aggregation
    )
    total = 0.0
    for (index, tokens), weight in zip(rows, weights, strict=True):
        new, old, reference = torch.tensor(tokens, dtype=torch.float64).T
        advantage = torch.full_like(new, per_episode[index])
        loss = policy_loss(new, old, advantage)[0] + 0.001 * kl(new, reference)
        total += float(weight * loss.sum())
    return total


@pytest.mark.parametrize("seed", range(5))
def test_objective_equals_the_papers_formula(seed):
    groups, rewards = make_batch(seed)
    expected = reference_objective(groups, rewards)
    assert our_objective(groups, rewards, "agent-mean") == pytest.approx(expected, abs=1e-6)
    for wrong in ("token-mean", "sequence-mean"):
        assert abs(our_objective(groups, rewards, wrong) - expected) > 1e-3
