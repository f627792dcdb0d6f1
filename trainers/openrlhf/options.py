"""The command line: our flags follow from `TeamSettings`, all others are OpenRLHF's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, get_args, get_type_hints

from trainers.config import sentences
from trainers.openrlhf.settings import TeamSettings


def parse(argv: Sequence[str]) -> tuple[TeamSettings, list[str]]:
    """Returns our settings and the flags that are OpenRLHF's."""
    parser = argparse.ArgumentParser(
        prog="python -m trainers.openrlhf",
        description="Trains lead and subagents with OpenRLHF.",
        epilog="Flags with a dot are OpenRLHF's and are passed on; docs/openrlhf.md has both.",
        allow_abbrev=False,
    )
    told, hints = sentences(TeamSettings), get_type_hints(TeamSettings)
    for field in fields(TeamSettings):
        hint = hints[field.name]
        settings: dict[str, Any] = {"default": argparse.SUPPRESS, "help": told[field.name]}
        if hint is bool:
            settings["action"] = argparse.BooleanOptionalAction
        else:
            kinds = [kind for kind in get_args(hint) if kind is not NoneType]
            choices = [kind for kind in kinds if isinstance(kind, str)]
            settings["choices"] = choices or None
            settings["type"] = str if choices else (kinds[0] if kinds else hint)
        assert field.default is not MISSING  # noqa: S101 - every setting has one
        parser.add_argument("--" + field.name.replace("_", "-"), **settings)
    ours, flags = parser.parse_known_args(argv)
    strange = [flag for flag in flags if flag.startswith("--") and not _is_theirs(flag)]
    if strange:
        parser.error(f"unrecognized arguments: {' '.join(strange)} (OpenRLHF's have a dot)")
    try:
        return TeamSettings(**vars(ours)), flags
    except ValueError as error:
        parser.error(str(error))


def _is_theirs(flag: str) -> bool:
    return "." in flag or flag.partition("=")[0] in ("--local_rank", "--use_ms")
