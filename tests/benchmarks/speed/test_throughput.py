"""The figures come out; how large they are depends on the machine and is not tested."""

from __future__ import annotations

import asyncio

from benchmarks.speed import throughput


def test_random_play_counts_more_when_drawing_is_left_out():
    stepping, drawing = throughput.random_play(0.3)
    assert stepping > drawing > 0


def test_processes_play_side_by_side():
    one, two = throughput.random_moves(0.5), throughput.moves_in_processes(0.5, 2)
    assert two > 1.2 * one


def test_turn_costs_do_not_grow_with_the_episode():
    first_s, last_s = min(throughput.turn_costs(2_000) for _ in range(2))
    assert last_s < 2 * first_s


def test_play_at_once_all_episodes_are_valid():
    num_valid, num_turns, _ = asyncio.run(throughput.play_at_once(50))
    assert num_valid == 50
    assert num_turns >= 50


def test_idle_memory_is_small_and_not_nothing():
    assert 500 < throughput.idle_memory(50) < 100_000
