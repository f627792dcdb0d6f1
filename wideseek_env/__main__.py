"""`python -m wideseek_env`: the command `wideseek` where its script is not on the path."""

import sys

from wideseek_env.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
