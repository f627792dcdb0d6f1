"""What is printed of targets, and when one counts as missed."""

from __future__ import annotations

import io

from rich.console import Console

from benchmarks.speed.targets import Measurement, print_measurements, print_targets

NO_TARGET = Measurement("width", "8")
REACHED = Measurement("ratio", "6.0", ">= 5", True)
MISSED = Measurement("rate", "90", "100", False)


def test_a_missed_measurement_is_no_and_one_without_a_target_is_neither():
    out = io.StringIO()
    assert not print_measurements(Console(file=out), [MISSED, NO_TARGET, REACHED], "All")
    words = {
        line.split("│")[1].strip(): line for line in out.getvalue().splitlines() if "│" in line
    }
    assert "no" in words["rate"]
    assert "yes" in words["ratio"]
    assert not {"yes", "no"} & set(words["width"].split())
    assert print_measurements(Console(file=io.StringIO()), [NO_TARGET, REACHED])


def test_targets_are_all_printed_and_one_missed_is_enough():
    out = io.StringIO()
    assert not print_targets(Console(file=out), {"quicker": True, "smaller": False, "ready": True})
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["yes", "quicker"],
        ["no", "smaller"],
        ["yes", "ready"],
    ]
    assert print_targets(Console(file=io.StringIO()), {"quicker": True})
