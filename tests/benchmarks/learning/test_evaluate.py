"""The held-out score of a model: which tasks, and what is told of them."""

from __future__ import annotations

import asyncio
import json

import pytest

pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from agents.evaluate import ALONE_TURNS, held_out
from agents.scripted import POLICIES, PartialPolicy, SoloPolicy
from benchmarks.learning.evaluate import HeldOut, play, summary
from tests.smallcorpus import write_corpus
from wideseek_env.cli.commands import run_command
from wideseek_env.errors import WideSeekError


def main(words):
    return run_command("evaluate", words)


async def test_who_plays_alone_has_the_turns_for_it_and_deep_tasks_are_played_too():
    (chosen,) = held_out("starter", 1)
    (alone,) = await play(POLICIES["solo"]([chosen.task]), HeldOut(0), num_tasks=1)
    assert alone.n_subagents == 0
    assert alone.limits.max_lead_turns == ALONE_TURNS > chosen.limits.max_lead_turns
    (deep,) = await play(PartialPolicy(), HeldOut(2, "deep"), num_tasks=1)
    assert (deep.task.kind, deep.score.item_f1) == ("deep", 1.0)


async def test_episode_that_could_not_be_scored_is_an_error_and_no_0():
    class Broken(PartialPolicy):
        def begin(self, info):
            raise KeyError("no such weights")

    with pytest.raises(WideSeekError, match=r"got none of 2 in 2 episodes of partial: .*KeyError"):
        await play(Broken(), HeldOut(2), num_tasks=2)


def test_mistakes_are_named_without_a_traceback(tmp_path, capsys):
    assert main(["hasty", "--widths", "0", "--num-tasks", "2"]) == 1
    told = capsys.readouterr().err
    assert "`hasty` plays questions of the preset `starter` with at least 1 subagent" in told
    assert "Traceback" not in told
    assert main(["partial", "--widths", "1,x"]) == 2
    assert "expected a whole number, got 'x'" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 1
    assert "error: expected a model or a run with checkpoints" in capsys.readouterr().err


def test_results_are_told_and_added_to_the_file(tmp_path, capsys):
    out = tmp_path / "scores.jsonl"
    for _ in range(2):
        assert main(["partial", "--widths", "1,4", "--num-tasks", "6", "--out", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["n_subagents"] for line in lines] == [1, 4, 1, 4]
    assert lines[:2] == lines[2:]
    assert capsys.readouterr().out == out.read_text()
    alone, team = lines[:2]
    assert alone["tasks"] == team["tasks"] == 6
    assert alone["width"] == 1
    assert team["width"] > 1
    for line in lines:
        # The teacher's rows are right, so that its score is that of the share that it read.
        assert 0.3 < line["low"] <= line["item_f1"] <= line["high"] <= 1
        assert line["wrong"] == 0
        assert line["parsed"] == 1


def test_actors_are_those_of_a_cluster(capsys):
    assert main(["partial", "--num-workers", "2"]) == 2
    assert "--num-workers are actors on a Ray cluster: give it with --ray" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_cluster_gives_the_same_results(capsys):
    pytest.importorskip("ray", reason="needs the extra `ray`")
    words = ["partial", "--widths", "1,4", "--num-tasks", "10"]
    assert main(words) == 0
    here = capsys.readouterr().out
    assert main([*words, "--ray", "--num-workers", "2"]) == 0
    there = capsys.readouterr().out
    assert sorted(there.splitlines()) == sorted(here.splitlines())


def test_other_pages_are_evaluated_too(tmp_path, capsys):
    source = held_out(f"corpus:{write_corpus(tmp_path / 'pages')}", 3)
    told = summary(asyncio.run(play(SoloPolicy(), HeldOut(0), source)))
    assert (told["tasks"], told["item_f1"]) == (3, 1.0)
    assert main(["partial", "--source", "corpus:/no/such"]) in (1, 2)
    assert "expected a folder of pages" in capsys.readouterr().err
