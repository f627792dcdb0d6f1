"""OpenRLHF without a GPU: a test vehicle for machines that have none.

Nothing imports this package unless `--cpu` is given. `prepare` is for the launcher, `install` runs
in every process that Ray starts; `workers.py` are OpenRLHF's, and `vllm_worker.py` is for vLLM's
own process. What is exchanged:

- flash-attn, which OpenRLHF imports though it need not use it, by `stubs/flash_attn`;
- any attention by torch's own (`sdpa`);
- calls of `torch.cuda` that set or ask for a device, by nothing;
- the transfer of weights to vLLM over NCCL, by one over gloo.

Ray is told of GPUs that are not there, as OpenRLHF asks for one a process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HOOK = "trainers.openrlhf.cpu.install"
RESOURCES: dict[str, Any] = {"num_cpus": 32, "num_gpus": 8, "include_dashboard": False}
"""What Ray is told of; processes that wait cost nothing."""

ENVIRONMENT = {
    "DS_ACCELERATOR": "cpu",
    "OMP_NUM_THREADS": "1",
    "RAY_memory_monitor_refresh_ms": "0",  # or Ray ends workers for what other programs take
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


class _NoDevice(str):
    """The current device: text for torch, and a number for an f-string that wants `cuda:0`."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return "0"


def install() -> None:
    """Makes torch, transformers and OpenRLHF of this process do without a GPU."""
    stubs = str(Path(__file__).parent / "stubs")
    if stubs not in sys.path:
        sys.path.insert(0, stubs)
    import torch  # noqa: PLC0415 - the stub goes first
    from torch.distributed import device_mesh  # noqa: PLC0415

    torch.cuda.set_device = lambda device: None
    torch.cuda.synchronize = lambda device=None: None
    torch.cuda.current_stream = lambda device=None: None
    torch.cuda.current_device = lambda: _NoDevice("cpu")
    usual_mesh = device_mesh.init_device_mesh

    def cpu_mesh(device_type: str, *args: Any, **settings: Any) -> Any:
        return usual_mesh("cpu", *args, **settings)

    device_mesh.init_device_mesh = torch.distributed.init_device_mesh = cpu_mesh


def prepare() -> None:
    """Makes the launcher's process do without a GPU, and its workers those of this package."""
    install()
    import ray  # noqa: PLC0415 - after the stub
    from openrlhf.trainer.ray import launcher, ppo_actor, ppo_critic, vllm_engine  # noqa: PLC0415

    from trainers.openrlhf.cpu import workers  # noqa: PLC0415

    vllm_engine.RolloutRayActor = ray.remote(workers.CpuRollout)
    ppo_actor.PolicyModelActor = ray.remote(num_gpus=1)(workers.CpuPolicy)
    ppo_critic.CriticModelActor = ray.remote(num_gpus=1)(workers.CpuCritic)
    launcher.ReferenceModelActor = ray.remote(num_gpus=1)(workers.CpuReference)
