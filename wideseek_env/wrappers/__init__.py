"""Wrappers that give the environment the form that some RL libraries insist on."""

from wideseek_env.wrappers.flatten_mask import FlattenMask
from wideseek_env.wrappers.homogenize import Homogenize
from wideseek_env.wrappers.legalize import Legalize
from wideseek_env.wrappers.mask_to_infos import MaskToInfos
from wideseek_env.wrappers.truncate_invalid import Tally, TruncateInvalid

__all__ = ["FlattenMask", "Homogenize", "Legalize", "MaskToInfos", "Tally", "TruncateInvalid"]
