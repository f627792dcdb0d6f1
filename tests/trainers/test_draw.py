"""Which tasks are played when, and how wide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainers.draw import Draw

DRAW = Draw(num_tasks=11, tasks_per_iteration=4, n_subagents=3, random_width=True, seed=7)


def test_a_pass_has_whole_iterations_and_no_task_twice() -> None:
    for which_pass in (0, 1):
        played = [DRAW.iteration(2 * which_pass + place) for place in (0, 1)]
        assert [len(tasks) for tasks in played] == [4, 4]
        assert len({number for tasks in played for number, _ in tasks}) == 8
    assert DRAW.iteration(0) != DRAW.iteration(2)


def test_first_pass_is_its_iterations_and_then_the_tasks_that_are_left() -> None:
    tasks = list(DRAW.first_pass())
    assert tasks[:8] == DRAW.iteration(0) + DRAW.iteration(1)
    assert sorted(number for number, _ in tasks) == list(range(11))


def test_fewer_tasks_than_an_iteration_make_a_pass_and_no_iteration() -> None:
    few = replace(DRAW, num_tasks=3)
    assert sorted(number for number, _ in few.first_pass()) == [0, 1, 2]
    with pytest.raises(ValueError, match="`tasks_per_iteration` must be at most the 3 tasks"):
        few.iteration(0)


def test_widths_are_drawn_from_one_on_or_are_all_the_same() -> None:
    widths = {width for iteration in range(20) for _, width in DRAW.iteration(iteration)}
    assert widths == {1, 2, 3}
    for fixed in (replace(DRAW, random_width=False), replace(DRAW, n_subagents=0)):
        assert {width for _, width in fixed.iteration(0)} == {fixed.n_subagents}


def test_a_seed_is_an_order() -> None:
    assert DRAW.iteration(3) == replace(DRAW).iteration(3)
    other = replace(DRAW, seed=8)
    assert [n for n, _ in other.iteration(0)] != [n for n, _ in DRAW.iteration(0)]
