"""Finds the optional real data that some tests use; they skip, saying why, when it is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(name: str) -> Path:
    """Returns the folder of the data set `name`, or skips the calling test.

    `$WIDESEEK_DATA` overrides where to look. Known names: deepwidesearch, wikipages.
    """
    folder = Path(os.environ.get("WIDESEEK_DATA", _DEFAULT)) / name
    if not folder.is_dir():
        pytest.skip(f"needs real data in {folder}; set WIDESEEK_DATA to the folder that has {name}")
    return folder
