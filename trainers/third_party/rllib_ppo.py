"""PPO of RLlib (new API stack) on the discrete interface: a policy for each role.

    wideseek train rllib --num-steps 20000

`ParallelPettingZooEnv` takes the environment unchanged; what RLlib lacks is a module that masks
actions under the keys that PettingZoo uses, so it is here.
"""

from __future__ import annotations

import sys
from typing import Any

from wideseek_env.cli.commands import run_command
from wideseek_env.plugins import MissingExtra

if __name__ == "__main__":  # first, as --help needs no library, and its lack is a sentence
    sys.exit(run_command("train rllib"))

try:
    import ray
    import torch
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
    from ray.rllib.core.columns import Columns
    from ray.rllib.core.rl_module import MultiRLModuleSpec, RLModuleSpec
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
    from ray.tune.registry import register_env
except ImportError as error:
    raise MissingExtra("RLlib is needed: pip install 'wideseek[rllib]'") from error

import wideseek_env
from trainers.third_party.options import LibraryOptions
from wideseek_env.game.episode import role_of
from wideseek_env.tasks.source import TaskSource
from wideseek_env.wrappers import Tally, TruncateInvalid

_ILLEGAL = -1e9
"""Logit of illegal moves."""


class MaskedPPOModule(DefaultPPOTorchRLModule):
    """PPO's networks over `observation`, with the logits of illegal moves pushed down."""

    def __init__(self, observation_space: Any, **kwargs: Any) -> None:
        super().__init__(observation_space=observation_space["observation"], **kwargs)

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return self._masked(batch, super()._forward)

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return self._masked(batch, super()._forward_train)

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Any:
        """Returns the values of a batch, from the features alone."""
        return super().compute_values(_plain(batch), embeddings)

    def _masked(self, batch: dict[str, Any], forward: Any) -> dict[str, Any]:
        out: dict[str, Any] = forward(_plain(batch))
        logits = out[Columns.ACTION_DIST_INPUTS]
        legal = batch[Columns.OBS]["action_mask"].bool()
        out[Columns.ACTION_DIST_INPUTS] = torch.where(legal, logits, _ILLEGAL)
        return out


def _plain(batch: dict[str, Any]) -> dict[str, Any]:
    """Returns a batch whose observations are the features alone."""
    seen = batch[Columns.OBS]
    return {**batch, Columns.OBS: seen["observation"]} if isinstance(seen, dict) else batch


def _role(agent: str, *args: Any, **kwargs: Any) -> str:
    return role_of(agent)


def train(
    steps: int, *, source: TaskSource | str = "easy", n_subagents: int = 4, seed: int = 0
) -> list[float]:
    """Trains for so many environment steps; returns the mean team return of each iteration.

    Iterations in which no episode was scored are left out.
    """
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    tally = Tally()  # RLlib's own mean counts episodes without a score, as 0
    register_env(
        "wideseek",
        lambda config: ParallelPettingZooEnv(
            TruncateInvalid(
                wideseek_env.parallel_env(n_subagents, interface="discrete", source=source), tally
            )
        ),
    )
    modules = {
        role: RLModuleSpec(module_class=MaskedPPOModule, model_config={"fcnet_hiddens": [64, 64]})
        for role in ("lead", "subagent")
    }
    config = (
        PPOConfig()
        .environment("wideseek", disable_env_checking=True)
        .env_runners(num_env_runners=0)  # in this process
        .multi_agent(policies={"lead", "subagent"}, policy_mapping_fn=_role)
        .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs=modules))
        .training(
            lr=1e-3, gamma=1.0, train_batch_size_per_learner=1024, minibatch_size=512,
            num_epochs=6, entropy_coeff=0.01,
        )
        .debugging(seed=seed)
    )  # fmt: skip
    algorithm = config.build_algo()
    returns: list[float] = []
    num_steps = 0
    while num_steps < steps:
        runners = algorithm.train()["env_runners"]
        if (mean := tally.take()) is not None:
            returns.append(mean)
        num_steps = int(runners["num_env_steps_sampled_lifetime"])
    algorithm.stop()
    ray.shutdown()
    if tally.num_invalid:
        print(f"{tally.num_invalid} episodes without a score were truncated")  # noqa: T201
    return returns


def run(options: LibraryOptions) -> int:
    """Trains and prints the mean return of each iteration; returns the exit status."""
    for mean in train(options.num_steps, source=options.tasks(), seed=options.seed):
        print(f"mean team return {mean:.3f}")  # noqa: T201
    return 0
