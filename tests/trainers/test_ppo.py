"""PPO: where values and rewards stand, what truncation changes, and that it learns."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from toy_learning import tiny_lm, toy_episode, toy_play  # noqa: E402

from trainers.batch import micro_batches, rows_of  # noqa: E402
from trainers.model import Learner  # noqa: E402
from trainers.ppo import (  # noqa: E402
    PRESETS,
    PPOConfig,
    estimate,
    explained,
    old_values,
    train,
    value_head,
)
from wideseek_env.records import TokenSpan  # noqa: E402


def config_of(out="unused", **changes):
    settings = {"device": "cpu", "lr": 3e-3, "warmup_steps": 2, "num_iterations": 4, "model": "toy"}
    return PPOConfig(out=str(out), **{**settings, **changes})


SPANS = [TokenSpan((1,), (2, 3), (-1.0, -1.0)), TokenSpan((4,), (5,), (-1.0,))]


def estimate_of(end="answered", **changes):
    episode = replace(toy_episode(0, [SPANS], 1.0), end=end)
    config = config_of(gamma=0.9, lam=0.5, **changes)
    values = np.array([0.2, 0.4, 0.6])
    advantage, returns, starts = estimate(rows_of([episode]), [episode], values, {0: 0.8}, config)
    return advantage, returns.tolist(), starts.tolist()


def test_estimate_over_tokens_hand_values():
    # Deltas .9*.4-.2 = .16, .9*.6-.4 = .14 and 1-.6 = .4; from the end A is .4, then
    # .14+.45*.4 = .32, then .16+.45*.32 = .304.
    advantage, returns, starts = estimate_of(step_of="token")
    raw = np.array([0.304, 0.32, 0.4])
    np.testing.assert_allclose(advantage, (raw - raw.mean()) / raw.std())
    assert returns == pytest.approx([0.504, 0.72, 1.0])
    assert starts == [1.0, 1.0, 1.0]


def test_estimate_over_turns_hand_values():
    # Turn 0 starts at value .2, turn 1 at .6: deltas .9*.6-.2 = .34 and 1-.6 = .4; from the end A
    # is .4, then .34+.45*.4 = .52.
    advantage, returns, starts = estimate_of(step_of="turn")
    np.testing.assert_allclose(advantage, [1.0, 1.0, -1.0])
    assert returns == pytest.approx([0.72, 0.72, 1.0])
    assert starts == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("end", "bootstrap", "expected"),
    [
        ("answered", "truncated", 1.0),
        ("turn_budget", "time_budget", 1.0),
        ("turn_budget", "truncated", 1.0 + 0.9 * 0.8),
        ("time_budget", "time_budget", 1.0 + 0.9 * 0.8),
    ],
)
def test_estimate_bootstraps_on_truncation_alone(end, bootstrap, expected):
    _, returns, _ = estimate_of(end, bootstrap=bootstrap, step_of="token")
    assert returns[-1] == pytest.approx(expected)


def test_old_values_stand_before_each_token_and_after_the_last():
    config = config_of(budget_tokens=40)
    lm = tiny_lm()
    head = value_head(lm)
    torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(0))
    learner = Learner(lm, config, head=head)
    rows = rows_of(toy_play(lm, group=2)(0))
    assert len(micro_batches(rows, range(len(rows)), 40, "cpu")) > 1
    values, last = old_values(rows, config, learner)
    expected = []
    for number, row in enumerate(rows):
        with torch.no_grad():
            states = lm.model(torch.from_numpy(row.ids)[None]).last_hidden_state[0]
            of_row = head(states)[:, 0]
        expected.append(of_row[np.flatnonzero(row.sampled) - 1])
        assert last[number] == pytest.approx(float(of_row[-1]), abs=1e-5)
    torch.testing.assert_close(values, torch.cat(expected), atol=1e-5, rtol=0)


def test_explained_variance():
    returns = torch.tensor([0.0, 1.0, 2.0])
    assert explained(returns, returns) == 1.0
    assert explained(torch.ones(3), returns) == 0.0
    assert explained(returns, torch.ones(3)) == 0.0


@pytest.mark.parametrize("step_of", ["token", "turn"])
def test_train_raises_the_reward_and_learns_values(tmp_path, step_of):
    config = config_of(tmp_path, num_iterations=20, kl_weight=0.0, step_of=step_of)
    lm = tiny_lm()
    learner = Learner(lm, config, head=value_head(lm), reference=False)
    train(config, learner, toy_play(lm, tasks=4, group=8))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    rewards = [line["reward/total"] for line in lines]
    assert statistics.fmean(rewards[-4:]) - statistics.fmean(rewards[:4]) > 0.2
    assert lines[-1]["value/loss"] < lines[0]["value/loss"]
    assert lines[-1]["value/mean"] == pytest.approx(rewards[-1], abs=0.3)


def test_train_goes_on_with_the_value_head_it_had(tmp_path):
    def run(num_iterations):
        config = config_of(tmp_path, num_iterations=num_iterations)
        learner = Learner(tiny_lm(), config, head=value_head(tiny_lm()))
        train(config, learner, toy_play(learner.lm))
        return learner.head.weight.detach().clone()

    first = run(2)
    assert first.abs().max() > 0
    assert torch.equal(run(2), first)
    assert not torch.equal(run(3), first)


def test_presets_are_valid_configurations():
    for settings in PRESETS.values():
        PPOConfig(**settings)
