"""What makes one-token steps quick: a cache that grows in place, and attention without copies.

Hugging Face's cache is copied whole for every token, and its attention copies keys and values once
for each query head that shares them. For a batch of small rows these copies are most of the time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, Cache, DynamicLayer
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

_SPARE = 64
"""Columns that a layer gets beyond what it needs, so that the next steps copy nothing."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # untyped here
    """Keys and values of one layer, in buffers with room for the next tokens."""

    keys: Tensor
    values: Tensor
    _keys: Tensor
    _values: Tensor

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Adds keys and values (B, heads, new, size); returns all of them, as views."""
        key_states = key_states.to(value_states.dtype)  # under autocast, attention would round them
        used = self.get_seq_length()
        total = used + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if used == 0 or total > self._keys.shape[-2]:
            self._keys = _with_room(key_states, total, self.keys, used)
            self._values = _with_room(value_states, total, self.values, used)
        self._keys[:, :, used:total] = key_states
        self._values[:, :, used:total] = value_states
        self.keys, self.values = self._keys[:, :, :total], self._values[:, :, :total]
        return self.keys, self.values


def new_cache() -> Cache:
    """Returns an empty cache; its layers come with the first tokens."""
    return Cache(layer_class_to_replicate=GrowingLayer)


def use_grouped_attention(model: Any) -> None:
    """Lets a model attend without copies when it reads one token a row; all else stays as it is.

    Models with another attention than PyTorch's are left alone.
    """
    if model.config._attn_implementation == "sdpa":
        AttentionInterface.register("sdpa_grouped", grouped_attention)
        AttentionMaskInterface.register("sdpa_grouped", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
        model.set_attn_implementation("sdpa_grouped")


def grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attends, (B, T, heads, size), as transformers' `sdpa` does.

    For one query a row, the heads that share a key are the rows of one matrix product.
    """
    rows, heads, length, size = query.shape
    if length > 1 or torch.is_grad_enabled() or attention_mask is None:
        sdpa = AttentionInterface()["sdpa"]
        output: tuple[Tensor, None] = sdpa(module, query, key, value, attention_mask, **settings)
        return output
    grouped = query.view(rows, key.shape[1], heads // key.shape[1], size)
    scores = grouped @ key.transpose(2, 3) * settings["scaling"]
    if attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    else:
        scores = scores + attention_mask
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    return (weights @ value).view(rows, 1, heads, size), None


def _with_room(new: Tensor, total: int, old: Tensor, used: int) -> Tensor:
    rows, heads, _, size = new.shape
    buffer = new.new_empty(rows, heads, total + _SPARE, size)
    if used:
        buffer[:, :, :used] = old
    return buffer
