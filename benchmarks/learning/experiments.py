"""What the parts of multi-agent GRPO are worth, on a tiny model from scratch and held-out worlds.

    python -m trainers.sft --preset tiny --out runs/sft
    python -m benchmarks.learning.experiments gain --start runs/sft --out runs/experiments

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
from typing import Literal

from matplotlib.figure import Figure

from benchmarks.learning import evaluate
from benchmarks.learning.evaluate import HeldOut
from trainers import grpo, sft
from wideseek_env.scoring.statistics import Interval, bootstrap_interval

Scores = dict[str, list[float]]
"""Item F1 of each held-out task, by exam, and under `MEAN` its mean over the widths."""
MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to go on from the start."""

    label: str
    train: Callable[[Sequence[str]], int] = grpo.main
    flags: tuple[str, ...] = ()
    lesson: str | None = None
    """Of `LESSONS`: what the start learns to imitate first."""
    as_long_as: Literal["steps", "seconds", "tokens"] = "steps"
    """In what it gets as much as `JOINT` with the same seed."""
    exams: tuple[HeldOut, ...] = ()
    """What it plays; empty: wide tasks at the widths of the command."""


JOINT, IMITATION = "joint", "imitation"
ALONE = ("--n-subagents", "0")
EPISODES_OF_STEP = grpo.PRESETS["tiny"]["tasks_per_step"] * grpo.GRPOConfig.group_size
BOTH_KINDS = (*(HeldOut(width) for width in (1, 4, 8)), HeldOut(4, "deep"))
LESSONS: Mapping[str, tuple[str, ...]] = {
    "hybrid": ("--kind", "hybrid", "--num-steps", "600"),
    "alone": (*ALONE, "--teacher", "solo", "--num-steps", "400"),
}
"""Flags of `trainers.sft` for skills that the start has not: questions of several hops, and playing
without subagents. What it learns is as perfect as its teachers are."""
VARIANTS: Mapping[str, Variant] = {
    JOINT: Variant("GRPO"),
    IMITATION: Variant(
        "imitation, same minutes", sft.main, ("--lr", "1e-3"), as_long_as="seconds"
    ),
    "lead": Variant("GRPO, lead only", flags=("--roles", "lead")),
    "subagents": Variant("GRPO, subagents only", flags=("--roles", "subagent")),
    "provenance": Variant("GRPO, credit by provenance", flags=("--provenance", "0.5")),
    **{
        kind: Variant(f"GRPO on {kind}", flags=("--kind", kind), lesson="hybrid", exams=BOTH_KINDS)
        for kind in ("wide", "deep", "hybrid")
    },
    "alone": Variant(
        "GRPO alone, same tokens", flags=ALONE, lesson="alone", as_long_as="tokens",
        exams=(HeldOut(0),),
    ),
}  # fmt: skip
EXPERIMENTS: Mapping[str, tuple[str, ...]] = {
    "gain": (JOINT, IMITATION),
    "roles": (JOINT, "lead", "subagents"),
    "credit": (JOINT, "provenance"),
    "data": ("wide", "deep", "hybrid"),
    "team": (JOINT, "alone"),
}
"""Variants of each experiment; `JOINT` before those that get as much as it."""


def logged(run: Path) -> list[dict[str, float]]:
    """Returns the seconds and tokens of each step that a run has logged.

    Raises:
        FileNotFoundError: the folder is not that of a run.
    """
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [
        {
            "seconds": sum(v for k, v in line.items() if k.startswith("seconds/")),
            "tokens": line.get("tokens/rows", 0.0),
        }
        for line in lines
    ]


def train(name: str, seed: int, given: argparse.Namespace) -> tuple[Path, Path]:
    """Trains a variant, or goes on with it; returns the run that it began from, and its own."""
    variant, out, start = VARIANTS[name], given.out, given.start
    if variant.lesson:
        start = out / f"lesson-{variant.lesson}"
        run_trainer(sft.main, given.start, start, 0, LESSONS[variant.lesson])
    flags = ("--num-steps", str(steps_of(variant, seed, start, given)), *variant.flags)
    run_trainer(variant.train, start, out / f"{name}-{seed}", seed, flags)
    return start, out / f"{name}-{seed}"


def run_trainer(
    trainer: Callable[[Sequence[str]], int], start: Path, run: Path, seed: int, flags: Sequence[str]
) -> None:
    """Trains with the preset `tiny`, unless the run has its last checkpoint already."""
    steps = int(flags[flags.index("--num-steps") + 1])
    if not (run / "checkpoints" / f"step_{steps:06d}").exists():
        where = ("--preset", "tiny", "--model", str(start), "--out", str(run))
        trainer([*where, "--seed", str(seed), *flags])


def steps_of(variant: Variant, seed: int, start: Path, given: argparse.Namespace) -> int:
    """Returns how many steps make a variant as long as `JOINT`, by what its start took a step."""
    if variant.as_long_as == "steps":
        return int(given.steps)
    joint, imitated = logged(given.out / f"{JOINT}-{seed}"), logged(start)
    total = sum(line[variant.as_long_as] for line in joint)
    per_step = fmean(line[variant.as_long_as] for line in imitated)
    if variant.train is grpo.main:
        per_step *= EPISODES_OF_STEP / sft.PRESETS["tiny"]["tasks_per_step"]
    return max(round(total / per_step), 1)


def scores_of(
    run: Path, file: Path, exams: Sequence[HeldOut], num_tasks: int, temperature: float
) -> Scores:
    """Returns the scores of a run's last checkpoint; those in `file` are not played again."""
    known: Scores = json.loads(file.read_text("utf-8")) if file.exists() else {}
    policy = None
    for exam in exams:
        if len(known.get(str(exam), ())) != num_tasks:
            policy = policy or evaluate.policy_of(str(run), temperature)
            played = asyncio.run(evaluate.play(policy, exam, num_tasks=num_tasks))
            known[str(exam)] = [e.score.item_f1 for e in played if e.score]
            file.write_text(json.dumps(known), "utf-8")
    scores = {str(exam): known[str(exam)] for exam in exams}
    wide = [known[str(exam)] for exam in exams if exam.kind == "wide"]
    if len(wide) > 1:
        scores[MEAN] = [fmean(task) for task in zip(*wide, strict=True)]
    return scores


@dataclass(frozen=True, slots=True)
class Result:
    """What one variant scored, and what it began from."""

    label: str
    runs: Sequence[Scores]
    """One for each seed."""
    start: Scores | None = None
    """None for a start."""

    def pooled(self, exam: str) -> Interval:
        """Returns the mean over seeds and tasks, with its interval over tasks."""
        return bootstrap_interval(
            [fmean(task) for task in zip(*(run[exam] for run in self.runs), strict=True)]
        )

    def gained(self, exam: str) -> Interval:
        """Returns by how much the runs are above their start, with its interval over tasks."""
        if self.start is None:
            raise ValueError(f"expected what {self.label!r} began from, got a start itself")
        tasks = zip(*(run[exam] for run in self.runs), self.start[exam], strict=True)
        return bootstrap_interval([fmean(runs) - start for *runs, start in tasks])


def table(results: Sequence[Result], exams: Sequence[str]) -> str:
    """Returns a Markdown table: mean [95 % interval over tasks] (each seed's mean).

    Below each variant stands its gain over its start, task by task.
    """
    lines = [f"| | {' | '.join(exams)} |", "|---" * (len(exams) + 1) + "|"]
    for result in results:
        cells, gains = [], []
        for exam in exams:
            if exam not in result.runs[0]:
                cells.append("")
                gains.append("")
                continue
            found = result.pooled(exam)
            seeds = ", ".join(f"{fmean(run[exam]):.2f}" for run in result.runs)
            below = f" ({seeds})" if len(result.runs) > 1 else ""
            cells.append(f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]{below}")
            if result.start is not None:
                gain = result.gained(exam)
                gains.append(f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]")
        lines.append(f"| {result.label} | {' | '.join(cells)} |")
        if result.start is not None:
            lines.append(f"| over its start | {' | '.join(gains)} |")
    return "\n".join(lines)


def draw(results: Sequence[Result], exams: Sequence[str], file: Path) -> None:
    """Draws item F1 by exam, with intervals."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for result in results:
        at = [i for i, exam in enumerate(exams) if exam in result.runs[0]]
        found = [result.pooled(exams[i]) for i in at]
        line = axes.plot(at, [f.mean for f in found], marker="o", markersize=4, label=result.label)
        below, above = [f.mean - f.low for f in found], [f.high - f.mean for f in found]
        axes.errorbar(
            at, [f.mean for f in found], (below, above), fmt="none", color=line[0].get_color(),
            alpha=0.4,
        )  # fmt: skip
    axes.set(xlabel="subagents", ylabel="item F1, held-out worlds", ylim=(0, 1))
    axes.set_xticks(range(len(exams)), exams)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(file, dpi=150)


def exams_of(variant: Variant, given: argparse.Namespace) -> tuple[HeldOut, ...]:
    """Returns what a variant plays."""
    return variant.exams or tuple(HeldOut(width) for width in given.widths)


def experiment(given: argparse.Namespace) -> list[Result]:
    """Trains and plays the variants of an experiment; returns what each and each start scored."""
    file, how = f"scores-t{given.temperature:g}.json", (given.tasks, given.temperature)
    results: dict[str, Result] = {}
    for name in EXPERIMENTS[given.experiment]:
        variant = VARIANTS[name]
        exams, runs, before = exams_of(variant, given), [], None
        for seed in given.seeds:
            start, run = train(name, seed, given)
            if before is None:
                label = "start" if variant.lesson is None else f"start, {variant.lesson}"
                before = scores_of(start, given.out / f"{start.name}-{file}", exams, *how)
                results.setdefault(label, Result(label, [before]))
            runs.append(scores_of(run, run / file, exams, *how))
        results[name] = Result(variant.label, runs, before)
    return list(results.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one experiment from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--start", type=Path, default=Path("runs/sft"), help="run of trainers.sft")
    parser.add_argument("--out", type=Path, default=Path("runs/experiments"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--steps", type=int, default=grpo.PRESETS["tiny"]["num_steps"], help="GRPO steps of a run"
    )
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--tasks", type=int, default=200, help="held-out tasks")
    parser.add_argument("--temperature", type=float, default=0.0, help="of play; 0 is greedy")
    given = parser.parse_args(argv)
    if not (given.start / "metrics.jsonl").exists():
        parser.error(
            f"--start: expected the folder of a run, got {given.start} without metrics.jsonl; make "
            "one with `python -m trainers.sft --preset tiny --out runs/sft`"
        )
    given.out.mkdir(parents=True, exist_ok=True)
    results = experiment(given)
    variants = [VARIANTS[name] for name in EXPERIMENTS[given.experiment]]
    played = {exam for variant in variants for exam in exams_of(variant, given)}
    exams = [
        str(exam) for exam in sorted(played, key=lambda exam: (exam.kind != "wide", exam.width))
    ]
    sys.stdout.write(table(results, [*exams, MEAN]) + "\n")
    draw(results, exams, given.out / f"{given.experiment}-t{given.temperature:g}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
