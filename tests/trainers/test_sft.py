"""Supervised learning: which episodes and tokens teach, and that they are learnt."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from toy_learning import tiny_lm, toy_episode  # noqa: E402

from trainers.batch import rows_of  # noqa: E402
from trainers.model import Learner  # noqa: E402
from trainers.sft import PRESETS, SFTConfig, imitate, train  # noqa: E402
from wideseek_env.records import TokenSpan  # noqa: E402

GOOD = toy_episode(0, [[TokenSpan((1, 2), (3, 4), ())], [TokenSpan((5,), (6,), ())]], 1.0)
BAD = toy_episode(1, [[TokenSpan((1, 2), (7, 7), ())]], 0.2)


def config_of(out="unused", **changes):
    settings = {
        "device": "cpu",
        "model": "toy",
        "lr": 1e-2,
        "warmup_steps": 0,
        "num_iterations": 30,
    }
    return SFTConfig(out=str(out), **{**settings, **changes})


def test_imitate_minimises_the_mean_over_the_agents_tokens():
    learner = Learner(tiny_lm(), config_of(), reference=False)
    expected = []
    for row in rows_of([GOOD]):
        with torch.no_grad():
            logprobs = torch.log_softmax(learner.lm(torch.from_numpy(row.ids)[None]).logits[0], -1)
        expected += [
            -logprobs[i - 1, row.ids[i]].item() for i in range(len(row.ids)) if row.trains[i]
        ]
    metrics = imitate(rows_of([GOOD]), config_of(), learner, 0)
    assert len(expected) == metrics["tokens/trained"] == 3
    assert metrics["sft/loss"] == pytest.approx(sum(expected) / 3, abs=1e-5)
    assert metrics["sft/perfect_tokens"] == 0.0


@pytest.mark.parametrize("roles", ["both", "lead"])
def test_train_learns_good_episodes_and_not_bad_ones(tmp_path, roles):
    config = config_of(tmp_path, roles=roles)
    learner = Learner(tiny_lm(), config, reference=False)
    train(config, learner, lambda iteration: [GOOD, BAD])
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["sft/kept"] == 0.5
    assert last["sft/loss"] < 0.1
    assert last["sft/perfect_tokens"] == pytest.approx(1.0)
    assert last["tokens/trained"] == (3 if roles == "both" else 2)
    with torch.no_grad():
        after_12 = torch.softmax(learner.lm(torch.tensor([[1, 2]])).logits[0, -1], -1)
        after_5 = torch.softmax(learner.lm(torch.tensor([[5]])).logits[0, -1], -1)
    assert after_12[3] > 0.9
    assert after_12[7] < 0.05
    assert (after_5[6] > 0.9) == (roles == "both")


def test_train_without_a_good_episode_goes_on(tmp_path):
    config = config_of(tmp_path, num_iterations=2)
    learner = Learner(tiny_lm(), config, reference=False)
    train(config, learner, lambda iteration: [BAD])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["sft/kept"] for line in lines] == [0.0, 0.0]
    assert "sft/loss" not in lines[0]


def test_presets_are_valid_configurations():
    for settings in PRESETS.values():
        SFTConfig(**settings)
