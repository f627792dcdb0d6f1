"""Which episodes the list shows: filters, order, counts beside each choice, and CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.viewer.index import Fact, RunIndex
from wideseek_env.plugins import one_of

Shown = tuple[RunIndex, Fact]

ERRORS = ("unread", "unreported", "dropped", "wrong", "extra", "no answer", "invalid", "damaged")
"""Kinds of error: fates of cells, and ends of episodes that cannot have right ones."""

FIELDS: dict[str, Callable[[RunIndex, Fact], str]] = {
    "run": lambda run, fact: run.name,
    "source": lambda run, fact: fact.label.source,
    "policy": lambda run, fact: fact.label.policy,
    "width": lambda run, fact: str(fact.label.width),
    "depth": lambda run, fact: "" if fact.label.depth is None else str(fact.label.depth),
    "task": lambda run, fact: fact.task_id,
    "end": lambda run, fact: fact.end.replace("_", " "),
}
"""What a filter may name; several values of one are alternatives."""

ORDERS: dict[str, Callable[[RunIndex, Fact], Any]] = {
    "line": lambda run, fact: (run.name, fact.line),
    "item_f1": lambda run, fact: -1.0 if fact.item_f1 is None else fact.item_f1,
    "policy": lambda run, fact: fact.label.policy,
    "source": lambda run, fact: fact.label.source,
    "width": lambda run, fact: fact.label.width,
    "task": lambda run, fact: fact.task_id,
    "turns": lambda run, fact: fact.num_turns,
    "seconds": lambda run, fact: fact.seconds,
}

COLUMNS = (
    "run", "id", "source", "task", "trial", "policy", "width", "depth", "item_f1", "row_f1", "end",
    "turns", "seconds", "right", "unread", "unreported", "dropped", "wrong", "extra", "error",
    "question",
)  # fmt: skip
"""Of the CSV."""


@dataclass(frozen=True, slots=True)
class Query:
    """What the list is asked for."""

    text: str = ""
    """Words that the question, task, policy or id must all have."""
    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Field to the values that are shown; fields that are absent show all."""
    errors: frozenset[str] = frozenset()
    """Kinds of error of which an episode must have one."""
    least: float = 0.0
    """Item F1."""
    most: float = 1.0
    sort: str = "line"
    descending: bool = False

    @classmethod
    def of(cls, words: Sequence[tuple[str, str]]) -> Query:
        """Reads a query from the (name, value) pairs of an address.

        Raises:
            ValueError: a value is none that there is.
        """
        wanted: dict[str, set[str]] = {}
        errors, rest = set(), {}
        for name, value in words:
            if name in FIELDS:
                wanted.setdefault(name, set()).add(value)
            elif name == "error":
                errors.add(_checked("error", value, ERRORS))
            else:
                rest[name] = value
        return cls(
            text=rest.get("q", ""),
            wanted={name: frozenset(values) for name, values in wanted.items()},
            errors=frozenset(errors),
            least=_share("min", rest.get("min", "0")),
            most=_share("max", rest.get("max", "1")),
            sort=_checked("sort", rest.get("sort", "line"), ORDERS),
            descending=rest.get("desc") == "1",
        )

    def select(self, runs: Iterable[RunIndex]) -> list[Shown]:
        """Returns the episodes that match, in order."""
        found = [
            (run, fact)
            for run in runs
            for fact in list(run.facts.values())
            if self._matches(run, fact, None)
        ]
        key = ORDERS[self.sort]
        found.sort(key=lambda shown: key(*shown), reverse=self.descending)
        return found

    def choices(self, runs: Sequence[RunIndex]) -> dict[str, dict[str, int]]:
        """Counts for each filter the episodes behind each value, under all other filters."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in (*FIELDS, "error")}
        del counts["task"]  # thousands; the text finds them
        for run in runs:
            for fact in list(run.facts.values()):
                for name, counter in counts.items():
                    if not self._matches(run, fact, name):
                        continue
                    if name == "error":
                        counter.update(errors_of(fact))
                    elif value := FIELDS[name](run, fact):
                        counter[value] += 1
        return {name: dict(counter) for name, counter in counts.items()}

    def _matches(self, run: RunIndex, fact: Fact, but: str | None) -> bool:
        """Whether an episode passes all filters but one."""
        for name, values in self.wanted.items():
            if name != but and FIELDS[name](run, fact) not in values:
                return False
        if self.errors and but != "error" and self.errors.isdisjoint(errors_of(fact)):
            return False
        if (self.least > 0 or self.most < 1) and (
            fact.item_f1 is None or not self.least <= fact.item_f1 <= self.most
        ):
            return False
        if not self.text:
            return True
        text = f"{fact.question} {fact.task_id} {fact.label.policy} {fact.id} {fact.error}"
        return all(word in text.casefold() for word in self.text.casefold().split())


def errors_of(fact: Fact) -> list[str]:
    """Returns the kinds of error that an episode has."""
    if fact.end == "damaged":
        return ["damaged"]
    if fact.item_f1 is None:
        return ["invalid"]
    found = [kind for kind in ERRORS if (fact.fates or {}).get(kind)]
    return found if fact.end == "answered" else [*found, "no answer"]


def row_of(run: RunIndex, fact: Fact) -> dict[str, Any]:
    """Returns what the list shows of an episode."""
    counts = fact.fates or {}
    return {
        "run": run.name,
        "id": fact.id,
        "source": fact.label.source,
        "task": fact.task_id,
        "trial": fact.label.trial,
        "policy": fact.label.policy,
        "width": fact.label.width,
        "depth": fact.label.depth,
        "item_f1": fact.item_f1,
        "row_f1": fact.row_f1,
        "end": fact.end.replace("_", " "),
        "turns": fact.num_turns,
        "seconds": round(fact.seconds, 4),
        "fates": fact.fates,
        **{fate: counts.get(fate, 0) for fate in ("right", *ERRORS[:5])},
        "error": fact.error,
        "question": fact.question,
    }


def to_csv(shown: Iterable[Shown]) -> str:
    """Returns the episodes as CSV that a spreadsheet runs nothing of."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for run, fact in shown:
        row = row_of(run, fact)
        writer.writerow(["" if row[name] is None else _harmless(row[name]) for name in COLUMNS])
    return out.getvalue()


def _harmless(value: object) -> object:
    """A spreadsheet takes a text that begins so for a formula, and questions are foreign text."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def _checked(name: str, value: str, choices: Iterable[str]) -> str:
    if value not in choices:
        raise ValueError(f"{name}: expected {one_of(choices, value)}")
    return value


def _share(name: Literal["min", "max"], text: str) -> float:
    try:
        share = float(text)
    except ValueError as error:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {text!r}") from error
    if not 0 <= share <= 1:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {text!r}")
    return share
