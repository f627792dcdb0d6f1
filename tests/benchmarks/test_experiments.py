"""The experiments on GRPO: the control's minutes, pooling over seeds, and one of them played."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import fmean

import pytest

pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from benchmarks import evaluate, experiments
from trainers import grpo, sft


def test_pooled_takes_the_seeds_of_a_task_together():
    runs = [{4: [0.0, 0.4, 1.0]}, {4: [0.2, 0.4, 1.0]}]
    found = experiments.pooled(runs, 4)
    assert found.mean == pytest.approx(fmean([0.1, 0.4, 1.0]))
    assert 0.1 <= found.low < found.mean < found.high <= 1.0
    same = experiments.pooled([{4: [0.5, 0.5]}, {4: [0.5, 0.5]}], 4)
    assert same.low == same.high == 0.5


def test_table_has_a_row_for_each_variant_and_the_mean_of_each_seed():
    runs = {"start": [{1: [0.0, 0.5]}], "GRPO": [{1: [1.0, 1.0]}, {1: [0.5, 0.5]}]}
    lines = experiments.table(runs, [1]).splitlines()
    assert lines[2] == "| start | 0.25 [0.00, 0.50] |"
    assert lines[3] == "| GRPO | 0.75 [0.75, 0.75] (1.00, 0.50) |"
    assert lines[4] == "| over the start | +0.50 [+0.25, +0.75] |"


def test_start_that_is_no_run_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit):
        experiments.main(["gain", "--start", str(tmp_path)])
    assert "python -m trainers.sft --preset tiny" in capsys.readouterr().err


@pytest.mark.train
def test_gain_trains_plays_and_keeps_what_is_done(tmp_path, capsys, monkeypatch):
    start, out = tmp_path / "sft", tmp_path / "out"
    for preset in (sft.PRESETS["tiny"], grpo.PRESETS["tiny"]):
        monkeypatch.setitem(preset, "num_worlds", 2)
    for name, value in {"tasks_per_step": 2, "group_size": 2, "max_new_tokens": 24}.items():
        monkeypatch.setitem(grpo.PRESETS["tiny"], name, value)
    monkeypatch.setattr(evaluate, "PLAYS", replace(evaluate.PLAYS, max_tokens=24))
    sft.main(["--preset", "tiny", "--num-steps", "3", "--out", str(start)])
    flags = ["--start", str(start), "--out", str(out), "--seeds", "0", "--steps", "1"]
    flags += ["--widths", "1", "2", "--tasks", "3"]
    capsys.readouterr()
    assert experiments.main(["gain", *flags]) == 0
    printed = capsys.readouterr().out
    assert [line.split(" | ")[0] for line in printed.splitlines()[-5:]] == [
        "| start", "| GRPO", "| over the start", "| imitation, same minutes", "| over the start",
    ]  # fmt: skip
    grpo_s = sum(experiments.seconds_of(out / "joint-0"))
    imitated = experiments.seconds_of(out / "imitation-0")
    per_step = fmean(experiments.seconds_of(start))
    assert len(imitated) == max(round(grpo_s / per_step), 1)
    assert (out / "gain-t0.png").stat().st_size > 10_000

    scores = out / "joint-0" / "scores-t0.json"
    assert [len(tasks) for tasks in json.loads(scores.read_text()).values()] == [3, 3]
    scores.write_text(json.dumps({1: [1.0] * 3, 2: [1.0] * 3}))
    assert experiments.main(["gain", *flags]) == 0
    again = capsys.readouterr().out.splitlines()
    assert again[-4] == "| GRPO | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |"
    assert again[-2:] == printed.splitlines()[-2:]
