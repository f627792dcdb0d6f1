"""Several environments as one batched TorchRL environment.

`PettingZooWrapper(wideseek_env.parallel_env(interface="discrete"), return_state=True)` works
unchanged and gives the same data for one environment; its own cost is several times that of the
game, so training uses this class, which fills one tensor for a whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Binary, Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

from wideseek_env.environment import WideSeekEnv

GROUPS = ("lead", "subagent")


class BatchedWideSeek(EnvBase):
    """B environments with the `discrete` interface, stepped together.

    Data of a group g of N agents: (g, "observation") (B, N, D) float32, (g, "action_mask")
    (B, N, K) bool, (g, "action") (B, N) int64, (g, "reward") (B, N, 1) float32; and "state"
    (B, S), "item_f1" (B, 1), "done" (B, 1), "terminated" (B, 1). An episode that could not be
    scored is done but not terminated, its reward 0 and its "item_f1" NaN.

    Args:
        envs: environments of the same number of slots.
        seed: of their tasks and widths.
        widths: numbers of slots that episodes are played with, drawn anew for each; None: all.
    """

    def __init__(
        self, envs: Sequence[WideSeekEnv], seed: int, widths: Sequence[int] | None = None
    ) -> None:
        super().__init__(batch_size=torch.Size([len(envs)]))
        self._envs = envs
        self._rng = np.random.default_rng(seed)
        self._widths = tuple(widths) if widths else (len(envs[0].possible_agents) - 1,)
        agents = envs[0].possible_agents
        self._groups = {"lead": agents[:1], "subagent": agents[1:]}
        self._latest: list[dict[str, Any]] = [{} for _ in envs]
        self._f1 = np.zeros((len(envs), 1), np.float32)
        self._make_specs()

    def _make_specs(self) -> None:
        env, batch = self._envs[0], self.batch_size
        observations, actions, rewards = Composite(shape=batch), Composite(shape=batch), {}
        for group, agents in self._groups.items():
            shape = (*batch, len(agents))
            size = env.observation_space(agents[0])["observation"].shape[0]
            num = int(env.action_space(agents[0]).n)
            inner = torch.Size(shape)
            observations[group] = Composite(
                observation=Bounded(0.0, 1.0, (*inner, size), dtype=torch.float32),
                action_mask=Binary(num, (*inner, num), dtype=torch.bool),
                shape=inner,
            )
            actions[group] = Composite(action=Categorical(num, inner), shape=inner)
            rewards[group] = Composite(reward=Unbounded((*inner, 1)), shape=inner)
        state = env.state_space.shape[0]
        observations["state"] = Bounded(0.0, 1.0, (*batch, state), dtype=torch.float32)
        observations["item_f1"] = Unbounded((*batch, 1))
        self.observation_spec = observations
        self.action_spec = actions
        self.reward_spec = Composite(rewards, shape=batch)
        self.done_spec = Composite(
            {key: Categorical(2, (*batch, 1), dtype=torch.bool) for key in ("done", "terminated")},
            shape=batch,
        )

    def _reset(self, tensordict: TensorDictBase | None, **kwargs: Any) -> TensorDictBase:
        wanted = None if tensordict is None else tensordict.get("_reset", None)
        for index, env in enumerate(self._envs):
            if wanted is None or wanted[index].any():
                seed = int(self._rng.integers(2**31))
                width = int(self._rng.choice(self._widths))
                self._latest[index], _ = env.reset(seed=seed, options={"n_subagents": width})
        return self._observed()

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        actions = {group: tensordict[group, "action"].numpy() for group in GROUPS}
        rewards = {g: np.zeros((len(self._envs), len(a), 1), np.float32)
                   for g, a in self._groups.items()}  # fmt: skip
        done, invalid = (np.zeros((len(self._envs), 1), bool) for _ in range(2))
        for index, env in enumerate(self._envs):
            chosen = {
                agent: int(actions[group][index, position])
                for group, agents in self._groups.items()
                for position, agent in enumerate(agents)
            }
            self._latest[index], reward, _, _, infos = env.step(chosen)
            done[index] = not env.agents
            # Without a score: not the end of the game, and its reward is not known.
            invalid[index] = env.episode is not None and not env.episode.valid
            self._f1[index] = np.nan if invalid[index] else infos["lead"]["item_f1"]
            for group, agents in self._groups.items():
                if not invalid[index]:
                    rewards[group][index, :, 0] = [reward[agent] for agent in agents]
        data = self._observed()
        for group in GROUPS:
            data[group, "reward"] = torch.from_numpy(rewards[group])
        data["done"] = torch.from_numpy(done)
        data["terminated"] = torch.from_numpy(done & ~invalid)
        return data

    def _observed(self) -> TensorDict:
        data: dict[str, Any] = {
            "state": torch.from_numpy(np.stack([env.state() for env in self._envs])),
            "item_f1": torch.from_numpy(self._f1.copy()),
        }
        for group, agents in self._groups.items():
            seen = [[latest[agent] for agent in agents] for latest in self._latest]
            observation = np.array([[o["observation"] for o in row] for row in seen])
            mask = np.array([[o["action_mask"] for o in row] for row in seen], dtype=bool)
            data[group] = TensorDict(
                {
                    "observation": torch.from_numpy(observation),
                    "action_mask": torch.from_numpy(mask),
                },
                batch_size=[len(self._envs), len(agents)],
            )
        return TensorDict(data, batch_size=self.batch_size)

    def _set_seed(self, seed: int | None) -> None:
        self._rng = np.random.default_rng(seed)


def make_batch(
    make_env: Callable[[int], WideSeekEnv], num_envs: int, seed: int, widths: Sequence[int]
) -> BatchedWideSeek:
    """Returns `num_envs` environments, each made by `make_env(index)`, as one."""
    return BatchedWideSeek([make_env(index) for index in range(num_envs)], seed, widths)
