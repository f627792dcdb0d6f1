"""The command line: flags with a dot are OpenRLHF's, all others ours, made from `TeamSettings`."""

from __future__ import annotations

from collections.abc import Sequence

from trainers.openrlhf.settings import TeamSettings
from wideseek_env.cli.options import read_options

THEIRS = ("--local_rank", "--use_ms")
"""Flags of OpenRLHF's without a dot."""


def parse(argv: Sequence[str]) -> tuple[TeamSettings, list[str]]:
    """Returns our settings and the flags that are OpenRLHF's.

    Raises:
        ValueError: a value of ours is out of its range; other mistakes end the process (2).
    """
    ours: list[str] = []
    theirs: list[str] = []
    part = ours
    for word in argv:
        if word.startswith("--"):
            name = word.partition("=")[0]
            part = theirs if "." in name or name in THEIRS else ours
        part.append(word)
    return read_options(TeamSettings, ours, prog="python -m trainers.openrlhf"), theirs
