"""What libraries ask of spaces and actions beyond PettingZoo's own tests."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

import wideseek_env


def make(interface: str) -> gymnasium.Env[Any, Any]:
    return gymnasium.make("wideseek_env/SingleSeek-v0", interface=interface, preset="starter")


@pytest.mark.parametrize("interface", ["tools", "text", "discrete"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_gymnasiums_vector_environments_take_every_interface(interface: str, kind: str) -> None:
    makes = [partial(make, interface)] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium's, on spaces that it does not know
        if kind == "sync":
            vector: Any = gymnasium.vector.SyncVectorEnv(makes)
        else:  # texts are of no fixed size, so there is no memory to share
            vector = gymnasium.vector.AsyncVectorEnv(makes, shared_memory=False)
        try:
            observations, _ = vector.reset(seed=0)
            assert len(observations["observation" if interface == "discrete" else "text"]) == 2
            wait = (
                np.zeros(2, int)
                if interface == "discrete"
                else ("", "")
                if (interface == "text")
                else ([], [])
            )
            _, rewards, *_ = vector.step(wait)
            assert rewards.tolist() == [0.0, 0.0]
        finally:
            vector.close()


def test_action_spaces_are_equal_when_they_take_the_same_calls_and_tell_what_they_are() -> None:
    one, two, wider = (wideseek_env.parallel_env(n, preset="starter") for n in (2, 2, 3))
    assert one.action_space("lead") == two.action_space("lead") != wider.action_space("lead")
    assert one.action_space("lead") != one.action_space("subagent_0")
    assert "delegate" in repr(one.action_space("lead"))


def test_spaces_are_there_as_dicts_too() -> None:
    env = wideseek_env.parallel_env(2, interface="discrete", preset="starter")
    assert set(env.action_spaces) == set(env.observation_spaces) == set(env.possible_agents)
    assert all(env.action_spaces[a] is env.action_space(a) for a in env.possible_agents)
    assert all(env.observation_spaces[a] is env.observation_space(a) for a in env.possible_agents)


@pytest.mark.parametrize("form", [int, np.int64, np.array, lambda n: np.array([n])])
def test_moves_may_be_numbers_or_arrays_of_one(form: Any) -> None:
    env = wideseek_env.parallel_env(2, interface="discrete", preset="starter", strict_actions=True)
    seen, _ = env.reset(seed=0)
    env.step({"lead": form(int(np.flatnonzero(seen["lead"]["action_mask"])[-1]))})
