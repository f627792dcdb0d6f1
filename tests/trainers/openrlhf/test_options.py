"""Flags, settings and prompts; nothing of OpenRLHF is needed for them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.scripted import POLICIES
from trainers.collector import Collector
from trainers.config import RunConfig
from trainers.openrlhf.checks import EXECUTOR, check, with_defaults
from trainers.openrlhf.options import split
from trainers.openrlhf.prompts import Label, write_prompts
from trainers.openrlhf.settings import VARIABLE, TeamSettings
from wideseek_env.cli.commands import run_command
from wideseek_env.records import Limits

ROOT = Path(__file__).resolve().parents[3]


def right_args(**changes: Any) -> dict[str, Any]:
    args = {
        "algo.advantage.estimator": "group_norm",
        "actor.loss_agg_mode": "seq-mean-token-mean",
        "train.agent_func_path": str(EXECUTOR),
        "reward.overlong_buffer_len": None,
        "reward.stop_properly_penalty_coef": None,
        "reward.remote_url": None,
        "data.apply_chat_template": False,
        "ds.ring_attn_size": 1,
        "ds.tensor_parallel_size": 1,
        "data.max_images_per_prompt": 0,
        "rollout.batch_size": 8,
        "rollout.n_samples_per_prompt": 4,
        "train.batch_size": 32,
    }
    return {**args, **{name.replace("__", "."): value for name, value in changes.items()}}


def test_our_flags_and_theirs_are_told_apart() -> None:
    ours, theirs = split(
        ["--source", "default", "--actor.adam.lr", "-1e-6", "--cpu", "--n-subagents=3", "--use_ms"]
    )
    assert ours == ["--source", "default", "--cpu", "--n-subagents=3"]
    assert theirs == ["--actor.adam.lr", "-1e-6", "--use_ms"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sorce", "default"], "sorce"),
        (["--n-subagents", "-1"], "--n-subagents: expected at least 0, got -1"),
        (["--provenance", "2"], "--provenance: expected at least 0 and at most 1, got 2.0"),
        (["--aggregation", "median"], "median"),
        (["--audit", "--provenance", "0.5"], "--audit knows the paper's objective alone"),
    ],
)
def test_wrong_flags_are_named(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("train openrlhf", flags) == 2
    assert message in "".join(capsys.readouterr())


def test_help_needs_no_library() -> None:
    program = (
        "import sys; from wideseek_env.cli.commands import main\n"
        "main(['train', 'openrlhf', '--help'])\n"
        "print({'torch', 'ray', 'openrlhf', 'vllm'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.endswith("set()\n"), told.stderr
    assert "--n-subagents" in told.stdout


def test_settings_reach_the_workers_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TeamSettings(source="hard", provenance=0.5, max_tool_calls=60, cpu=True)
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert TeamSettings.from_environment() == settings
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(RuntimeError, match="wideseek train openrlhf"):
        TeamSettings.from_environment()


def test_limits_are_the_sources_but_for_those_that_are_given() -> None:
    given = Limits(max_lead_turns=3, max_subagent_turns=6)
    changed = TeamSettings(max_subagent_turns=2, max_tool_calls=60).limits(given)
    assert changed == dataclasses.replace(given, max_subagent_turns=2, max_tool_calls=60)


def test_prompts_name_tasks_and_hide_their_gold(tmp_path: Path) -> None:
    settings = TeamSettings(
        out=str(tmp_path),
        source="worlds:starter:3-4",
        num_tasks=5,
        n_subagents=4,
        random_width=True,
    )
    text = write_prompts(settings, "train", 4).read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    labels = [Label.read(line["label"]) for line in lines]
    source = settings.tasks("train")
    numbers = [label.index for label in labels]
    assert [line["input"] for line in lines] == [f"{source.name} {i}" for i in numbers]
    assert sorted(numbers) == list(range(10))
    assert {n // 5 for n in numbers[:5]} == {0, 1}  # the first lines are of both worlds
    assert {label.n_subagents for label in labels} <= {1, 2, 3, 4}
    assert len({label.n_subagents for label in labels}) > 1
    assert write_prompts(settings, "train", 4).read_text("utf-8") == text
    gold = [cell for row in source[0].task.gold for cell in row]
    assert not any(cell in text for cell in gold if len(cell) > 4)


@pytest.mark.parametrize("random_width", [True, False])
def test_prompts_are_what_our_own_trainer_plays(tmp_path: Path, random_width: bool) -> None:
    played = {"source": "worlds:starter:3-4", "num_tasks": 6, "seed": 5, "n_subagents": 3}
    config = RunConfig(
        out="unused", tasks_per_iteration=5, group_size=2, random_width=random_width, **played
    )
    collector = Collector(config, POLICIES["random"])
    settings = TeamSettings(out=str(tmp_path), random_width=random_width, **played)
    text = write_prompts(settings, "train", 5).read_text("utf-8")
    labels = [Label.read(json.loads(line)["label"]) for line in text.splitlines()]
    source = settings.tasks("train")
    written = [(source[label.index].task.id, label.n_subagents) for label in labels]
    for iteration in (0, 1):
        jobs = collector.jobs(iteration)[::2]  # a group has one prompt
        assert written[iteration * 5 :][:5] == [(job.task.id, job.n_subagents) for job in jobs]
    assert len(set(written)) == len(source) == 12


def test_an_evaluation_is_on_test_worlds_and_no_longer_than_asked(tmp_path: Path) -> None:
    settings = TeamSettings(
        out=str(tmp_path), source="starter", eval_source="starter", num_tasks=6, eval_tasks=4
    )
    train, test = (
        [
            json.loads(line)
            for line in write_prompts(settings, split, 4).read_text("utf-8").splitlines()
        ]
        for split in ("train", "eval")
    )
    assert (len(train), len(test)) == (6, 4)
    assert not {line["input"] for line in train} & {line["input"] for line in test}
    with pytest.raises(ValueError, match="`eval_source`"):
        dataclasses.replace(settings, eval_source=None).tasks("eval")


def test_what_a_team_needs_is_set_where_it_is_not_given(tmp_path: Path) -> None:
    settings = TeamSettings(out=str(tmp_path))
    given = ["--rollout.batch_size=16", "--rollout.n_samples_per_prompt", "8"]
    flags = with_defaults(settings, [*given, "--ckpt.path", "elsewhere"])
    assert flags[:3] == given
    assert flags[flags.index("--train.batch_size") + 1] == "128"
    assert flags.count("--ckpt.path") == 1
    threshold = flags.index("--algo.advantage.is_correction_threshold")
    assert flags[threshold + 1 : threshold + 3] == ["0", "2"]
    assert "--eval.dataset" not in flags


def test_right_arguments_pass() -> None:
    for estimator in ("group_norm", "dr_grpo", "rloo", "gae"):
        check(right_args(algo__advantage__estimator=estimator))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algo.advantage.estimator", "reinforce_baseline"),
        ("algo.advantage.estimator", "flash_reinforce"),
        ("actor.loss_agg_mode", "token-mean"),
        ("train.agent_func_path", "mine.py"),
        ("reward.overlong_buffer_len", 100.0),
        ("reward.stop_properly_penalty_coef", 0.5),
        ("reward.remote_url", "http://localhost"),
        ("data.apply_chat_template", True),
        ("ds.ring_attn_size", 2),
        ("ds.tensor_parallel_size", 2),
        ("data.max_images_per_prompt", 1),
        ("train.batch_size", 16),
    ],
)
def test_arguments_that_a_team_cannot_have_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"--{name} must be"):
        check({**right_args(), name: value})


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"(?s)ring_attn_size.*tensor_parallel_size"):
        check(right_args(ds__ring_attn_size=2, ds__tensor_parallel_size=2))
