"""Settings: what is refused, and the flags that follow from the fields."""

from __future__ import annotations

from dataclasses import fields

import pytest

from trainers.config import PolicyConfig, RunConfig, from_command_line

PRESETS = {"small": {"model": "tiny", "lr": 0.5, "num_steps": 7}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_steps": 0}, "`num_steps` must be at least 1, got 0"),
        ({"group_size": -1}, "`group_size` must be at least 1"),
        ({"optimizer": "sgd"}, "`optimizer` must be one of 'adamw', 'muon', got 'sgd'"),
        ({"aggregation": "mean"}, "`aggregation` must be one of 'agent-mean'"),
    ],
)
def test_config_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        PolicyConfig(**{"out": "x", "model": "y", **changes})


def test_command_line_flags_go_before_the_preset():
    argv = ["--preset", "small", "--out", "there", "--lr", "0.25", "--no-bf16", "--roles", "lead"]
    config = from_command_line(PolicyConfig, PRESETS, argv)
    assert config == PolicyConfig(
        out="there", model="tiny", lr=0.25, num_steps=7, bf16=False, roles="lead"
    )
    assert config.trained_roles == ("lead",)


def test_command_line_tells_what_is_wrong(capsys):
    with pytest.raises(SystemExit):
        from_command_line(RunConfig, PRESETS, ["--roles", "nobody"])
    assert "invalid choice: 'nobody'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        from_command_line(RunConfig, PRESETS, ["--preset", "small"])
    assert "needs --out" in capsys.readouterr().err


def test_command_line_help_has_the_sentence_of_every_field(capsys):
    with pytest.raises(SystemExit):
        from_command_line(PolicyConfig, PRESETS, ["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for field in fields(PolicyConfig):
        assert "--" + field.name.replace("_", "-") in shown
    assert "Bound on the loss of a bad token that became likely, in advantages." in shown
