"""The table that sets runs of both trainers beside each other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "trainers/openrlhf/scripts/compare.py"


def told(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False
    )


def write_run(folder: Path, rewards: list[float]) -> None:
    folder.mkdir()
    lines = [json.dumps({"reward/total": reward}) for reward in rewards]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def test_differences_are_of_the_same_seed_and_iteration(tmp_path: Path) -> None:
    for seed, apart in enumerate((0.1, 0.2, 0.3)):
        write_run(tmp_path / f"grpo-{seed}", [float(seed)] * 5 + [5.0])
        write_run(tmp_path / f"openrlhf-{seed}", [seed + apart] * 5 + [5.0, 99.0])
    write_run(tmp_path / "grpo-3", [7.0])  # without its other half
    _, _, first, second, total = told(str(tmp_path)).stdout.splitlines()
    # Mean 0.2 and standard deviation 0.1 over three seeds: 4.303 * 0.1 / sqrt(3) on each side.
    assert first.split()[-3:] == ["+0.200", "[-0.048,", "+0.448]"]
    assert first.split()[1:4] == ["0.000", "1.000", "2.000"]
    assert second.split()[0] == "6-6"
    assert second.split()[-3:] == ["+0.000", "[+0.000,", "+0.000]"]
    assert total.split()[-3] == "+0.167"


def test_one_seed_or_none_has_no_interval_and_says_so(tmp_path: Path) -> None:
    write_run(tmp_path / "grpo-0", [0.5])
    write_run(tmp_path / "openrlhf-0", [0.5])
    for folder, got in ((tmp_path, "grpo-0, openrlhf-0"), (tmp_path / "nothing", "none")):
        said = told(str(folder))
        assert said.returncode == 1
        assert f"of 2 to 8 seeds in {folder}, got {got}; run" in said.stderr
        assert "Traceback" not in said.stderr
