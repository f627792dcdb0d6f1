"""Turn-taking, barrier and driver wait for the same pages; only the waiting differs."""

from __future__ import annotations

from benchmarks.speed import concurrency


def test_measure_driver_beats_barrier_beats_turns():
    timing = concurrency.measure(num_episodes=1, mean_s=0.01)
    assert timing.critical_path_s <= timing.drive_s
    assert timing.drive_s < timing.step_together_s < timing.take_turns_s


def test_slow_pages_draw_what_they_state():
    pages = concurrency.SlowPages(mean_s=0.1, sigma=0.8, seed=0)
    times = [s for seed in range(50) for row in
             concurrency.SlowPages(0.1, 0.8, seed).seconds for s in row]  # fmt: skip
    assert abs(sum(times) / len(times) - 0.1) < 0.01
    assert pages.critical_path_s == max(sum(row) for row in pages.seconds)
