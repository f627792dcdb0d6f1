"""EPyMARL's form: a place in a tuple for each agent, and the same episodes as without it."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import wideseek_env

NAME = "wideseek.trainers.third_party.epymarl_env:wideseek_env/EPyMARL-v0"


def made(**settings):
    """Makes it as EPyMARL's `gymma` does."""
    env = gymnasium.make(NAME, preset="easy", n_subagents=2, **settings)
    return gymnasium.wrappers.TimeLimit(env, max_episode_steps=100)


def test_an_episode_is_that_of_the_parallel_environment_under_legal_moves() -> None:
    env, plain = (
        made(),
        wideseek_env.parallel_env(interface="discrete", preset="easy", n_subagents=2),
    )
    assert env.unwrapped.n_agents == 3
    rng = np.random.default_rng(0)
    for seed in range(3):
        seen, _ = env.reset(seed=seed)
        expected, _ = plain.reset(seed=seed)
        over, paid = False, [0.0]
        while not over:
            assert env.observation_space.contains(seen)
            for here, there in zip(seen, expected.values(), strict=True):
                assert np.array_equal(here[: len(there["observation"])], there["observation"])
                assert np.array_equal(here[len(there["observation"]) :], there["action_mask"])
            moves = [int(rng.choice(np.flatnonzero(o["action_mask"]))) for o in expected.values()]
            seen, paid, terminated, truncated, _ = env.step(moves)
            expected, rewards, *_ = plain.step(dict(zip(plain.possible_agents, moves, strict=True)))
            assert paid == list(rewards.values())
            over = terminated or truncated
        assert not plain.agents
        assert plain.episode is not None
        assert plain.episode.score is not None
        assert paid == pytest.approx([plain.episode.score.item_f1] * 3)
    env.close()


def test_illegal_moves_are_played_as_legal_ones_so_that_beginners_are_paid() -> None:
    env, rng, returns = made(), np.random.default_rng(0), []
    for seed in range(10):
        env.reset(seed=seed)
        over = False
        while not over:
            moves = [rng.integers(space.n) for space in env.action_space]
            _, paid, terminated, truncated, _ = env.step(moves)
            over = terminated or truncated
        returns.append(paid[0])
    env.close()
    assert np.mean(returns) > 0.05
