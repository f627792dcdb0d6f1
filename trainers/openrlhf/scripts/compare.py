"""Sets the runs of `compare-cpu.sh` beside each other: `python compare.py runs/compare`.

Both trainers played the same tasks at the same iteration of a seed, so that their difference is
taken there, where tasks that are easy or hard fall out. A second word names another number than the
reward, such as `episodes/width`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WINDOW = 5
"""Iterations of a line of the table."""
T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}
"""Student's t of a 95 % interval, by the number of seeds."""


def seeds_of(folder: Path) -> list[str]:
    """Returns the seeds that both trainers have begun with.

    Raises:
        SystemExit: they are too few for an interval, or too many for the table of t.
    """
    begun = sorted(path.parent.name for path in folder.glob("*-*/metrics.jsonl"))
    ours = [name.removeprefix("grpo-") for name in begun if name.startswith("grpo-")]
    seeds = [seed for seed in ours if f"openrlhf-{seed}" in begun]
    if len(seeds) not in T_975:
        raise SystemExit(
            f"expected grpo-SEED and openrlhf-SEED of 2 to 8 seeds in {folder}, got "
            f"{', '.join(begun) or 'none'}; run trainers/openrlhf/scripts/compare-cpu.sh"
        )
    return seeds


def curve(run: Path, number: str) -> list[float]:
    """Returns a number of each iteration of a run."""
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)[number] for line in lines]


def interval(by_seed: NDArray[np.float64]) -> str:
    """Returns the mean over seeds with its 95 % interval."""
    half = T_975[len(by_seed)] * by_seed.std(ddof=1) / len(by_seed) ** 0.5
    return f"{by_seed.mean():+.3f} [{by_seed.mean() - half:+.3f}, {by_seed.mean() + half:+.3f}]"


def table(folder: Path, number: str) -> str:
    """Returns the number by window: each seed of either trainer, and how far they are apart."""
    seeds = seeds_of(folder)
    runs = [[curve(folder / f"{who}-{s}", number) for s in seeds] for who in ("grpo", "openrlhf")]
    last = min(len(run) for of in runs for run in of)  # a run may still go on
    ours, theirs = (np.array([run[:last] for run in of]) for of in runs)
    lines = [f"{number}\niterations  train grpo, seeds {', '.join(seeds)}  OpenRLHF  difference"]
    for start, end in (*((i, min(i + WINDOW, last)) for i in range(0, last, WINDOW)), (0, last)):
        means = [of[:, start:end].mean(axis=1) for of in (ours, theirs)]
        each = ["  ".join(f"{mean:.3f}" for mean in of) for of in means]
        apart = interval(means[1] - means[0])
        lines.append("    ".join((f"{start + 1:3}-{end:<3}  ", *each, apart)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("expected a folder, and perhaps a number: compare.py runs/compare")
    sys.stdout.write(table(Path(sys.argv[1]), *(sys.argv[2:] or ["reward/total"])))
