"""The experiments on GRPO: the control's minutes, pooling over seeds, and one of them played."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import fmean

import pytest

pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from benchmarks.learning import evaluate, experiments
from benchmarks.learning.evaluate import HeldOut
from benchmarks.learning.experiments import VARIANTS, ExperimentsOptions, Result
from trainers import grpo, sft
from wideseek_env.cli.commands import run_command


def test_pooled_takes_the_seeds_of_a_task_together():
    found = Result("GRPO", [{"4": [0.0, 0.4, 1.0]}, {"4": [0.2, 0.4, 1.0]}]).pooled("4")
    assert found.mean == pytest.approx(fmean([0.1, 0.4, 1.0]))
    assert 0.1 <= found.low < found.mean < found.high <= 1.0
    same = Result("GRPO", [{"4": [0.5, 0.5]}, {"4": [0.5, 0.5]}]).pooled("4")
    assert same.low == same.high == 0.5


def test_table_has_a_row_for_each_variant_and_the_mean_of_each_seed():
    start = {"1": [0.0, 0.5]}
    results = [
        Result("start", [start]),
        Result("GRPO", [{"1": [1.0, 1.0]}, {"1": [0.5, 0.5]}], start),
        Result("start, alone", [{"0": [0.25, 0.25]}]),
        Result("alone", [{"0": [0.5, 0.5]}], {"0": [0.25, 0.25]}),
    ]
    lines = experiments.table(results, ["0", "1"]).splitlines()
    assert lines[2] == "| start |  | 0.25 [0.00, 0.50] |"
    assert lines[3] == "| GRPO |  | 0.75 [0.75, 0.75] (1.00, 0.50) |"
    assert lines[4] == "| over its start |  | +0.50 [+0.25, +0.75] |"
    assert lines[6] == "| alone | 0.50 [0.50, 0.50] |  |"
    assert lines[7] == "| over its start | +0.25 [+0.25, +0.25] |  |"


def test_mean_is_over_the_widths_of_each_wide_task(tmp_path):
    file, exams = tmp_path / "scores.json", (HeldOut(1), HeldOut(4), HeldOut(4, "deep"))
    file.write_text(json.dumps({"1": [0.2, 0.4], "4": [0.4, 0.8], "deep, 4": [0.0, 0.0]}))
    scores = experiments.scores_of(tmp_path, file, exams, 2, 0.0)
    assert scores["mean"] == pytest.approx([0.3, 0.6])
    assert "mean" not in experiments.scores_of(tmp_path, file, exams[1:], 2, 0.0)


def logs(run, lines):
    run.mkdir(parents=True, exist_ok=True)
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_iterations_are_those_that_take_the_minutes_or_the_tokens_of_the_team(tmp_path):
    start, given = (
        tmp_path / "sft",
        ExperimentsOptions(experiment="gain", out=tmp_path, num_iterations=7),
    )
    logs(start, [{"seconds/play": 1.0, "seconds/update": 1.0, "tokens/rows": 1000.0}])
    logs(tmp_path / "joint-3", [{"seconds/play": 5.0, "tokens/rows": 40_000.0}] * 10)
    same_minutes, same_tokens = VARIANTS["imitation"], VARIANTS["alone"]
    assert experiments.iterations_of(VARIANTS["lead"], 3, start, given) == 7
    assert experiments.iterations_of(same_minutes, 3, start, given) == 25
    # An iteration of the lesson had this many times fewer episodes than one of GRPO.
    times = experiments.EPISODES_OF_ITERATION / sft.PRESETS["tiny"]["tasks_per_iteration"]
    assert experiments.iterations_of(same_tokens, 3, start, given) == round(400 / times)


def test_start_that_is_no_run_is_told(tmp_path, capsys):
    assert run_command("experiments", ["gain", "--start", str(tmp_path)]) == 2
    assert "wideseek train sft --preset tiny" in capsys.readouterr().err


def test_start_that_imitated_nobody_is_told_before_anything_is_trained(tmp_path, capsys):
    checkpoint = tmp_path / "grpo" / "checkpoints" / "iteration_000001"
    checkpoint.mkdir(parents=True)
    (checkpoint / "settings.json").write_text('{"model": "runs/sft"}')
    logs(tmp_path / "grpo", [])
    out = tmp_path / "out"
    words = ["gain", "--start", str(tmp_path / "grpo"), "--out", str(out)]
    assert run_command("experiments", words) == 2
    assert "expected a run of `wideseek train sft`" in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Runs so small that they take seconds; returns a start and the flags of an experiment."""
    for preset in (sft.PRESETS["tiny"], grpo.PRESETS["tiny"]):
        monkeypatch.setitem(preset, "source", "worlds:starter:0-1")
    for name, value in {"tasks_per_iteration": 2, "group_size": 2, "max_new_tokens": 24}.items():
        monkeypatch.setitem(grpo.PRESETS["tiny"], name, value)
    monkeypatch.setattr(experiments, "EPISODES_OF_ITERATION", 4)
    monkeypatch.setattr(evaluate, "PLAYS", replace(evaluate.PLAYS, max_tokens=24))
    lessons = {
        name: {**changes, "num_iterations": 2} for name, changes in experiments.LESSONS.items()
    }
    monkeypatch.setattr(experiments, "LESSONS", lessons)
    start = tmp_path / "sft"
    words = ["--preset", "tiny", "--teacher", "hasty", "--num-iterations", "3", "--out", str(start)]
    run_command("train sft", words)
    flags = ["--start", str(start), "--out", str(tmp_path / "out"), "--seeds", "0"]
    return start, [*flags, "--num-iterations", "1", "--widths", "1,2", "--num-tasks", "3"]


def first_cells(text):
    return [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]


@pytest.mark.train
def test_gain_trains_plays_and_keeps_what_is_done(tmp_path, capsys, small):
    (start, flags), out = small, tmp_path / "out"
    capsys.readouterr()
    assert run_command("experiments", ["gain", *flags]) == 0
    printed = capsys.readouterr().out
    assert first_cells(printed)[1:] == [
        "| start", "| GRPO", "| over its start", "| imitation, same minutes", "| over its start",
    ]  # fmt: skip
    grpo_s = sum(line["seconds"] for line in experiments.logged(out / "joint-0"))
    imitated = experiments.logged(out / "imitation-0")
    per_iteration = fmean(line["seconds"] for line in experiments.logged(start))
    assert len(imitated) == max(round(grpo_s / per_iteration), 1)
    assert experiments.teacher_of(out / "imitation-0") == "hasty"  # as its start
    assert (out / "gain-t0.png").stat().st_size > 10_000

    scores = out / "joint-0" / "scores-t0.json"
    assert [len(tasks) for tasks in json.loads(scores.read_text()).values()] == [3, 3]
    scores.write_text(json.dumps({"1": [1.0] * 3, "2": [1.0] * 3}))
    assert run_command("experiments", ["gain", *flags]) == 0
    again = capsys.readouterr().out.splitlines()
    assert again[-4] == "| GRPO | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |"
    assert again[-2:] == printed.splitlines()[-2:]


@pytest.mark.train
def test_team_and_data_begin_with_a_lesson_in_what_the_start_cannot_do(tmp_path, capsys, small):
    _, flags = small
    capsys.readouterr()
    assert run_command("experiments", ["team", *flags]) == 0
    printed = capsys.readouterr().out
    assert [c for c in first_cells(printed) if "start," in c or "alone" in c] == [
        "| start, alone", "| GRPO alone, same tokens",
    ]  # fmt: skip
    assert "| | 0 | 1 | 2 | mean |" in printed
    alone = json.loads((tmp_path / "out" / "alone-0" / "metrics.jsonl").read_text().split("\n")[0])
    assert alone["episodes/width"] == 0

    assert run_command("experiments", ["data", *flags]) == 0
    printed = capsys.readouterr().out
    assert "| | 1 | 4 | 8 | deep, 4 | mean |" in printed
    assert first_cells(printed)[1::2] == [
        "| start, hybrid", "| over its start", "| over its start", "| over its start",
    ]  # fmt: skip
