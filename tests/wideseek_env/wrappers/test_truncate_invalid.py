"""Invalid is never a number: what a trainer sees of an episode that could not be scored."""

from __future__ import annotations

import math
from typing import Any

from pettingzoo.test import parallel_api_test
from tinyworld import GOLD_ANSWER, TASK, TinyBackend

import wideseek_env
from wideseek_env.errors import BackendError
from wideseek_env.wrappers import Homogenize, Tally, TruncateInvalid

ANSWER = [{"name": "answer", "arguments": {"text": GOLD_ANSWER}}]
OPEN = [{"name": "open", "arguments": {"url": "/Alden"}}]


class Down(TinyBackend):
    async def open(self, url: str, part: int = 1) -> Any:
        raise BackendError("no route")


def made(tally: Tally | None = None) -> TruncateInvalid:
    return TruncateInvalid(wideseek_env.parallel_env(0, tasks=[TASK], backend=Down()), tally)


def test_episode_without_a_score_is_truncated_without_a_reward_and_counted() -> None:
    env = made()
    env.reset(seed=0)
    _, rewards, terminations, truncations, infos = env.step({"lead": OPEN})
    assert rewards == {"lead": 0.0}
    assert (terminations["lead"], truncations["lead"]) == (False, True)
    assert infos["lead"]["valid"] is False
    assert env.agents == []
    assert env.tally.num_invalid == 1
    assert env.tally.take() is None


def test_mean_return_is_of_the_scored_episodes_alone() -> None:
    tally = Tally()
    for actions in ([OPEN], [ANSWER], [OPEN], [[], ANSWER]):
        env = made(tally)
        env.reset(seed=0)
        for action in actions:
            env.step({"lead": action})
    assert tally.take() == 1.0
    assert tally.num_invalid == 2
    assert tally.take() is None


def test_other_episodes_pass_unchanged() -> None:
    env = made()
    env.reset(seed=0)
    _, rewards, terminations, truncations, _ = env.step({"lead": ANSWER})
    assert rewards == {"lead": 1.0}
    assert (terminations["lead"], truncations["lead"]) == (True, False)
    parallel_api_test(TruncateInvalid(wideseek_env.parallel_env(2, preset="starter")), 50)


def test_other_wrappers_go_around_it() -> None:
    inner = wideseek_env.parallel_env(2, interface="discrete", preset="starter")
    env = Homogenize(TruncateInvalid(inner))
    observations, _ = env.reset(seed=0)
    while env.agents:
        actions = {a: int(seen["action_mask"].nonzero()[0][0]) for a, seen in observations.items()}
        observations, rewards, *_ = env.step(actions)
    assert not any(map(math.isnan, rewards.values()))
    assert env.state().shape == env.state_space.shape
