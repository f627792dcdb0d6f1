"""bfloat16: where it pays, and a model whose matrices are multiplied in it.

Only products of matrices are rounded; embeddings, norms and the sums between layers stay float32. A
model that was halved gives the numbers that its float32 weights give under `torch.autocast`, so one
that samples and one that learns agree, and nobody rounds all weights again for each token.
"""

from __future__ import annotations

from typing import Any

from wideseek_env.plugins import late

torch = late("torch", "llm")

MIN_PARAMETERS = 30_000_000
"""Fewest parameters with which a CPU gains: a million is slower so, 135 million twice as fast."""


def bfloat16_pays(model: Any, device: torch.device) -> bool:
    """Tells whether a model is faster when its matrices are multiplied in bfloat16.

    On a GPU it is; on a CPU, if the processor has instructions for it and the model is not tiny.
    """
    if device.type != "cpu":
        return device.type == "cuda"
    return cpu_multiplies_bfloat16() and num_parameters(model) >= MIN_PARAMETERS


def cpu_multiplies_bfloat16() -> bool:
    """Tells whether this processor has instructions for it: AVX512-BF16, or AMX."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public ones
    return any(getattr(torch.cpu, name, bool)() for name in names)


def num_parameters(model: Any) -> int:
    """Counts the numbers in a model's weights."""
    return sum(parameter.numel() for parameter in model.parameters())


def halve(model: Any) -> Any:
    """Rounds the matrices of a float32 model to bfloat16, in place, for play; returns the model.

    Its output layer no longer shares its weights with the embeddings, which stay as they are.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            rounded = module.weight.detach().bfloat16()
            module.weight = torch.nn.Parameter(rounded, requires_grad=False)
    model.forward = torch.autocast(model.device.type, torch.bfloat16)(model.forward)
    return model
