import warnings
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

import wideseek_env
from wideseek_env.wrappers import FlattenMask, Homogenize, Legalize, MaskToInfos


def make() -> Any:
    return wideseek_env.parallel_env(2, interface="discrete", preset="starter")


@pytest.mark.parametrize("wrap", [FlattenMask, Homogenize, Legalize, MaskToInfos])
def test_wrapped_environment_passes_the_api_test(wrap: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parallel_api_test(wrap(make()), num_cycles=60)


@pytest.mark.parametrize("wrap", [FlattenMask, Homogenize, Legalize, MaskToInfos])
def test_wrapped_observations_are_in_their_spaces_to_the_last_step(wrap: Any) -> None:
    env, plain = wrap(make()), make()
    observations, _ = env.reset(seed=1)
    same, _ = plain.reset(seed=1)
    rng = np.random.default_rng(0)
    while env.agents:
        for agent in env.possible_agents:
            assert env.observation_space(agent).contains(observations[agent])
        actions = {a: int(rng.choice(np.flatnonzero(o["action_mask"]))) for a, o in same.items()}
        observations, rewards, *_ = env.step(actions)
        same, rewards_too, *_ = plain.step(actions)
        assert rewards == rewards_too
        assert env.state().tolist() == plain.state().tolist()
    assert set(observations) == set(env.possible_agents)


def test_homogenize_gives_equal_spaces_and_keeps_what_is_legal() -> None:
    env, plain = Homogenize(make()), make()
    assert env.observation_space("lead") == env.observation_space("subagent_0")
    assert env.action_space("lead") == env.action_space("subagent_0")
    assert env.observation_space("lead") is env.observation_space("lead")
    padded, _ = env.reset(seed=0)
    seen, _ = plain.reset(seed=0)
    num = plain.action_space("lead").n
    assert padded["lead"]["action_mask"][:num].tolist() == seen["lead"]["action_mask"].tolist()
    assert not padded["lead"]["action_mask"][num:].any()
    assert padded["lead"]["observation"][-2:].tolist() == [1.0, 0.0]
    assert padded["subagent_1"]["observation"][-2:].tolist() == [0.0, 1.0]
    *_, infos = env.step({"lead": env.action_space("lead").n - 1})  # padded: a counted no-op
    assert infos["lead"]["num_illegal"] == 1.0


def test_flatten_mask_appends_the_mask() -> None:
    flat, _ = FlattenMask(make()).reset(seed=0)
    seen, _ = make().reset(seed=0)
    expected = [*seen["lead"]["observation"], *seen["lead"]["action_mask"]]
    assert flat["lead"].tolist() == pytest.approx(expected)
    assert flat["lead"].dtype == np.float32


def test_mask_to_infos_moves_the_mask() -> None:
    env = MaskToInfos(make())
    observations, infos = env.reset(seed=0)
    assert observations["lead"].dtype == np.float32
    assert infos["lead"]["action_mask"].dtype == np.int8
    assert infos["subagent_0"]["action_mask"].tolist()[0] == 1


def test_a_learner_without_masks_has_a_signal_through_legalize() -> None:
    """Random unmasked play of `starter` is paid nothing; legalised, it is paid now and then."""
    plain, legal = FlattenMask(make()), FlattenMask(Legalize(make()))
    paid = {}
    for name, env in (("plain", plain), ("legal", legal)):
        rng, total, illegal = np.random.default_rng(0), 0.0, 0.0
        for seed in range(30):
            env.reset(seed=seed)
            while env.agents:
                actions = {a: int(rng.integers(env.action_space(a).n)) for a in env.agents}
                _, rewards, _, _, infos = env.step(actions)
                total += rewards["lead"]
            illegal += sum(info["num_illegal"] for info in infos.values())
        paid[name] = total / 30, illegal
    assert paid["legal"][1] == 0 < paid["plain"][1]
    assert paid["legal"][0] > paid["plain"][0] + 0.03


def test_legalize_leaves_legal_moves_and_goes_on_from_illegal_ones() -> None:
    env = Legalize(make())
    seen, _ = env.reset(seed=0)
    legal = np.flatnonzero(seen["lead"]["action_mask"]).tolist()
    asked: list[int] = []
    env.env.step = lambda actions: asked.append(actions["lead"]) or ({}, {}, {}, {}, {})  # type: ignore[func-returns-value]
    for move in range(17):
        env._masks = {"lead": seen["lead"]["action_mask"]}
        env.step({"lead": np.array([move])})
    expected = [min((m for m in legal if m >= move), default=legal[0]) for move in range(17)]
    assert asked == expected
