"""GRPO: the gradient against the formula, learning on a toy game, and going on after a kill."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from toy_learning import tiny_lm, toy_episode, toy_play  # noqa: E402

from trainers import grpo  # noqa: E402
from trainers.batch import rows_of  # noqa: E402
from trainers.grpo import GRPOConfig, improve, prepare, train  # noqa: E402
from trainers.log import Timer  # noqa: E402
from trainers.model import Learner  # noqa: E402
from wideseek_env.records import CellCredit, TokenSpan  # noqa: E402


def config_of(out="unused", **changes):
    settings = {"device": "cpu", "lr": 3e-3, "warmup_steps": 2, "num_iterations": 4}
    return GRPOConfig(out=str(out), model="toy", **{**settings, **changes})


def read_log(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_improve_follows_the_gradient_of_the_papers_formula(monkeypatch):
    """On policy the ratio is 1, so the gradient is the mean of means of A grad log p + KL."""
    config = config_of(kl_weight=0.05, max_grad_norm=1e9)
    lm = tiny_lm()
    learner = Learner(lm, config)
    with torch.no_grad():  # so that the KL to the start model is not 0
        for p in learner.parameters:
            p.add_(0.02 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    episodes = toy_play(lm, group=3)(0)
    rows, advantages, _ = prepare(episodes, config)
    monkeypatch.setattr(learner, "update", lambda update: (0.0, 0.0))  # keeps the gradient
    improve(rows, advantages, config, learner, iteration=0, timer=Timer())
    actual = [p.grad.clone() for p in learner.parameters]

    lm.zero_grad()
    start = tiny_lm()
    objective = 0.0
    for episode in episodes:
        group = [e.reward for e in episodes if e.task.id == episode.task.id]
        advantage = (episode.reward - statistics.fmean(group)) / statistics.stdev(group)
        agents = []
        for row in rows_of([episode]):
            ids = torch.from_numpy(row.ids)[None]
            at = [position for position in range(len(row.ids)) if row.turn[position] >= 0]
            tokens = []
            for position in at:
                logprob = torch.log_softmax(lm(ids).logits[0, position - 1], -1)[ids[0, position]]
                with torch.no_grad():
                    frozen = torch.log_softmax(start(ids).logits[0, position - 1], -1)
                d = frozen[ids[0, position]] - logprob
                ratio = torch.exp(logprob - logprob.detach())
                tokens.append(ratio * advantage - 0.05 * (torch.exp(d) - d - 1))
            agents.append(sum(tokens) / len(tokens))
        objective = objective + sum(agents) / len(agents) / len(episodes)
    (-objective).backward()
    for mine, parameter in zip(actual, learner.parameters, strict=True):
        torch.testing.assert_close(mine, parameter.grad, atol=2e-6, rtol=1e-3)


@pytest.mark.parametrize("changes", [{}, {"inner_epochs": 2, "updates_per_epoch": 2}])
def test_improve_does_not_depend_on_the_token_budget(changes):
    after = []
    for budget in (1, 100_000):
        config = config_of(budget_tokens=budget, **changes)
        learner = Learner(tiny_lm(), config)
        rows, advantages, _ = prepare(toy_play(learner.lm)(0), config)
        metrics = improve(rows, advantages, config, learner, iteration=5, timer=Timer())
        after.append(torch.cat([p.detach().flatten() for p in learner.parameters]))
        assert metrics["policy/drift_max"] < 1e-4
        assert metrics["policy/entropy"] == pytest.approx(math.log(32), abs=0.2)
    torch.testing.assert_close(after[0], after[1], atol=2e-4, rtol=0)


def test_improve_needs_the_samplers_logprobs_or_no_correction():
    # Of the same tokens the gradients of good and bad would cancel out.
    spans = [TokenSpan((1, 2), (3, token), ()) for token in (4, 5)]
    episodes = [toy_episode(0, [[span]], float(n)) for n, span in enumerate(spans)]
    for cap in (2.0, 0.0):
        config = config_of(sampler_cap=cap)
        learner = Learner(tiny_lm(), config)
        rows, advantages, _ = prepare(episodes, config)
        if cap:
            with pytest.raises(ValueError, match="expected the sampler's log-probability"):
                improve(rows, advantages, config, learner, iteration=0, timer=Timer())
        else:
            metrics = improve(rows, advantages, config, learner, iteration=0, timer=Timer())
            assert metrics["optimiser/gradient_norm"] > 0


def spans(*ids):
    return [TokenSpan((1,), ids, (-1.0,) * len(ids))]


def test_prepare_counts_and_drops_groups_without_signal():
    good, bad = toy_episode(0, [spans(2), spans(3)], 1.0), toy_episode(0, [spans(4)], 0.0)
    equal = [toy_episode(1, [spans(5)], 0.5), toy_episode(1, [spans(6)], 0.5)]
    invalid = replace(toy_episode(0, [spans(7)], 0.9), score=None, reward_terms={})
    everything = [good, *equal, invalid, bad]
    rows, advantages, metrics = prepare(everything, config_of(baseline="mean"))
    assert [row.ids[-1] for row in rows] == [2, 3, 4]
    assert advantages.tolist() == [0.5, 0.5, -0.5]
    assert metrics == {"groups/without_signal": 1.0, "groups/count": 2.0}


def test_prepare_of_nothing_but_equal_rewards_gives_no_rows():
    rows, *_ = prepare([toy_episode(1, [spans(5)], 0.5)], config_of())
    assert rows == []


def test_prepare_with_provenance_credits_the_subagent_that_read():
    credits = tuple(CellCredit(row, 0, (2,)) for row in range(6))
    team = [spans(2), spans(3), spans(4)]
    good = replace(toy_episode(0, team, 1.0), provenance=credits)
    bad = toy_episode(0, team, 0.0)
    config = config_of(provenance=0.5, baseline="mean")
    _, advantages, _ = prepare([good, bad], config)
    # Shares of the four subagents: 0, 1/3, 0, 0; in standard deviations -0.5, 1.5, -0.5, -0.5.
    assert advantages.tolist() == pytest.approx([0.5, 0.0, 1.0, -0.5, -0.5, -0.5])


@pytest.mark.parametrize("shuffled", [False, True])
def test_train_raises_the_reward_unless_rewards_are_shuffled(tmp_path, shuffled):
    config = config_of(tmp_path, num_iterations=20, kl_weight=0.0)
    learner = Learner(tiny_lm(), config, reference=False)
    train(config, learner, toy_play(learner.lm, tasks=4, group=8, shuffled=shuffled))
    lines = read_log(tmp_path / "metrics.jsonl")
    assert [line["iteration"] for line in lines] == list(range(20))
    rewards = [line["reward/total"] for line in lines]
    gain = statistics.fmean(rewards[-4:]) - statistics.fmean(rewards[:4])
    if shuffled:
        assert abs(gain) < 0.15
    else:
        assert gain > 0.25
    expected = {"episodes/width", "policy/clip_fraction", "policy/drift", "seconds/update"}
    assert expected <= lines[-1].keys()


KILLED = """
import sys, time
from toy_learning import tiny_lm, toy_play
from trainers.grpo import train
from trainers.model import Learner
from test_grpo import long_run
config = long_run(sys.argv[1])
learner = Learner(tiny_lm(), config)
play = toy_play(learner.lm)
def slow(iteration):
    if iteration >= 5:
        time.sleep(60)
    return play(iteration)
train(config, learner, slow)
"""


def long_run(out):
    return config_of(out, num_iterations=8, checkpoint_every=2, updates_per_epoch=2)


def run_here(out):
    config = long_run(out)
    learner = Learner(tiny_lm(), config)
    train(config, learner, toy_play(learner.lm))
    lines = read_log(Path(out) / "metrics.jsonl")
    numbers = [
        {name: value for name, value in line.items() if not name.startswith("seconds/")}
        for line in lines
    ]
    return [p.detach().clone() for p in learner.parameters], numbers


def test_train_killed_in_the_middle_goes_on_to_the_same_bits(tmp_path):
    tests = Path(__file__).parent
    paths = os.pathsep.join([str(tests), str(tests.parent), str(tests.parents[1])])
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed")],
        env={**os.environ, "PYTHONPATH": paths},
    )
    log = tmp_path / "killed" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not log.exists() or log.read_text().count("\n") < 5:
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # It had done iterations 0 to 4, of which the last checkpoint holds 0 to 3.
    assert [p.name for p in sorted((tmp_path / "killed/checkpoints").glob("iteration_*"))] == [
        "iteration_000002",
        "iteration_000004",
    ]
    weights, numbers = run_here(tmp_path / "killed")
    expected_weights, expected_numbers = run_here(tmp_path / "whole")
    assert numbers == expected_numbers
    assert [line["iteration"] for line in numbers] == list(range(8))
    assert all(torch.equal(a, b) for a, b in zip(weights, expected_weights, strict=True))


def test_presets_are_valid_configurations():
    for settings in grpo.PRESETS.values():
        GRPOConfig(**settings)
    assert config_of().clip_high == 0.28
