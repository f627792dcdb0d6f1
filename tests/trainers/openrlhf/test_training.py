"""Whole runs: Ray, vLLM, DeepSpeed and OpenRLHF's own program, on this machine's CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("openrlhf", reason="needs OpenRLHF: `make test-openrlhf`")

from launching import SMALL, START, Run, trained

pytestmark = [pytest.mark.openrlhf, pytest.mark.slow, pytest.mark.timeout(900)]


def assert_right(run: Run, num_steps: int) -> None:
    """Every step followed the objective, with teams of different sizes."""
    assert [step["step"] for step in run.steps] == list(range(1, num_steps + 1))
    for step in run.steps:
        assert step["audit/difference"] < 0.01
        assert step["rollout/logprob_gap"] < 0.01
        assert step["ppo_clip_ratio"] == 0.0  # one optimiser step: nothing has moved before it
        assert step["rollout/num_episodes"] == 16
    assert any(step["rollout/num_rows"] % 16 for step in run.steps), "teams of one size"


@pytest.fixture(scope="module")
def grpo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("grpo")
    return trained(out, *SMALL, "--data.max_samples", "8", "--save-episodes")


def test_grpo_takes_the_step_that_the_objective_says(grpo: Run) -> None:
    assert_right(grpo, 2)


def test_the_model_is_one_that_our_engines_load(grpo: Run) -> None:
    import torch

    from trainers.play import load

    (lm, tokenizer), (start, _) = load(str(grpo.out / "model")), load(str(START))
    assert tokenizer.decode(tokenizer.encode("a name")) == "a name"
    moved = [
        float((after - before).detach().abs().max())
        for after, before in zip(lm.parameters(), start.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 0.1
    assert not any(torch.isnan(p).any() for p in lm.parameters())


def test_episodes_are_kept_with_their_tokens(grpo: Run) -> None:
    from agents.episode_file import read_episodes

    (path,) = [p for p in (grpo.out / "episodes").glob("*.jsonl") if "tokens" not in p.name]
    episodes = list(read_episodes(path, tokens=True))
    assert len(episodes) == 32
    assert len({e.seed for e in episodes}) == 32
    assert all(t.turns[0].decision.tokens for e in episodes for t in e.trajectories)


def test_prompts_carry_no_gold(grpo: Run) -> None:
    text = (grpo.out / "prompts-train.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert {tuple(line) for line in lines} == {("input", "label", "datasource")}
    assert json.loads(lines[3]["label"]) == ["train", 3, 2]


def test_a_flag_that_teams_cannot_have_is_refused_before_anything_starts(tmp_path: Path) -> None:
    run = Run(tmp_path, "--ds.ring_attn_size", "2", "--actor.loss_agg_mode", "token-mean")
    assert run.wait() != 0
    assert "--ds.ring_attn_size must be 1, got 2" in run.log
    assert "--actor.loss_agg_mode must be seq-mean-token-mean" in run.log
    assert "Started a local Ray instance" not in run.log
