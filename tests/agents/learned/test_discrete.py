"""A policy of one's own over the discrete interface sees and does what the environment would."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import numpy as np
import pytest

import wideseek_env
from agents.learned import DiscretePolicy, draw
from agents.rollout import Job, run_episode
from wideseek_env.records import Episode
from wideseek_env.worlds import World


def play(policy: DiscretePolicy, width: int = 2, seed: int = 0) -> Episode:
    world = World("starter", seed=0, split="test")
    job = Job(next(world.tasks(1)), world.backend(), width, world.preset.limits, seed=seed)
    return asyncio.run(run_episode(job, policy))


def last_legal(agent: str, seen: dict[str, Any], rng: np.random.Generator) -> int:
    return int(seen["action_mask"].nonzero()[0][-1])


def test_it_plays_the_episode_that_the_environment_plays() -> None:
    episode = play(DiscretePolicy(last_legal))
    world = World("starter", seed=0, split="test")
    env = wideseek_env.parallel_env(
        2,
        interface="discrete",
        tasks=[next(world.tasks(1))],
        backend=world.backend(),
        limits=world.preset.limits,
    )
    seen, _ = env.reset(seed=0)
    while env.agents:
        seen, *_ = env.step({a: last_legal(a, o, np.random.default_rng()) for a, o in seen.items()})
    assert env.episode is not None
    assert episode.answer == env.episode.answer
    assert episode.num_tool_calls == env.episode.num_tool_calls > 0


def test_it_is_told_who_is_asked_and_draws_the_same_again() -> None:
    asked = []

    def act(agent: str, seen: dict[str, Any], rng: np.random.Generator) -> np.int64:
        asked.append((agent, len(seen["observation"]), len(seen["action_mask"])))
        return rng.choice(seen["action_mask"].nonzero()[0])

    first, again = (play(DiscretePolicy(act), seed=3) for _ in range(2))
    decided = [
        [[t.decision for t in track.turns] for track in e.trajectories] for e in (first, again)
    ]
    assert decided[0] == decided[1]
    assert {(26, 17), (34, 22)} == {shape[1:] for shape in asked}
    assert {agent for agent, *_ in asked} == {"lead", "subagent_0", "subagent_1"}


def test_an_illegal_move_is_a_turn_without_calls() -> None:
    episode = play(DiscretePolicy(lambda agent, seen, rng: 10**6))
    assert episode.valid
    assert (episode.end, episode.num_tool_calls) == ("turn_budget", 0)


def test_nobody_to_lead_is_an_error_that_says_so() -> None:
    episode = play(DiscretePolicy(last_legal, "mine"), width=0)
    assert not episode.valid
    assert "mine are a lead's" in (episode.error or "")


def test_draw_takes_legal_moves_by_their_odds() -> None:
    rng, mask = np.random.default_rng(0), np.array([1, 0, 1])
    logits = np.log([0.2, 99.0, 0.8])
    drawn = [draw(logits, mask, rng) for _ in range(4000)]
    assert set(drawn) == {0, 2}
    assert np.mean([move == 2 for move in drawn]) == pytest.approx(0.8, abs=0.03)
    assert {draw(logits, mask, rng, temperature=0) for _ in range(20)} == {2}
    cold = [draw(logits, mask, rng, temperature=0.5) for _ in range(4000)]  # odds squared: 16 to 1
    assert np.mean([move == 2 for move in cold]) == pytest.approx(16 / 17, abs=0.02)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_torch_modules_choose_for_their_role() -> None:
    import torch

    from agents.learned import torch_actor

    class Fixed(torch.nn.Module):
        def __init__(self, *best: int) -> None:
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(30))
            self.bias.data[list(best)] = 1000.0

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            assert features.dtype == torch.float32
            return self.bias.expand(len(features), -1)

    act = torch_actor(Fixed(3), Fixed(7), temperature=0)
    rng = np.random.default_rng(0)
    seen = {"observation": np.zeros(5, np.float32), "action_mask": np.ones(30, np.int8)}
    assert (act("lead", seen, rng), act("subagent_12", seen, rng)) == (3, 7)
    seen["action_mask"][3] = 0
    assert act("lead", seen, rng) != 3
