"""Losses of one token each, as pure functions of tensors; the trainers weigh and add them up.

Every function is elementwise: all arguments have one shape, here (T,) for the T tokens of a batch
that train, and so has what it returns. `trainers.advantages.sequence_weights` says how tokens are
averaged. Log-probabilities are natural.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wideseek_env.plugins import late

if TYPE_CHECKING:
    from torch import Tensor

torch = late("torch", "train")


def policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.28,
    dual_clip: float | None = 10.0,
) -> tuple[Tensor, Tensor]:
    """Returns the clipped loss of each token and whether the clip took its gradient, both (T,).

    With r the ratio of the new to the old probability, minimises `-min(r A, clip(r) A)`; where A is
    negative the loss is at most `-dual_clip * A`, so one token that became likely cannot rule.

    Args:
        logprobs: (T,) under the policy that learns; carries the gradient.
        old_logprobs: (T,) under the policy at the start of the iteration; no gradient.
        advantages: (T,)
        clip_low: r has no gradient below 1 - clip_low where that would help.
        clip_high: and above 1 + clip_high; the larger, the more unlikely tokens may grow.
        dual_clip: at least 1; None switches it off.

    Source: WideSeek-R1 (arXiv 2602.04634), constants; clip-higher is DAPO (arXiv 2503.14476); dual
        clip is Ye et al. (arXiv 1912.09729).

    Example:
        >>> loss, clipped = policy_loss(
        ...     torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0]), torch.tensor([1.0, -2.0]))
        >>> loss.tolist(), clipped.tolist()
        ([-1.2799999713897705, 2.0], [True, False])
    """
    ratio = torch.exp(logprobs - old_logprobs)
    free = -ratio * advantages
    bound = -ratio.clamp(1 - clip_low, 1 + clip_high) * advantages
    loss = torch.maximum(free, bound)
    clipped = bound > free
    if dual_clip is not None:
        ceiling = -dual_clip * advantages
        over = (advantages < 0) & (loss > ceiling)
        loss = torch.where(over, ceiling, loss)
        clipped = clipped | over
    return loss, clipped


def kl(logprobs: Tensor, ref_logprobs: Tensor, estimator: str = "k3") -> Tensor:
    """Returns an estimate of KL(policy || reference) from each sampled token, (T,).

    Args:
        logprobs: (T,) under the policy that learns.
        ref_logprobs: (T,) under the frozen model; no gradient.
        estimator: `k1`: the difference, unbiased, may be negative; `k2`: half its square, biased,
            its gradient is that of the KL; `k3`: unbiased, never negative (the paper's).

    Source: Schulman, "Approximating KL divergence" (2020).

    Example:
        >>> kl(torch.tensor([0.0]), torch.tensor([1.0])).round(decimals=3)
        tensor([0.7180])
    """
    if estimator not in KL_ESTIMATORS:
        raise ValueError(
            f"`estimator` must be one of {', '.join(KL_ESTIMATORS)}, got {estimator!r}"
        )
    return KL_ESTIMATORS[estimator](logprobs - ref_logprobs)


KL_ESTIMATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "k1": lambda difference: difference,
    "k2": lambda difference: 0.5 * difference.square(),
    "k3": lambda difference: torch.exp(-difference) - 1 + difference,
}


def sampler_weights(old_logprobs: Tensor, sampler_logprobs: Tensor, cap: float | None) -> Tensor:
    """Weighs each token, (T,), as the sampler is not quite the trained policy.

    The ratio of the trainer's probability to that of the engine that sampled, at most `cap`; None
    gives 1 everywhere. A number far from 1 is a defect of the engine, which the log shows as drift.
    Differences below `ROUNDING` give exactly 1: they depend on who shared a batch with whom, and a
    run could not be repeated to the bit.

    Source: truncated importance sampling, Yao et al., "Your efficient RL framework secretly brings
        you off-policy RL training" (2025).

    Example:
        >>> sampler_weights(torch.tensor([0.0, 0.0]), torch.tensor([0.0, -9.0]), 2.0)
        tensor([1., 2.])
    """
    if cap is None:
        return torch.ones_like(old_logprobs)
    difference = old_logprobs - sampler_logprobs
    difference = torch.where(difference.abs() < ROUNDING, 0.0, difference)
    return torch.exp(difference).clamp(max=cap)


ROUNDING = 1e-3
"""Differences of log-probabilities that float32 arithmetic explains."""


def value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, clip: float | None = 0.2
) -> Tensor:
    """Returns half the squared error of each value estimate, (T,), the worse of free and clipped.

    Args:
        values: (T,) from the value head that learns.
        old_values: (T,) at the start of the iteration.
        returns: (T,) what `gae` gave.
        clip: how far a value may move from the old one and still gain; None switches it off.

    Source: PPO's code (Schulman et al., arXiv 1707.06347).

    Example:
        >>> value_loss(torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([1.0]))
        tensor([0.3200])
    """
    loss = (values - returns).square()
    if clip is not None:
        near = old_values + (values - old_values).clamp(-clip, clip)
        loss = torch.maximum(loss, (near - returns).square())
    return 0.5 * loss
