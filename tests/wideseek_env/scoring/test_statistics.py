from __future__ import annotations

import pytest

from wideseek_env.scoring.statistics import avg_max_pass_at_k, bootstrap_interval


def test_bootstrap_interval_of_a_coin_is_near_the_normal_one() -> None:
    # 200 values of 0 and 1: standard error sqrt(.25 / 200) = .03536, so 1.96 of them are .0693.
    interval = bootstrap_interval([0.0, 1.0] * 100)
    assert interval.mean == 0.5
    assert interval.low == pytest.approx(0.5 - 0.0693, abs=0.008)
    assert interval.high == pytest.approx(0.5 + 0.0693, abs=0.008)
    assert bootstrap_interval([0.0, 1.0] * 100) == interval
    assert str(interval).startswith("0.5000 [")


def test_bootstrap_interval_of_equal_values_is_a_point() -> None:
    interval = bootstrap_interval([0.25] * 5)
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)


def test_bootstrap_interval_higher_confidence_is_wider() -> None:
    values = [0.1, 0.4, 0.9, 0.3]
    narrow, wide = (bootstrap_interval(values, confidence=c) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_avg_max_pass_at_k_worked_by_hand() -> None:
    figures = avg_max_pass_at_k([[0.0, 1.0], [0.5, 0.3], [0.2]])
    assert figures.avg.mean == pytest.approx((0.5 + 0.4 + 0.2) / 3)
    assert figures.max.mean == pytest.approx((1.0 + 0.5 + 0.2) / 3)
    assert figures.passed.mean == pytest.approx(1 / 3)
    assert figures.num_trials == (1, 2)


def test_statistics_without_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval([])
    for trials in ([], [[1.0], []]):
        with pytest.raises(ValueError, match="at least one"):
            avg_max_pass_at_k(trials)
