"""Trains lead and subagents with OpenRLHF: `python -m trainers.openrlhf OUR FLAGS THEIR FLAGS`.

All of OpenRLHF's flags (`--actor.model_name_or_path`, `--rollout.batch_size`, …) are passed on as
they are; ours stand without a dot. `trainers/openrlhf/scripts` has whole commands.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trainers.openrlhf.launch import launch
from trainers.openrlhf.options import parse
from wideseek_env.cli.commands import guarded


def main(argv: Sequence[str] | None = None) -> int:
    """Trains from the command line."""

    def work() -> int:
        settings, flags = parse(sys.argv[1:] if argv is None else argv)
        launch(settings, flags)
        return 0

    return guarded(work)


if __name__ == "__main__":
    sys.exit(main())
