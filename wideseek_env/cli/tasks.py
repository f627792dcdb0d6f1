"""`python -m wideseek_env tasks`: writes tasks about a closed world, one JSON line each."""

from __future__ import annotations

import argparse
from pathlib import Path

from wideseek_env.cli.world import add_world_arguments

HELP = "write tasks about a closed world as JSON lines"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_world_arguments(parser)
    parser.add_argument(
        "--pages", type=int, metavar="N",
        help="size of the world, as given to `world --pages`; by default the preset's size",
    )  # fmt: skip
    parser.add_argument("--num", type=int, default=100, help="how many tasks (%(default)s)")
    parser.add_argument(
        "--kind", default="wide", choices=("wide", "deep", "hybrid"),
        help="tables, single answers, or both in turn (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--task-seed", type=int, default=0, help="seed of the tasks (%(default)s)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="write the tasks to this file"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the tasks; returns the exit status."""
    from wideseek_env.jsonlines import encode  # noqa: PLC0415 - other commands need no worlds
    from wideseek_env.worlds import World  # noqa: PLC0415
    from wideseek_env.worlds.files import write_lines  # noqa: PLC0415

    if args.num < 1:
        raise ValueError(f"--num: expected at least 1, got {args.num}")
    world = World(args.preset, args.seed, args.split, args.pages)
    tasks = world.tasks(args.num, seed=args.task_seed, kind=args.kind)
    print(f"wrote {write_lines(args.out, map(encode, tasks)):,} tasks to {args.out}")
    return 0
