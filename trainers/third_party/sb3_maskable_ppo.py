"""MaskablePPO of SB3-contrib on the discrete interface: one policy for all agents.

    wideseek train sb3 --num-steps 20000 --out runs/sb3
    wideseek benchmark --policies fanout,sb3:runs/sb3/model.zip

SB3 knows single agents only, so each agent is one environment of an SB3 `VecEnv`, after
`Homogenize` has given them equal spaces. The agents of an episode end together.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wideseek_env.cli.commands import run_command
from wideseek_env.plugins import MissingExtra

if __name__ == "__main__":  # first, as --help needs no library, and its lack is a sentence
    sys.exit(run_command("train sb3"))

try:
    import torch
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise MissingExtra("SB3-contrib is needed: pip install 'wideseek[sb3]'") from error

import wideseek_env
from trainers.third_party.options import SB3Options
from wideseek_env.tasks.source import TaskSource
from wideseek_env.wrappers import Homogenize, Tally, TruncateInvalid


class AgentsAsVecEnv(VecEnv):
    """All agents of several environments, as SB3's vector of environments.

    Args:
        envs: homogenised environments.
    """

    def __init__(self, envs: Sequence[Homogenize]) -> None:
        self._envs = envs
        self._agents = [(env, agent) for env in envs for agent in env.possible_agents]
        self._actions: np.ndarray = np.zeros(0, int)
        self._seed = 0
        self._masks: np.ndarray = np.zeros(0, bool)
        env, agent = self._agents[0]
        super().__init__(
            len(self._agents), env.observation_space(agent)["observation"], env.action_space(agent)
        )

    def reset(self) -> np.ndarray:
        """Begins an episode in each environment; returns observations (agents, D)."""
        return self._stack([self._reset(env)[0] for env in self._envs])

    def step_async(self, actions: np.ndarray) -> None:
        """Keeps the actions (agents,) for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Steps all environments; those that have ended begin anew."""
        seen, rewards, dones, infos = [], [], [], []
        actions = iter(self._actions)
        for env in self._envs:
            chosen = {agent: int(next(actions)) for agent in env.possible_agents}
            observations, reward, _, truncations, _ = env.step(chosen)
            ended = not env.agents
            for agent in env.possible_agents:
                info: dict[str, Any] = {"TimeLimit.truncated": ended and truncations[agent]}
                if ended:
                    info["terminal_observation"] = observations[agent]["observation"]
                infos.append(info)
                rewards.append(reward[agent])
                dones.append(ended)
            seen.append(self._reset(env)[0] if ended else observations)
        # SB3 selects with `array[dones]`: anything but bool would be taken for indices
        return self._stack(seen), np.array(rewards, np.float32), np.array(dones, bool), infos

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Answers `action_masks`, which MaskablePPO asks for: (agents, K) bool."""
        if method_name != "action_masks":
            raise AttributeError(f"no method {method_name!r}; there is `action_masks`")
        return list(self._masks)

    def has_attr(self, attr_name: str) -> bool:
        """Returns whether there is such a method."""
        return attr_name == "action_masks"

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seeds the tasks of the episodes that follow."""
        self._seed = seed or 0
        return [seed] * self.num_envs

    def close(self) -> None:
        """Closes all environments."""
        for env in self._envs:
            env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Returns an attribute for each agent; only `render_mode` is asked for."""
        return [getattr(env, attr_name, None) for env, _ in self._agents]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuses: environments are configured when they are made."""
        raise AttributeError(f"cannot set {attr_name!r}; make the environments with it")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Returns False for each agent: no Gymnasium wrapper is used."""
        return [False] * self.num_envs

    def _reset(self, env: Homogenize) -> Any:
        self._seed += 1
        return env.reset(seed=self._seed)

    def _stack(self, seen: list[dict[str, Any]]) -> np.ndarray:
        flat = [observation for observations in seen for observation in observations.values()]
        self._masks = np.array([each["action_mask"] for each in flat], bool)
        return np.array([each["observation"] for each in flat])


class Curve(BaseCallback):
    """Keeps the mean team return of the episodes that were scored in each rollout."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.returns: list[float] = []
        self._tally = tally

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if (mean := self._tally.take()) is not None:
            self.returns.append(mean)


def train(
    steps: int,
    *,
    source: TaskSource | str = "easy",
    n_subagents: int = 4,
    seed: int = 0,
    out: Path | None = None,
) -> list[float]:
    """Trains for so many environment steps; returns the mean team return of each rollout.

    Args:
        steps: of all environments together.
        source: of the tasks.
        n_subagents: slots.
        seed: of networks, tasks and actions.
        out: folder for `model.zip`; None keeps nothing.
    """
    tally = Tally()
    envs = [
        wideseek_env.parallel_env(n_subagents, interface="discrete", source=source)
        for _ in range(4)
    ]
    env = AgentsAsVecEnv([Homogenize(TruncateInvalid(each, tally)) for each in envs])
    num_agents = n_subagents + 1
    model = MaskablePPO(
        "MlpPolicy", env, n_steps=256, batch_size=512, n_epochs=4, gamma=1.0, ent_coef=0.01,
        learning_rate=1e-3, seed=seed, device="cpu",
    )  # fmt: skip
    curve = Curve(tally)
    model.learn(steps * num_agents, callback=curve)
    if tally.num_invalid:
        print(f"{tally.num_invalid} episodes without a score were truncated")  # noqa: T201
    if out is not None:
        model.save(out / "model.zip")  # makes the folder
    return curve.returns


def run(options: SB3Options) -> int:
    """Trains and prints the mean return of each rollout; returns the exit status."""
    torch.set_num_threads(1)
    returns = train(options.num_steps, source=options.tasks(), seed=options.seed, out=options.out)
    for mean in returns:
        print(f"mean team return {mean:.3f}")  # noqa: T201
    return 0
