"""Padding and its removal, in plain torch, by the names and shapes of flash-attn.

Shape letters: B sequences, T tokens of the longest, N tokens that are no padding.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

__all__ = ["index_first_axis", "pad_input", "rearrange", "unpad_input"]


def index_first_axis(values: Tensor, indices: Tensor) -> Tensor:
    """Returns the chosen rows."""
    return values[indices]


def unpad_input(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, int, Tensor]:
    """Returns the tokens that are no padding, (N, ...), and where they were.

    Args:
        values: (B, T, ...)
        mask: (B, T), 1 where there is no padding.

    Returns:
        Tokens; their positions in the flattened (B * T); begins of the sequences among them and
        their end, (B + 1,); the longest length; the lengths, (B,).
    """
    lengths = mask.sum(dim=-1, dtype=torch.int32)
    indices = torch.nonzero(mask.flatten(), as_tuple=False).flatten()
    starts = torch.nn.functional.pad(torch.cumsum(lengths, 0, dtype=torch.int32), (1, 0))
    return (
        rearrange(values, "b t ... -> (b t) ...")[indices],
        indices,
        starts,
        int(lengths.max()),
        lengths,
    )


def pad_input(values: Tensor, indices: Tensor, batch: int, length: int) -> Tensor:
    """Returns tokens, (N, ...), in their places of (B, T, ...), and 0 elsewhere."""
    padded = values.new_zeros((batch * length, *values.shape[1:]))
    padded = padded.index_put((indices,), values)
    return rearrange(padded, "(b t) ... -> b t ...", b=batch)
