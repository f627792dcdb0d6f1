"""bfloat16 in products alone: the numbers that autocast gives, and where it is chosen."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[llm]`")
transformers = pytest.importorskip("transformers", reason="`pip install -e .[llm]`")

from agents.llm import precision  # noqa: E402

IDS = torch.arange(24).view(2, 12)
CPU = torch.device("cpu")


def small_lm():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=64, intermediate_size=96, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


@torch.no_grad()
def test_halved_model_gives_the_numbers_of_autocast():
    lm = small_lm()
    exact = lm(IDS).logits
    with torch.autocast("cpu", torch.bfloat16):
        expected = lm(IDS).logits
    halved = precision.halve(copy.deepcopy(lm))
    assert torch.equal(halved(IDS).logits, expected)
    assert not torch.equal(expected, exact)
    assert torch.equal(lm(IDS).logits, exact)  # the model that it was copied from is as it was


def test_halve_rounds_matrices_and_leaves_embeddings_and_norms():
    lm = small_lm()
    before = copy.deepcopy(lm.state_dict())
    halved = precision.halve(lm).state_dict()
    kept = {name for name, weight in halved.items() if weight.dtype == torch.float32}
    assert kept == {name for name in before if "norm" in name or "embed" in name}
    for name, weight in before.items():
        assert torch.equal(halved[name], weight.to(halved[name].dtype))


@pytest.mark.parametrize(
    ("million", "able", "device", "pays"),
    [
        (135, True, "cpu", True),
        (135, False, "cpu", False),
        (1, True, "cpu", False),
        (1, False, "cuda", True),
        (135, True, "mps", False),
    ],
)
def test_bfloat16_pays_on_a_gpu_and_for_larger_models_on_an_able_cpu(
    million, able, device, pays, monkeypatch
):
    monkeypatch.setattr(precision, "cpu_multiplies_bfloat16", lambda: able)
    model = torch.nn.Linear(1000, 1000 * million, bias=False, device="meta")
    assert precision.bfloat16_pays(model, torch.device(device)) == pays
