"""Forward passes against transformers' own, and the optimiser's rules."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from toy_learning import tiny_lm, toy_play  # noqa: E402

from trainers import model  # noqa: E402
from trainers.batch import flat, micro_batches, rows_of  # noqa: E402
from trainers.config import RunConfig  # noqa: E402
from trainers.model import Learner, schedule  # noqa: E402


def config_of(**changes):
    return RunConfig(
        **{
            "out": "unused",
            "model": "toy",
            "device": "cpu",
            "lr": 1e-2,
            "warmup_steps": 0,
            **changes,
        }
    )


def rows_and_batches(lm, budget=10_000):
    rows = rows_of(toy_play(lm, group=2)(0))
    return rows, micro_batches(rows, range(len(rows)), budget, "cpu")


def naive_logprobs(lm, rows):
    """Row by row, with the model's own head."""
    parts = []
    for row in rows:
        ids = torch.from_numpy(row.ids)[None]
        logprobs = torch.log_softmax(lm(ids).logits[0].double(), dim=-1)
        at = torch.from_numpy(row.sampled).nonzero()[:, 0]
        parts.append(logprobs[at - 1, ids[0, at]])
    return torch.cat(parts)


@pytest.mark.parametrize("budget", [1, 60, 10_000])
def test_logprobs_equal_the_samplers_whatever_the_padding(budget):
    lm = tiny_lm()
    learner = Learner(lm, config_of())
    rows, batches = rows_and_batches(lm, budget)
    sampler = flat([row.logprobs for row in rows], rows, "cpu")
    logprobs = learner.logprobs(batches, torch.zeros_like(sampler))
    torch.testing.assert_close(logprobs, sampler, atol=1e-5, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(logprobs.double(), naive_logprobs(lm, rows), atol=1e-5, rtol=0)


@pytest.mark.parametrize("how", ["pieces", "activation_checkpointing"])
def test_score_saving_memory_changes_neither_value_nor_gradient(how, monkeypatch):
    gradients = []
    for saving in (False, True):
        lm = tiny_lm()
        learner = Learner(
            lm, config_of(activation_checkpointing=saving and how == "activation_checkpointing")
        )
        if saving and how == "pieces":
            monkeypatch.setattr(model, "HEAD_TOKENS", 5)
        _, batches = rows_and_batches(lm)
        lm.train()
        logprobs, entropy = learner.score(learner.states(batches[0]), batches[0])
        logprobs.sum().backward()
        gradients.append([logprobs, entropy, *(p.grad for p in learner.parameters)])
    for plain, saved in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, saved, atol=1e-4, rtol=1e-4)


def test_bfloat16_gradient_points_where_float32s_does():
    gradients = []
    for bf16 in ("off", "on"):
        learner = Learner(tiny_lm(), config_of(bf16=bf16))
        _, (batch,) = rows_and_batches(learner.lm)
        learner.score(learner.states(batch), batch)[0].mean().backward()
        assert all(p.dtype == p.grad.dtype == torch.float32 for p in learner.parameters)
        gradients.append(torch.cat([p.grad.flatten() for p in learner.parameters]))
    exact, rounded = gradients
    assert 0 < (rounded - exact).norm() < 0.03 * exact.norm()


def test_bfloat16_is_not_for_tiny_models_on_a_cpu():
    assert not Learner(tiny_lm(), config_of()).bf16
    assert Learner(tiny_lm(), config_of(bf16="on")).bf16


def test_score_entropy_equals_its_definition():
    lm = tiny_lm()
    learner = Learner(lm, config_of())
    _, (batch,) = rows_and_batches(lm)
    entropy = learner.score(learner.states(batch), batch)[1]
    logits = lm(batch.ids).logits.flatten(0, 1)[batch.before]
    expected = torch.distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(entropy, expected)


@pytest.mark.parametrize("settings", [{}, {"optimizer": "muon"}, {"lora_rank": 2}])
def test_update_moves_the_model_and_not_its_reference(settings):
    if settings.get("lora_rank"):
        pytest.importorskip("peft")
    learner = Learner(tiny_lm(), config_of(**settings))
    rows, (batch,) = rows_and_batches(learner.lm)
    sampler = flat([row.logprobs for row in rows], rows, "cpu")
    for _ in range(4):  # the first gradient of a LoRA is that of half its matrices
        learner.score(learner.states(batch), batch)[0].sum().neg().backward()
        learner.update(0)
    after = learner.logprobs([batch], torch.zeros_like(sampler))
    reference = learner.reference_logprobs([batch], torch.zeros_like(sampler))
    torch.testing.assert_close(reference, sampler, atol=1e-5, rtol=0)
    assert after.mean() > sampler.mean() + 0.05


def test_update_with_a_broken_gradient_raises_and_changes_nothing():
    learner = Learner(tiny_lm(), config_of())
    before = [p.detach().clone() for p in learner.parameters]
    learner.parameters[0].grad = torch.full_like(learner.parameters[0], float("nan"))
    with pytest.raises(FloatingPointError, match="expected a finite gradient at update 3"):
        learner.update(3)
    assert all(torch.equal(a, b) for a, b in zip(before, learner.parameters, strict=True))


def test_schedule_warms_up_and_decays():
    config = config_of(num_iterations=14, warmup_steps=4, lr_end=0.1)
    shares = [schedule(update, config) for update in (0, 1, 3, 4, 9, 14, 20)]
    assert shares == pytest.approx([0.25, 0.5, 1.0, 1.0, 0.55, 0.1, 0.1])
    assert schedule(0, config_of(num_iterations=1)) == 1.0


def test_learner_lora_starts_from_the_seed():
    pytest.importorskip("peft")
    lm, equal_lm = tiny_lm(), tiny_lm()
    torch.manual_seed(1)
    one = Learner(lm, config_of(lora_rank=2))
    torch.manual_seed(2)
    other = Learner(equal_lm, config_of(lora_rank=2))
    for mine, its in zip(one.parameters, other.parameters, strict=True):
        torch.testing.assert_close(mine, its, atol=0, rtol=0)
