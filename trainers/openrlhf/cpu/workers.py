"""OpenRLHF's workers on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from openrlhf.trainer.ray import ppo_actor
from openrlhf.trainer.ray.launcher import ReferenceModelActor
from openrlhf.trainer.ray.vllm_engine import RolloutRayActor
from openrlhf.utils import utils

from trainers.openrlhf.actors import TeamCriticWorker, TeamPolicyWorker
from trainers.openrlhf.cpu.transfer import join
from trainers.openrlhf.settings import TeamSettings

_Rollout: Any = RolloutRayActor.__ray_metadata__.modified_class
_Reference: Any = ReferenceModelActor.__ray_metadata__.modified_class


class _OnCpu:
    """Goes before OpenRLHF's class of a worker with a model."""

    def _setup_distributed(self, strategy: Any) -> None:
        """Sets up what the process lacks, before anything of it is used."""
        # OpenRLHF insists on flash attention for packed rows; with this one transformers tells
        # them apart by their positions.
        strategy.args.ds.attn_implementation = "sdpa"
        ppo_actor.stateless_init_process_group = join
        if not TeamSettings.from_environment().cpu_bf16:
            utils.convert_to_torch_dtype = lambda name: torch.float32
            strategy.param_dtype = strategy.args.ds.param_dtype = "fp32"
        super()._setup_distributed(strategy)  # type: ignore[misc]


class CpuPolicy(_OnCpu, TeamPolicyWorker):
    """The policy."""


class CpuCritic(_OnCpu, TeamCriticWorker):
    """The critic."""


class CpuReference(_OnCpu, _Reference):  # type: ignore[misc]
    """The frozen start."""


class CpuRollout(_Rollout):  # type: ignore[misc]
    """Samples with vLLM's CPU engine."""

    async def __init__(self, *args: Any, **settings: Any) -> None:
        settings |= {
            "worker_extension_cls": "trainers.openrlhf.cpu.vllm_worker.CpuWorkerWrap",
            # With a seed, a prompt that is read in several chunks ends vLLM 0.32 on a CPU.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(int(settings["max_model_len"]), 4096),
            "dtype": "bfloat16" if TeamSettings.from_environment().cpu_bf16 else "float32",
        }
        settings.pop("gpu_memory_utilization", None)
        await super().__init__(*args, **settings)
