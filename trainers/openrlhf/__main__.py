"""Trains lead and subagents with OpenRLHF: `wideseek train openrlhf OUR FLAGS THEIR FLAGS`.

All of OpenRLHF's flags (`--actor.model_name_or_path`, `--rollout.batch_size`, …) are passed on as
they are; ours stand without a dot. `trainers/openrlhf/scripts` has whole commands.
"""

from __future__ import annotations

import sys

from wideseek_env.cli.commands import run_command

if __name__ == "__main__":
    sys.exit(run_command("train openrlhf"))
