import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.learned import LearnedPolicy
from agents.learned.policy import WEIGHTS
from agents.learned.weights import Actor, load_weights, read_safetensors
from agents.rollout import Job, rollout
from wideseek_env.discrete.features import LEAD_FEATURES, SUBAGENT_FEATURES
from wideseek_env.discrete.interface import DISCRETE_VERSION
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES
from wideseek_env.errors import DataError
from wideseek_env.records import Episode
from wideseek_env.worlds import WORLD_VERSION, World


def episodes(width: int, num: int, preset: str = "conflict", budget: int = 40) -> list[Episode]:
    world = World(preset, seed=0, split="test")
    limits = replace(world.preset.limits, max_tool_calls=budget)
    backend, tasks = world.backend(), world.tasks(num, seed=0)
    jobs = [Job(t, backend, width, limits, seed=i) for i, t in enumerate(tasks)]

    async def play() -> list[Episode]:
        return [e async for e in rollout(jobs, LearnedPolicy(), max_concurrent=1)]

    return asyncio.run(play())


def test_shipped_weights_match_the_interface() -> None:
    weights = load_weights(WEIGHTS)
    assert weights.about["version"] == DISCRETE_VERSION
    for actor, features, moves in (
        (weights.lead, LEAD_FEATURES, LEAD_MOVES),
        (weights.subagent, SUBAGENT_FEATURES, SUBAGENT_MOVES),
    ):
        assert actor.layers[0][0].shape[1] == len(features)
        assert actor.layers[-1][0].shape[0] == len(moves)
    assert WEIGHTS.stat().st_size < 200_000


def test_shipped_weights_still_play_as_well_as_recorded() -> None:
    """On the first test tasks of one preset; `MODEL_CARD.md` has the scores everywhere."""
    recorded = json.loads((WEIGHTS.parent / "record.json").read_text())
    if recorded["world_version"] != WORLD_VERSION:
        pytest.fail("worlds have changed: train again, and write a new card")
    played = episodes(
        recorded["width"], recorded["num_tasks"], recorded["preset"], recorded["budget"]
    )
    assert all(e.valid and e.num_tool_calls <= recorded["budget"] for e in played)
    mean = np.mean([e.score.item_f1 for e in played if e.score])
    assert mean > recorded["item_f1"] - 0.02


def test_same_seed_gives_the_same_episode_and_any_width_is_played() -> None:
    for width in (1, 3):
        first, again = episodes(width, 2), episodes(width, 2)
        assert [e.answer for e in first] == [e.answer for e in again]
        assert {e.end for e in first} == {"answered"}


def test_no_subagents_are_refused() -> None:
    (episode,) = episodes(0, 1)
    assert "give 1 up" in (episode.error or "")


def test_actor_computes_its_layers() -> None:
    one = (np.array([[1.0, 2.0]], np.float32), np.array([0.5], np.float32))
    two = (np.array([[3.0], [-1.0]], np.float32), np.array([0.0, 1.0], np.float32))
    hidden = np.tanh(1.0 * 0.1 + 2.0 * 0.2 + 0.5)
    logits = Actor((one, two)).logits(np.array([0.1, 0.2], np.float32))
    assert logits.tolist() == pytest.approx([3 * hidden, 1 - hidden])


def write(path: Path, version: int) -> Path:
    header = {
        "__metadata__": {"wideseek": json.dumps({"version": version})},
        "lead.0.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
    }
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + np.array([1, 2], np.float32).tobytes()
    path.write_bytes(data)
    return path


def test_safetensors_are_read_without_the_library(tmp_path: Path) -> None:
    tensors, metadata = read_safetensors(write(tmp_path / "w.safetensors", 7))
    assert tensors["lead.0.weight"].tolist() == [[1.0, 2.0]]
    assert json.loads(metadata["wideseek"]) == {"version": 7}


def test_weights_of_another_version_or_broken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train again"):
        load_weights(write(tmp_path / "w.safetensors", DISCRETE_VERSION + 1))
    broken = tmp_path / "broken"
    broken.write_bytes(b"12345678 no header")
    with pytest.raises(DataError, match="safetensors"):
        load_weights(broken)
