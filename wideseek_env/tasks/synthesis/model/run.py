"""Puts the tasks that rules made into words: files in, files out."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from wideseek_env.errors import WideSeekError
from wideseek_env.jsonlines import encode
from wideseek_env.records import Task
from wideseek_env.tasks.synthesis.card import StageDone, Worded
from wideseek_env.tasks.synthesis.model.asking import Asker, Server
from wideseek_env.tasks.synthesis.model.grounds import Grounds
from wideseek_env.tasks.synthesis.model.purse import Prices, Purse
from wideseek_env.tasks.synthesis.model.stages import (
    ALIKE,
    STAGES,
    Kit,
    ModelRules,
    ModelRun,
    Outcome,
)
from wideseek_env.worlds.files import write_lines

WORDED, LEFT_OUT = "9_worded.jsonl", "left_out.jsonl"
_FIRST_NUMBER = 4


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """Who is asked, for what, and how much may be spent."""

    server: Server
    rules: ModelRules = field(default_factory=ModelRules)
    prices: Prices = field(default_factory=Prices)
    max_cost: float = math.inf
    max_tokens: float = math.inf

    def settings(self) -> dict[str, Any]:
        """Returns what the data card tells of it; no key is in it."""
        kept: dict[str, Any] = {"model": self.server.model}
        return kept | {"rules": msgspec.to_builtins(self.rules)}


def files_in(out: Path) -> dict[str, Path]:
    """Returns the file of each stage's replies, by its name."""
    return {
        stage.name: out / f"{number}_{stage.name.replace(' ', '_').replace('-', '_')}.jsonl"
        for number, stage in enumerate(STAGES, _FIRST_NUMBER)
    }


class Material(NamedTuple):
    """What the stages by rules hand over."""

    tasks: Sequence[Task]
    """Made and checked."""
    grounds: Grounds
    """What they were made from."""
    pages: Mapping[str, str]
    """Text of the pages that `urls_of` lists, by URL; none when no answers are asked for."""


def put_into_words(
    material: Material, out: Path, plan: ModelPlan, advance: Callable[..., None]
) -> Worded:
    """Takes tasks through the stages, and writes `WORDED` and `LEFT_OUT` into a folder.

    Args:
        material: the tasks and what they were made from.
        out: the folder; replies that it holds are not asked for again.
        plan: who is asked, and for what.
        advance: called as tasks end.

    Raises:
        WideSeekError: the server refuses, or does not answer; what it said before is kept.
    """
    purse = Purse(plan.prices, plan.max_cost, plan.max_tokens)
    asker = Asker(plan.server, files_in(out), purse)
    notes = Counter[str]()
    run = ModelRun(Kit(asker, plan.rules, material.grounds, material.pages, notes), advance)

    async def asked() -> list[Outcome]:
        try:
            return await run.outcomes(material.tasks)
        finally:
            await asker.close()

    try:
        outcomes = asyncio.run(asked())
    except WideSeekError as error:
        raise WideSeekError(
            f"{error}; all replies that came are kept in {out}, and the same command goes on"
        ) from error
    kept = [outcome.task for outcome in outcomes if not outcome.stage]
    write_lines(out / WORDED, map(encode, kept))
    write_lines(out / LEFT_OUT, (_left_out(each) for each in outcomes if each.stage))
    unanswered = sum(outcome.unanswered for outcome in outcomes)
    return Worded(
        plan.settings(),
        _counts(outcomes, asker, plan.prices),
        dict(notes),
        unanswered,
        len(material.tasks) - len(outcomes),
    )


def _left_out(outcome: Outcome) -> bytes:
    return msgspec.json.encode(
        {
            "id": outcome.task.id,
            "stage": outcome.stage,
            "reason": outcome.reason,
            "question": outcome.task.question,
        }
    )


def _counts(outcomes: Sequence[Outcome], asker: Asker, prices: Prices) -> dict[str, StageDone]:
    """Counts what each stage kept of the tasks that came to it, and what its replies cost."""
    answered = [outcome for outcome in outcomes if not outcome.unanswered]
    left, counted = len(answered), dict[str, StageDone]()
    for name in (*(stage.name for stage in STAGES), ALIKE):
        dropped = Counter(each.reason for each in answered if each.stage == name)
        left -= dropped.total()
        replies = asker.files[name].replies.values() if name in asker.files else ()
        sent = sum(reply.prompt_tokens for reply in replies)
        got = sum(reply.completion_tokens for reply in replies)
        cost = prices.of(sent, got)
        counted[name] = StageDone(left, dict(dropped), 0.0, len(replies), sent, got, cost)
    return counted


def urls_of(tasks: Iterable[Task], grounds: Grounds) -> set[str]:
    """Lists the pages that may be shown for an answer to one of these tasks."""
    return {
        url
        for task in tasks
        for urls in (
            *(part.urls for part in grounds.of(task).parts),
            *(cell for row in task.sources for cell in row),
        )
        for url in urls
    }
