"""Sources: numbered tasks with their pages and budgets, made alike in every process."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys

import pytest

import wideseek_env
from tests.smallcorpus import NUM_TASKS, write_corpus
from tests.tinyworld import TASK, TinyBackend
from wideseek_env.backends.named import backend_named
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode
from wideseek_env.records import Limits
from wideseek_env.tasks.source import Assignment, TaskSource
from wideseek_env.worlds import PRESETS, World, shared
from wideseek_env.worlds.shared import shared_backend


def test_source_of_one_world_has_its_tasks_backend_and_limits() -> None:
    world = World("starter", seed=3, split="test")
    source = TaskSource.world("starter", seed=3, split="test", num_tasks=5)
    assert [a.task for a in source] == list(world.tasks(5, seed=3))
    assert {id(a.backend) for a in source} == {id(source[0].backend)}
    assert source[0].limits == PRESETS["starter"].limits
    url = source[0].task.sources[0][0][0]
    asked = asyncio.run(source[0].backend.open(url))
    assert asked == asyncio.run(world.backend().open(url))


def test_source_of_many_worlds_numbers_tasks_world_by_world() -> None:
    source = TaskSource.worlds("starter", range(2, 5), tasks_each=2, kind="hybrid")
    expected = [t for seed in (2, 3, 4) for t in World("starter", seed).tasks(2, kind="hybrid")]
    assert len(source) == 6
    assert [source[i].task for i in range(6)] == expected
    assert source[-1].task == expected[-1]
    assert [a.task for a in source[1:3]] == expected[1:3]
    with pytest.raises(IndexError):
        source[6]


def test_many_worlds_are_made_only_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    first = World.__init__

    def counting(self: World, preset, seed=0, *others, **settings) -> None:
        made.append(seed)
        first(self, preset, seed, *others, **settings)

    monkeypatch.setattr(World, "__init__", counting)
    source = TaskSource.worlds("starter", range(10**9, 2 * 10**9), tasks_each=3)
    assert (len(source), made) == (3 * 10**9, [])
    assert source[3 * 77 + 1].task.metadata["seed"] == 10**9 + 77
    assert made == [10**9 + 77]


def test_worlds_are_shared_and_the_oldest_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = PRESETS["starter"]
    kept = shared_backend(preset, 900, "train")
    assert shared_backend(preset, 900, "train") is kept
    assert TaskSource.world("starter", seed=900)[0].backend is kept
    monkeypatch.setattr(shared, "MAX_PAGES", 2 * World("starter").num_pages)
    for seed in (901, 902):
        shared_backend(preset, seed, "train")
    assert shared_backend(preset, 900, "train") is not kept


def test_environments_of_one_world_share_it() -> None:
    first, second = (wideseek_env.parallel_env(2, preset="starter", world_seed=77) for _ in "ab")
    assert first.source[0].backend is second.source[0].backend


def test_source_is_small_when_pickled_and_gives_the_same_elsewhere() -> None:
    source = TaskSource.worlds("starter", range(50, 60), tasks_each=2)
    here = encode(source[13].task)
    sent = pickle.dumps(source)
    assert len(sent) < 20_000  # as it is made, and not its pages
    there = subprocess.run(
        [
            sys.executable,
            "-c",
            "import pickle, sys\n"
            "from wideseek_env.jsonlines import encode\n"
            "source = pickle.load(sys.stdin.buffer)\n"
            "sys.stdout.buffer.write(encode(source[13].task))",
        ],
        input=sent,
        capture_output=True,
        check=True,
    )
    assert there.stdout == here


def test_corpus_brings_its_tasks_and_can_be_sent(tmp_path) -> None:
    source = TaskSource.corpus(write_corpus(tmp_path / "pages"), limits=Limits(top_k=7))
    assert (len(source), source[0].limits.top_k) == (NUM_TASKS, 7)
    [hit] = asyncio.run(source[0].backend.search("Rivers of region 2", 1))
    assert hit.url == "/lists/2"
    again = pickle.loads(pickle.dumps(source))
    assert [a.task for a in again] == [a.task for a in source]


def test_corpus_prefers_its_task_file(tmp_path) -> None:
    folder = write_corpus(tmp_path / "pages", tasks=True)
    lines = (folder / "tasks.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "tasks.jsonl").write_bytes(b"".join(lines[:2]))
    assert len(TaskSource.corpus(folder)) == 2


def test_corpus_without_pages_or_questions_says_what_is_missing(tmp_path) -> None:
    with pytest.raises(DataError, match=r"tasks\.jsonl, tables\.jsonl"):
        len(TaskSource.corpus(tmp_path))
    (tmp_path / "tasks.jsonl").write_bytes(encode(TASK))
    with pytest.raises(DataError, match="expected pages in"):
        TaskSource.corpus(tmp_path)[0]


def test_file_of_tasks_with_a_backend_of_any_kind(tmp_path) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_bytes(encode(TASK) + b"\n")
    backend = TinyBackend()
    [assignment] = TaskSource.file(path, backend)
    assert assignment == Assignment(TASK, backend, Limits())
    path.write_bytes(encode(TASK) + b'\n{"id": 1}\n')
    with pytest.raises(DataError, match=r"asked\.jsonl, line 2"):
        len(TaskSource.file(path, backend))


def test_sample_draws_without_repetition_by_seed_and_keeps_the_order() -> None:
    source = TaskSource.worlds("starter", range(4), tasks_each=5)
    ids = [a.task.id for a in source]
    drawn = [a.task.id for a in source.sample(8, seed=1)]
    assert len(set(drawn)) == 8
    assert drawn == sorted(drawn, key=ids.index)
    assert drawn == [a.task.id for a in source.sample(8, seed=1)]
    assert drawn != [a.task.id for a in source.sample(8, seed=2)]
    assert [a.task.id for a in source.sample(100)] == ids


def test_find_looks_a_task_up_by_its_id() -> None:
    source = TaskSource.world("starter", num_tasks=5)
    assert source.find(source[3].task.id) == source[3]
    with pytest.raises(ValueError, match=r"one of 5 tasks \(starter-train.*got 'none'"):
        source.find("none")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TaskSource.world("nosuch"), "`preset` must be one of starter, "),
        (lambda: TaskSource.worlds("starter", []), "at least one world"),
        (lambda: TaskSource.world("starter", num_tasks=0), "at least 1 task"),
        (lambda: TaskSource.listed([], TinyBackend()), "at least one task"),
        (lambda: TaskSource.listed([TASK, TASK], TinyBackend()), "different ids"),
        (lambda: TaskSource.world("starter").sample(0), "`num` must be at least 1"),
    ],
)
def test_what_makes_no_source_is_said_at_once(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_backend_named_is_made_once_for_each_process(tmp_path) -> None:
    folder = str(write_corpus(tmp_path / "pages"))
    assert backend_named(folder) is backend_named(folder)
