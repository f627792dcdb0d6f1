"""Ctrl-C in the middle of a step: the next episode is the next one, and nothing of the old acts."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest
from tinyworld import GOLD_ANSWER, TASK, TinyBackend

import wideseek_env
from wideseek_env.environment import WideSeekEnv

ANSWER = [{"name": "answer", "arguments": {"text": GOLD_ANSWER}}]
SEARCH = {"name": "search", "arguments": {"query": "alden"}}


class Interrupting(TinyBackend):
    """Interrupts its first search, as a user does, and would go on a little later."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.error, self.num_searches, self.num_ended = error, 0, 0

    async def search(self, query: str, top_k: int) -> list[Any]:
        self.num_searches += 1
        if self.num_searches == 1:
            if self.error is not None:
                raise self.error
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.sleep(0.3)
        finally:
            self.num_ended += 1
        return []


def interrupted(env: WideSeekEnv, num_calls: int = 2) -> None:
    env.reset(seed=0)
    with pytest.raises(KeyboardInterrupt):
        env.step({"lead": [SEARCH] * num_calls})
    assert env.agents == []


def next_episode_is_whole(env: WideSeekEnv) -> None:
    env.reset(seed=1)
    _, rewards, terminated, truncated, _ = env.step({"lead": [SEARCH]})
    assert env.episode is None
    assert env.agents == ["lead"]
    assert (rewards["lead"], terminated["lead"], truncated["lead"]) == (0.0, False, False)
    _, rewards, terminated, *_ = env.step({"lead": ANSWER})
    assert (rewards["lead"], terminated["lead"]) == (1.0, True)
    assert env.episode is not None
    assert [len(t.turns) for t in env.episode.trajectories] == [2]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_interrupted_step_leaves_nothing_behind(error: type[BaseException] | None) -> None:
    backend = Interrupting(error)
    env = wideseek_env.parallel_env(0, tasks=[TASK], backend=backend)
    interrupted(env)
    assert backend.num_ended == backend.num_searches - (error is not None)
    next_episode_is_whole(env)
    env.close()


async def test_interrupted_step_inside_a_running_loop_leaves_nothing_behind() -> None:
    backend = Interrupting()
    env = wideseek_env.parallel_env(0, tasks=[TASK], backend=backend)
    # The signal comes to this thread, which waits: the environment's loop is in another.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupted(env)
        assert backend.num_ended == 2
        next_episode_is_whole(env)
    finally:
        signal.signal(signal.SIGINT, handler)
        env.close()


def test_system_exit_of_a_backend_makes_the_episode_invalid() -> None:
    env = wideseek_env.parallel_env(0, tasks=[TASK], backend=Interrupting(SystemExit))
    env.reset(seed=0)
    _, _, _, truncated, infos = env.step({"lead": [SEARCH, SEARCH]})
    assert truncated["lead"]
    assert infos["lead"]["valid"] is False
    assert "raised SystemExit" in infos["lead"]["error"]
    next_episode_is_whole(env)
    env.close()
