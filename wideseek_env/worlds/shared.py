"""The worlds of this process: made once, shared by all who play there, the oldest let go.

Sixteen environments on one preset hold one world, and a training run over thousands of worlds holds
the last ones. Backends of worlds keep no state between calls, so sharing changes no episode.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import RLock

from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.records import Task
from wideseek_env.worlds.names import Split
from wideseek_env.worlds.presets import Preset
from wideseek_env.worlds.world import TaskKind, World

MAX_PAGES = 50_000
"""Pages kept in all, about 1 GB: 36 worlds of `default`, or 450 of `starter`."""


class _Shared:
    """One world, with what has been made of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.backend: PagesBackend | None = None
        self.tasks: dict[tuple[int, int, TaskKind], tuple[Task, ...]] = {}


_lock = RLock()
_kept: OrderedDict[tuple[Preset, int, Split, str], _Shared] = OrderedDict()


def shared_backend(preset: Preset, seed: int, split: Split, salt: str = "") -> PagesBackend:
    """Gives the backend of a world; the same object as long as the world is kept."""
    with _lock:
        shared = _shared(preset, seed, split, salt)
        if shared.backend is None:
            shared.backend = shared.world.backend()
        return shared.backend


def shared_tasks(
    preset: Preset,
    seed: int,
    split: Split,
    salt: str = "",
    *,
    num: int,
    task_seed: int,
    kind: TaskKind,
) -> tuple[Task, ...]:
    """Gives the tasks of a world that `World.tasks` makes."""
    with _lock:
        shared, which = _shared(preset, seed, split, salt), (num, task_seed, kind)
        if which not in shared.tasks:
            shared.tasks[which] = tuple(shared.world.tasks(num, seed=task_seed, kind=kind))
        return shared.tasks[which]


def _shared(preset: Preset, seed: int, split: Split, salt: str) -> _Shared:
    key = (preset, seed, split, salt)
    if key not in _kept:
        _kept[key] = _Shared(World(preset, seed, split, salt=salt))
        while len(_kept) > 1 and sum(s.world.num_pages for s in _kept.values()) > MAX_PAGES:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]
