"""Closed worlds: fictional data bases rendered as web pages, with tasks of exactly known answer."""

from wideseek_env.worlds.presets import PRESETS, Preset
from wideseek_env.worlds.world import WORLD_VERSION, World

__all__ = ["PRESETS", "WORLD_VERSION", "Preset", "World"]
