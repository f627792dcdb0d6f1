"""Settings: what is refused, and the flags that follow from the fields."""

from __future__ import annotations

import pytest

from trainers import grpo, sft
from trainers.config import SMOL_SFT, SMOLLM2, PolicyConfig, preset_of
from wideseek_env.cli.commands import run_command


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_iterations": 0}, "--num-iterations: expected at least 1, got 0"),
        ({"group_size": -1}, "--group-size: expected at least 1"),
        ({"optimizer": "sgd"}, "--optimizer: expected one of adamw, muon, got 'sgd'"),
        ({"aggregation": "mean"}, "--aggregation: expected one of agent-mean"),
    ],
)
def test_config_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        PolicyConfig(**{"out": "x", "model": "y", **changes})


@pytest.mark.parametrize("teacher", ["fanuot", "my_package.policies:Mine"])
def test_a_teacher_that_cannot_teach_is_refused_before_work_begins(teacher):
    with pytest.raises(ValueError, match="--teacher: expected one of random, solo"):
        sft.SFTConfig(teacher=teacher)


def test_command_line_flags_go_before_the_preset(monkeypatch):
    seen = []
    monkeypatch.setattr(grpo, "train_anew", seen.append)
    monkeypatch.setitem(grpo.PRESETS, "tiny", {"model": "small", "lr": 0.5, "num_iterations": 7})
    words = ["--lr", "0.25", "--bf16", "off", "--preset", "tiny", "--roles", "lead"]
    assert run_command("train grpo", [*words, "--out", "runs/there"]) == 0
    (config,) = seen
    assert config == grpo.GRPOConfig(
        out="runs/there", model="small", lr=0.25, num_iterations=7, bf16="off", roles="lead"
    )
    assert config.trained_roles == ("lead",)


def test_preset_smol_trains_further_what_imitation_leaves():
    start, further = (m.PRESETS["smol"] for m in (sft, grpo))
    assert start["model"] == SMOLLM2
    assert further["model"] == start["out"] == SMOL_SFT
    same = ("source", "num_tasks", "format", "prompts", "max_new_tokens", "max_context_tokens")
    assert [start[name] for name in same] == [further[name] for name in same]
    assert sft.SFTConfig(**start).prompts == "full"
    assert grpo.GRPOConfig(**further).bf16 == "auto"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--preset", "tiny"], "tiny"),
        (["--preset=tiny", "--lr", "1"], "tiny"),
        (["--lr", "1", "--preset"], None),
        (["--preset", "tyni"], None),
        (["--model", "tiny"], None),
    ],
)
def test_the_preset_is_found_before_other_flags_are_read(words, name):
    assert preset_of(words, {"tiny": {}}) == name
