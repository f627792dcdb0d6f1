import dataclasses
import hashlib
import time
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import cloudpickle
import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.test.state_test import state_test

import wideseek_env
from wideseek_env.discrete.features import LEAD_FEATURES, SUBAGENT_FEATURES
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES
from wideseek_env.environment import WideSeekEnv
from wideseek_env.worlds import PRESETS, World


@lru_cache
def source(preset: str) -> tuple[Any, Any, Any]:
    world = World(dataclasses.replace(PRESETS[preset], regions=1), seed=0)
    return tuple(world.tasks(16)), world.backend(), world.preset.limits


def make(preset: str = "easy", n_subagents: int = 3, **settings: Any) -> WideSeekEnv:
    tasks, backend, limits = source(preset)
    limits = dataclasses.replace(limits, max_tool_calls=settings.pop("budget", None))
    settings = {"tasks": tasks, "limits": limits, **settings}
    return wideseek_env.parallel_env(n_subagents, interface="discrete", backend=backend, **settings)


def legal_actions(observations: dict[str, Any], rng: np.random.Generator) -> dict[str, int]:
    return {a: int(rng.choice(np.flatnonzero(o["action_mask"]))) for a, o in observations.items()}


def play(env: WideSeekEnv, seed: int, num_episodes: int = 1) -> Iterator[tuple[Any, ...]]:
    """Yields what each step of random legal play gives, resets first."""
    rng = np.random.default_rng(seed)
    for episode in range(num_episodes):
        observations, infos = env.reset(seed=seed + episode)
        yield observations, {}, {}, {}, infos
        while env.agents:
            step = env.step(legal_actions(observations, rng))
            observations = step[0]
            yield step


def test_pettingzoo_tests_pass() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PettingZoo prefers `lead_0`, and plain arrays
        parallel_api_test(make(), num_cycles=60)
        parallel_seed_test(make)
        for name in ("starter", "easy"):
            api_test(wideseek_env.env(2, interface="discrete", preset=name), num_cycles=100)
        seed_test(lambda: wideseek_env.env(2, interface="discrete", preset="starter"), 20)
        parallel = make()
        parallel.reset(seed=0)
        state_test(wideseek_env.env(2, interface="discrete", preset="starter"), parallel)


@pytest.mark.parametrize("preset", ["starter", "conflict", "hops"])
def test_observations_stay_in_their_spaces_and_every_agent_has_a_choice(preset: str) -> None:
    env = make(preset, budget=60)
    kinds = set()
    for observations, _, _, _, infos in play(env, 1, num_episodes=3):
        assert set(observations) == set(infos) == set(env.possible_agents)
        assert env.state_space.contains(env.state())
        for agent, seen in observations.items():
            assert env.observation_space(agent).contains(seen)
            assert seen["action_mask"].any()
            if not infos[agent]["active"]:
                assert np.flatnonzero(seen["action_mask"]).tolist() == [0]
            kinds.add((agent, tuple(infos[agent]), *map(type, infos[agent].values())))
    assert len(kinds) == len(env.possible_agents)  # same keys and types at every step
    assert all(kind is float for _, _, *types in kinds for kind in types)


def test_spaces_are_the_same_objects_and_differ_by_role() -> None:
    env = make()
    for agent in env.possible_agents:
        assert env.observation_space(agent) is env.observation_space(agent)
        assert env.action_space(agent) is env.action_space(agent)
    assert env.action_space("lead").n == len(LEAD_MOVES)
    assert env.action_space("subagent_0").n == len(SUBAGENT_MOVES)
    assert env.observation_space("lead")["observation"].shape == (len(LEAD_FEATURES),)
    assert env.observation_space("subagent_0")["observation"].shape == (len(SUBAGENT_FEATURES),)


def fingerprint(env: WideSeekEnv, seed: int) -> str:
    digest = hashlib.sha256()
    for observations, rewards, *_ in play(env, seed, num_episodes=2):
        for seen in observations.values():
            digest.update(seen["observation"].tobytes() + seen["action_mask"].tobytes())
        digest.update(env.state().tobytes() + repr(rewards).encode())
    return digest.hexdigest()


def test_same_seed_gives_same_observations_rewards_and_states() -> None:
    first = fingerprint(make("conflict"), 3)
    assert first == fingerprint(make("conflict"), 3)
    assert first == fingerprint(cloudpickle.loads(cloudpickle.dumps(make("conflict"))), 3)
    assert first != fingerprint(make("conflict"), 4)


def test_gold_has_no_influence_on_what_agents_see() -> None:
    """Gold cells are shuffled; only rewards may differ."""
    tasks, _, _ = source("conflict")
    rng = np.random.default_rng(0)

    def shuffled(task: Any) -> Any:
        cells = [cell for row in task.gold for cell in row]
        order = rng.permutation(len(cells))
        width = len(task.columns)
        mixed = [cells[i] for i in order]
        gold = tuple(tuple(mixed[i : i + width]) for i in range(0, len(mixed), width))
        return dataclasses.replace(task, gold=gold, aliases={}, sources=())

    honest = play(make("conflict"), 5, num_episodes=6)
    other = play(make("conflict", tasks=[shuffled(task) for task in tasks]), 5, num_episodes=6)
    rewards = []
    for (seen, given, _, _, _), (seen_too, given_too, _, _, _) in zip(honest, other, strict=True):
        for agent in seen:
            assert np.array_equal(seen[agent]["observation"], seen_too[agent]["observation"])
            assert np.array_equal(seen[agent]["action_mask"], seen_too[agent]["action_mask"])
        rewards.append((given.get("lead", 0.0), given_too.get("lead", 0.0)))
    assert any(a > 0 for a, _ in rewards)
    assert any(a != b for a, b in rewards)


def test_illegal_actions_are_counted_no_ops_or_raise_when_strict() -> None:
    env = make()
    env.reset(seed=0)
    report = next(i for i, move in enumerate(LEAD_MOVES) if move.name == "check_2")
    *_, infos = env.step({"lead": report, "subagent_0": 3, "subagent_1": np.int64(99)})
    assert infos["lead"]["num_illegal"] == 1.0
    assert infos["subagent_0"]["num_illegal"] == 0.0  # it was not asked
    assert env.game.trajectories()[0].turns[0].decision.calls == ()
    strict = make(strict_actions=True)
    strict.reset(seed=0)
    with pytest.raises(ValueError, match="expected a legal action"):
        strict.step({"lead": report})


def test_actions_may_be_arrays_or_missing() -> None:
    env = make()
    env.reset(seed=0)
    list_all = next(i for i, move in enumerate(LEAD_MOVES) if move.name == "list_all")
    env.step({"lead": np.array(list_all)})
    assert len(env.game.trajectories()) == 4  # three subagents share the list
    env.step({})
    assert env.agents


def test_question_of_another_kind_is_refused() -> None:
    world = World("easy", seed=0)
    env = wideseek_env.parallel_env(
        2, interface="discrete", tasks=world.tasks(2, kind="deep"), backend=world.backend()
    )
    with pytest.raises(ValueError, match="wide questions"):
        env.reset(seed=0)


def test_small_contexts_still_hold_pages_so_that_rows_can_be_opened() -> None:
    """`starter` has contexts of 1,200 characters, and pages of a hundred."""
    open_row = next(i for i, move in enumerate(SUBAGENT_MOVES) if move.name == "open_row")
    steps = play(make("starter"), 0, num_episodes=20)
    assert any(seen[0]["subagent_0"]["action_mask"][open_row] for seen in steps)


@pytest.mark.slow
def test_every_move_is_reached_by_random_play() -> None:
    legal = {"lead": np.zeros(len(LEAD_MOVES)), "subagent": np.zeros(len(SUBAGENT_MOVES))}
    for preset, width in (("conflict", 1), ("conflict", 4), ("hops", 3)):
        for observations, *_ in play(make(preset, width), 0, num_episodes=30):
            for agent, seen in observations.items():
                legal[agent.split("_")[0]] += seen["action_mask"]
    never = [move.name for move, n in zip(LEAD_MOVES, legal["lead"], strict=True) if not n]
    never += [m.name for m, n in zip(SUBAGENT_MOVES, legal["subagent"], strict=True) if not n]
    # The lead need not wait when it waits for all, no page of these worlds has two parts, and
    # random play seldom finds enough doubtful rows.
    assert set(never) <= {"wait", "next_part", "check_all"}


def test_infos_tell_the_score_at_the_end() -> None:
    *_, last = play(make(), 0, num_episodes=3)
    env_infos = last[4]
    assert env_infos["lead"]["item_f1"] == last[1]["lead"]
    assert env_infos["lead"]["num_tool_calls"] > 0


@pytest.mark.slow
def test_speed_is_eight_thousand_agent_steps_a_second() -> None:
    env = make("default", n_subagents=8)
    for _ in play(env, 9, num_episodes=60):  # fills the caches, as a long run does
        pass
    start, num = time.process_time(), 0
    for _ in play(env, 0, num_episodes=120):
        num += len(env.possible_agents)
    assert num / (time.process_time() - start) > 8_000
