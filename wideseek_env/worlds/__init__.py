"""Closed worlds: fictional data bases rendered as web pages, with tasks of exactly known answer."""

from wideseek_env.worlds.names import Split
from wideseek_env.worlds.presets import PRESETS, Preset
from wideseek_env.worlds.shared import shared_backend, shared_tasks
from wideseek_env.worlds.world import WORLD_VERSION, TaskKind, World, salt_mark

__all__ = [
    "PRESETS",
    "WORLD_VERSION",
    "Preset",
    "Split",
    "TaskKind",
    "World",
    "salt_mark",
    "shared_backend",
    "shared_tasks",
]
