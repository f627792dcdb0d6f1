"""The command line: flags with a dot are OpenRLHF's, all others ours, made from `TeamSettings`."""

from __future__ import annotations

from collections.abc import Sequence

THEIRS = ("--local_rank", "--use_ms")
"""Flags of OpenRLHF's without a dot."""


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts the words of `wideseek train openrlhf` into ours and OpenRLHF's."""
    ours: list[str] = []
    theirs: list[str] = []
    part = ours
    for word in argv:
        if word.startswith("-") and not word[1:2].isdigit():
            name = word.partition("=")[0]
            part = theirs if "." in name or name in THEIRS else ours
        part.append(word)
    return ours, theirs
