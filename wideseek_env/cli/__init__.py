"""One module for each command of `python -m wideseek_env`."""
