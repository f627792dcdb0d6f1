"""A closed world: pages to search and open, and tasks whose answers are exactly known.

    world = World("default", seed=0, split="test")
    backend, tasks = world.backend(), list(world.tasks(20))

A world is a row of regions, each made when it is needed from the world's preset, seed, split and
the region's number alone. So a world of a million pages is written in the memory of one region.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Literal, TypeAlias, get_args

from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.records import Task
from wideseek_env.worlds.copies import Copies, num_extra_pages
from wideseek_env.worlds.names import NameMaker, Split
from wideseek_env.worlds.pages import Renderer, num_list_pages
from wideseek_env.worlds.presets import PRESETS, Preset
from wideseek_env.worlds.region import Region, make_region
from wideseek_env.worlds.tasks import TaskMaker

WORLD_VERSION = 1
"""Raised whenever equal arguments give other pages or tasks than before."""

TaskKind: TypeAlias = Literal["wide", "deep", "hybrid"]

_TASKS_IN_A_ROW = 16
"""Tasks asked about one region before the next one's turn, since making a region takes time."""

_MAX_KEPT_REGIONS = 8
_MAX_REPEATED_DRAWS = 30
"""Draws of questions asked before that show that a region has hardly any other left."""


class World:
    """A fictional, seeded web with tasks about it.

    Args:
        preset: name of a difficulty in `PRESETS`, or a `Preset` of one's own.
        seed: two worlds of different seeds have nothing in common but chance.
        split: train and test worlds share no name of an entity.
        num_pages: makes the world at least so large, in whole regions; None: `preset.regions`.
        salt: a secret, without which nobody can make this world or its answers again; "": none.

    Raises:
        ValueError: there is no such preset or split, or `num_pages` is less than 1, or so many
            that names run out.
    """

    def __init__(
        self,
        preset: str | Preset = "default",
        seed: int = 0,
        split: Split = "train",
        num_pages: int | None = None,
        salt: str = "",
    ) -> None:
        if not isinstance(preset, Preset) and preset not in PRESETS:
            raise ValueError(f"`preset` must be one of {', '.join(PRESETS)}, got {preset!r}")
        if split not in get_args(Split):
            raise ValueError(f"`split` must be one of {', '.join(get_args(Split))}, got {split!r}")
        if num_pages is not None and num_pages < 1:
            raise ValueError(f"`num_pages` must be at least 1, got {num_pages}")
        self.preset = preset if isinstance(preset, Preset) else PRESETS[preset]
        self.seed = seed
        self.split = split
        self._salt = salt
        self._num_regions = self.preset.regions
        if num_pages is not None:
            self._num_regions = -(-num_pages // self._pages_per_region())
        names = NameMaker(self._rng("regions"), split, short=self.preset.short_names)
        self._region_names = names.words(self._num_regions)
        self._kept: OrderedDict[int, _Made] = OrderedDict()

    @property
    def num_pages(self) -> int:
        """How many pages the world has."""
        return self._num_regions * self._pages_per_region()

    def pages(self) -> Iterator[RawPage]:
        """Yields every page, always in the same order."""
        for number in range(self._num_regions):
            made = self._region(number)
            rng = self._rng("region", number, "pages")
            yield from Renderer(made.region, made.copies, self.preset, rng).pages()

    def backend(self) -> PagesBackend:
        """Returns a backend that searches and opens the pages of this world, in memory."""
        return PagesBackend(self.pages(), links=True)

    def tasks(self, num: int, *, seed: int = 0, kind: TaskKind = "wide") -> Iterator[Task]:
        """Yields tasks about the world, the same ones for the same arguments.

        A question is asked again only when a small world has hardly any other left.

        Args:
            num: how many.
            seed: another seed gives other tasks.
            kind: "wide": a table with many rows; "deep": one answer, several relations away;
                "hybrid": both in turn.

        Raises:
            ValueError: `kind` or `num` is wrong, or the preset allows no such task.
        """
        if kind not in get_args(TaskKind):
            raise ValueError(f"`kind` must be one of {', '.join(get_args(TaskKind))}, got {kind!r}")
        if num < 0:
            raise ValueError(f"`num` must be at least 0, got {num}")
        return self._tasks(num, seed, kind)

    def _tasks(self, num: int, seed: int, kind: TaskKind) -> Iterator[Task]:
        asked: set[bytes] = set()
        exhausted: set[int] = set()
        order = list(range(self._num_regions))
        self._rng("task order", seed).shuffle(order)
        world = f"{self.preset.name}-{self.split}-{self.seed}{salt_mark(self._salt)}"
        metadata = {"preset": self.preset.name, "seed": self.seed, "split": self.split}
        for index in range(num):
            number = order[index // _TASKS_IN_A_ROW % len(order)]
            made = self._region(number)
            deep = kind == "deep" or (kind == "hybrid" and index % 2 == 1)
            rng = self._rng("tasks", seed, kind, index)
            task_id = f"{world}-{kind}-{seed}-{index}"
            make = made.tasks.deep if deep else made.tasks.wide
            task = make(task_id, rng, metadata)
            for _ in range(0 if number in exhausted else _MAX_REPEATED_DRAWS):
                if _fingerprint(task) not in asked:
                    break
                task = make(task_id, rng, metadata)
            if _fingerprint(task) in asked:
                exhausted.add(number)
            asked.add(_fingerprint(task))
            yield task

    def _region(self, number: int) -> _Made:
        made = self._kept.get(number)
        if made is None:
            rng = self._rng("region", number)
            names = NameMaker(rng, self.split, short=self.preset.short_names)
            region = make_region(self._region_names[number], self.preset, rng, names)
            copies = Copies(region, self.preset, rng, names)
            made = _Made(region, copies, TaskMaker(region, copies, self.preset))
            self._kept[number] = made
            if len(self._kept) > _MAX_KEPT_REGIONS:
                self._kept.popitem(last=False)
        return made

    def _pages_per_region(self) -> int:
        preset = self.preset
        lists = sum(num_list_pages(size, preset) for size in preset.sizes)
        portal = 0 if preset.compact else 1
        return portal + lists + sum(preset.sizes) + num_extra_pages(preset)

    def _rng(self, *parts: object) -> Random:
        """Returns a generator of its own for a purpose.

        `Random` hashes a text seed with SHA-512, so all processes draw the same.
        """
        of = f"{WORLD_VERSION}|{self.preset.name}|{self.seed}|{self.split}|{parts}"
        return Random(f"{of}|{self._salt}" if self._salt else of)


def salt_mark(salt: str) -> str:
    """Tells ids of worlds of different salts apart, without telling the salt."""
    digest = blake2b(salt.encode(), digest_size=4, person=b"wideseek").hexdigest()
    return f"+{digest}" if salt else ""


@dataclass(frozen=True, slots=True)
class _Made:
    """A region with what is derived from it."""

    region: Region
    copies: Copies
    tasks: TaskMaker


def _fingerprint(task: Task) -> bytes:
    """Returns a short digest that equal questions share, whatever their wording."""
    return blake2b(repr((task.column_names, task.gold)).encode(), digest_size=12).digest()
