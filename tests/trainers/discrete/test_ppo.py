"""The discrete trainer: sums by hand, a run that is stopped, and that it learns."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from agents.learned.weights import load_weights  # noqa: E402
from trainers.discrete.networks import ROLES, Networks  # noqa: E402
from trainers.discrete.options import DiscreteOptions  # noqa: E402
from trainers.discrete.play import Choices, Draw, Played  # noqa: E402
from trainers.discrete.ppo import make_batches, train, update  # noqa: E402
from trainers.interrupt import Stop  # noqa: E402
from wideseek_env.errors import DataError, Interrupted  # noqa: E402

OPTIONS = DiscreteOptions(out=Path("unused"), sources=("a", "b"), group_size=2, lam=1.0)


def choices(role: str, moves: list[int], rng: np.random.Generator) -> Choices:
    size, num = ROLES[role]
    masks = np.ones((len(moves), num), bool)
    masks[:, -1] = False
    return Choices(rng.random((len(moves), size), np.float32), masks, np.array(moves))


def played(scores: list[float | None]) -> list[Played]:
    rng = np.random.default_rng(0)
    return [
        Played(
            Draw(n // 2 % 2, 0, 25, 4, n),
            f1,
            {
                # Another move in each episode of a group.
                "lead": choices("lead", [1 + n % 2, 3 + n % 2], rng),
                "subagent_0": choices("subagent", [n % 2, 2 + n % 2, 4 + n % 2], rng),
                "subagent_1": choices("subagent", [6 + n % 2], rng),
            },
        )
        for n, f1 in enumerate(scores)
    ]


def test_with_lambda_1_an_advantage_is_the_score_over_the_others_less_the_value() -> None:
    torch.manual_seed(0)
    networks, episodes = Networks(OPTIONS), played([0.9, 0.4, None, 0.7, 0.2, 0.6])
    batches = make_batches(networks, episodes)
    # The third episode has no score, so the fourth is alone in its group, and says nothing.
    rewards = {0: 0.5, 1: -0.5, 3: 0.0, 4: -0.4, 5: 0.4}
    for role, batch in batches.items():
        by_hand, returns = [], []
        for n, reward in rewards.items():
            told = [1.0, 0.0] if n // 2 % 2 == 0 else [0.0, 1.0]
            told += [np.log2(4) / 4, 0.0]
            for agent, chosen in episodes[n].choices.items():
                if agent.startswith(role):
                    seen = np.column_stack([chosen.features, [told] * len(chosen.moves)])
                    value = networks.critics[role](torch.tensor(seen).float()).detach().numpy()
                    by_hand += list(reward - value[:, 0])
                    returns += [reward] * len(chosen.moves)
        expected = (np.array(by_hand) - np.mean(by_hand)) / np.std(by_hand)
        assert batch.advantages.numpy() == pytest.approx(expected, abs=1e-4)
        assert batch.returns.numpy() == pytest.approx(returns, abs=1e-6)


def test_an_update_makes_good_moves_likelier_and_illegal_ones_stay_impossible() -> None:
    torch.manual_seed(0)
    networks = Networks(replace(OPTIONS, entropy=0.0))
    episodes = played([1.0, 0.0])
    batches = make_batches(networks, episodes)
    before = {
        role: networks.logprobs(role, batch.features, batch.masks).detach()
        for role, batch in batches.items()
    }
    update(networks, batches, 1.0, torch.Generator().manual_seed(0))
    for role, batch in batches.items():
        after = networks.logprobs(role, batch.features, batch.masks).detach()
        change = (after - before[role]).gather(1, batch.moves[:, None]).squeeze(1)
        half = len(change) // 2
        assert change[:half].mean() > 0 > change[half:].mean()
        assert torch.isneginf(after[:, -1]).all()


def command(out: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "wideseek_env", "train", "discrete", "--out", str(out)),
        *("--sources", "worlds:starter:0", "--num-tasks", "4", "--num-lessons", "4"),
        *("--num-iterations", "4", "--tasks-per-iteration", "3", "--num-workers", "1"),
    ]


@pytest.mark.slow
def test_a_run_that_ctrl_c_stops_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    subprocess.run(command(whole), check=True, env=environment, capture_output=True)
    run = subprocess.Popen(
        command(halved), env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    assert any(line.startswith("iteration 1/4") for line in run.stdout)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 130, errors
    assert "the same command goes on" in errors
    again = subprocess.run(command(halved), check=True, env=environment, capture_output=True)
    assert b"lessons" not in again.stdout
    weights = [(out / "weights.safetensors").read_bytes() for out in (whole, halved)]
    assert weights[0] == weights[1]
    lines = (halved / "metrics.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [0, 1, 2, 3]


def test_a_late_ctrl_c_names_a_checkpoint_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it comes: here, after the loop has looked for it once."""
    looks = chain([False], repeat(True))
    asked = property(lambda stop: next(looks), lambda stop, value: None)
    monkeypatch.setattr(Stop, "asked", asked, raising=False)
    options = DiscreteOptions(
        out=tmp_path,
        sources=("worlds:starter:0",),
        num_tasks=2,
        budgets=(12,),
        widths=(1,),
        num_lessons=0,
        num_iterations=4,
        tasks_per_iteration=1,
        num_workers=1,
    )
    with pytest.raises(Interrupted) as stopped:
        train(options)
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["next_iteration"]
    assert f"has a checkpoint after iteration {kept};" in str(stopped.value)


@pytest.mark.train
def test_it_learns_from_nothing_and_its_file_plays(tmp_path: Path) -> None:
    options = DiscreteOptions(
        out=tmp_path,
        sources=("worlds:starter:0-1",),
        num_tasks=16,
        budgets=(12,),
        widths=(2, 4),
        num_lessons=0,
        num_iterations=14,
        tasks_per_iteration=8,
        lr=1e-3,
    )
    train(options)
    lines = (tmp_path / "metrics.jsonl").read_text("utf-8").splitlines()
    f1 = [json.loads(line)["play/item_f1"] for line in lines]
    assert np.mean(f1[-3:]) > np.mean(f1[:2]) + 0.25
    weights = load_weights(tmp_path / "weights.safetensors")
    assert weights.about["config"]["budgets"] == [12]
    with pytest.raises(DataError, match="num_iterations"):
        train(replace(options, num_iterations=15))
