"""Sources and backends by text."""

from __future__ import annotations

import sys

import pytest

import wideseek_env
from benchmarks.compare.settings import Settings
from benchmarks.learning.evaluate import EvaluateOptions
from tests.smallcorpus import NUM_TASKS, write_corpus
from tests.tinyworld import TASK, TinyBackend
from trainers.config import RunConfig
from trainers.third_party.options import Config as MappoConfig
from trainers.third_party.options import LibraryOptions
from wideseek_env.backends.named import backend_named
from wideseek_env.jsonlines import encode
from wideseek_env.tasks.named import SourceOptions, check_backend, preset_named, source_named
from wideseek_env.tasks.source import TaskSource

MODULE = """
from tests.tinyworld import TASK, TinyBackend
from wideseek_env.tasks.source import TaskSource

def make():
    return TaskSource.listed([TASK], TinyBackend(), name="mine")

made = make()
pages = TinyBackend()
number = 7
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_tasks_of_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_tasks_of_test"
    sys.modules.pop("own_tasks_of_test", None)


def test_preset_is_one_world_of_the_options() -> None:
    source = source_named("starter", SourceOptions(split="test", seed=4, num_tasks=3))
    world = TaskSource.world("starter", seed=4, split="test", num_tasks=3)
    assert [a.task for a in source] == [a.task for a in world]


def test_worlds_are_a_range_of_seeds() -> None:
    source = source_named("worlds:starter:3-5", SourceOptions(num_tasks=2, kind="deep"))
    assert [a.task.metadata["seed"] for a in source] == [3, 3, 4, 4, 5, 5]
    assert {a.task.kind for a in source} == {"deep"}
    assert len(source_named("worlds:starter:3", SourceOptions(num_tasks=2))) == 2


def test_corpus_file_and_a_draw_from_them(tmp_path) -> None:
    folder = write_corpus(tmp_path / "pages", tasks=True)
    assert len(source_named(f"corpus:{folder}")) == NUM_TASKS
    options = SourceOptions(backend=str(folder), num_tasks=2)
    source = source_named(f"file:{folder / 'tasks.jsonl'}", options)
    assert len(source) == 2
    assert source[0].backend is backend_named(str(folder))


@pytest.mark.parametrize("name", ["make", "made"])
def test_own_source_by_its_path(own_module, name) -> None:
    [assignment] = source_named(f"{own_module}:{name}")
    assert assignment.task == TASK


def test_environment_takes_a_source_or_its_text(own_module) -> None:
    for source in (f"{own_module}:make", TaskSource.listed([TASK], TinyBackend())):
        env = wideseek_env.parallel_env(1, source=source)
        env.reset(seed=0)
        assert env.game.task == TASK


def test_environment_takes_a_backend_by_its_text(tmp_path) -> None:
    folder = str(write_corpus(tmp_path / "pages"))
    env = wideseek_env.parallel_env(tasks=[TASK], backend=folder)
    env.reset(seed=0)
    env.close()
    with pytest.raises(ValueError, match="expected a folder or file of pages"):
        wideseek_env.parallel_env(tasks=[TASK], backend="no/such/folder")


def test_environment_draws_from_many_worlds() -> None:
    env = wideseek_env.parallel_env(1, preset="starter", world_seed=range(40), num_tasks=2)
    seen = set()
    for seed in range(20):
        env.reset(seed=seed)
        seen.add(env.game.task.metadata["seed"])
    assert len(seen) > 8


def test_own_backend_by_its_path(own_module, tmp_path) -> None:
    (tmp_path / "t.jsonl").write_bytes(encode(TASK))
    source = source_named(f"file:{tmp_path / 't.jsonl'}", SourceOptions(f"{own_module}:pages"))
    assert isinstance(source[0].backend, TinyBackend)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defualt", "did you mean default"),
        ("worlds:starter", "worlds:PRESET:FIRST-LAST"),
        ("worlds:starter:a-b", "worlds:PRESET:FIRST-LAST"),
        ("worlds:starter:5-4", "at least one world"),
        ("worlds:nosuch:0-4", "`preset` must be one of"),
        ("corpus:no/such/folder", "expected a folder of pages"),
        ("file:no_such_file", "expected a file of tasks"),
        ("hub:a/b", "give a backend"),
    ],
)
def test_text_that_is_no_source_says_what_is(text, message) -> None:
    with pytest.raises(ValueError, match=message):
        source_named(text)


def test_names_of_other_things_are_refused(own_module) -> None:
    with pytest.raises(ValueError, match="be or make a `TaskSource`"):
        source_named(f"{own_module}:number")
    with pytest.raises(ValueError, match="be or make a `Backend`"):
        backend_named(f"{own_module}:make")
    with pytest.raises(ValueError, match="expected a folder or file of pages"):
        backend_named("no/such/folder")


def test_preset_of_a_text() -> None:
    texts = ("default", "worlds:hard:0-9", "corpus:pages", "own:hard", "nosuch")
    assert [preset_named(t) for t in texts] == ["default", "hard", None, None, None]


@pytest.mark.parametrize(
    "asks",
    [
        lambda: check_backend("nosuch", "default"),
        lambda: check_backend("nosuch", "default", "corpus:pages"),
        lambda: Settings(backend="nosuch"),
        lambda: Settings(replay_tools="calls.sqlite"),
        lambda: EvaluateOptions(models=("partial",), backend="nosuch"),
        lambda: RunConfig(out="o", backend="nosuch"),
        lambda: LibraryOptions(backend="nosuch"),
        lambda: MappoConfig(backend="nosuch"),
        lambda: wideseek_env.parallel_env(source="starter", backend="nosuch"),
    ],
)
def test_a_backend_that_no_source_asks_is_refused(asks) -> None:
    with pytest.raises(ValueError, match="own pages: leave it out"):
        asks()


def test_a_backend_that_some_source_asks_is_taken() -> None:
    check_backend("pages", "default", "file:tasks.jsonl")
    check_backend("pages", "hub:a/b")
    check_backend(None, "default")
    RunConfig(out="o", eval_source="file:tasks.jsonl", backend="pages")
    MappoConfig(source="file:tasks.jsonl", backend="pages")


@pytest.mark.parametrize("text", ["starter", "worlds:starter:0-1", "own_tasks_of_test:made"])
def test_no_tasks_at_all_is_no_number_of_tasks(text, own_module) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        source_named(text, SourceOptions(num_tasks=0))
    with pytest.raises(ValueError, match="at least 1"):
        wideseek_env.parallel_env(source=text, num_tasks=0)


def test_no_tasks_at_all_is_refused_by_an_environment_of_worlds() -> None:
    with pytest.raises(ValueError, match="at least 1 task"):
        wideseek_env.parallel_env(preset="starter", num_tasks=0)
    with pytest.raises(ValueError, match="at least 1"):
        wideseek_env.parallel_env(tasks=[TASK], backend=TinyBackend(), num_tasks=0)
