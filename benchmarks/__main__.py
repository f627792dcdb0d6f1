"""`python -m benchmarks [report FOLDER]`: as `wideseek benchmark` and `wideseek report`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from wideseek_env.cli.commands import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Plays or reports; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["report"]:
        return run_command("report", words[1:])
    return run_command("benchmark", words)


if __name__ == "__main__":
    sys.exit(main())
