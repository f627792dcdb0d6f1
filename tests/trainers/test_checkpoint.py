"""Checkpoints: whole or not there, kept a few, and only for the run that made them."""

from __future__ import annotations

import shutil

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from toy_learning import tiny_lm, toy_play  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

from trainers import checkpoint  # noqa: E402
from trainers.batch import micro_batches, rows_of  # noqa: E402
from trainers.config import RunConfig  # noqa: E402
from trainers.model import Learner  # noqa: E402
from wideseek_env.errors import DataError  # noqa: E402


def config_of(out, **changes):
    settings = {"model": "toy", "device": "cpu", "lr": 1e-2, "warmup_steps": 0}
    return RunConfig(out=str(out), **{**settings, **changes})


def learn(learner):
    rows = rows_of(toy_play(learner.lm, group=2)(0))
    for batch in micro_batches(rows, range(len(rows)), 10_000, "cpu"):
        learner.score(learner.states(batch), batch)[0].mean().neg().backward()
    learner.update(0)
    return torch.cat([p.detach().flatten() for p in learner.parameters])


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "muon"}, {"lora_rank": 2}, {"bf16": "on"}],
    ids=["adamw", "muon", "lora", "bf16"],
)
def test_resume_gives_weights_optimisers_and_generators_back(tmp_path, settings):
    config = config_of(tmp_path, **settings)
    learner = Learner(tiny_lm(), config)
    learn(learner)
    torch.rand(3)
    checkpoint.save(learner, config, 5)
    drawn, after = torch.rand(1), learn(learner)

    again = Learner(tiny_lm(), config)
    assert checkpoint.resume(again, config) == 5
    assert torch.equal(torch.rand(1), drawn)
    assert torch.equal(learn(again), after)


def test_save_writes_what_from_pretrained_reads(tmp_path):
    learner = Learner(tiny_lm(), config_of(tmp_path))
    learn(learner)
    folder = checkpoint.save(learner, learner.config, 1)
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    for name, value in learner.lm.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    settings = checkpoint.settings_of(folder)
    assert {"format": "hermes", "prompts": "full", "lr": 1e-2}.items() <= settings.items()
    assert checkpoint.settings_of(tmp_path) == {}


def test_save_keeps_the_last_ones_and_leaves_no_part(tmp_path):
    config = config_of(tmp_path, keep_checkpoints=2)
    learner = Learner(tiny_lm(), config)
    for iteration in (1, 2, 10):
        checkpoint.save(learner, config, iteration)
    left = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert left == ["iteration_000002", "iteration_000010"]


def test_resume_ignores_a_checkpoint_that_was_not_finished(tmp_path):
    config = config_of(tmp_path)
    learner = Learner(tiny_lm(), config)
    assert checkpoint.resume(learner, config) == 0
    whole = checkpoint.save(learner, config, 1)
    shutil.copytree(whole, whole.parent / ".iteration_000002")
    assert checkpoint.resume(learner, config) == 1


def test_resume_refuses_a_run_with_other_settings(tmp_path):
    config = config_of(tmp_path)
    learner = Learner(tiny_lm(), config)
    checkpoint.save(learner, config, 1)
    assert checkpoint.resume(learner, config_of(tmp_path, num_iterations=999)) == 1
    with pytest.raises(DataError, match=r"holds a run with `lr` 0\.01, got 0\.5"):
        checkpoint.resume(learner, config_of(tmp_path, lr=0.5))


def test_settings_that_differ_are_refused_unless_they_may_or_are_new():
    before, may_change = {"lr": 0.1, "out": "there"}, {"out"}
    checkpoint.check_settings("runs/r", before, {"lr": 0.1, "out": "here", "new": 3}, may_change)
    with pytest.raises(DataError, match="runs/r holds a run with `out` 'there', got 'here'"):
        checkpoint.check_settings("runs/r", before, {"lr": 0.1, "out": "here"}, ())
    with pytest.raises(DataError, match=r"holds a run with `lr` 0\.1, got None"):
        checkpoint.check_settings("runs/r", before, {}, may_change)


def test_resume_refuses_weights_of_another_shape(tmp_path):
    config = config_of(tmp_path)
    checkpoint.save(Learner(tiny_lm(), config), config, 1)
    other = tiny_lm()
    other.resize_token_embeddings(40)
    with pytest.raises(DataError, match="expected weights of the configured model"):
        checkpoint.resume(Learner(other, config), config)


def test_checkpoints_of_a_version_that_counted_in_steps_are_refused(tmp_path):
    config = config_of(tmp_path)
    learner = Learner(tiny_lm(), config)
    older = checkpoint.save(learner, config, 7)
    older = older.rename(older.with_name("step_000007"))
    with pytest.raises(DataError, match=r"called iteration_…, got .*step_000007, which an older"):
        checkpoint.resume(learner, config)
