import asyncio
import hashlib
import json
import math
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from tinyworld import GOLD_ANSWER, TASK, TinyBackend

import wideseek_env
from wideseek_env.errors import BackendError
from wideseek_env.interfaces.text import ToolsInterface
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import Limits

ANSWER = [{"name": "answer", "arguments": {"text": GOLD_ANSWER}}]


def tiny_env(n_subagents: int = 2, **settings: Any) -> Any:
    return wideseek_env.parallel_env(n_subagents, tasks=[TASK], backend=TinyBackend(), **settings)


def starter(**settings: Any) -> Any:
    return wideseek_env.parallel_env(n_subagents=3, preset="starter", **settings)


@pytest.mark.parametrize("interface", ["tools", "text"])
def test_pettingzoo_parallel_tests_pass(interface: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PettingZoo prefers `lead_0`, and arrays
        parallel_api_test(starter(interface=interface), num_cycles=100)
        parallel_seed_test(lambda: starter(interface=interface))


@pytest.mark.parametrize("interface", ["tools", "text"])
def test_pettingzoo_aec_tests_pass(interface: str) -> None:
    def make() -> Any:
        return wideseek_env.env(n_subagents=2, preset="starter", interface=interface)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(make(), num_cycles=50)
        seed_test(make, num_cycles=20)


def test_gymnasium_checker_passes_on_the_single_agent_form() -> None:
    single = gymnasium.make("wideseek_env/SingleSeek-v0", preset="starter")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would like Box observations
        check_env(single.unwrapped, skip_render_check=True)


def test_environments_are_registered_with_both_libraries() -> None:
    made = pettingzoo.make("parallel", "wideseek_env/WideSeek-v0", n_subagents=2, preset="starter")
    assert made.possible_agents == ["lead", "subagent_0", "subagent_1"]
    aec = pettingzoo.make("aec", "wideseek_env/WideSeek-v0", n_subagents=1, preset="starter")
    assert aec.possible_agents == ["lead", "subagent_0"]
    single = gymnasium.make("wideseek_env/SingleSeek-v0", preset="starter").unwrapped
    assert tuple(single.action_space.tools) == ("answer", "search", "open")


def test_single_agent_form_plays_a_whole_episode() -> None:
    env = gymnasium.make("wideseek_env/SingleSeek-v0", tasks=[TASK], backend=TinyBackend())
    observation, _ = env.reset(seed=1)
    assert observation["text"] == TASK.question
    step = env.step([{"name": "open", "arguments": {"url": "/Brook"}}])
    assert "Length: 30 km" in step[0]["text"]
    *_, reward, terminated, truncated, info = env.step(ANSWER)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["score"]["success"] == 1.0


def test_lead_is_inactive_while_it_waits_and_slots_stay_to_the_end() -> None:
    env = tiny_env()
    _, infos = env.reset(seed=0)
    assert {a: i["active"] for a, i in infos.items()} == {
        "lead": True,
        "subagent_0": False,
        "subagent_1": False,
    }
    delegate = [{"name": "delegate", "arguments": {"subtasks": ["Read /Alden", "Read /Brook"]}}]
    observations, _, _, _, infos = env.step({"lead": delegate})
    assert [infos[a]["active"] for a in env.possible_agents] == [False, True, True]
    assert observations["subagent_1"]["text"] == "Read /Brook"
    report = [{"name": "report", "arguments": {"text": "12 km"}}]
    *_, infos = env.step({"lead": ANSWER, "subagent_0": report})  # the lead's is ignored
    assert env.agents == env.possible_agents
    assert not infos["lead"]["active"]
    observations, *_ = env.step({"subagent_1": report})
    assert observations["lead"]["text"].count("12 km") == 2
    *_, infos = env.step({"lead": ANSWER})
    assert env.agents == []
    assert infos["subagent_0"]["score"]["item_f1"] == 1.0


def test_all_agents_get_the_same_reward_at_the_end_only() -> None:
    env = tiny_env()
    env.reset(seed=0)
    opened = env.step({"lead": []})
    assert set(opened[1].values()) == {0.0}
    _, rewards, terminations, truncations, _ = env.step({"lead": ANSWER})
    assert rewards == dict.fromkeys(env.possible_agents, 1.0)
    assert all(terminations.values())
    assert not any(truncations.values())


def test_budget_that_ends_is_a_truncation() -> None:
    env = tiny_env(limits=Limits(max_lead_turns=1))
    env.reset(seed=0)
    _, rewards, terminations, truncations, infos = env.step({})
    assert all(truncations.values())
    assert not any(terminations.values())
    assert rewards["lead"] == 0.0
    assert infos["lead"]["end"] == "turn_budget"


def test_max_cycles_truncates() -> None:
    env = tiny_env(max_cycles=2)
    env.reset(seed=0)
    env.step({})
    *_, truncations, infos = env.step({})
    assert all(truncations.values())
    assert infos["lead"]["end"] == "time_budget"


def test_invalid_episode_has_reward_nan_and_its_reason() -> None:
    class Dead(TinyBackend):
        async def search(self, query: str, top_k: int) -> Any:
            raise BackendError("no route")

    env = wideseek_env.parallel_env(n_subagents=0, tasks=[TASK], backend=Dead())
    env.reset(seed=0)
    _, rewards, _, truncations, infos = env.step(
        {"lead": [{"name": "search", "arguments": {"query": "x"}}]}
    )
    assert math.isnan(rewards["lead"])
    assert truncations["lead"]
    assert infos["lead"]["valid"] is False
    assert infos["lead"]["error"] == "BackendError: no route"


def test_error_in_mid_step_leaves_no_tool_running() -> None:
    class Buggy(TinyBackend):
        answered = 0

        async def search(self, query: str, top_k: int) -> Any:
            if query == "a bug":
                raise KeyError(query)
            await asyncio.sleep(0.01)
            self.answered += 1
            return []

    backend = Buggy()
    env = wideseek_env.parallel_env(2, tasks=[TASK], backend=backend)
    env.reset(seed=0)
    env.step({"lead": [{"name": "delegate", "arguments": {"subtasks": ["a", "b"]}}]})
    queries = ("a bug", "slow")
    with pytest.raises(KeyError, match="a bug"):
        env.step(
            {
                f"subagent_{i}": [{"name": "search", "arguments": {"query": query}}]
                for i, query in enumerate(queries)
            }
        )
    assert backend.answered == 1


def test_error_in_mid_step_ends_the_episode_and_reset_begins_another() -> None:
    class Buggy(TinyBackend):
        async def search(self, query: str, top_k: int) -> Any:
            raise KeyError(query)

    env = wideseek_env.parallel_env(n_subagents=0, tasks=[TASK], backend=Buggy())
    env.reset(seed=0)
    with pytest.raises(KeyError, match="alden"):
        env.step({"lead": [{"name": "search", "arguments": {"query": "alden"}}]})
    assert env.agents == [], "or `while env.agents` would never end"
    with pytest.raises(RuntimeError, match="call `reset` first"):
        env.step({})
    env.reset(seed=0)
    assert env.step({"lead": ANSWER})[1]["lead"] == 1.0


@pytest.mark.parametrize(
    "action", ["text", 7, [7], {"name": "answer"}, [{"name": "answer"}], [{"arguments": {}}], [[]]]
)
def test_any_action_at_all_is_legal_and_answered(action: Any) -> None:
    env = tiny_env()
    env.reset(seed=0)
    observations, *_ = env.step({"lead": action})
    assert "Expected a list of" in observations["lead"]["text"] or (
        "Allowed:" in observations["lead"]["text"]
    )


@pytest.mark.parametrize("text", ["\ud800", object()], ids=["surrogate", "object"])
def test_arguments_that_no_record_can_hold_are_answered(text: Any) -> None:
    env = tiny_env(max_cycles=1)
    env.reset(seed=0)
    env.step({"lead": [{"name": "answer", "arguments": {"text": text}}]})
    [turn] = env.episode.trajectories[0].turns
    assert "arguments of 'answer' must be JSON" in turn.results[0].text
    assert decode_episode(encode(env.episode)) == env.episode


def test_text_interface_reads_calls_and_the_names_of_the_paper() -> None:
    env = tiny_env(interface="text")
    env.reset(seed=0)
    text = (
        '<think>split</think><tool_call>{"name": "create_sub_agents", "arguments": '
        '{"sub_agents": [{"prompt": "Read /Alden"}]}}</tool_call>'
    )
    observations, *_ = env.step({"lead": text})
    assert observations["subagent_0"]["text"] == "Read /Alden"
    text = '<tool_call>{"name": "access", "arguments": {"urls": [{"url": "/Alden"}]}}</tool_call>'
    observations, *_ = env.step({"subagent_0": text})
    assert "Length: 12 km" in observations["subagent_0"]["text"]
    env.step({"subagent_0": "It is 12 km long."})
    _, rewards, *_ = env.step({"lead": f"Here it is:\n\n{GOLD_ANSWER}"})
    assert rewards["lead"] == 1.0


def test_sampled_actions_are_in_the_space_and_wrong_ones_are_not() -> None:
    interface = ToolsInterface(2, Limits(), ["rivers"])
    space = interface.action_space("lead")
    space.seed(3)
    for _ in range(200):
        assert space.contains(space.sample())
    good = {"name": "answer", "arguments": {"text": "x"}}
    assert space.contains([good])
    for wrong in (
        good,
        "x",
        [{"name": "open", "arguments": {"url": "/a"}}],
        [{"name": "answer", "arguments": {}}],
        [{**good, "id": 1}],
        [{**good, "name": np.array(["answer", "open"])}],
        [good] * 6,
    ):
        assert not space.contains(wrong)


def test_observations_lie_in_their_spaces_and_spaces_stay_the_same() -> None:
    env = starter()
    observations, _ = env.reset(seed=0)
    for _ in range(20):
        for agent, observation in observations.items():
            assert env.observation_space(agent).contains(observation)
            assert env.observation_space(agent) is env.observation_space(agent)
        assert env.state_space.contains(env.state())
        if not env.agents:
            break
        observations, *_ = env.step({a: env.action_space(a).sample() for a in env.agents})


def test_reset_plays_the_asked_task_with_fewer_slots() -> None:
    env = starter()
    wanted = env.source[5].task.id
    env.reset(options={"task_id": wanted, "n_subagents": 1, "unknown": 7})
    assert env._game.task.id == wanted
    assert env._game.agents == ("lead", "subagent_0")
    assert env.agents == env.possible_agents


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_subagents": -1}, "`n_subagents` must be an int from 0, got -1"),
        ({"n_subagents": 2.5}, "`n_subagents` must be an int from 0, got 2.5"),
        ({"interface": "voice"}, "`interface` must be one of tools, text"),
        ({"render_mode": "human"}, "`render_mode` must be None or 'ansi'"),
        ({"max_cycles": 0}, "`max_cycles` must be at least 1"),
        ({"tasks": [TASK]}, "`tasks` and `backend` belong together"),
        ({"tasks": [], "backend": TinyBackend()}, "at least one task"),
        ({"tasks": [TASK, TASK], "backend": TinyBackend()}, "different ids, got 'rivers' twice"),
        ({"preset": "soft"}, "starter"),
        ({"split": "dev"}, "test"),
        ({"tasks": "tasks.jsonl", "backend": TinyBackend()}, "`tasks` must hold `Task` records"),
        (
            {"tasks": [TASK], "backend": 3},
            "`backend` must have `search`, `open` and `close`, got 3",
        ),
        (
            {"tasks": [TASK], "backend": "no_such_pages"},
            "backend: expected a folder or file of pages, or a plug-in, got 'no_such_pages'",
        ),
        ({"limits": {"top_k": 3}}, "`limits` must be a `Limits` or None"),
        ({"reward": 1.0}, "`reward` must be a `RewardConfig` or None, got 1.0"),
        ({"scorer": "official"}, "`scorer` must be None or a scorer such as"),
    ],
)
def test_wrong_arguments_say_what_was_expected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        wideseek_env.parallel_env(**settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task_id": "x"}, "expected the id of one of 1 tasks"),
        ({"n_subagents": 9}, "an int from 0 to 2"),
    ],
)
def test_wrong_reset_options_say_what_was_expected(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_env().reset(options=options)


def test_step_before_reset_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="call `reset` first"):
        tiny_env().step({})


async def test_environment_works_inside_a_running_event_loop() -> None:
    env = tiny_env()
    env.reset(seed=0)
    _, rewards, *_ = env.step({"lead": ANSWER})
    assert rewards["lead"] == 1.0
    assert asyncio.get_running_loop().is_running()
    env.close()


def test_environment_survives_pickling() -> None:
    env = cloudpickle.loads(cloudpickle.dumps(starter()))
    observations, _ = env.reset(seed=4)
    same, _ = starter().reset(seed=4)
    assert observations == same
    pickle.dumps(env.action_space("lead"))


def test_ansi_rendering_shows_every_agent() -> None:
    env = tiny_env(render_mode="ansi")
    env.reset(seed=0)
    env.step({"lead": [{"name": "delegate", "arguments": {"subtasks": ["a"]}}]})
    lines = env.render().splitlines()
    assert lines[0] == TASK.question
    assert lines[1].split()[:2] == ["lead", "waiting"]
    assert lines[2].split()[:3] == ["subagent_0", "to", "decide"]
    assert lines[3].split() == ["subagent_1", "idle"]


def hash_of_random_episodes(interface: str, num_episodes: int) -> str:
    env = starter(interface=interface)
    digest = hashlib.sha256()
    for episode in range(num_episodes):
        observations, _ = env.reset(seed=episode)
        for number, agent in enumerate(env.possible_agents):
            env.action_space(agent).seed(episode * 10 + number)
        while env.agents:
            seen = [observations, env.state()]
            digest.update(json.dumps(seen, sort_keys=True).encode())
            actions = {a: env.action_space(a).sample() for a in env.agents}
            observations, rewards, *_ = env.step(actions)
            digest.update(repr(sorted(rewards.items())).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("interface", ["tools", "text"])
def test_same_seeds_give_the_same_episodes_in_every_process(interface: str) -> None:
    program = (
        "from test_environment import hash_of_random_episodes;"
        f"print(hash_of_random_episodes({interface!r}, 10))"
    )
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), str(here.parents[1])])
    hashes = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0].strip() == hash_of_random_episodes(interface, 10)


@pytest.mark.parametrize("num_episodes", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_play_never_raises(num_episodes: int) -> None:
    env = starter()
    for episode in range(num_episodes):
        env.reset(seed=episode)
        while env.agents:
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        assert env.episode.valid


def test_an_action_of_an_agent_that_does_not_exist_is_named_and_costs_no_turn() -> None:
    env = tiny_env()
    env.reset(seed=0)
    before = env.game.pending("lead")
    with pytest.raises(ValueError, match=r"got 'leader' \(did you mean lead\?\)"):
        env.step({"leader": []})
    assert env.game.pending("lead") == before
    env.close()


def test_gymnasium_makes_the_single_agent_form_with_text_rendering_without_a_warning() -> None:
    env = gymnasium.make("wideseek_env/SingleSeek-v0", render_mode="ansi", preset="starter")
    env.reset(seed=0)
    assert "lead" in str(env.render())
    env.close()
