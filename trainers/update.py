"""The part of an update that GRPO and PPO share: the policy's terms of the loss, token by token.

Shape letters: B rows, T sampled tokens of all rows, M those of one micro-batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainers.advantages import sequence_weights
from trainers.batch import TokenRow, agents_of, flat, spread
from trainers.config import PolicyConfig
from trainers.losses import kl, policy_loss, sampler_weights
from trainers.model import Learner
from wideseek_env.plugins import late

if TYPE_CHECKING:
    from torch import Tensor

torch = late("torch", "train")


@dataclass(slots=True)
class Known:
    """What is known of each sampled token before the updates of an iteration, (T,) each."""

    advantage: Tensor
    trains: Tensor
    """1.0 or 0.0."""
    sampler: Tensor
    """Log-probability in the engine that sampled."""
    old: Tensor
    """Log-probability in the trainer before the first update."""
    reference: Tensor | None
    """Log-probability in the start model; None without a KL."""


def known_of(
    rows: Sequence[TokenRow], advantage: Tensor, config: PolicyConfig, learner: Learner
) -> Known:
    """Computes what is known before the updates, in up to two forward passes.

    Raises:
        ValueError: the engine gave no log-probabilities, and the loss is to be corrected by them.
    """
    device = learner.device
    batches = learner.micro_batches(rows, range(len(rows)))
    sampler = flat([row.logprobs for row in rows], rows, device)
    if config.sampler_cap and bool(sampler.isnan().any()):
        raise ValueError(
            "expected the sampler's log-probability of every token, got none for some; use an "
            "engine that gives them, or set `sampler_cap` to 0"
        )
    old = torch.zeros_like(sampler)
    if config.num_updates > 1:
        learner.logprobs(batches, old)  # else the pass of the one update is that before it
    reference = None
    if config.kl_weight:
        reference = learner.reference_logprobs(batches, torch.zeros_like(sampler))
    return Known(
        advantage, flat([row.trains for row in rows], rows, device), sampler, old, reference
    )


def policy_terms(
    logprobs: Tensor, entropy: Tensor, at: Tensor, known: Known, config: PolicyConfig
) -> dict[str, Tensor]:
    """Computes named terms of each sampled token, (M,); `policy/loss` carries the gradient.

    Args:
        logprobs: (M,) under the policy that learns, as `Learner.score` gives them.
        entropy: (M,) beside them.
        at: (M,) where the tokens are in the flat arrays of `known`.
        known: of all tokens.
        config: settings.
    """
    loss, clipped = policy_loss(
        logprobs,
        known.old[at],
        known.advantage[at],
        clip_low=config.clip_low,
        clip_high=config.clip_high,
        dual_clip=config.dual_clip,
    )
    loss = loss * sampler_weights(known.old[at], known.sampler[at], config.sampler_cap or None)
    terms = {"policy/entropy": entropy, "policy/clip_fraction": clipped.float()}
    if known.reference is not None:
        terms["policy/kl"] = kl(logprobs, known.reference[at], config.kl_estimator)
        loss = loss + config.kl_weight * terms["policy/kl"]
    return {"policy/loss": loss, **terms}


def updates_of(
    rows: Sequence[TokenRow], known: Known, config: PolicyConfig, iteration: int
) -> Iterator[tuple[list[int], Tensor]]:
    """Yields for each optimiser step its rows and the weight of every token in its loss, (T,).

    An episode is never split over two updates of a pass. The weights of an update sum to 1.
    """
    generator = np.random.default_rng((config.seed, iteration))
    episodes = sorted({row.episode for row in rows})
    for _ in range(config.inner_epochs):
        order = generator.permutation(len(episodes))
        for part in np.array_split(order, min(config.updates_per_epoch, len(episodes))):
            members = {episodes[i] for i in part}
            chosen = [i for i, row in enumerate(rows) if row.episode in members]
            weights = np.zeros(len(rows))
            weights[chosen] = sequence_weights(
                np.array([int(rows[i].trains.sum()) for i in chosen]),
                np.array([rows[i].episode for i in chosen]),
                config.aggregation,
                agents_of([rows[i] for i in chosen]),
            )
            yield chosen, spread(weights, rows, known.trains.device) * known.trains


def token_metrics(rows: Sequence[TokenRow], known: Known) -> dict[str, float]:
    """Returns counts of tokens, and how far the trainer is from the engine that sampled."""
    drift = (known.old - known.sampler).abs()[known.trains > 0]
    told = {"policy/drift": float(drift.mean()), "policy/drift_max": float(drift.max())}
    return {
        **(told if not drift.isnan().any() else {}),
        "tokens/trained": float(known.trains.sum()),
        "tokens/rows": float(sum(len(row.ids) for row in rows)),
        "tokens/longest_row": float(max(len(row.ids) for row in rows)),
    }
