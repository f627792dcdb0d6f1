"""OpenRLHF's experience maker, with one advantage for each episode in place of one for each row.

`choose` says what each row of a batch counts (`rows.credit`) and leaves out those that count
nothing; the parent lets the models read the rest, and `compute_advantages_and_returns` spreads the
advantages over the tokens. What belongs to a row travels in `Experience.info`, which OpenRLHF
keeps with the row wherever it goes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from openrlhf.models.utils import compute_reward
from openrlhf.trainer.ppo_utils.experience import Experience
from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker

from trainers.openrlhf.rows import Baseline, Credit, credit, token_gae
from trainers.openrlhf.settings import TeamSettings

BASELINES: dict[str, Baseline | None] = {
    "group_norm": "mean-std",
    "dr_grpo": "mean",
    "rloo": "leave-one-out",
    "gae": None,
}
"""`--algo.advantage.estimator` to the baseline of `rows.credit`; a critic needs none."""


class TeamExperienceMaker(RemoteExperienceMaker):  # type: ignore[misc]  # OpenRLHF is untyped
    """Makes experience of the rows of whole episodes."""

    def choose(self, rows: Sequence[Experience]) -> tuple[list[Experience], dict[str, float]]:
        """Returns the rows that train, each with what it counts, and the batch's numbers.

        The rows are filled up to a number that all data-parallel ranks can share, with copies that
        weigh nothing; there may be none at all, when no group has signal.
        """
        settings = TeamSettings.from_environment()
        told = credit(
            [row.row for row in rows],
            baseline=BASELINES[self.advantage_estimator],
            aggregation=settings.aggregation,
            provenance=settings.provenance,
        )
        chosen = [number for number in range(len(rows)) if told.trains[number]]
        numbers = _numbers(rows, told)
        missing = -len(chosen) % self._multiple() if chosen else 0
        total = len(chosen) + missing
        batch = []
        for number in chosen:
            row = rows[number]
            row.rewards = torch.tensor([told.rewards[number]], dtype=torch.float32)
            row.info |= {
                "reward": row.rewards,
                # Relative to the mean over rows, which is what OpenRLHF divides by.
                "team_weight": torch.tensor([told.weights[number] * total]),
                "team_advantage": torch.tensor([told.advantages[number]]),
                "team_episode": torch.tensor([told.episodes[number]]),
                "team_group": torch.tensor([told.groups[number]]),
            }
            batch.append(row)
        if missing:
            shortest = min(batch, key=lambda row: int(row.total_length))
            batch += [_weightless(shortest) for _ in range(missing)]
        return batch, numbers

    def _multiple(self) -> int:
        """Returns what the number of rows must be divisible by."""
        args = self.args
        ranks = args.actor.num_nodes * args.actor.num_gpus_per_node
        if args.train.dynamic_batch_enable:
            return int(ranks)
        return int(ranks * math.lcm(args.rollout.micro_batch_size, args.train.micro_batch_size))

    @torch.no_grad()
    def compute_advantages_and_returns(self, experiences: list[Experience]) -> list[Experience]:
        """Gives every token its advantage and, with a critic, its return."""
        for experience in experiences:
            advantage = experience.info.pop("team_advantage").float()
            with_critic = self.advantage_estimator == "gae"
            rewards = compute_reward(
                experience.rewards if with_critic else advantage,
                self.kl_ctl.value,
                experience.kl,
                action_mask=experience.action_mask,
                reward_clip_range=self.args.reward.clip_range,
            )
            if with_critic:
                estimate = token_gae(
                    rewards.double().numpy(),
                    experience.values.double().numpy(),
                    experience.action_mask.bool().numpy(),
                    self.args.algo.advantage.gamma,
                    self.args.algo.advantage.lambd,
                )
                experience.advantages, experience.returns = (
                    torch.from_numpy(numbers).float() for numbers in estimate
                )
            else:
                experience.returns = self.get_cumulative_returns(
                    rewards, experience.action_mask, 1.0
                )
                experience.advantages = experience.returns.clone()
            experience.info["return"] = rewards.sum(dim=-1)
            experience.kl = None
        if self.advantage_estimator == "gae":
            _standardise(experiences, scale=not self.args.algo.advantage.no_std_norm)
        return experiences


def _standardise(experiences: Sequence[Experience], scale: bool) -> None:
    """Gives the advantages of all tokens that train mean 0 and standard deviation 1."""
    parts = []
    for experience in experiences:
        counts = (experience.info["team_weight"] > 0).unsqueeze(1)
        parts.append(experience.advantages[experience.action_mask.bool() & counts])
    tokens = torch.cat(parts)
    spread = tokens.std(correction=0).clamp(min=1e-4) if scale else 1.0
    for experience in experiences:
        experience.advantages = (experience.advantages - tokens.mean()) / spread


def _numbers(rows: Sequence[Experience], told: Credit) -> dict[str, float]:
    """Returns what is logged of a batch: means over its scored episodes."""
    figures = [row.figures for row in rows if row.row.role == "lead"]
    names = sorted({name for figure in figures for name in figure})
    numbers = {name: fmean(figure[name] for figure in figures if name in figure) for name in names}
    leads = np.array([row.row.role == "lead" for row in rows])
    rewards = [float(r) for r in told.rewards[leads] if not np.isnan(r)]
    return numbers | {
        "rollout/num_episodes": float(leads.sum()),
        "rollout/num_rows": float(len(rows)),
        "rollout/num_rows_trained": float(told.trains.sum()),
        "rollout/num_invalid": float(leads.sum() - len(rewards)),
        "rollout/reward_mean": fmean(rewards) if rewards else math.nan,
        "rollout/reward_std": stdev(rewards) if len(rewards) > 1 else 0.0,
        "rollout/num_groups": float(told.num_groups),
        "rollout/num_groups_without_signal": float(told.num_silent),
    }


def _weightless(row: Experience) -> Experience:
    """Returns a copy of a row that has no part in any loss; one token keeps means defined."""
    filler: Any = copy.copy(row)
    filler.action_mask = torch.zeros_like(row.action_mask)
    filler.action_mask[0, int(row.action_mask[0].int().argmax())] = 1
    filler.info = {name: value.clone() for name, value in row.info.items()}
    filler.info["team_weight"] = torch.zeros_like(row.info["team_weight"])
    filler.info["team_advantage"] = torch.zeros_like(row.info["team_advantage"])
    return filler
