"""`python -m wideseek_env world`: writes a closed world to a file, or serves it over HTTP."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write a closed world as JSON lines of pages, or serve it on 127.0.0.1"

_HOST = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_world_arguments(parser)
    parser.add_argument(
        "--pages", type=int, metavar="N",
        help="at least so many pages, in whole regions; by default the preset's size",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the pages to this file")
    parser.add_argument(
        "--serve", type=int, metavar="PORT", help=f"serve the pages at http://{_HOST}:PORT"
    )
    parser.add_argument(
        "--load", type=Path, metavar="FILE", help="serve the pages of this file, written by --out"
    )


def add_world_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that say which world."""
    from wideseek_env.worlds import PRESETS  # noqa: PLC0415 - other commands need no worlds

    parser.add_argument(
        "--preset", default="default", choices=list(PRESETS), help="difficulty (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the world (%(default)s)")
    parser.add_argument(
        "--split", default="train", choices=("train", "test"),
        help="train and test worlds share no name (%(default)s)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Writes or serves the world; returns the exit status."""
    from wideseek_env.worlds import World  # noqa: PLC0415
    from wideseek_env.worlds.files import read_world, write_world  # noqa: PLC0415

    if args.out is None and args.serve is None:
        raise ValueError("nothing to do: give `--out FILE`, `--serve PORT` or both")
    if args.load is not None and (args.out is not None or args.serve is None):
        raise ValueError("`--load FILE` goes with `--serve PORT` and not with `--out`")
    if args.serve is not None and not 1 <= args.serve <= 65535:
        raise ValueError(f"`--serve` must be a port from 1 to 65535, got {args.serve}")
    world = World(args.preset, args.seed, args.split, args.pages)
    if args.out is not None:
        print(f"wrote {write_world(world, args.out):,} pages to {args.out}")
    if args.serve is not None:
        from aiohttp import web  # noqa: PLC0415

        from wideseek_env.worlds.serve import make_app  # noqa: PLC0415

        pages = read_world(args.load) if args.load else world.pages()
        title = args.load.stem if args.load else f"{args.preset} {args.split} world {args.seed}"
        web.run_app(make_app(pages, title), host=_HOST, port=args.serve)
    return 0
