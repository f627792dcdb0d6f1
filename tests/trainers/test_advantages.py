"""Advantages against hand arithmetic and against the formulas in plain Python floats."""

from __future__ import annotations

import doctest
import random
import statistics

import numpy as np
import pytest

from trainers import advantages
from trainers.advantages import (
    cell_shares,
    gae,
    group_advantages,
    has_signal,
    provenance_advantages,
    sequence_weights,
)


def test_examples_in_docstrings_hold():
    assert doctest.testmod(advantages).failed == 0


def test_group_advantages_hand_values():
    rewards = np.array([0.0, 1.0, 2.0])
    group = np.zeros(3, int)
    np.testing.assert_allclose(group_advantages(rewards, group, "mean-std"), [-1, 0, 1])
    np.testing.assert_allclose(group_advantages(rewards, group, "mean"), [-1, 0, 1])
    np.testing.assert_allclose(group_advantages(rewards, group, "leave-one-out"), [-1.5, 0, 1.5])


@pytest.mark.parametrize("baseline", ["mean-std", "mean", "leave-one-out"])
def test_group_advantages_equal_reference_for_mixed_groups(baseline):
    rng = random.Random(1)
    groups = [rng.randrange(5) for _ in range(40)]
    rewards = [rng.random() for _ in groups]
    expected = []
    for group, reward in zip(groups, rewards, strict=True):
        members = [r for g, r in zip(groups, rewards, strict=True) if g == group]
        if baseline == "leave-one-out":
            expected.append(reward - (sum(members) - reward) / (len(members) - 1))
        else:
            scale = statistics.stdev(members) if baseline == "mean-std" else 1.0
            expected.append((reward - statistics.fmean(members)) / scale)
    actual = group_advantages(np.array(rewards), np.array(groups), baseline)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_group_advantages_of_a_group_without_signal_are_zero():
    # 0.1 + 0.2 and 0.3 differ in the last bit; a standard deviation of 4e-17 must not blow that up.
    rewards = np.array([0.1 + 0.2, 0.3, 0.3, 7.0])
    groups = np.array([0, 0, 0, 1])
    assert not has_signal(rewards[:3])
    np.testing.assert_array_equal(group_advantages(rewards, groups), 0.0)


def test_group_advantages_baseline_over_trajectories_is_another_number():
    # Episode 0 has three agents and reward 1, episode 1 one agent and reward 0. Flattened to
    # trajectories, the mean would be 0.75 and the good episode's advantage 0.25.
    by_episode = group_advantages(np.array([1.0, 0.0]), np.array([0, 0]), "mean")
    np.testing.assert_allclose(by_episode, [0.5, -0.5])
    by_trajectory = group_advantages(np.array([1.0, 1.0, 1.0, 0.0]), np.zeros(4, int), "mean")
    np.testing.assert_allclose(by_trajectory, [0.25, 0.25, 0.25, -0.75])


@pytest.mark.parametrize(
    ("rewards", "groups", "baseline", "message"),
    [
        ([1.0], [0], "median", "advantages: expected one of mean-std"),
        ([1.0, 2.0], [0], "mean", "one shape"),
        ([1.0, float("nan")], [0, 0], "mean", "must be finite"),
    ],
)
def test_group_advantages_refuses(rewards, groups, baseline, message):
    with pytest.raises(ValueError, match=message):
        group_advantages(np.array(rewards), np.array(groups), baseline)


def test_gae_hand_values():
    # delta = [0 + .5*2 - 1, 1 + .5*0 - 2] = [0, -1]; A = [0 + .5*.5*(-1), -1].
    advantage, returns = gae(np.array([0.0, 1.0]), np.array([1.0, 2.0]), 0.0, 0.5, 0.5)
    np.testing.assert_allclose(advantage, [-0.25, -1.0])
    np.testing.assert_allclose(returns, [0.75, 1.0])


def test_gae_equals_sum_of_discounted_deltas():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=9), rng.normal(size=9)
    for last_value, gamma, lam in [(0.0, 1.0, 0.95), (0.7, 0.9, 0.5), (-0.3, 0.99, 0.0)]:
        following = [*values[1:], last_value]
        deltas = [rewards[t] + gamma * following[t] - values[t] for t in range(9)]
        expected = [
            sum((gamma * lam) ** (k - t) * deltas[k] for k in range(t, 9)) for t in range(9)
        ]
        advantage, returns = gae(rewards, values, last_value, gamma, lam)
        np.testing.assert_allclose(advantage, expected, atol=1e-6)
        np.testing.assert_allclose(returns, np.array(expected) + values, atol=1e-6)


def test_sequence_weights_hand_values():
    # Episode 0: agents of 2 and 1 tokens and one that does not train; episode 1: one of 4 tokens.
    num_tokens = np.array([2, 1, 0, 4])
    episodes = np.array([7, 7, 7, 9])
    np.testing.assert_allclose(
        sequence_weights(num_tokens, episodes, "agent-mean"), [1 / 8, 1 / 4, 0, 1 / 8]
    )
    np.testing.assert_allclose(
        sequence_weights(num_tokens, episodes, "sequence-mean"), [1 / 6, 1 / 3, 0, 1 / 12]
    )
    np.testing.assert_allclose(
        sequence_weights(num_tokens, episodes, "token-mean"), [1 / 7, 1 / 7, 0, 1 / 7]
    )


@pytest.mark.parametrize("aggregation", ["agent-mean", "sequence-mean", "token-mean"])
def test_sequence_weights_sum_to_one_over_tokens(aggregation):
    rng = np.random.default_rng(3)
    num_tokens, episodes = rng.integers(0, 50, 30), rng.integers(0, 6, 30)
    weights = sequence_weights(num_tokens, episodes, aggregation)
    assert (weights * num_tokens).sum() == pytest.approx(1.0)


def test_sequence_weights_without_any_token_are_zero():
    assert sequence_weights(np.zeros(3, int), np.arange(3), "agent-mean").tolist() == [0, 0, 0]


def test_cell_shares_split_each_cell_over_its_readers():
    shares = cell_shares([[1], [1, 2], [0, 1, 2], []], num_trajectories=4, num_cells=6)
    np.testing.assert_allclose(shares, [1 / 18, 11 / 36, 5 / 36, 0], atol=1e-12)


def test_cell_shares_are_shapley_values():
    """Against the definition: the mean gain over all orders in which trajectories join."""
    from itertools import permutations

    readers = [[0], [0, 2], [1, 2], [0, 1, 2], [2]]
    orders = list(permutations(range(3)))
    expected = np.zeros(3)
    for order in orders:
        for place, player in enumerate(order):
            before = set(order[:place])
            expected[player] += sum(player in r and not before & set(r) for r in readers) / 10
    np.testing.assert_allclose(cell_shares(readers, 3, 10), expected / len(orders), atol=1e-12)


def test_provenance_advantages_keep_the_lead_and_rank_subagents():
    shared = np.array([1.0, 1.0, 1.0, -1.0, -1.0])
    shares = np.array([0.0, 0.6, 0.2, 0.0, 0.1])
    subagent = np.array([False, True, True, False, True])
    groups = np.zeros(5, int)
    own = (np.array([0.6, 0.2, 0.1]) - 0.3) / statistics.stdev([0.6, 0.2, 0.1])
    np.testing.assert_allclose(
        provenance_advantages(shared, shares, groups, subagent, 0.5),
        [1.0, 0.5 + own[0] / 2, 0.5 + own[1] / 2, -1.0, -0.5 + own[2] / 2],
    )
    np.testing.assert_array_equal(
        provenance_advantages(shared, shares, groups, subagent, 0.0), shared
    )
