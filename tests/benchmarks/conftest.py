"""What tests of several benchmarks share."""

import pytest

from benchmarks.report import charts


@pytest.fixture
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the drawing, which `report/test_charts.py` tests: it takes a second."""
    monkeypatch.setattr(charts, "save_png", lambda figure, path: path.write_bytes(b"png"))
    monkeypatch.setattr(charts, "svg_of", lambda figure, prefix: "<svg></svg>")
