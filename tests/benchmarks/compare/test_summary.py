"""Figures of a run against hand arithmetic; invalid episodes are counted and in no mean."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from made_episodes import made_episode, made_task
from rich.console import Console

from benchmarks.compare.settings import GridCell
from benchmarks.compare.summary import read_results, result_of, summarise
from benchmarks.compare.table import columns, print_table
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode


def test_summarise_two_tasks_two_trials_gives_means_over_tasks():
    first, second = made_task(0), made_task(1)
    # Of 6 rows 3 found is F1 2/3, 6 is 1, 2 is 1/2.
    found = [(first, 0, 3), (first, 1, 6), (second, 0, 2), (second, 1, 2)]
    results = [result_of(made_episode(task, trial=t, found=n)) for task, t, n in found]
    (row,) = summarise(results)
    assert row.cell == GridCell("default", "fanout", 2)
    assert (row.num_tasks, row.num_trials, row.num_episodes, row.num_invalid) == (2, 2, 4, 0)
    assert row.item_f1.mean == pytest.approx(((2 / 3 + 1) / 2 + 1 / 2) / 2)
    assert row.max_at_k.mean == pytest.approx((1 + 1 / 2) / 2)
    assert row.pass_at_k.mean == pytest.approx(1 / 2)
    assert row.success.mean == pytest.approx(1 / 4)
    assert row.item_f1.low <= row.item_f1.mean <= row.item_f1.high


def test_summarise_counts_of_work_are_the_episodes_own():
    # 4 rows by 2 subagents: each searches and opens twice and reports; the lead takes 2 turns.
    (row,) = summarise([result_of(made_episode(made_task(0), found=4))])
    assert (row.turns, row.tool_calls, row.critical_path_turns) == (2 + 2 * 5, 8, 2 + 5)
    assert row.max_at_k is None
    assert row.pass_at_k is None


def test_turns_with_drift_are_a_column_where_there_are_any():
    episode = made_episode(made_task(0))
    first, *others = episode.trajectories
    turns = [replace(t, decision=replace(t.decision, usage={"drift": 1.0})) for t in first.turns]
    drifted = replace(episode, trajectories=(replace(first, turns=tuple(turns)), *others))
    for played, shown in ((episode, False), (drifted, True)):
        (row,) = summarise([result_of(played)])
        assert ("Drift" in [column.header for column in columns([row])]) is shown
        assert row.drift == (len(turns) if shown else 0)


def test_summarise_invalid_episode_is_counted_and_in_no_mean():
    episodes = [
        made_episode(made_task(0), found=6),
        made_episode(made_task(1), found=6, invalid=True),
    ]
    (row,) = summarise(map(result_of, episodes))
    assert (row.num_tasks, row.num_episodes, row.num_invalid) == (1, 2, 1)
    assert row.item_f1.mean == 1.0
    assert row.error == "BackendError: the index is gone"
    assert summarise([result_of(episodes[0])])[0].error is None


def test_summarise_cell_without_valid_episode_has_no_figures():
    (row,) = summarise([result_of(made_episode(made_task(0), invalid=True))])
    assert row.num_invalid == 1
    assert row.item_f1 is None
    assert row.turns is None


def test_summarise_depths_are_rows_of_their_own():
    task = made_task(0)
    episodes = [
        made_episode(task, policy="solo", n_subagents=0, depth=depth) for depth in (None, 5, 10)
    ]
    cells = [row.cell for row in summarise(map(result_of, episodes))]
    assert cells == [GridCell("default", "solo", 0, depth) for depth in (None, 5, 10)]


def test_read_results_offset_finds_the_line_and_a_cut_last_line_is_left_out(tmp_path):
    path = tmp_path / "episodes.jsonl"
    lines = [encode(made_episode(made_task(number))) + b"\n" for number in range(3)]
    path.write_bytes(b"".join(lines) + lines[0][:50])
    results = list(read_results(path))
    assert [result.task_id for result in results] == ["default-0", "default-1", "default-2"]
    assert path.read_bytes()[results[2].offset :].startswith(lines[2])


def test_read_results_broken_line_names_it(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_bytes(encode(made_episode(made_task(0))) + b"\n{}\n")
    with pytest.raises(DataError, match="line 2"):
        list(read_results(path))


def test_a_narrow_terminal_still_tells_the_rows_apart(capsys):
    deep = [made_episode(made_task(0), width=0, depth=depth) for depth in (5, 10)]
    print_table(summarise(map(result_of, deep)), Console(width=80, file=sys.stdout))
    out = capsys.readouterr().out
    assert "left out, as 80 columns have no room" in out
    (header,) = [line for line in out.splitlines() if "Policy" in line]
    assert {"Width", "Depth", "Invalid"} <= set(header.split())
