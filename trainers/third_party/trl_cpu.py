"""TRL's asynchronous GRPO without a GPU: a test vehicle that nothing else imports."""

from __future__ import annotations

from typing import Any

import torch
from trl.experimental.async_grpo import async_grpo_trainer, packing


def do_without_gpu() -> None:
    """Gives TRL's packed rows an attention of torch's, as its own has no kernel for a CPU."""

    def attend(
        query: Any, key: Any, value: Any, ends_q: Any, ends_k: Any, *_: Any, **more: Any
    ) -> Any:
        parts = []
        for number in range(len(ends_q) - 1):
            q, k, v = (
                heads[ends[number] : ends[number + 1]].transpose(0, 1)
                for heads, ends in ((query, ends_q), (key, ends_k), (value, ends_k))
            )
            seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril(
                k.shape[1] - q.shape[1]
            )
            part = torch.nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=seen, scale=more["softmax_scale"], enable_gqa=True
            )
            parts.append(part.transpose(0, 1))
        return torch.cat(parts)

    kernel = type("Kernel", (), {"flash_attn_varlen_func": staticmethod(attend)})
    packing._flash_attn = lambda: kernel
    async_grpo_trainer.get_peak_flops_per_device = lambda *_: None  # it asks a GPU for its name
