"""Which episodes are imitated, and that the student then plays like them."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from agents.learned.orders import ORDERS
from trainers.discrete.lessons import best_of, teach
from trainers.discrete.networks import Networks
from trainers.discrete.options import DiscreteOptions
from trainers.discrete.play import Crew, Draw, Played, make_player

DRAW = Draw(0, 0, 12, 2, 0)


def test_the_best_of_each_task_share_its_weight() -> None:
    def row(*scores: float | None) -> list[Played]:
        return [Played(DRAW, f1, {}) for f1 in scores]

    lessons = best_of([row(0.2, 0.5, 0.0, None), row(0.9, 0.495, 0.0, 0.1), row(0.1, 0.3, 0.0, 0)])
    assert [(episode.item_f1, weight) for episode, weight in lessons] == [
        (0.9, 1.0), (0.5, 0.5), (0.495, 0.5), (0.1, 1.0),
    ]  # fmt: skip


def test_a_student_of_one_task_plays_it_much_as_the_best_order_does() -> None:
    options = DiscreteOptions(
        out=Path("unused"), sources=("worlds:starter:0",), num_tasks=2, num_workers=1
    )
    networks = Networks(options)
    draws = [Draw(0, n % 2, 12, 2, n) for n in range(12)]
    with Crew(options) as crew:
        untaught = crew.play(networks.weights(), draws)
        means = teach(networks, crew, draws)
        students = crew.play(networks.weights(), draws)
    assert means.keys() == {*ORDERS, "best"}
    by_order = {order: make_player(options)((order, draws)) for order in ORDERS}
    best = np.mean(
        [max(e.item_f1 or 0.0 for e in of_task) for of_task in zip(*by_order.values(), strict=True)]
    )
    assert means["best"] == pytest.approx(best)
    before, after = (np.mean([e.item_f1 or 0.0 for e in some]) for some in (untaught, students))
    assert after > (before + best) / 2  # some of the way is lost, as the student draws its moves
