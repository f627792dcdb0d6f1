"""Task sources by text, for the command line.

| text | stands for |
|---|---|
| `default` | one closed world of this preset |
| `worlds:starter:0-999` | the worlds of these seeds |
| `corpus:DIR` | a folder of pages with its tasks.jsonl or tables.jsonl |
| `file:tasks.jsonl` | a task file in any format; needs a backend |
| `hub:NAME/DATASET` | a WideSearch data set on the Hugging Face hub; needs a backend |
| `my_package.tasks:make` | your own: a `TaskSource`, or what makes one |
| any other name | an entry point of `wideseek.sources` in an installed package |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wideseek_env.backends import Backend
from wideseek_env.backends.named import backend_named
from wideseek_env.plugins import made, resolve
from wideseek_env.records import Task
from wideseek_env.tasks.source import NUM_TASKS, TaskSource
from wideseek_env.worlds import PRESETS, Split, TaskKind


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What a text leaves open."""

    backend: Backend | str | None = None
    """Where the tasks of a file are looked up: a folder of pages, or a backend's Python path."""
    tables: str | None = None
    """Folder of the gold tables, which a file in WideSearch's format needs."""
    split: Split = "train"
    """Of closed worlds; names of `test` worlds are in no `train` world."""
    seed: int = 0
    """Of a single world, and of the draw from files."""
    num_tasks: int | None = None
    """Tasks of each world (default: 64), or drawn from a file (default: all)."""
    kind: TaskKind = "wide"
    """Of the tasks of closed worlds; `hybrid` is wide and deep in turn."""
    salt: str = ""
    """A secret, without which nobody can make the closed worlds again."""


def source_named(text: str, options: SourceOptions | None = None) -> TaskSource:
    """Makes the source that a text of the module's table stands for; no page is read yet.

    Raises:
        ValueError: nothing is called so, what the source needs is missing, or what has this name
            makes no `TaskSource`.
    """
    options = options or SourceOptions()
    if text in PRESETS:
        return TaskSource.world(
            text,
            seed=options.seed,
            split=options.split,
            num_tasks=NUM_TASKS if options.num_tasks is None else options.num_tasks,
            kind=options.kind,
            salt=options.salt,
        )
    kind, _, rest = text.partition(":")
    if kind == "worlds":
        return _worlds(rest, options)
    if kind in _KINDS:
        source = _KINDS[kind](rest, options)
    else:
        source = made("sources", text, resolve("sources", text, PRESETS))
        if not isinstance(source, TaskSource):
            raise ValueError(f"expected {text} to be or make a `TaskSource`, got {source!r}")
    if options.num_tasks is None:
        return source
    return source.sample(options.num_tasks, options.seed)


def check_backend(backend: Backend | str | None, *sources: str) -> None:
    """Looks whether a backend is asked by any of these sources.

    Raises:
        ValueError: all of them bring their own pages, so that what somebody named would not be
            used, and whether it exists would not even be looked at.
    """
    if backend is not None and not any(source.startswith(_ASKING) for source in sources):
        raise ValueError(
            f"the backend is for tasks of file:FILE or hub:NAME, and {', '.join(sources)} "
            f"{'brings its' if len(sources) == 1 else 'bring their'} own pages: leave it out"
        )


def pick_source(
    source: TaskSource | str | None,
    tasks: Iterable[Task] | None,
    backend: Backend | str | None,
    *,
    preset: str,
    split: Split,
    world_seed: int | Sequence[int],
    num_tasks: int | None,
) -> TaskSource:
    """Makes the source of an environment: what it is given, own tasks, or closed worlds.

    Raises:
        ValueError: they exclude one another, what one needs is missing, or nothing is called so.
        TypeError: the tasks are no `Task` records, or the backend is none.
    """
    if source is not None and tasks is not None:
        raise ValueError("`source` brings its own tasks: give it, or `tasks` and `backend`")
    if isinstance(source, str):
        check_backend(backend, source)
        return source_named(source, SourceOptions(backend, None, split, num_tasks=num_tasks))
    if (tasks is None) != (backend is None):
        raise ValueError("`tasks` and `backend` belong together: give both, or neither")
    if tasks is not None and backend is not None:
        asked = backend_named(backend) if isinstance(backend, str) else backend
        source = TaskSource.listed(tasks, asked)
    if source is not None:
        return source if num_tasks is None else source.sample(num_tasks)
    num_tasks = NUM_TASKS if num_tasks is None else num_tasks
    if isinstance(world_seed, int):
        return TaskSource.world(preset, seed=world_seed, split=split, num_tasks=num_tasks)
    return TaskSource.worlds(preset, world_seed, split=split, tasks_each=num_tasks)


def preset_named(text: str) -> str | None:
    """Tells the preset of the closed worlds that a text stands for; None: other pages."""
    kind, _, rest = text.partition(":")
    preset = rest.partition(":")[0] if kind == "worlds" else text
    return preset if preset in PRESETS else None


def _worlds(rest: str, options: SourceOptions) -> TaskSource:
    preset, _, seeds = rest.partition(":")
    first, _, last = seeds.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise ValueError(
            f"expected worlds:PRESET:FIRST-LAST, such as worlds:starter:0-999, got worlds:{rest}"
        )
    return TaskSource.worlds(
        preset,
        range(int(first), int(last or first) + 1),
        split=options.split,
        tasks_each=NUM_TASKS if options.num_tasks is None else options.num_tasks,
        kind=options.kind,
        salt=options.salt,
    )


def _corpus(rest: str, options: SourceOptions) -> TaskSource:
    if not Path(rest).is_dir():
        raise ValueError(f"corpus: expected a folder of pages, got {rest!r}, which is none")
    return TaskSource.corpus(rest)


def _file(rest: str, options: SourceOptions) -> TaskSource:
    if not Path(rest).is_file():
        raise ValueError(f"file: expected a file of tasks, got {rest!r}, which is none")
    return TaskSource.file(rest, _backend(f"file:{rest}", options), tables=options.tables)


def _hub(rest: str, options: SourceOptions) -> TaskSource:
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wideseek"
    folder = kept / rest.replace("/", "--")
    return TaskSource.hub(rest, _backend(f"hub:{rest}", options), folder=folder)


def _backend(text: str, options: SourceOptions) -> Backend | str:
    if options.backend is None:
        raise ValueError(f"{text} has tasks and no pages: give a backend, such as a folder of them")
    return options.backend


_ASKING = ("file:", "hub:")
_KINDS: dict[str, Callable[[str, SourceOptions], TaskSource]] = {
    "corpus": _corpus,
    "file": _file,
    "hub": _hub,
}
