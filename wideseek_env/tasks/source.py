"""Where an environment's tasks come from: the embedded closed world, or what the user brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from wideseek_env.backends import Backend
from wideseek_env.records import Limits, Task

NUM_EMBEDDED_TASKS = 64
"""Tasks of the embedded world: enough to tell policies apart, made in a fraction of a second."""


@dataclass(frozen=True, slots=True)
class TaskSource:
    """Tasks, and the backend and limits that they are played with."""

    tasks: Mapping[str, Task]
    """By id, in the order given."""
    backend: Backend
    limits: Limits

    def draw(self, number: int) -> Task:
        """Returns the task that a random number stands for."""
        return list(self.tasks.values())[number % len(self.tasks)]

    def get(self, task_id: object) -> Task:
        """Returns a task by its id.

        Raises:
            ValueError: there is none.
        """
        if task_id not in self.tasks:
            some = ", ".join(list(self.tasks)[:5])
            raise ValueError(
                f"expected the id of one of {len(self.tasks)} tasks ({some}, ...), got {task_id!r}"
            )
        return self.tasks[str(task_id)]

    def words(self) -> tuple[str, ...]:
        """Returns words of the questions; never of the gold tables."""
        words = {
            w.strip(".,:;?()\"'") for task in self.tasks.values() for w in task.question.split()
        }
        return tuple(sorted(word for word in words if len(word) > 3)) or ("list",)


def make_source(
    tasks: Iterable[Task] | None,
    backend: Backend | None,
    limits: Limits | None,
    *,
    preset: str,
    split: Literal["train", "test"],
    world_seed: int,
) -> TaskSource:
    """Returns the source for own tasks, or for an embedded world when there are none.

    Raises:
        ValueError: tasks without a backend or the reverse, no tasks, an id twice, or an unknown
            preset or split.
        TypeError: the tasks are no `Task` records, or the backend is none.
    """
    if (tasks is None) != (backend is None):
        raise ValueError("`tasks` and `backend` belong together: give both, or neither")
    if backend is not None and not isinstance(backend, Backend):
        raise TypeError(
            f"`backend` must have `search` and `open`, got {backend!r}; for files of pages, give "
            "wideseek_env.backends.folder.FolderBackend(path)"
        )
    if tasks is not None and backend is not None:
        return TaskSource(_by_id(tasks), backend, limits or Limits())
    from wideseek_env.worlds import World  # noqa: PLC0415 - not needed for own tasks

    world = World(preset, seed=world_seed, split=split)
    own = _by_id(world.tasks(NUM_EMBEDDED_TASKS, seed=world_seed))
    return TaskSource(own, world.backend(), limits or world.preset.limits)


def _by_id(tasks: Iterable[Task]) -> dict[str, Task]:
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
    return by_id
