"""The objective once more, computed independently in float32, against what the optimiser saw.

`--audit` compares the norm of DeepSpeed's gradient with the norm of the gradient of

    mean over episodes, mean over an episode's agents, mean over an agent's tokens

made from rewards, tokens and the critic's values alone, with a float32 copy of the model. It costs
a second update and is for tests, and for the first steps on new hardware. It knows the paper's
objective: one step a batch, `--aggregation agent-mean`, no `--provenance`, no entropy bonus.

Shape letters: B rows of this rank, L tokens of a row, M tokens of it that train.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from transformers import AutoModelForCausalLM

from trainers.losses import kl, policy_loss


class Audit:
    """One gradient, and how far the optimiser's is from it.

    Args:
        lm: the model that is trained, on this rank whole (ZeRO 0 to 2).
        args: OpenRLHF's.
        kl_weight: of the KL in the loss.
    """

    def __init__(self, lm: Any, args: Any, kl_weight: float) -> None:
        copy = AutoModelForCausalLM.from_config(lm.config, attn_implementation="eager")
        copy.load_state_dict(lm.state_dict())
        self._lm = copy.float().eval()
        self._args = args
        self._kl_weight = kl_weight if args.algo.kl.use_loss else 0.0
        self.norm = 0.0

    def compute(self, items: Sequence[Any]) -> None:
        """Computes the gradient of a batch, of all ranks together.

        Args:
            items: B experiences of one row each, from OpenRLHF's replay buffer.
        """
        rows = [item for item in items if item.info["team_weight"] > 0]
        named = [(int(row.info["team_episode"]), int(row.info["team_group"])) for row in rows]
        told = _everywhere(
            [(*n, float(r.info["reward"])) for n, r in zip(named, rows, strict=True)]
        )
        agents = Counter(episode for episode, _, _ in told)
        if self._args.algo.advantage.estimator == "gae":
            advantages = self._over_values(rows)
        else:
            by_episode = self._over_groups({(e, group): reward for e, group, reward in told})
            advantages = [torch.tensor(by_episode[episode]) for episode, _ in named]
        for row, (episode, _), advantage in zip(rows, named, advantages, strict=True):
            self._add(row, advantage, 1 / (len(agents) * agents[episode]))
        square = torch.zeros(())
        for parameter in self._lm.parameters():
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                square += parameter.grad.square().sum()
        self.norm = math.sqrt(float(square))

    def compare(self, status: dict[str, float]) -> dict[str, float]:
        """Returns the norm and the share by which the optimiser's differs from it."""
        apart = abs(status["actor_grad_norm"] - self.norm) / max(self.norm, 1e-12)
        return {"audit/gradient_norm": self.norm, "audit/difference": apart}

    def _over_values(self, rows: Sequence[Any]) -> list[torch.Tensor]:
        """Returns the advantage of each row's tokens, (M,), by the sum that defines it."""
        gamma, lam = self._args.algo.advantage.gamma, self._args.algo.advantage.lambd
        found = []
        for row in rows:
            values = row.values.double()[row.action_mask.bool()]
            rewards = torch.zeros_like(values)
            rewards[-1] = float(row.info["reward"])
            errors = rewards + gamma * torch.cat([values[1:], values.new_zeros(1)]) - values
            ahead = torch.arange(len(values)) - torch.arange(len(values)).unsqueeze(1)
            decay = torch.where(ahead >= 0, (gamma * lam) ** ahead.clamp(0).double(), 0.0)
            found.append(decay @ errors)
        tokens = torch.tensor(_everywhere([a for row in found for a in row.tolist()]))
        spread = tokens.std(correction=0)
        return [((row - tokens.mean()) / spread).float() for row in found]

    def _over_groups(self, rewards: dict[tuple[int, int], float]) -> dict[int, float]:
        """Returns each episode's advantage over the others of its group, by the book."""
        groups: dict[int, list[float]] = defaultdict(list)
        for (_, group), reward in rewards.items():
            groups[group].append(reward)
        found = {}
        for (episode, group), reward in rewards.items():
            all_of = groups[group]
            mean = sum(all_of) / len(all_of)
            match self._args.algo.advantage.estimator:
                case "dr_grpo":
                    found[episode] = reward - mean
                case "rloo":
                    found[episode] = reward - (sum(all_of) - reward) / (len(all_of) - 1)
                case _:
                    variance = sum((r - mean) ** 2 for r in all_of) / (len(all_of) - 1)
                    found[episode] = (reward - mean) / math.sqrt(variance)
        return found

    def _add(self, item: Any, advantage: torch.Tensor, weight: float) -> None:
        """Adds the gradient of one row."""
        trained = item.action_mask.bool()
        logits = self._lm(item.sequences.unsqueeze(0)).logits[0, :-1]
        scores = torch.log_softmax(logits / self._args.rollout.temperature, dim=-1)
        logprobs = scores.gather(1, item.sequences[1:].unsqueeze(1))[:, 0][trained]
        old = item.action_log_probs.float()[trained]
        low, high = self._args.actor.eps_clip_low_high
        loss, _ = policy_loss(
            logprobs,
            old,
            advantage.float().expand_as(old),
            clip_low=low,
            clip_high=high,
            dual_clip=self._args.actor.dual_clip,
        )
        correction = self._args.algo.advantage
        if correction.is_correction_level != "off":
            low, high = correction.is_correction_threshold
            loss = loss * (old - item.rollout_log_probs.float()[trained]).exp().clamp(low, high)
        if self._kl_weight:
            reference = item.base_action_log_probs.float()[trained]
            loss = loss + self._kl_weight * kl(logprobs, reference, self._args.algo.kl.estimator)
        torch.autograd.backward(loss.mean() * weight)


def _everywhere(here: list[Any]) -> list[Any]:
    """Returns what all ranks have, in their order."""
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, here)
    return [entry for part in parts for entry in part]
