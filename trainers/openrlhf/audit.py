"""The objectives once more, computed independently in float32, against what the optimisers saw.

`--audit` compares the norms of DeepSpeed's gradients, the policy's and the critic's, with those of

    mean over episodes, mean over an episode's agents, mean over an agent's tokens

made from rewards, tokens and the critic's values alone, with a float32 copy of each model. Where
the model trains in bfloat16, the policy's is made with a copy in bfloat16 as well, which tells
rounding from error. It costs a second update, or two, and is for tests, and for the first steps on
new hardware. It knows the paper's objective: one step a batch, `--aggregation agent-mean`, no
`--provenance`, no entropy bonus, no KL in the reward.

Shape letters: B rows of this rank, L tokens of a row, M tokens of it that train.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from transformers import AutoModel, AutoModelForCausalLM

from trainers.losses import kl, policy_loss


class PolicyAudit:
    """The policy's gradient, and how far the optimiser's is from it.

    Args:
        lm: the model that is trained, on this rank whole (ZeRO 0 to 2).
        args: OpenRLHF's.
        kl_weight: of the KL in the loss.
    """

    def __init__(self, lm: Any, args: Any, kl_weight: float) -> None:
        weights = lm.state_dict()
        self._lms = {"": _copy(lm.config, weights, torch.float32)}
        if (own := next(lm.parameters()).dtype) != torch.float32:
            self._lms["rounded_"] = _copy(lm.config, weights, own)
        self._args = args
        self._kl_weight = kl_weight if args.algo.kl.use_loss else 0.0
        self._norms: dict[str, float] = {}

    def compute(self, items: Sequence[Any]) -> None:
        """Computes the gradient of a batch, of all ranks together.

        Args:
            items: B experiences of one row each, from OpenRLHF's replay buffer.
        """
        rows, weights, told = _weighted(items)
        if self._args.algo.advantage.estimator == "gae":
            advantages = self._over_values(rows)
        else:
            by_episode = self._over_groups({(e, group): reward for e, group, reward in told})
            advantages = [torch.tensor(by_episode[int(r.info["team_episode"])]) for r in rows]
        for name, lm in self._lms.items():
            for row, advantage, weight in zip(rows, advantages, weights, strict=True):
                self._add(lm, row, advantage, weight)
            self._norms[name] = _norm(lm.parameters())

    def compare(self, norm: float) -> dict[str, float]:
        """Returns each norm and the share by which the optimiser's differs from it."""
        found: dict[str, float] = {}
        for name, expected in self._norms.items():
            found |= _compared(f"audit/{name}", expected, norm)
        return found

    def _over_values(self, rows: Sequence[Any]) -> list[torch.Tensor]:
        """Returns the advantage of each row's tokens, (M,), by the sum that defines it."""
        found = [_estimate(row, self._args) for row in rows]
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

    def _add(self, lm: Any, item: Any, advantage: torch.Tensor, weight: float) -> None:
        """Adds the gradient of one row."""
        trained = item.action_mask.bool()
        logits = lm(item.sequences.unsqueeze(0)).logits[0, :-1].float()
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


class CriticAudit:
    """The critic's gradient, as `PolicyAudit` has the policy's.

    Args:
        critic: OpenRLHF's, on this rank whole (ZeRO 0 to 2).
        args: OpenRLHF's.
    """

    def __init__(self, critic: Any, args: Any) -> None:
        base = AutoModel.from_config(critic.config, attn_implementation="eager")
        base.load_state_dict(getattr(critic, critic.base_model_prefix).state_dict())
        self._base = base.float().eval()
        head = getattr(critic, critic.value_head_prefix).weight
        self._head = torch.nn.Parameter(head.detach().float().clone())
        self._args = args
        self._norm = 0.0

    def compute(self, items: Sequence[Any]) -> None:
        """Computes the gradient of the value loss of a batch, of all ranks together."""
        rows, weights, _ = _weighted(items)
        clip = self._args.critic.value_clip
        for row, weight in zip(rows, weights, strict=True):
            trained = row.action_mask.bool()
            states = self._base(row.sequences.unsqueeze(0)).last_hidden_state[0, :-1]
            values = (states @ self._head[0])[trained]
            old = row.values.float()[trained]
            target = (_estimate(row, self._args) + row.values.double()[trained]).float()
            clipped = old + (values - old).clamp(-clip, clip)
            loss = torch.maximum((values - target) ** 2, (clipped - target) ** 2) / 2
            torch.autograd.backward(loss.mean() * weight)
        self._norm = _norm([*self._base.parameters(), self._head])

    def compare(self, norm: float) -> dict[str, float]:
        """Returns the norm and the share by which the optimiser's differs from it."""
        return _compared("audit/critic_", self._norm, norm)


def _weighted(
    items: Sequence[Any],
) -> tuple[list[Any], list[float], list[tuple[int, int, float]]]:
    """Returns the rows that count, what each weighs, and (episode, group, reward) of all ranks'."""
    rows = [item for item in items if item.info["team_weight"] > 0]
    named = [
        (int(r.info["team_episode"]), int(r.info["team_group"]), float(r.info["reward"]))
        for r in rows
    ]
    told = _everywhere(named)
    agents = Counter(episode for episode, _, _ in told)
    return rows, [1 / (len(agents) * agents[episode]) for episode, _, _ in named], told


def _estimate(row: Any, args: Any) -> torch.Tensor:
    """Returns the advantage of a row's tokens over the critic's values, (M,), by its sum."""
    gamma, lam = args.algo.advantage.gamma, args.algo.advantage.lambd
    values = row.values.double()[row.action_mask.bool()]
    rewards = torch.zeros_like(values)
    rewards[-1] = float(row.info["reward"])
    errors = rewards + gamma * torch.cat([values[1:], values.new_zeros(1)]) - values
    ahead = torch.arange(len(values)) - torch.arange(len(values)).unsqueeze(1)
    decay = torch.where(ahead >= 0, (gamma * lam) ** ahead.clamp(0).double(), 0.0)
    return decay @ errors


def _norm(parameters: Iterable[torch.nn.Parameter]) -> float:
    """Returns the norm of the gradient, of all ranks together."""
    square = torch.zeros(())
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            square += parameter.grad.float().square().sum()
    return math.sqrt(float(square))


def _copy(config: Any, weights: dict[str, torch.Tensor], dtype: torch.dtype) -> Any:
    # Attention by the book where nothing is to be rounded, else as the model itself computes it.
    way = "eager" if dtype == torch.float32 else config._attn_implementation
    lm = AutoModelForCausalLM.from_config(config, attn_implementation=way)
    lm.load_state_dict(weights)
    return lm.to(dtype).eval()


def _compared(name: str, expected: float, found: float) -> dict[str, float]:
    apart = abs(found - expected) / max(expected, 1e-12)
    return {f"{name}gradient_norm": expected, f"{name}difference": apart}


def _everywhere(here: list[Any]) -> list[Any]:
    """Returns what all ranks have, in their order."""
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, here)
    return [entry for part in parts for entry in part]
