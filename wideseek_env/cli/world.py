"""`wideseek world`: writes a closed world to a file, or serves it over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from wideseek_env.cli.options import Count, InFile, OutFile, Seed, check_presets, check_values
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import Interrupted
from wideseek_env.worlds import Split, World
from wideseek_env.worlds.files import read_world, write_world

_HOST = "127.0.0.1"

Port = Annotated[int, Meta(ge=1, le=65535)]


@dataclass(frozen=True, kw_only=True)
class WhichWorld:
    """Which world."""

    preset: str = "default"
    """Its difficulty: starter, easy, default, ...; see docs/worlds.md."""
    seed: Seed = 0
    """Of the world: the same seed is the same world."""
    split: Split = "train"
    """Train and test worlds share no name."""
    num_pages: Count | None = None
    """At least so many pages, in whole regions; none is the preset's size."""

    def __post_init__(self) -> None:
        check_presets([self.preset], "--preset")
        check_values(self)

    def made(self) -> World:
        """Makes the world."""
        return World(self.preset, self.seed, self.split, self.num_pages)


@dataclass(frozen=True, kw_only=True)
class WorldOptions(WhichWorld):
    """Writes a closed world as JSON lines of pages, or serves it as a web site on 127.0.0.1."""

    out: OutFile | None = None
    """File that the pages are written to."""
    serve: Port | None = None
    """Port at which the pages are served."""
    load: InFile | None = None
    """Serves the pages of this file, which `--out` wrote, in place of the world's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out is None and self.serve is None:
            raise ValueError("nothing to do: give `--out FILE`, `--serve PORT` or both")
        if self.out is not None and self.out.suffix != ".jsonl":
            raise ValueError(
                f"--out: expected a name that ends in .jsonl, by which others know pages, "
                f"got {str(self.out)!r}"
            )
        if self.load is not None and (self.out is not None or self.serve is None):
            raise ValueError("`--load FILE` goes with `--serve PORT` and not with `--out`")


def run(options: WorldOptions) -> int:
    """Writes or serves the world; returns the exit status."""
    world = options.made()
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with progress("pages", world.num_pages) as advance:
                num = write_world(world, options.out, advance)
            print(f"wrote {num:,} pages to {options.out}")
        except KeyboardInterrupt as error:
            raise Interrupted(f"{options.out} is as it was") from error
    if options.serve is not None:
        from aiohttp import web  # noqa: PLC0415 - writing needs no server

        from wideseek_env.worlds.serve import make_app  # noqa: PLC0415

        pages = read_world(options.load) if options.load else world.pages()
        title = f"{options.preset} {options.split} world {options.seed}"
        title = options.load.stem if options.load else title
        web.run_app(make_app(pages, title), host=_HOST, port=options.serve)
    return 0
