"""What the parts of multi-agent GRPO are worth, on a tiny model from scratch and held-out worlds.

    wideseek train sft --preset tiny --out runs/sft
    wideseek experiments gain --start runs/sft --out runs/experiments

Each experiment trains its variants from one supervised start, each with every seed, and plays them
at several widths on worlds whose names no training had. What is done already is kept, so
seeds can run in several processes (`--seeds 0`, `--seeds 1`), and the last call (`--seeds 0,1,2`)
makes the table and the picture of all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from matplotlib.figure import Figure
from tyro.conf import Positional

from benchmarks.learning import evaluate
from benchmarks.learning.evaluate import HeldOut
from trainers import checkpoint, grpo, sft
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import AtLeastZero, Count, Natural, OutFolder, Seed, check_values
from wideseek_env.errors import Interrupted
from wideseek_env.plugins import require
from wideseek_env.scoring.statistics import Interval, bootstrap_interval

Scores = dict[str, list[float]]
"""Item F1 of each held-out task, by exam, and under `MEAN` its mean over the widths."""
MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to go on from the start."""

    label: str
    trainer: Literal["grpo", "sft"] = "grpo"
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from the trainer's preset `tiny`."""
    lesson: str | None = None
    """Of `LESSONS`: what the start learns to imitate first."""
    as_long_as: Literal["iterations", "seconds", "tokens"] = "iterations"
    """In what it gets as much as `JOINT` with the same seed."""
    exams: tuple[HeldOut, ...] = ()
    """What it plays; empty: wide tasks at the widths of the command."""


JOINT, IMITATION = "joint", "imitation"
ALONE = {"n_subagents": 0}
EPISODES_OF_ITERATION = grpo.PRESETS["tiny"]["tasks_per_iteration"] * grpo.GRPOConfig.group_size
BOTH_KINDS = (*(HeldOut(width) for width in (1, 4, 8)), HeldOut(4, "deep"))
LESSONS: Mapping[str, Mapping[str, Any]] = {
    "hybrid": {"kind": "hybrid", "num_iterations": 600},
    "alone": {**ALONE, "teacher": "solo", "num_iterations": 400},
}
"""Settings of `trainers.sft` for skills that the start has not: questions of several hops, and
playing without subagents. What it learns is as perfect as its teachers are."""
VARIANTS: Mapping[str, Variant] = {
    JOINT: Variant("GRPO"),
    IMITATION: Variant("imitation, same minutes", "sft", {"lr": 1e-3}, as_long_as="seconds"),
    "lead": Variant("GRPO, lead only", changes={"roles": "lead"}),
    "subagents": Variant("GRPO, subagents only", changes={"roles": "subagent"}),
    "provenance": Variant("GRPO, credit by provenance", changes={"provenance": 0.5}),
    **{
        kind: Variant(f"GRPO on {kind}", changes={"kind": kind}, lesson="hybrid", exams=BOTH_KINDS)
        for kind in ("wide", "deep", "hybrid")
    },
    "alone": Variant(
        "GRPO alone, same tokens", changes=ALONE, lesson="alone", as_long_as="tokens",
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


@dataclass(frozen=True, kw_only=True)
class ExperimentsOptions:
    """Tells what the parts of multi-agent GRPO are worth, on a tiny model and held-out worlds.

    Begins from a run of `wideseek train sft --preset tiny --out runs/sft` (33 minutes) and takes
    hours; what is done is kept, so the same command goes on, and seeds can run in several
    processes. Needs the extra train.
    """

    experiment: Positional[Literal["gain", "roles", "credit", "data", "team"]]
    """Which: training against imitation, roles, credit, kinds of tasks, or a team against one."""
    start: Path = Path("runs/sft")
    """Run of `wideseek train sft` that all variants begin from."""
    out: OutFolder = Path("runs/experiments")
    """Folder of all runs of the experiment."""
    seeds: tuple[Seed, ...] = (0, 1, 2)
    """Seeds that each variant trains with."""
    num_iterations: Count = grpo.PRESETS["tiny"]["num_iterations"]
    """GRPO iterations of a run."""
    widths: tuple[Natural, ...] = (1, 2, 4, 8, 16)
    """Numbers of subagents that are played."""
    num_tasks: Count = 200
    """Held-out tasks."""
    temperature: AtLeastZero = 0.0
    """Of play; 0 is greedy."""

    def __post_init__(self) -> None:
        check_values(self)
        if not self.seeds or not self.widths:
            raise ValueError("--seeds, --widths: expected at least one of each, got none")


def logged(run: Path) -> list[dict[str, float]]:
    """Returns the seconds and tokens of each iteration that a run has logged.

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


def train(name: str, seed: int, given: ExperimentsOptions) -> tuple[Path, Path]:
    """Trains a variant, or goes on with it; returns the run that it began from, and its own."""
    variant, out, start = VARIANTS[name], given.out, given.start
    if variant.lesson:
        start = out / f"lesson-{variant.lesson}"
        run_trainer("sft", given.start, start, 0, LESSONS[variant.lesson])
    changes = {**variant.changes, "num_iterations": iterations_of(variant, seed, start, given)}
    if variant.trainer == "sft":
        changes["teacher"] = teacher_of(start)
    run_trainer(variant.trainer, start, out / f"{name}-{seed}", seed, changes)
    return start, out / f"{name}-{seed}"


def run_trainer(
    trainer: Literal["grpo", "sft"], start: Path, run: Path, seed: int, changes: Mapping[str, Any]
) -> None:
    """Trains with the preset `tiny`, unless the run has its last checkpoint already."""
    where = {"model": str(start), "out": str(run), "seed": seed}
    if (run / "checkpoints" / f"iteration_{changes['num_iterations']:06d}").exists():
        return
    if trainer == "grpo":
        grpo.train_anew(grpo.GRPOConfig(**{**grpo.PRESETS["tiny"], **where, **changes}))
    else:
        sft.train_anew(sft.SFTConfig(**{**sft.PRESETS["tiny"], **where, **changes}))


def teacher_of(start: Path) -> str:
    """Names whom the start imitated, so that more imitation is more of the same.

    Raises:
        DataError: it is a run without a checkpoint.
        ValueError: it is a run that imitated nobody.
    """
    folder = require("trainers.models", "train").folder_of(str(start))
    settings = checkpoint.settings_of(folder)
    if "teacher" not in settings:
        raise ValueError(
            f"--start: expected a run of `wideseek train sft`, got {start}, whose checkpoint names "
            "no teacher"
        )
    return str(settings["teacher"])


def iterations_of(variant: Variant, seed: int, start: Path, given: ExperimentsOptions) -> int:
    """Tells how many iterations make a variant as long as `JOINT`, by what its start took."""
    if variant.as_long_as == "iterations":
        return given.num_iterations
    joint, imitated = logged(given.out / f"{JOINT}-{seed}"), logged(start)
    total = sum(line[variant.as_long_as] for line in joint)
    per_iteration = fmean(line[variant.as_long_as] for line in imitated)
    if variant.trainer == "grpo":
        per_iteration *= EPISODES_OF_ITERATION / sft.PRESETS["tiny"]["tasks_per_iteration"]
    return max(round(total / per_iteration), 1)


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


def exams_of(variant: Variant, given: ExperimentsOptions) -> tuple[HeldOut, ...]:
    """Finds what a variant plays."""
    return variant.exams or tuple(HeldOut(width) for width in given.widths)


def experiment(given: ExperimentsOptions) -> list[Result]:
    """Trains and plays the variants of an experiment; returns what each and each start scored."""
    file, how = f"scores-t{given.temperature:g}.json", (given.num_tasks, given.temperature)
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


def run(options: ExperimentsOptions) -> int:
    """Runs one experiment; returns the exit status."""
    require("torch.utils.tensorboard", "train")
    if not (options.start / "metrics.jsonl").exists():
        raise ValueError(
            f"--start: expected the folder of a run, got {options.start} without metrics.jsonl; "
            "make one with `wideseek train sft --preset tiny --out runs/sft` (33 minutes). The "
            "shipped start does not do: the log of its run is needed"
        )
    teacher_of(options.start)  # before hours of training
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        results = experiment(options)
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"what is trained and played is in {options.out}; the same command goes on ({error})"
        ) from error
    variants = [VARIANTS[name] for name in EXPERIMENTS[options.experiment]]
    played = {exam for variant in variants for exam in exams_of(variant, options)}
    exams = [
        str(exam) for exam in sorted(played, key=lambda exam: (exam.kind != "wide", exam.width))
    ]
    print(table(results, [*exams, MEAN]))
    draw(results, exams, options.out / f"{options.experiment}-t{options.temperature:g}.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("experiments"))
