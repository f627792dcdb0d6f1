"""Command line: `python -m wideseek_env COMMAND ...`; each command is a module in `cli/`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from wideseek_env.errors import WideSeekError

COMMANDS = ("world", "tasks", "score")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 done, 1 failed, 2 bad arguments."""
    parser = argparse.ArgumentParser(prog="python -m wideseek_env", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"wideseek_env.cli.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (WideSeekError, ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
