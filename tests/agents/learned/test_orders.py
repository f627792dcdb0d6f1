import asyncio
from dataclasses import replace
from statistics import fmean

import pytest

from agents.learned.orders import ORDERS, OrderPolicy
from agents.rollout import Job, rollout
from wideseek_env.records import Episode
from wideseek_env.worlds import World


def play(order: str, budget: int | None = None) -> list[Episode]:
    world = World("starter", seed=0, split="test")
    limits = replace(world.preset.limits, max_tool_calls=budget)
    backend = world.backend()
    jobs = [Job(task, backend, 2, limits, seed=0) for task in world.tasks(8, seed=0)]

    async def run() -> list[Episode]:
        return [e async for e in rollout(jobs, OrderPolicy(order))]

    return asyncio.run(run())


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_plays_to_an_answer_within_its_calls(order: str) -> None:
    episodes = play(order)
    assert {(e.end, e.policy) for e in episodes} == {("answered", order)}
    if order != "query":  # which never reads the list, and needs conditions to search by
        assert fmean(e.score.item_f1 for e in episodes if e.score) > 0.5  # more than names
    assert all(e.num_tool_calls <= 5 for e in play(order, 5))


def test_the_first_legal_move_of_the_order_is_made() -> None:
    wide, verify = (play(order)[0].trajectories[0].turns[0] for order in ("wide", "verify"))
    assert "part | locate" in str(wide.decision.calls)
    assert "part | list | 2 of 2" in str(verify.decision.calls)
