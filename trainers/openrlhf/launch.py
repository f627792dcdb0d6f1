"""Starts OpenRLHF's own program with our classes in place of five of its own.

OpenRLHF has no way to choose its classes, and its program lives under `if __name__ == "__main__"`.
So the names that the program is about to import are rebound, and then it runs as it is.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainers.openrlhf.checks import batch_of, check, with_defaults
from trainers.openrlhf.prompts import write_prompts
from trainers.openrlhf.settings import TeamSettings
from wideseek_env.errors import Interrupted
from wideseek_env.plugins import require

PROGRAM = "openrlhf.cli.train_ppo_ray"
CHECKOUT = Path(__file__).resolve().parents[2]
PASSED_ON = ("TOKENIZERS_PARALLELISM", "NCCL_DEBUG", "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS")
"""Variables that OpenRLHF hands to its workers when it starts Ray itself."""


def run(settings: TeamSettings, flags: Sequence[str]) -> int:
    """Trains to the end; returns the exit status.

    Args:
        settings: ours.
        flags: OpenRLHF's.

    Raises:
        MissingExtra: OpenRLHF is not installed.
        ValueError: a team cannot be trained with these flags.
        Interrupted: by Ctrl-C; says how to go on.
    """
    require("openrlhf", "openrlhf")
    os.environ |= settings.to_environment()
    tasks_per_iteration, _ = batch_of(flags)
    write_prompts(settings, "train", tasks_per_iteration)
    if settings.eval_source is not None:
        write_prompts(settings, "eval", tasks_per_iteration)
    environment = worker_environment(settings)
    if settings.dry_run:
        from trainers.openrlhf import dryrun  # noqa: PLC0415 - only where it is asked for

        dryrun.rehearse(settings, environment, with_defaults(settings, flags), run_program)
        return 0
    if settings.cpu:
        from trainers.openrlhf import cpu  # noqa: PLC0415 - nothing of it on a machine with GPUs

        os.environ |= cpu.ENVIRONMENT
        cpu.install()
        rebind()
        cpu.prepare()
    else:
        rebind()
    try:
        run_program(with_defaults(settings, flags), lambda args: start_ray(settings, environment))
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"checkpoints are in {settings.folder('checkpoints')}, if --ckpt.save_steps was given; "
            "--ckpt.load_enable goes on from the last"
        ) from interrupt
    return 0


def worker_environment(settings: TeamSettings) -> dict[str, str]:
    """Returns the variables of every process that Ray starts."""
    paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **settings.to_environment(),
        "PYTHONPATH": os.pathsep.join(paths),
        "TOKENIZERS_PARALLELISM": "true",
        "NCCL_DEBUG": "WARN",
        "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1",
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
    }
    if settings.cpu:
        from trainers.openrlhf import cpu  # noqa: PLC0415

        environment |= cpu.ENVIRONMENT
    return environment


def rebind() -> None:
    """Puts our classes where OpenRLHF's program will look for its own."""
    from openrlhf.trainer import ppo_trainer, ppo_trainer_async  # noqa: PLC0415
    from openrlhf.trainer.ray import ppo_actor, ppo_critic  # noqa: PLC0415
    from ray import remote  # noqa: PLC0415

    from trainers.openrlhf.actors import TeamCriticActor, TeamPolicyActor  # noqa: PLC0415
    from trainers.openrlhf.trainers import TeamTrainer, TeamTrainerAsync  # noqa: PLC0415

    ppo_actor.PolicyModelActor = TeamPolicyActor
    ppo_critic.CriticModelActor = TeamCriticActor
    ppo_trainer.PPOTrainer = remote(TeamTrainer)
    ppo_trainer_async.PPOTrainerAsync = remote(TeamTrainerAsync)


def start_ray(settings: TeamSettings, environment: dict[str, str]) -> None:
    """Starts a Ray of its own, beside any that runs here, or joins the cluster that is named."""
    ray = require("ray", "openrlhf")
    told: dict[str, Any] = {"env_vars": environment}
    resources: dict[str, Any] = {}
    if settings.cpu:
        from trainers.openrlhf import cpu  # noqa: PLC0415

        told["worker_process_setup_hook"] = cpu.HOOK
        resources = cpu.RESOURCES if settings.ray_address is None else {}
    ray.init(address=settings.ray_address or "local", runtime_env=told, **resources)


def run_program(flags: Sequence[str], start: Callable[[dict[str, Any]], None]) -> None:
    """Runs OpenRLHF's program with these flags, in this process.

    Args:
        flags: OpenRLHF's.
        start: called with the arguments, by their dotted names, when they have been looked through
            and before anything else happens.
    """
    config = require("openrlhf.utils.config", "openrlhf")
    usual = config.hierarchize

    def begin(args: Any) -> Any:
        """Stands for the first thing that the program does with its arguments."""
        check(vars(args))
        start(vars(args))
        return usual(args)

    arguments, sys.argv = sys.argv, [PROGRAM, *flags]
    config.hierarchize = begin
    try:
        runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
    finally:
        sys.argv, config.hierarchize = arguments, usual
