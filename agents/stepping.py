"""Plays a policy through `env.step`, with its barrier: what a PettingZoo user would write."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec

from agents.policy import EpisodeInfo, Policy
from wideseek_env.environment import WideSeekEnv
from wideseek_env.interfaces.loop import LoopRunner
from wideseek_env.records import Episode


def step_through(
    env: WideSeekEnv, policy: Policy, *, seed: int = 0, options: dict[str, Any] | None = None
) -> Episode:
    """Returns one episode of a policy in an environment with the `tools` interface.

    Gives the same episode as `rollout.run_episode` for the same decisions, only slower, because
    each step waits for the slowest agent.
    """
    _, infos = env.reset(seed=seed, options=options)
    game = env.game
    player = policy.begin(EpisodeInfo.of(game.task, game.n_subagents, game.limits, seed))
    with closing(LoopRunner()) as thinking:
        while env.agents:
            actions = {}
            for agent, info in infos.items():
                if info["active"]:
                    decision = thinking.run(player.decide(agent, info["observation"]))
                    actions[agent] = msgspec.to_builtins(decision.calls)
            *_, infos = env.step(actions)
    if env.episode is None:
        raise RuntimeError("the environment ended without an episode")
    return env.episode
