"""What a synthesis has done, as its folder keeps it and as its data card tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from wideseek_env.records import Task

TASKS, TEST, CARD = "tasks.jsonl", "test.jsonl", "card.md"


class StageDone(msgspec.Struct):
    """What one stage did."""

    kept: int
    dropped: dict[str, int]
    seconds: float
    calls: int = 0
    """Replies of a model that were paid for."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Worded(msgspec.Struct):
    """What came of the stages that ask a model."""

    settings: dict[str, Any]
    """Which model, and what it had to do."""
    stages: dict[str, StageDone] = {}
    notes: dict[str, int] = {}
    """What happened to tasks that stay."""
    num_unanswered: int = 0
    """Tasks left out for want of a reply."""
    num_unasked: int = 0
    """Tasks that a cap left out."""


class State(msgspec.Struct):
    """What an output folder holds."""

    settings: dict[str, Any]
    stages: dict[str, StageDone] = {}
    """By rules, which are done once."""


def data_card(
    state: State, train: list[Task], test: list[Task], worded: Worded | None = None
) -> str:
    """Writes what was made, of what, how much each stage kept, and what it cost.

    Args:
        state: of the stages by rules.
        train: the training tasks.
        test: the held-out ones.
        worded: of the stages that asked a model; None: none was asked.
    """
    stages = {**state.stages, **(worded.stages if worded else {})}
    lines = [
        "# Data card",
        "",
        f"{len(train):,} training tasks in `{TASKS}` and `width_20k.jsonl`, {len(test):,} held-out "
        f"ones in `{TEST}` and `widesearch.jsonl`. No row of a held-out task stands, with its key "
        "and another cell, in a table of a training page.",
        "",
        _made_by(worded),
        "",
        f"Settings: `{state.settings}`",
        "",
        "| stage | kept | left out | kept of all | seconds |",
        "|---|---|---|---|---|",
    ]
    for name, done in stages.items():
        out = sum(done.dropped.values())
        share = done.kept / max(1, done.kept + out)
        seconds = f"{done.seconds:.1f}" if done.seconds else ""
        lines.append(f"| {name} | {done.kept:,} | {out:,} | {share:.1%} | {seconds} |")
    lines += _paid(worded) if worded else []
    lines += ["", "| left out in | because of | how many |", "|---|---|---|"]
    for name, done in stages.items():
        ranked = sorted(done.dropped.items(), key=lambda each: -each[1])
        lines += [f"| {name} | {reason} | {num:,} |" for reason, num in ranked if num]
    lines += ["", "| tasks with | training | held out |", "|---|---|---|"]
    for name, counts in _features().items():
        lines.append(f"| {name} | {sum(map(counts, train)):,} | {sum(map(counts, test)):,} |")
    return "\n".join(lines) + "\n"


def _made_by(worded: Worded | None) -> str:
    if worded is None:
        return "Made by rules, no model asked, cost 0."
    said = [
        f"Programs, gold tables and sources by rules; questions worded and checked by a model: "
        f"`{worded.settings}`."
    ]
    if worded.num_unasked:
        said.append(
            f"{worded.num_unasked:,} tasks are not here, as a cap was reached before they were "
            "asked about."
        )
    if worded.num_unanswered:
        said.append(f"{worded.num_unanswered:,} tasks are not here for want of a usable reply.")
    said += [f"{num:,} tasks {note}." for note, num in worded.notes.items()]
    return " ".join(said)


def _paid(worded: Worded) -> list[str]:
    lines = [
        "",
        "| asked in | replies | prompt tokens | reply tokens | cost |",
        "|---|---|---|---|---|",
    ]
    asked = {name: done for name, done in worded.stages.items() if done.calls}
    for name, done in asked.items():
        lines.append(
            f"| {name} | {done.calls:,} | {done.prompt_tokens:,} | {done.completion_tokens:,} "
            f"| {done.cost:.4f} |"
        )
    total = sum(done.cost for done in asked.values())
    return [*lines, "", f"Cost of all replies in this folder: {total:.4f}"]


def _features() -> Mapping[str, Callable[[Task], bool]]:
    def about(name: str) -> Callable[[Task], Any]:
        return lambda task: task.metadata["synthesis"]["difficulty"][name]

    return {
        "a question in Chinese": lambda task: task.language == "zh",
        "conditions": lambda task: about("conditions")(task) > 0,
        "a rank (top k)": lambda task: bool(about("ranked")(task)),
        "a join": lambda task: about("hops")(task) > 1,
        "an answer on several pages": lambda task: not about("one_page")(task),
        "more than 20 rows": lambda task: about("rows")(task) > 20,
    }
