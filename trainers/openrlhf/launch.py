"""Starts OpenRLHF's own program with our classes in place of five of its own.

OpenRLHF has no way to choose its classes, and its program lives under `if __name__ == "__main__"`.
So the names that the program is about to import are rebound, and then it runs as it is.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainers.openrlhf.checks import check, with_defaults
from trainers.openrlhf.prompts import write_prompts
from trainers.openrlhf.settings import TeamSettings
from wideseek_env.plugins import require

PROGRAM = "openrlhf.cli.train_ppo_ray"
CHECKOUT = Path(__file__).resolve().parents[2]
PASSED_ON = ("TOKENIZERS_PARALLELISM", "NCCL_DEBUG", "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS")
"""Variables that OpenRLHF hands to its workers when it starts Ray itself."""


def launch(settings: TeamSettings, flags: Sequence[str]) -> None:
    """Trains to the end.

    Args:
        settings: ours.
        flags: OpenRLHF's.

    Raises:
        ImportError: OpenRLHF is not installed.
        ValueError: a team cannot be trained with these flags.
    """
    os.environ |= settings.to_environment()
    write_prompts(settings, "train")
    if settings.eval_source is not None:
        write_prompts(settings, "eval")
    environment = {
        **settings.to_environment(),
        "PYTHONPATH": os.pathsep.join(
            dict.fromkeys([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
        ),
        "TOKENIZERS_PARALLELISM": "true",
        "NCCL_DEBUG": "WARN",
        "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1",
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
    }
    hook = None
    if settings.cpu:
        from trainers.openrlhf import cpu  # noqa: PLC0415 - nothing of it on a machine with GPUs

        environment |= cpu.ENVIRONMENT
        os.environ |= cpu.ENVIRONMENT
        hook = "trainers.openrlhf.cpu.install"
        cpu.install()
    rebind()
    if settings.cpu:
        cpu.prepare()

    def begin(args: Any) -> Any:
        """Stands for the first thing that the program does with the arguments it has read."""
        check(vars(args))
        start_ray(settings, environment, hook)
        return hierarchize(args)

    config = require("openrlhf.utils.config", "openrlhf")
    hierarchize, config.hierarchize = config.hierarchize, begin
    run_program(with_defaults(settings, flags))


def rebind() -> None:
    """Puts our classes where OpenRLHF's program will look for its own."""
    require("openrlhf", "openrlhf")
    from openrlhf.trainer import ppo_trainer, ppo_trainer_async  # noqa: PLC0415
    from openrlhf.trainer.ray import ppo_actor, ppo_critic  # noqa: PLC0415
    from ray import remote  # noqa: PLC0415

    from trainers.openrlhf.actors import TeamCriticActor, TeamPolicyActor  # noqa: PLC0415
    from trainers.openrlhf.trainers import TeamTrainer, TeamTrainerAsync  # noqa: PLC0415

    ppo_actor.PolicyModelActor = TeamPolicyActor
    ppo_critic.CriticModelActor = TeamCriticActor
    ppo_trainer.PPOTrainer = remote(TeamTrainer)
    ppo_trainer_async.PPOTrainerAsync = remote(TeamTrainerAsync)


def start_ray(settings: TeamSettings, environment: dict[str, str], hook: str | None) -> None:
    """Starts Ray on this machine, or joins a cluster."""
    ray = require("ray", "openrlhf")
    told: dict[str, Any] = {"env_vars": environment}
    if hook is not None:
        told["worker_process_setup_hook"] = hook
    resources: dict[str, Any] = {}
    if settings.cpu and settings.ray_address is None:
        from trainers.openrlhf.cpu import NUM_CPUS, NUM_GPUS  # noqa: PLC0415

        resources = {"num_cpus": NUM_CPUS, "num_gpus": NUM_GPUS, "include_dashboard": False}
    ray.init(address=settings.ray_address, runtime_env=told, **resources)


def run_program(flags: Sequence[str]) -> None:
    """Runs OpenRLHF's program with these flags, in this process."""
    arguments, sys.argv = sys.argv, [PROGRAM, *flags]
    try:
        runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
    finally:
        sys.argv = arguments
