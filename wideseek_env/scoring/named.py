"""Scorers by text, for the command line.

| text | stands for |
|---|---|
| `strict` | the rules of this project, without the holes of the official ones |
| `official` | WideSearch's own scorer, without its language model |
| `my_package.scoring:Mine` | your own: an async function of task and answer, or a class of such |
| any other name | an entry point of `wideseek.scorers` in an installed package |

A judge asks a server, so scorers with one are made in Python; `wideseek score` has flags for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import cast

from wideseek_env.plugins import made, resolve
from wideseek_env.scoring import Scorer

SCORERS: Mapping[str, str] = {
    "official": "wideseek_env.scoring:OfficialScorer",
    "strict": "wideseek_env.scoring:StrictScorer",
}


def scorer_named(name: str) -> Scorer:
    """Makes the scorer that a text of the module's table stands for; a class is made once here.

    Raises:
        ValueError: nothing is called so, or it is no scorer.
    """
    found = resolve("scorers", name, SCORERS)
    scorer = made("scorers", name, found) if isinstance(found, type) else found
    called = callable(scorer) and type(scorer).__call__
    if not inspect.iscoroutinefunction(scorer) and not inspect.iscoroutinefunction(called):
        raise ValueError(
            f"expected {name} to be a scorer, an async function of a task and an answer or a class "
            f"of such, got {scorer!r}"
        )
    return cast("Scorer", scorer)
