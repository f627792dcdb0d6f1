r"""The environment as EPyMARL's `gymma` takes it; nothing of EPyMARL is edited.

EPyMARL finds it by a file of settings, `src/config/envs/wideseek.yaml` in its checkout:

    env: gymma
    env_args:
      key: "wideseek.trainers.third_party.epymarl_env:wideseek_env/EPyMARL-v0"
      time_limit: 100
      pretrained_wrapper: null
      preset: easy
      n_subagents: 4
    reward_scalarisation: mean
    test_greedy: True
    test_nepisode: 20
    test_interval: 4000
    log_interval: 2000
    runner_log_interval: 2000
    learner_log_interval: 2000
    t_max: 16000
    use_cuda: False

and then

    python src/main.py --config=qmix --env-config=wideseek with lr=0.001 \
        standardise_rewards=False target_update_interval_or_tau=0.01 epsilon_anneal_time=8000

`gymma` knows no masks: they are part of what agents see, and an illegal move becomes the next legal
one. EPyMARL adds the agents' rewards up by default; each of ours is the team's, hence their mean.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Tuple

from wideseek_env.environment import WideSeekEnv
from wideseek_env.wrappers import FlattenMask, Legalize, Tally, TruncateInvalid


class EPyMARLEnv(gymnasium.Env[tuple[np.ndarray, ...], tuple[int, ...]]):
    """All agents behind one Gymnasium environment: a place in a tuple for each.

    Args:
        **settings: of `WideSeekEnv`, such as `preset` and `n_subagents`.
    """

    def __init__(self, **settings: Any) -> None:
        env = WideSeekEnv(**settings, interface="discrete")
        self.tally = Tally()
        self._env = FlattenMask(Legalize(TruncateInvalid(env, self.tally)))
        self._agents = env.possible_agents
        self.n_agents = len(self._agents)
        self.action_space = Tuple([self._env.action_space(a) for a in self._agents])
        self.observation_space = Tuple([self._env.observation_space(a) for a in self._agents])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
        """Draws a task."""
        observations, _ = self._env.reset(seed=seed, options=options)
        return tuple(observations[a] for a in self._agents), {}

    def step(self, actions: Any) -> Any:
        """Steps with a move of each agent; the reward is a list, equal for all."""
        moves = {agent: int(move) for agent, move in zip(self._agents, actions, strict=True)}
        observations, rewards, terminations, truncations, infos = self._env.step(moves)
        seen = tuple(observations[a] for a in self._agents)
        paid = [float(rewards[a]) for a in self._agents]
        lead = self._agents[0]
        told = {"item_f1": infos[lead]["item_f1"]} if terminations[lead] else {}
        return seen, paid, terminations[lead], truncations[lead], told

    def close(self) -> None:
        """Frees what the environment holds."""
        self._env.close()


# The checker wants a single reward, where EPyMARL takes one for each agent.
gymnasium.register("wideseek_env/EPyMARL-v0", entry_point=EPyMARLEnv, disable_env_checker=True)
