"""`python -m benchmarks [report FOLDER | view RUN]`: as `wideseek benchmark`, `report`, `view`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from wideseek_env.cli.commands import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Plays, reports or shows; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["report"], ["view"]):
        return run_command(words[0], words[1:])
    return run_command("benchmark", words)


if __name__ == "__main__":
    sys.exit(main())
