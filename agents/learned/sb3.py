"""A checkpoint of Stable-Baselines3 as a policy; needs the extra `sb3`.

Its algorithms that choose among moves and keep no memory: PPO, A2C, DQN, MaskablePPO. What the
policy was trained on has to be what `Homogenize` shows, as with `wideseek train sb3`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.learned.discrete import DiscretePolicy
from wideseek_env.discrete.features import LEAD_FEATURES, SUBAGENT_FEATURES
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES
from wideseek_env.errors import DataError
from wideseek_env.plugins import require
from wideseek_env.wrappers.homogenize import pad

_NUM_FEATURES = max(len(LEAD_FEATURES), len(SUBAGENT_FEATURES))
_NUM_MOVES = max(len(LEAD_MOVES), len(SUBAGENT_MOVES))


def sb3_policy(file: str, name: str = "sb3") -> DiscretePolicy:
    """Makes a policy of a checkpoint. It holds pickled code, so load only what you trust.

    Args:
        file: what `model.save` wrote, a zip.
        name: as tables show it.

    Raises:
        MissingExtra: SB3-contrib is not installed.
        DataError: it is no checkpoint, or was trained on other observations or moves.
    """
    require("sb3_contrib", "sb3")
    saving = require("stable_baselines3.common.save_util", "sb3")
    try:
        data, parameters, _ = saving.load_from_zip_file(file, device="cpu")
        kind, seen, moves = data["policy_class"], data["observation_space"], data["action_space"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"expected a checkpoint of Stable-Baselines3, got {file} ({error})") from (
            error
        )
    if getattr(seen, "shape", None) != (_NUM_FEATURES + 2,) or getattr(moves, "n", 0) != _NUM_MOVES:
        raise DataError(
            f"{file}: expected a policy of {_NUM_FEATURES + 2} features and {_NUM_MOVES} moves, as "
            f"`wideseek_env.wrappers.Homogenize` has them, got {seen} and {moves}"
        )
    net = kind(seen, moves, lambda _: 0.0, **data.get("policy_kwargs", {}))
    net.load_state_dict(parameters["policy"])
    net.set_training_mode(False)
    masks = "maskable" in kind.__module__

    def act(agent: str, shown: dict[str, NDArray[Any]], rng: np.random.Generator) -> int:
        padded = pad(agent, shown, _NUM_FEATURES, _NUM_MOVES)
        told = {"action_masks": padded["action_mask"].astype(bool)} if masks else {}
        move, _ = net.predict(padded["observation"], deterministic=True, **told)
        return int(move)

    return DiscretePolicy(act, name)
