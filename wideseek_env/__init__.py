"""Broad information seeking with many agents, as a PettingZoo parallel environment.

    env = wideseek_env.parallel_env(n_subagents=8)

Importing this registers `wideseek_env/WideSeek-v0` with PettingZoo (parallel and AEC) and
`wideseek_env/SingleSeek-v0` with Gymnasium. Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import gymnasium
import pettingzoo

if TYPE_CHECKING:
    from wideseek_env.environment import WideSeekEnv, env, parallel_env
    from wideseek_env.game.episode import Game
    from wideseek_env.game.reward import RewardConfig
    from wideseek_env.records import Column, Episode, Limits, Score, Task
    from wideseek_env.scoring import score_table
    from wideseek_env.tasks.source import Assignment, TaskSource
    from wideseek_env.worlds import World
    from wideseek_env.wrappers.single import SingleSeekEnv

_HOMES = {
    "Assignment": "tasks.source",
    "Column": "records",
    "Episode": "records",
    "Game": "game.episode",
    "Limits": "records",
    "RewardConfig": "game.reward",
    "Score": "records",
    "SingleSeekEnv": "wrappers.single",
    "Task": "records",
    "TaskSource": "tasks.source",
    "WideSeekEnv": "environment",
    "World": "worlds",
    "env": "environment",
    "parallel_env": "environment",
    "score_table": "scoring",
}

__all__ = [
    "Assignment",
    "Column",
    "Episode",
    "Game",
    "Limits",
    "RewardConfig",
    "Score",
    "SingleSeekEnv",
    "Task",
    "TaskSource",
    "WideSeekEnv",
    "World",
    "env",
    "parallel_env",
    "score_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


gymnasium.register("wideseek_env/SingleSeek-v0", "wideseek_env.wrappers.single:SingleSeekEnv")
if hasattr(pettingzoo, "register"):  # since 1.27
    pettingzoo.register(
        "parallel", "wideseek_env/WideSeek-v0", "wideseek_env.environment:parallel_env"
    )
    pettingzoo.register("aec", "wideseek_env/WideSeek-v0", "wideseek_env.environment:env")
