"""A rehearsal: OpenRLHF's program with actors that do nothing, on a cluster that is not there.

Arguments, data set and placement are real: Ray places every worker on nodes of the size that the
flags ask for, started on this machine with GPUs in name alone. No model is loaded, and the actors,
of which there are dozens, do not even import OpenRLHF.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ray
from ray.cluster_utils import Cluster

from trainers.openrlhf.settings import TeamSettings

GPUS_PER_NODE = 8


class Stage:
    """Nodes, and who was placed where.

    Args:
        settings: of the run.
        args: OpenRLHF's, by dotted names.
        environment: of the workers.
    """

    def __init__(
        self, settings: TeamSettings, args: dict[str, Any], environment: dict[str, str]
    ) -> None:
        self._path = settings.folder("placement.jsonl")
        self._path.unlink(missing_ok=True)
        self.num_nodes = -(-num_gpus(args) // GPUS_PER_NODE)
        self._cluster = Cluster()
        for _ in range(self.num_nodes):
            self._cluster.add_node(
                num_gpus=GPUS_PER_NODE, num_cpus=8 * GPUS_PER_NODE, include_dashboard=False
            )
        ray.init(self._cluster.address, runtime_env={"env_vars": environment})

    def close(self) -> None:
        """Ends Ray."""
        ray.shutdown()
        self._cluster.shutdown()

    def table(self) -> str:
        """Returns what runs on each node, once everything was placed."""
        nodes: dict[str, Counter[str]] = defaultdict(Counter)
        for line in self._path.read_text().splitlines():
            told = json.loads(line)
            share = f" on {told['gpus']:g} GPU" if told["gpus"] else ""  # else it places its own
            nodes[told["node"]][told["what"] + share] += 1
        return "\n".join(
            f"node {number}: "
            + ", ".join(f"{count} x {what}" for what, count in sorted(on.items()))
            for number, on in enumerate(nodes.values())
        )


def num_gpus(args: dict[str, Any]) -> int:
    """Returns the GPUs that the flags ask for."""
    actor = args["actor.num_nodes"] * args["actor.num_gpus_per_node"]
    engines = (args["vllm.num_engines"] or 0) * args["vllm.tensor_parallel_size"]
    if args["train.colocate_all"]:
        return int(actor + (engines if args["train.async_enable"] else 0))
    others = 0
    if args["algo.kl.init_coef"] > 0 and not args["train.colocate_actor_ref"]:
        others += args["ref.num_nodes"] * args["ref.num_gpus_per_node"]
    if args["algo.advantage.estimator"] == "gae":
        others += args["critic.num_nodes"] * args["critic.num_gpus_per_node"]
    return int(actor + engines + others)


def rehearse(
    settings: TeamSettings,
    environment: dict[str, str],
    flags: Sequence[str],
    run_program: Callable[[Sequence[str], Callable[[dict[str, Any]], None]], None],
) -> None:
    """Runs OpenRLHF's program with actors that do nothing, and says where they were placed.

    Args:
        settings: ours.
        environment: of the workers.
        flags: OpenRLHF's.
        run_program: of `launch.py`.
    """
    if find_spec("flash_attn") is None:
        from trainers.openrlhf import cpu  # noqa: PLC0415 - where it is missing

        cpu.install()
    from openrlhf import utils  # noqa: PLC0415
    from openrlhf.trainer import ppo_trainer, ppo_trainer_async  # noqa: PLC0415
    from openrlhf.trainer.ray import launcher, ppo_actor, ppo_critic, vllm_engine  # noqa: PLC0415

    usual = utils.get_strategy

    def strategy_of(args: Any) -> Any:
        """Reads the data as a run would; stands for the first thing that the program makes."""
        prompts, _, steps = ppo_trainer.prepare_datasets(usual(args), None)
        print(f"data: {len(prompts)} prompts, {steps} optimiser steps")  # noqa: T201
        return SimpleNamespace(args=args, print=lambda *told: None)

    utils.get_strategy = strategy_of

    stand_in = ray.remote(StandIn)
    vllm_engine.RolloutRayActor = _Named(stand_in, "vLLM engine")
    ppo_actor.PolicyModelActor = _Named(stand_in, "policy")
    ppo_critic.CriticModelActor = _Named(stand_in, "critic")
    launcher.ReferenceModelActor = _Named(stand_in, "reference")
    ppo_trainer.PPOTrainer = ppo_trainer_async.PPOTrainerAsync = _Controller()
    stages: list[Stage] = []
    try:
        run_program(flags, lambda args: stages.append(Stage(settings, args, environment)))
        print(stages[0].table())  # noqa: T201
    finally:
        for stage in stages:
            stage.close()


class _Named:
    """An actor class of Ray's that says what it stands for."""

    def __init__(self, actor: Any, what: str) -> None:
        self._actor, self._what = actor, what

    def options(self, **options: Any) -> _Named:
        return _Named(self._actor.options(**options), self._what)

    def remote(self, *args: Any, **settings: Any) -> Any:
        return self._actor.remote(self._what)


class StandIn:
    """Says where it was placed, and does nothing.

    Args:
        what: it stands for.
    """

    def __init__(self, what: str) -> None:
        context = ray.get_runtime_context()
        told = {
            "what": what,
            "node": context.get_node_id(),
            "gpus": context.get_assigned_resources().get("GPU", 0),
        }
        path: Path = TeamSettings.from_environment().folder("placement.jsonl")
        with path.open("a") as file:
            file.write(json.dumps(told) + "\n")

    def get_master_addr_port(self) -> tuple[str, int]:
        """Of no group."""
        return "127.0.0.1", 0

    def init_model_from_pretrained(self, *args: Any, **settings: Any) -> None:
        """Loads nothing."""

    def save_model(self) -> None:
        """Saves nothing."""

    def sleep(self, *args: Any, **settings: Any) -> None:
        """Is never awake."""


class _Controller:
    """Stands for the controller, in this process."""

    def __init__(self) -> None:
        nothing = SimpleNamespace(remote=lambda: ray.put(0))
        self.get_max_steps = self.fit = nothing

    def remote(self, *args: Any, **settings: Any) -> _Controller:
        return self
