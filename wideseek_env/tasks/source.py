"""Task sources: numbered tasks, each with the pages that it is about and the budgets of its play.

    TaskSource.world("default")                                   one closed world
    TaskSource.worlds("starter", range(1000), tasks_each=8)       many, made when they are needed
    TaskSource.corpus("pages/")                                   a folder of pages with its tasks
    TaskSource.file("tasks.jsonl", "pages/")                      any task file, any backend
    TaskSource.listed(tasks, backend)                             what you have in memory

Whatever plays tasks takes one of these: the environment, the rollout, the trainers, the benchmark.
A source of your own is a subclass with `name`, `__len__` and `__getitem__`.
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, overload

from wideseek_env.backends import Backend
from wideseek_env.backends.named import backend_named
from wideseek_env.errors import DataError
from wideseek_env.records import Limits, Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.page_tables import page_table_tasks
from wideseek_env.worlds import PRESETS, Preset, Split, TaskKind, shared_backend, shared_tasks

NUM_TASKS = 64
"""Tasks of a world unless said otherwise: enough to tell policies apart, made in no time."""
_TABLES = ("tables.jsonl", "tables.jsonl.gz")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task in its place: where it is looked up, and within which budgets."""

    task: Task
    backend: Backend
    limits: Limits


class TaskSource(Sequence[Assignment]):
    """A sequence of assignments; the same number is the same task in every process.

    Sources are pickled as how they are made, so worker processes make their own pages.
    """

    name: str
    """As records and tables show it; two sources of one name are taken for the same."""

    @overload
    def __getitem__(self, index: int) -> Assignment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Assignment]: ...
    @abstractmethod
    def __getitem__(self, index: Any) -> Any:
        """Makes the assignment of a number below `len`; IndexError beyond."""

    def find(self, task_id: object) -> Assignment:
        """Looks for a task by its id, from the first on.

        Raises:
            ValueError: there is none.
        """
        for assignment in self:
            if assignment.task.id == task_id:
                return assignment
        some = ", ".join(a.task.id for a in islice(self, 5))
        raise ValueError(
            f"expected the id of one of {len(self)} tasks ({some}, ...), got {task_id!r}"
        )

    def sample(self, num: int, seed: int = 0) -> TaskSource:
        """Makes a source of `num` of these tasks, none twice, in this order; of all if it has less.

        Raises:
            ValueError: `num` is less than 1.
        """
        if num < 1:
            raise ValueError(f"`num` must be at least 1, got {num!r}")
        return _Sampled(self, num, seed)

    @staticmethod
    def listed(
        tasks: Iterable[Task], backend: Backend, limits: Limits | None = None, name: str = "tasks"
    ) -> TaskSource:
        """Makes a source of tasks in memory.

        Raises:
            ValueError: there are no tasks, or two of one id.
            TypeError: the tasks are no `Task` records, or the backend is none.
        """
        return _Listed(name, tasks, backend, limits or Limits())

    @staticmethod
    def world(
        preset: str | Preset = "default",
        *,
        seed: int = 0,
        split: Split = "train",
        num_tasks: int = NUM_TASKS,
        kind: TaskKind = "wide",
        salt: str = "",
    ) -> TaskSource:
        """Makes a source of the tasks of one closed world.

        Args:
            preset: name of a difficulty in `wideseek_env.worlds.PRESETS`, or a `Preset`.
            seed: of the world and of the choice of its tasks.
            split: train and test worlds share no name of an entity.
            num_tasks: at least 1.
            kind: "wide", "deep", or "hybrid": both in turn.
            salt: a secret, without which nobody can make the world or its answers again.

        Raises:
            ValueError: there is no such preset, split or kind, or `num_tasks` is less than 1.
        """
        return _Worlds(preset, (seed,), split, num_tasks, kind, task_seed=seed, salt=salt)

    @staticmethod
    def worlds(
        preset: str | Preset,
        seeds: Sequence[int],
        *,
        split: Split = "train",
        tasks_each: int = NUM_TASKS,
        kind: TaskKind = "wide",
        salt: str = "",
    ) -> TaskSource:
        """Makes a source of the tasks of many worlds, world by world.

        A world is made when one of its tasks is asked for. The last ones are kept, once for the
        whole process.

        Args:
            preset: as for `world`.
            seeds: of the worlds, such as `range(1000)`; none twice.
            split: as for `world`.
            tasks_each: tasks of each world, at least 1.
            kind: as for `world`.
            salt: as for `world`.

        Raises:
            ValueError: as for `world`, or there are no seeds.
        """
        return _Worlds(preset, seeds, split, tasks_each, kind, task_seed=0, salt=salt)

    @staticmethod
    def file(
        path: Path | str,
        backend: Backend | str,
        *,
        tables: Path | str | None = None,
        limits: Limits | None = None,
    ) -> TaskSource:
        """Makes a source of a task file in any format that `wideseek_env.tasks.files` reads.

        Args:
            path: JSON lines, plain or `.gz`.
            backend: where to look things up, or the text that `backend_named` takes.
            tables: folder of the gold tables, which WideSearch's format needs.
            limits: budgets; None: `Limits()`.

        Raises:
            DataError: there is no task in it, or a line is none; when the first one is needed.
        """
        read = partial(load_tasks, path, tables, strict=True)
        return _Loaded(f"file:{Path(path).name}", read, backend, limits or Limits())

    @staticmethod
    def corpus(
        folder: Path | str,
        *,
        limits: Limits | None = None,
    ) -> TaskSource:
        """Makes a source of a folder of pages and what it says to ask about them.

        Tasks are those of its `tasks.jsonl`, else made from `tables.jsonl` or `tables.jsonl.gz`.

        Args:
            folder: as `FolderBackend` takes it.
            limits: as for `file`.

        Raises:
            DataError: the folder holds no pages or says nothing to ask; when it is needed.
        """
        read = partial(_corpus_tasks, Path(folder))
        return _Loaded(f"corpus:{Path(folder).name}", read, str(folder), limits or Limits())

    @staticmethod
    def hub(
        repository: str,
        backend: Backend | str,
        *,
        folder: Path | str,
        limits: Limits | None = None,
    ) -> TaskSource:
        """Makes a source of a data set on the Hugging Face hub that is laid out as WideSearch is.

        Args:
            repository: such as `ByteDance-Seed/WideSearch`.
            backend: as for `file`.
            folder: where its files are kept; what is there is not fetched again.
            limits: as for `file`.

        Raises:
            DataError: it cannot be fetched or read; when the first task is needed.
        """
        read = partial(_hub_tasks, repository, Path(folder))
        return _Loaded(f"hub:{repository}", read, backend, limits or Limits())


class _Listed(TaskSource):
    def __init__(self, name: str, tasks: Iterable[Task], backend: Backend, limits: Limits) -> None:
        if not isinstance(backend, Backend):
            raise TypeError(
                f"`backend` must have `search`, `open` and `close`, got {backend!r}; for files of "
                "pages, give wideseek_env.backends.corpus.folder.FolderBackend(path)"
            )
        self.name = name
        self._tasks = _checked(tasks)
        self._backend, self._limits = backend, limits

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return Assignment(self._tasks[index], self._backend, self._limits)


class _Worlds(TaskSource):
    def __init__(
        self,
        preset: str | Preset,
        seeds: Sequence[int],
        split: Split,
        tasks_each: int,
        kind: TaskKind,
        *,
        task_seed: int,
        salt: str,
    ) -> None:
        if not isinstance(preset, Preset) and preset not in PRESETS:
            raise ValueError(f"`preset` must be one of {', '.join(PRESETS)}, got {preset!r}")
        if not seeds:
            raise ValueError("`seeds` must hold the seed of at least one world, got none")
        if tasks_each < 1:
            raise ValueError(f"a world must give at least 1 task, got {tasks_each!r}")
        self._preset = preset if isinstance(preset, Preset) else PRESETS[preset]
        self._seeds, self._split, self._each, self._kind = seeds, split, tasks_each, kind
        self._task_seed, self._salt = task_seed, salt
        which = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
        self.name = f"{self._preset.name}:{which}:{split}:{kind}{':salted' if salt else ''}"

    def __len__(self) -> int:
        return len(self._seeds) * self._each

    def __getitem__(self, index: Any) -> Any:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self[number] for number in numbers]
        seed = self._seeds[numbers // self._each]
        of = (self._preset, seed, self._split, self._salt)
        tasks = shared_tasks(*of, num=self._each, task_seed=self._task_seed, kind=self._kind)
        return Assignment(tasks[numbers % self._each], shared_backend(*of), self._preset.limits)


class _Loaded(TaskSource):
    """Tasks and backend that are read when they are first needed."""

    def __init__(
        self,
        name: str,
        read: Callable[[], Iterable[Task]],
        backend: Backend | str,
        limits: Limits,
    ) -> None:
        self.name = name
        self._read, self._backend, self._limits = read, backend, limits

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, index: Any) -> Any:
        return self._listed[index]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_tasks", "_listed")}

    @cached_property
    def _tasks(self) -> list[Task]:
        try:
            return _checked(self._read())
        except ValueError as error:
            raise DataError(f"{self.name}: {error}") from error

    @cached_property
    def _listed(self) -> TaskSource:
        given = self._backend
        backend = backend_named(given) if isinstance(given, str) else given
        return _Listed(self.name, self._tasks, backend, self._limits)


class _Sampled(TaskSource):
    """Some of another source's assignments, in its order."""

    def __init__(self, source: TaskSource, num: int, seed: int) -> None:
        self.name = source.name
        self._source, self._num, self._seed = source, num, seed

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._source[self._numbers[index]]

    @cached_property
    def _numbers(self) -> Sequence[int]:
        size = len(self._source)
        if self._num >= size:
            return range(size)
        return sorted(random.Random(self._seed).sample(range(size), self._num))


def _checked(tasks: Iterable[Task]) -> list[Task]:
    by_id: dict[str, Task] = {}
    for task in tasks:
        if not isinstance(task, Task):
            raise TypeError(
                f"`tasks` must hold `Task` records, got {task!r}; for a file of tasks, give "
                "wideseek_env.tasks.files.load_tasks(path)"
            )
        if task.id in by_id:
            raise ValueError(f"`tasks` must have different ids, got {task.id!r} twice")
        by_id[task.id] = task
    if not by_id:
        raise ValueError("`tasks` must hold at least one task, got none")
    return list(by_id.values())


def _corpus_tasks(folder: Path) -> Iterator[Task]:
    if (folder / "tasks.jsonl").exists():
        return load_tasks(folder / "tasks.jsonl", strict=True)
    for name in _TABLES:
        if (folder / name).exists():
            return page_table_tasks(folder / name)
    raise DataError(
        f"expected {folder} to say what to ask about its pages: tasks.jsonl, {_TABLES[0]} or "
        f"{_TABLES[1]}; found none of them"
    )


def _hub_tasks(repository: str, folder: Path) -> Iterator[Task]:
    from wideseek_env.tasks.hub import fetch_widesearch  # noqa: PLC0415 - aiohttp takes its time

    tasks, tables = asyncio.run(fetch_widesearch(folder, repository=repository))
    return load_tasks(tasks, tables, strict=True)
