"""TRL's GRPOTrainer plays and trains whole teams, and follows the objective's gradient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs TRL: `make test-openrlhf`")

import torch
from objective import gradient_norm
from safetensors.torch import load_file
from toy_learning import GOOD, tiny_lm, toy_play
from transformers import AutoTokenizer

from trainers.grpo import GRPOConfig
from trainers.third_party.trl_grpo import TeamRollout, trainer_of
from trainers.third_party.trl_rollouts import rows_per_group
from wideseek_env.cli.commands import run_command

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),  # TRL's, of what is experimental in it
]
START = Path(__file__).resolve().parents[3] / "agents/learned/lm/sft"


def config_of(out: Path, **changes) -> GRPOConfig:
    settings = {
        "out": str(out),
        "num_iterations": 2,
        "tasks_per_iteration": 2,
        "group_size": 4,
        "n_subagents": 3,
        "lr": 3e-3,
        "warmup_steps": 0,
        "kl_weight": 0.0,
    }
    return GRPOConfig(**{**settings, **changes})


@pytest.mark.parametrize("aggregation", ["agent-mean", "sequence-mean"])
def test_each_step_follows_the_objective_with_right_rewards_and_masks(
    tmp_path: Path, aggregation: str
) -> None:
    lm = tiny_lm()
    toy, played, given = toy_play(lm, tasks=2, group=4), [], []

    def play(iteration: int) -> list:
        episodes = toy(iteration)
        episodes[1] = replace(episodes[1], score=None, error="its scorer failed")
        played.append((episodes, {name: w.clone() for name, w in lm.state_dict().items()}))
        return episodes

    config = config_of(tmp_path, aggregation=aggregation)
    trainer = trainer_of(config, play, lm, AutoTokenizer.from_pretrained(START))
    rollout = trainer.rollout_func
    trainer.rollout_func = lambda *which: given.append(rollout(*which)) or given[-1]
    trainer.train()

    log = [line for line in trainer.state.log_history if "grad_norm" in line]
    assert len(log) == len(played) == 2
    for line, (episodes, weights), rows in zip(log, played, given, strict=True):
        then = tiny_lm()
        then.load_state_dict(weights)
        expected = gradient_norm(then, episodes, aggregation)
        assert line["grad_norm"] == pytest.approx(expected, rel=0.01)
        # A game's reward is the share of good tokens among all that its team wrote: rows and
        # masks tell which these are. The last row of an episode is the lead's, which has it.
        at, seen = 0, []
        for number, episode in enumerate(episodes):
            if number == 4:  # of the second task
                at = rows_per_group(config)
            own = slice(at, at + len(episode.trajectories))
            at = own.stop
            both = zip(rows["completion_ids"][own], rows["env_mask"][own], strict=True)
            wrote = [i for ids, mask in both for i, m in zip(ids, mask, strict=True) if m]
            *others, reward = rows["team"][own]
            assert set(others) == {None}
            if number == 1:
                assert reward is None
                continue
            assert reward == pytest.approx(sum(i < GOOD for i in wrote) / len(wrote))
            seen.append(reward)
        assert sum(map(sum, rows["env_mask"])) == 8 * sum(len(e.trajectories) for e in episodes)
        assert line["rewards/team_reward/mean"] == pytest.approx(sum(seen) / 7, abs=1e-5)
        groups = torch.tensor(rows["credit"]).view(2, -1)
        assert groups.shape[1] == rows_per_group(config)
        assert groups.sum(1).abs().max() < 1e-5  # else TRL would take the mean away


def test_an_iteration_of_more_rows_than_room_is_refused(tmp_path: Path) -> None:
    episodes = toy_play(tiny_lm(), tasks=1, group=4)(0)
    rollout = TeamRollout(lambda iteration: episodes, config_of(tmp_path, n_subagents=0))
    with pytest.raises(ValueError, match="expected at most 4 rows in the 4 episodes"):
        rollout.rows_of(episodes, 5)


# One agent alone is what the model was not taught: of these 16 episodes a few have another reward.
@pytest.mark.parametrize(("n_subagents", "num_tasks", "group"), [(0, 2, 8), (2, 1, 2)])
def test_the_command_trains_the_tiny_model_on_the_game(
    tmp_path: Path, n_subagents: int, num_tasks: int, group: int
) -> None:
    words = (
        f"--preset tiny --trainer grpo --model {START} --out {tmp_path / 'run'} --warmup-steps 0 "
        f"--n-subagents {n_subagents} --no-random-width --max-lead-turns 4 --num-iterations 2 "
        f"--source worlds:starter:0-7 --tasks-per-iteration {num_tasks} --group-size {group}"
    )
    assert run_command("train trl", words.split()) == 0
    before = load_file(START / "model.safetensors")
    after = load_file(tmp_path / "run" / "model.safetensors")
    assert any(not torch.equal(weight, after[name]) for name, weight in before.items())


def test_what_trl_does_not_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without a KL"):
        trainer_of(config_of(tmp_path, kl_weight=0.1), lambda iteration: [], None, None)
