"""Models that trainers begin from: adapters on top of one another, and a real pretrained one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from agents.llm.tiny import make_tiny_model  # noqa: E402
from trainers import checkpoint  # noqa: E402
from trainers.config import RunConfig  # noqa: E402
from trainers.model import Learner  # noqa: E402
from trainers.models import load_model  # noqa: E402
from wideseek_env.cli.commands import run_command  # noqa: E402
from wideseek_env.errors import DataError  # noqa: E402

PRETRAINED = os.environ.get("WIDESEEK_PRETRAINED", "")
IDS = torch.arange(20)[None]


def adapted(model, out):
    """Trains nothing, but moves an adapter on a model, and keeps it as a run does."""
    lm, tokenizer = load_model(str(model))
    config = RunConfig(out=str(out), model=str(model), device="cpu", lora_rank=2)
    learner = Learner(lm, config, tokenizer=tokenizer.hf)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in learner.parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
        logits = learner.lm(IDS).logits
    checkpoint.save(learner, config, 1)
    return logits


@torch.no_grad()
def test_load_model_puts_adapters_on_the_weights_that_each_was_trained_on(tmp_path):
    pytest.importorskip("peft", reason="needs peft, `pip install -e .[train]`")
    start = make_tiny_model(tmp_path / "start", ["some words to read"] * 8, vocab_size=280)
    plain = load_model(str(start))[0](IDS).logits
    before = plain
    for model, out in ((start, tmp_path / "a"), (tmp_path / "a", tmp_path / "b")):
        expected = adapted(model, out)
        assert (expected - before).abs().max() > 0.1
        lm, tokenizer = load_model(str(out))
        torch.testing.assert_close(lm(IDS).logits, expected, atol=1e-4, rtol=1e-4)
        assert tokenizer.encode("words")
        assert not any("lora" in name for name in lm.state_dict())
        before = expected


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("runs/smollm2", "wideseek smollm2 --out runs/smollm2"),
        ("runs/smol-sft", "wideseek train sft --preset smol --out runs/smol-sft"),
        ("runs/other", "wideseek train sft --preset tiny --out runs/other"),
    ],
)
def test_load_without_a_model_says_which_command_makes_it(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"{name} is not there; make it with `{command}`"):
        load_model(name)


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.skipif(
    not PRETRAINED,
    reason="set WIDESEEK_PRETRAINED to the folder of a small chat model, such as the one that "
    "`wideseek smollm2 --out runs/smollm2` makes",
)
def test_pretrained_model_learns_the_calls_and_samples_as_it_learns(tmp_path):
    start, small = tmp_path / "sft", ["--source", "worlds:starter:0", "--n-subagents", "1"]
    words = ["--preset", "smol", *small, "--tasks-per-iteration", "1", "--warmup-steps", "0"]
    flags = ["--model", PRETRAINED, "--out", str(start), "--lr-end", "1"]
    for num_iterations in ("2", "4"):  # the second call goes on from the first one's checkpoint
        run = [*words, *flags, "--num-iterations", num_iterations]
        assert run_command("train sft", run) == 0
    lines = numbers(start)
    assert [line["iteration"] for line in lines] == [0, 1, 2, 3]
    assert lines[-1]["sft/loss"] < 0.7 * lines[0]["sft/loss"]

    out = tmp_path / "grpo"
    sizes = ["--group-size", "2", "--max-new-tokens", "48", "--num-iterations", "1"]
    run = [*words, *sizes, "--model", str(start), "--out", str(out)]
    assert run_command("train grpo", run) == 0
    (line,) = numbers(out)
    assert line["episodes/invalid"] == 0
    assert line.get("policy/drift", 0.0) < 0.05  # absent where both episodes are worth the same
    assert checkpoint.settings_of(out / "checkpoints/iteration_000001")["prompts"] == "full"


def numbers(folder: Path):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
