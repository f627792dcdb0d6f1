"""BenchMARL on the discrete interface: the task class that its `Experiment` wants, and a run.

    wideseek train benchmarl --num-steps 30000

BenchMARL 1.5 needs torchrl below 0.12; install it in an environment of its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from typing import Any

from wideseek_env.cli.commands import run_command
from wideseek_env.plugins import MissingExtra

if __name__ == "__main__":  # first, as --help needs no library, and its lack is a sentence
    sys.exit(run_command("train benchmarl"))

try:
    import torch
    from benchmarl.algorithms import MappoConfig
    from benchmarl.environments.pettingzoo.common import PettingZooClass
    from benchmarl.experiment import Callback, Experiment, ExperimentConfig
    from benchmarl.models.mlp import MlpConfig
    from torchrl.envs import EnvBase, PettingZooWrapper
except ImportError as error:
    raise MissingExtra("BenchMARL is needed: pip install 'wideseek[benchmarl]'") from error

import wideseek_env
from trainers.third_party.options import LibraryOptions
from wideseek_env.tasks.source import TaskSource
from wideseek_env.wrappers import Tally, TruncateInvalid


class WideSeekTask(PettingZooClass):
    """A BenchMARL task over `parallel_env`; its config holds the settings of that call."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        super().__init__(name, config)
        self.tally = Tally()
        """Of all environments of this process."""

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        """Gives a function that makes one environment."""
        settings, tally = dict(self.config), self.tally

        def make() -> EnvBase:
            env = TruncateInvalid(
                wideseek_env.parallel_env(interface="discrete", **settings), tally
            )
            return PettingZooWrapper(
                env, return_state=True, categorical_actions=True, seed=seed, device=device
            )

        return make

    def supports_continuous_actions(self) -> bool:
        """Returns False: actions are moves."""
        return False

    def supports_discrete_actions(self) -> bool:
        """Returns True."""
        return True

    def has_state(self) -> bool:
        """Returns True: central critics see `state()`."""
        return True

    def has_render(self, env: EnvBase) -> bool:
        """Returns False: there are no pictures."""
        return False

    def max_steps(self, env: EnvBase) -> int:
        """Returns a bound that no episode reaches."""
        return 200

    @staticmethod
    def env_name() -> str:
        """Returns the name in logs."""
        return "wideseek"


class _Curve(Callback):
    """Keeps the mean team return of the episodes that were scored in each batch."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.returns: list[float] = []
        self._tally = tally

    def on_batch_collected(self, batch: Any) -> None:
        if (mean := self._tally.take()) is not None:
            self.returns.append(mean)


def train(
    steps: int, *, source: TaskSource | str = "easy", n_subagents: int = 4, seed: int = 0
) -> list[float]:
    """Trains MAPPO for so many environment steps; returns the mean team return of each batch."""
    config = ExperimentConfig.get_from_yaml()
    config.max_n_frames = steps
    config.on_policy_collected_frames_per_batch = 1024
    config.on_policy_n_envs_per_worker = 4
    config.on_policy_n_minibatch_iters = 4
    config.on_policy_minibatch_size = 256
    config.gamma, config.lr = 0.999, 1e-3
    config.evaluation, config.render, config.loggers = False, False, []
    config.create_json = False
    config.save_folder = tempfile.mkdtemp()
    model = MlpConfig(
        num_cells=[64, 64], layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh
    )
    task = WideSeekTask("WIDESEEK", {"source": source, "n_subagents": n_subagents})
    curve = _Curve(task.tally)
    Experiment(
        task=task,
        algorithm_config=MappoConfig.get_from_yaml(),
        model_config=model,
        critic_model_config=model,
        seed=seed,
        config=config,
        callbacks=[curve],
    ).run()
    if task.tally.num_invalid:
        print(f"{task.tally.num_invalid} episodes without a score were truncated")  # noqa: T201
    return curve.returns


def run(options: LibraryOptions) -> int:
    """Trains and prints the mean return of each batch; returns the exit status."""
    torch.set_num_threads(1)
    for mean in train(options.num_steps, source=options.tasks(), seed=options.seed):
        print(f"mean team return {mean:.3f}")  # noqa: T201
    return 0
