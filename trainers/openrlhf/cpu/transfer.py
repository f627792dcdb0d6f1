"""Weights from the trainer to vLLM through gloo; OpenRLHF has NCCL alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
from torch.distributed import BroadcastOptions, PrefixStore, ProcessGroupGloo, TCPStore

_TIMEOUT = timedelta(minutes=5)


class GlooGroup:
    """The two things that OpenRLHF asks of its NCCL communicator.

    Args:
        host: of rank 0.
        port: of rank 0.
        rank: 0 is the trainer.
        world_size: trainer and all vLLM workers.
    """

    def __init__(self, host: str, port: int, rank: int, world_size: int) -> None:
        store = TCPStore(host, port, world_size, is_master=rank == 0, timeout=_TIMEOUT)
        self._group = ProcessGroupGloo(PrefixStore("weights", store), rank, world_size, _TIMEOUT)

    def broadcast(self, tensor: torch.Tensor, src: int, stream: Any = None) -> None:
        """Sends a tensor, or receives it in place."""
        options = BroadcastOptions()
        options.rootRank, options.rootTensor = src, 0
        # As bytes: gloo knows no bfloat16.
        self._group.broadcast([tensor.detach().contiguous().view(torch.uint8)], options).wait()


def join(host: str, port: int, rank: int, world_size: int, device: Any) -> GlooGroup:
    """Stands for OpenRLHF's `stateless_init_process_group`."""
    return GlooGroup(host, port, rank, world_size)
