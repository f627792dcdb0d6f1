"""The index: facts by offset, a file that grows, is replaced, or is damaged."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from made_episodes import made_episode, made_task

from benchmarks.viewer.index import RunIndex, fates_at, open_runs
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode


def line(number, *, key=None, **more):
    metadata = {"key": key or f"job {number}"}
    return encode(made_episode(made_task(number), **metadata, **more)) + b"\n"


def read_all(index):
    while index.step():
        pass
    return list(index.facts.values())


def index_of(path, *lines):
    path.write_bytes(b"".join(lines))
    return RunIndex(path, "run")


def test_index_has_facts_and_the_episode_itself(tmp_path):
    index = index_of(tmp_path / "e.jsonl", line(0), line(1, policy="solo", n_subagents=0, found=2))
    _, fact = read_all(index)
    assert (fact.label.policy, fact.label.width, fact.label.source) == ("solo", 0, "default")
    assert (fact.task_id, fact.line, fact.end) == ("default-1", 2, "answered")
    assert fact.item_f1 == pytest.approx(0.5)
    episode = index.read(fact)
    assert (episode.task.id, episode.num_turns) == ("default-1", fact.num_turns)
    assert fates_at(index.path, [fact.offset, 7]) == [{"right": 6, "unread": 12}, None]


def test_index_follows_a_file_that_grows_and_waits_for_the_end_of_a_line(tmp_path):
    path = tmp_path / "e.jsonl"
    whole = line(1)
    index = index_of(path, line(0), whole[:500])
    assert len(read_all(index)) == 1
    with path.open("ab") as file:
        file.write(whole[500:])
    assert [fact.task_id for fact in read_all(index)] == ["default-0", "default-1"]
    assert index.whole


def test_index_begins_again_when_the_file_was_replaced(tmp_path):
    index = index_of(tmp_path / "e.jsonl", line(0), line(1))
    first = read_all(index)
    (tmp_path / "new").write_bytes(line(1) + line(2) + line(3))
    os.replace(tmp_path / "new", index.path)
    again = read_all(index)
    assert [fact.task_id for fact in again] == ["default-1", "default-2", "default-3"]
    assert again[0].id == first[1].id  # the same episode at another place
    assert index.read(again[2]).task.id == "default-3"


def test_index_damaged_lines_are_shown_and_the_others_read(tmp_path):
    old = json.dumps({**json.loads(line(7)), "version": 1}).encode() + b"\n"
    index = index_of(tmp_path / "e.jsonl", line(0), b'{"task": 3}\n', b"\x00\xff\n", old, line(1))
    facts = read_all(index)
    assert [fact.end for fact in facts] == ["answered", *["damaged"] * 3, "answered"]
    assert facts[1].error.startswith("line 2 is no episode: ")
    assert "record version 1" in facts[3].error
    assert len({fact.id for fact in facts}) == 5


def test_index_has_each_trial_once_the_valid_one(tmp_path):
    bad = line(0, key="a", invalid=True)
    index = index_of(tmp_path / "e.jsonl", bad, line(0, key="a"), bad, line(0, key="a", found=1))
    [fact] = read_all(index)
    assert (fact.line, fact.item_f1) == (2, pytest.approx(0.8))


def test_index_reads_episodes_that_no_benchmark_played(tmp_path):
    episode = replace(made_episode(made_task(0)), metadata={}, policy="mine")
    index = index_of(tmp_path / "e.jsonl", encode(episode) + b"\n", encode(episode) + b"\n")
    facts = read_all(index)
    assert [(f.label.policy, f.label.source) for f in facts] == [("mine", "default")] * 2
    assert facts[0].id != facts[1].id  # without a key nobody can tell whether they are one


def test_open_runs_names_them_apart_and_says_what_is_missing(tmp_path):
    for name in ("a/x", "b/x"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "episodes.jsonl").touch()
    one, two = tmp_path / "a/x", tmp_path / "b/x"
    assert [run.name for run in open_runs([one])] == ["x"]
    assert [run.name for run in open_runs([one, two])] == [str(one), str(two)]
    with pytest.raises(DataError, match="expected different runs"):
        open_runs([one, one])
    with pytest.raises(DataError, match=f"there is none at {tmp_path / 'no'}"):
        open_runs([tmp_path / "no"])
