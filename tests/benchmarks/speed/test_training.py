"""What the comparison with TRL says of its figures; with TRL, that both really learn the same."""

from __future__ import annotations

from io import StringIO

import pytest

pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from rich.console import Console

from benchmarks.speed.training import Comparison, is_reached, table_of
from wideseek_env.cli.commands import run_command


@pytest.mark.parametrize(
    ("name", "ours", "products", "expected"),
    [
        ("solo: update", [2.0, 0.5, 1.1], 0.6, True),
        ("solo: update", [0.9, 0.5, 2.0], 0.9, False),  # slower, in the median
        ("solo: update", [2.0, 2.0, 2.0], 0.5, False),  # not busy with products
        ("turn: sampling and update", [2.0, 2.0, 2.0], 0.5, True),  # that is asked of updates alone
    ],
)
def test_is_reached(name: str, ours: list[float], products: float, expected: bool) -> None:
    assert is_reached(Comparison(name, ours, [1.0] * 3, products, 0.4)) is expected


def test_table_shows_medians_and_the_range_of_the_ratio_of_each_step() -> None:
    out = StringIO()
    figure = Comparison("solo", [900.0, 1000.0, 3000.0], [300.0, 1000.0, 2000.0], 0.61, 0.4)
    Console(file=out, width=150).print(table_of([figure]))
    line = next(line for line in out.getvalue().splitlines() if "solo" in line)
    assert [cell.strip() for cell in line.split("│")[2:6]] == [
        "1,000",
        "1,000",
        "1.50 (1.00-3.00)",
        "61%, 40%",
    ]


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.filterwarnings("ignore")  # TRL's
def test_speed_training_beside_trl(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trl", reason="needs TRL: `make test-openrlhf`")
    words = "turn solo --num-steps 1 --group-size 4 --max-new-tokens 8 --trl-rows 4"
    assert run_command("speed training", words.split()) in (0, 1)  # this machine may be busy
    told = capfd.readouterr().out
    assert "turn: update on 16 rows" in told
    assert "turn: sampling and update, sampled tokens" in told
    assert "solo: update on 16 rows" in told
