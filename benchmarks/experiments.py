"""What the parts of multi-agent GRPO are worth, on a tiny model from scratch and held-out worlds.

    python -m trainers.sft --preset tiny --out runs/sft
    python -m benchmarks.experiments gain --start runs/sft --out runs/experiments

Each experiment trains its variants from one supervised start, each with every seed, and plays them
at several widths on worlds whose names no training had. What is done already is kept, so
seeds can run in several processes (`--seeds 0`, `--seeds 1`), and the last call (`--seeds 0 1 2`)
makes the table and the picture of all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure

from benchmarks import evaluate
from trainers import grpo, sft
from wideseek_env.scoring.statistics import Interval, bootstrap_interval

Scores = dict[int, list[float]]
"""Item F1 of each held-out task, by width."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to go on from the start."""

    label: str
    train: Callable[[Sequence[str]], int]
    flags: tuple[str, ...] = ()


IMITATION = "imitation"
VARIANTS: Mapping[str, Variant] = {
    "joint": Variant("GRPO", grpo.main),
    IMITATION: Variant("imitation, same minutes", sft.main, ("--lr", "1e-3", "--lr-end", "0.1")),
    "lead": Variant("GRPO, lead only", grpo.main, ("--roles", "lead")),
    "subagents": Variant("GRPO, subagents only", grpo.main, ("--roles", "subagent")),
    "provenance": Variant("GRPO, credit by provenance", grpo.main, ("--provenance", "0.5")),
}
EXPERIMENTS: Mapping[str, tuple[str, ...]] = {
    "gain": ("joint", IMITATION),
    "roles": ("joint", "lead", "subagents"),
    "credit": ("joint", "provenance"),
}
"""Variants of each experiment; `joint` first, as it says how many minutes imitation gets."""


def seconds_of(run: Path) -> list[float]:
    """Returns the seconds of each step that a run has logged.

    Raises:
        FileNotFoundError: the folder is not that of a run.
    """
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [sum(v for k, v in line.items() if k.startswith("seconds/")) for line in lines]


def train(name: str, seed: int, start: Path, num_steps: int, out: Path) -> Path:
    """Trains a variant, or goes on with it, and returns its folder."""
    variant, run = VARIANTS[name], out / f"{name}-{seed}"
    if name == IMITATION:
        budget_s = sum(seconds_of(out / f"joint-{seed}"))
        num_steps = max(round(budget_s / fmean(seconds_of(start))), 1)
    flags = {
        "--preset": "tiny",
        "--model": str(start),
        "--seed": str(seed),
        "--num-steps": str(num_steps),
        "--out": str(run),
    }
    if not (run / "checkpoints" / f"step_{num_steps:06d}").exists():
        variant.train([*(part for pair in flags.items() for part in pair), *variant.flags])
    return run


def scores_of(
    run: Path, file: Path, widths: Sequence[int], num_tasks: int, temperature: float
) -> Scores:
    """Returns the scores of a run's last checkpoint; those in `file` are not played again."""
    known: Scores = {}
    if file.exists():
        known = {
            int(width): scores for width, scores in json.loads(file.read_text("utf-8")).items()
        }
    policy = None
    for width in widths:
        if len(known.get(width, ())) != num_tasks:
            policy = policy or evaluate.policy_of(str(run), temperature)
            played = asyncio.run(evaluate.play(policy, width, num_tasks=num_tasks))
            known[width] = [e.score.item_f1 if e.score else 0.0 for e in played]
            file.write_text(json.dumps(known), "utf-8")
    return {width: known[width] for width in widths}


def pooled(runs: Sequence[Scores], width: int) -> Interval:
    """Returns the mean over seeds and tasks, with its interval over tasks."""
    return bootstrap_interval([fmean(task) for task in zip(*(s[width] for s in runs), strict=True)])


def gained(runs: Sequence[Scores], start: Sequence[Scores], width: int) -> Interval:
    """Returns by how much runs are above the start, with its interval over the same tasks."""
    after, before = (zip(*(s[width] for s in group), strict=True) for group in (runs, start))
    return bootstrap_interval([fmean(a) - fmean(b) for a, b in zip(after, before, strict=True)])


def table(results: Mapping[str, Sequence[Scores]], widths: Sequence[int]) -> str:
    """Returns a Markdown table: mean [95 % interval over tasks] (each seed's mean).

    Below each variant stands its gain over the first, task by task.
    """
    lines = ["| | " + " | ".join(f"{width}" for width in widths) + " |"]
    lines.append("|---" * (len(widths) + 1) + "|")
    start = next(iter(results.values()))
    for label, runs in results.items():
        cells, gains = [], []
        for width in widths:
            found, gain = pooled(runs, width), gained(runs, start, width)
            seeds = ", ".join(f"{fmean(run[width]):.2f}" for run in runs)
            below = f" ({seeds})" if len(runs) > 1 else ""
            cells.append(f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]{below}")
            gains.append(f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]")
        lines.append(f"| {label} | {' | '.join(cells)} |")
        if runs is not start:
            lines.append(f"| over the start | {' | '.join(gains)} |")
    return "\n".join(lines)


def draw(results: Mapping[str, Sequence[Scores]], widths: Sequence[int], file: Path) -> None:
    """Draws item F1 against width, with intervals."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(widths))
    for label, runs in results.items():
        found = [pooled(runs, width) for width in widths]
        axes.plot(at, [f.mean for f in found], marker="o", markersize=4, label=label)
        axes.fill_between(at, [f.low for f in found], [f.high for f in found], alpha=0.15)
    axes.set(xlabel="subagents", ylabel="item F1, held-out worlds", ylim=(0, 1))
    axes.set_xticks(at, [str(width) for width in widths])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(file, dpi=150)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one experiment from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--start", type=Path, default=Path("runs/sft"), help="run of trainers.sft")
    parser.add_argument("--out", type=Path, default=Path("runs/experiments"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=80, help="GRPO steps of a run")
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--tasks", type=int, default=100, help="held-out tasks")
    parser.add_argument("--temperature", type=float, default=0.0, help="of play; 0 is greedy")
    given = parser.parse_args(argv)
    if not (given.start / "metrics.jsonl").exists():
        parser.error(
            f"--start: expected the folder of a run, got {given.start} without metrics.jsonl; make "
            "one with `python -m trainers.sft --preset tiny --out runs/sft`"
        )
    given.out.mkdir(parents=True, exist_ok=True)
    file, how = f"scores-t{given.temperature:g}.json", (given.tasks, given.temperature)
    start = scores_of(given.start, given.out / f"start-{file}", given.widths, *how)
    results: dict[str, list[Scores]] = {"start": [start]}
    for name in EXPERIMENTS[given.experiment]:
        for seed in given.seeds:
            run = train(name, seed, given.start, given.steps, given.out)
            scores = scores_of(run, run / file, given.widths, *how)
            results.setdefault(VARIANTS[name].label, []).append(scores)
    sys.stdout.write(table(results, given.widths) + "\n")
    draw(results, given.widths, given.out / f"{given.experiment}-t{given.temperature:g}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
