"""TRL's asynchronous GRPO on the toy game: the objective's gradient, and a reward that rises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("trl", reason="needs TRL: `make test-openrlhf`")

import torch
from objective import gradient_norm
from toy_learning import tiny_lm, toy_play
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainers.grpo import GRPOConfig
from trainers.third_party.trl_async_grpo import trainer_of

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # TRL's, of what is experimental in it
]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def start(tmp_path: Path) -> Path:
    tiny_lm().save_pretrained(tmp_path / "start")
    AutoTokenizer.from_pretrained(ROOT / "agents/learned/lm/sft").save_pretrained(
        tmp_path / "start"
    )
    return tmp_path / "start"


def trained(start: Path, num_iterations: int) -> tuple[list[dict[str, float]], list[list[object]]]:
    """The log of a run, and the episodes of its iterations."""
    lm = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32).eval()
    play, played = toy_play(lm, tasks=2, group=8), []

    def keeping(iteration: int) -> list[object]:
        played.append(play(iteration))
        return played[-1]

    config = GRPOConfig(
        model=str(start),
        out=str(start.parent / "run"),
        num_iterations=num_iterations,
        tasks_per_iteration=2,
        group_size=8,
        n_subagents=3,
        lr=3e-3,
        warmup_steps=0,
        kl_weight=0.0,
    )
    trainer = trainer_of(config, keeping, lm, lambda: None)
    trainer.train()
    return [line for line in trainer.state.log_history if "grad_norm" in line], played


def test_an_iteration_follows_the_objective_and_the_reward_rises(start: Path) -> None:
    log, played = trained(start, 40)
    lm = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    assert log[0]["grad_norm"] == pytest.approx(gradient_norm(lm, played[0]), rel=0.01)
    sizes = {len(episode.trajectories) for episode in played[0]}
    assert len(sizes) > 1
    assert all(0.9 < line["ratio"] < 1.1 for line in log)  # the player has the trained weights
    means = [np.mean([episode.reward for episode in iteration]) for iteration in played]
    first, last = np.mean(means[:5]), np.mean(means[-5:])
    assert last > first + 0.2


def test_what_trl_does_not_do_is_refused(start: Path) -> None:
    config = GRPOConfig(model=str(start), kl_weight=0.1)
    with pytest.raises(ValueError, match="without a KL"):
        trainer_of(config, lambda iteration: [], None, lambda: None)
