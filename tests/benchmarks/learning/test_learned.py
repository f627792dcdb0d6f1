from agents.learned.orders import OrderPolicy
from benchmarks.learning.learned import Row, experiment, sources_of, won


def row(policy: str, width: int, low: float, high: float, budget: int = 25) -> Row:
    return Row("conflict", budget, width, policy, 60, (low + high) / 2, low, high, 20.0)


def test_a_win_needs_intervals_apart_from_all_rivals_of_the_same_cell() -> None:
    mine = row("mappo", 4, 0.4, 0.5)
    rivals = [row("solo", 0, 0.1, 0.2), row("fanout", 4, 0.2, 0.3)]
    assert won([mine, *rivals], "mappo") == [mine]
    assert won([mine, *rivals, row("fanout", 8, 0.6, 0.7)], "mappo") == [mine]  # another width
    assert won([mine, *rivals, row("fanout", 4, 0.6, 0.7, budget=40)], "mappo") == [mine]
    assert not won([mine, row("solo", 0, 0.1, 0.4), rivals[1]], "mappo")  # they touch
    order = row("verify", 4, 0.35, 0.45)
    assert not won([mine, *rivals, order], "mappo", ("solo", "fanout", "verify"))


def test_every_team_plays_the_same_tasks_within_the_same_calls() -> None:
    rows = list(experiment([OrderPolicy("wide")], ["starter"], [6], [2], num_tasks=3, seeds=(0, 1)))
    assert [(r.policy, r.width, r.num_tasks) for r in rows] == [
        ("solo", 0, 3), ("fanout", 2, 3), ("wide", 2, 3),
    ]  # fmt: skip
    assert all(0 < r.num_calls <= 6 and r.low <= r.item_f1 <= r.high for r in rows)


def test_tasks_come_in_equal_parts_from_the_test_worlds_of_the_seeds() -> None:
    first, second = sources_of("starter", (0, 1), 3)
    assert (len(first), len(second)) == (2, 1)
    told = [chosen.task.metadata for source in (first, second) for chosen in source]
    assert [(data["split"], data["seed"]) for data in told] == [
        ("test", 0), ("test", 0), ("test", 1),
    ]  # fmt: skip
