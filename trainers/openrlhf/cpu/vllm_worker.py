"""OpenRLHF's extension of vLLM's worker, on a CPU; imported by vLLM before it loads the model."""

from __future__ import annotations

from typing import Any

import torch
from openrlhf.trainer.ray.vllm_worker_wrap import WorkerWrap
from vllm.model_executor.layers import utils

from trainers.openrlhf.cpu.transfer import GlooGroup


def _plain_linear(layer: Any, remove_weight: bool) -> None:
    """Stands for vLLM's dispatcher, which packs weights away where no new ones reach them."""
    layer.cpu_linear = torch.nn.functional.linear


utils.dispatch_cpu_unquantized_gemm = _plain_linear


class CpuWorkerWrap(WorkerWrap):  # type: ignore[misc]  # OpenRLHF is untyped
    """Receives weights through gloo."""

    def init_process_group(
        self, master_address: str, master_port: int, rank_offset: int, world_size: int, *_: Any
    ) -> None:
        """Joins the trainer's group."""
        self._weights = GlooGroup(master_address, master_port, rank_offset, world_size)

    def update_weight(self, name: str, dtype: Any, shape: Any, empty_cache: bool = False) -> None:
        """Receives one weight."""
        weight = torch.empty(shape, dtype=dtype)
        self._weights.broadcast(weight, src=0)
        self.model_runner.model.load_weights(weights=[(name, weight)])  # type: ignore[attr-defined]
