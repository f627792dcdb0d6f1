"""Sets the runs of `compare-cpu.sh` beside each other: `python compare.py runs/compare`.

Both trainers played the same tasks at the same iteration of a seed, so that their difference is
taken there, where tasks that are easy or hard fall out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WINDOW = 5
"""Iterations of a line of the table."""
T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}
"""Student's t of a 95 % interval, by the number of seeds."""


def curves(runs: Iterable[Path], number: str) -> NDArray[np.float64]:
    """Reads a number of each iteration of each run, (runs, iterations)."""
    told = [(run / "metrics.jsonl").read_text("utf-8").splitlines() for run in runs]
    return np.array([[json.loads(line)[number] for line in lines] for lines in told])


def interval(by_seed: NDArray[np.float64]) -> str:
    """Returns the mean over seeds with its 95 % interval."""
    half = T_975[len(by_seed)] * by_seed.std(ddof=1) / len(by_seed) ** 0.5
    return f"{by_seed.mean():+.3f} [{by_seed.mean() - half:+.3f}, {by_seed.mean() + half:+.3f}]"


def main(folder: Path, number: str = "reward/total") -> None:
    """Prints a number by window: each seed of either trainer, and how far they are apart."""
    seeds = sorted(path.name.removeprefix("grpo-") for path in folder.glob("grpo-?"))
    ours = curves((folder / f"grpo-{seed}" for seed in seeds), number)
    theirs = curves((folder / f"openrlhf-{seed}" for seed in seeds), number)
    lines = [f"{number}\niterations  train grpo, seeds {', '.join(seeds)}  OpenRLHF  difference"]
    last = ours.shape[1]
    for start, end in (*((i, min(i + WINDOW, last)) for i in range(0, last, WINDOW)), (0, last)):
        means = [runs[:, start:end].mean(axis=1) for runs in (ours, theirs)]
        each = ["  ".join(f"{mean:.3f}" for mean in of) for of in means]
        apart = interval(means[1] - means[0])
        lines.append("    ".join((f"{start + 1:3}-{end:<3}  ", *each, apart)))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
