"""Episodes made by hand for tests of what reads episodes: realistic in shape, exact in content."""

from __future__ import annotations

import random
from dataclasses import replace

from wideseek_env.records import (
    CellCredit,
    Column,
    Decision,
    Episode,
    Limits,
    Score,
    Task,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)

COLUMNS = ("River", "Length (km)", "Country")


def made_task(number: int, rows: int = 6, source: str = "default") -> Task:
    """A task on rivers with `rows` gold rows and one source page for each row."""
    names = [f"River {chr(65 + row)}{number}" for row in range(rows)]
    return Task(
        id=f"{source}-{number}",
        question=f"List every river of group {number} with its length and country.",
        columns=tuple(Column(name) for name in COLUMNS),
        key_columns=("River",),
        gold=tuple((name, str(100 + row), "Varnia") for row, name in enumerate(names)),
        sources=tuple(((url(name),),) * 3 for name in names),
        metadata={"source": source, "rows": rows},
    )


def url(name: str) -> str:
    return "/river/" + name.lower().replace(" ", "-")


def made_episode(
    task: Task,
    *,
    policy: str = "fanout",
    n_subagents: int = 2,
    trial: int = 0,
    found: int = 4,
    invalid: bool = False,
    title: str = "",
    page_chars: int = 400,
    **metadata: object,
) -> Episode:
    """An episode whose answer holds the first `found` gold rows, each read by one agent.

    Rows go round robin to the subagents (or to the lead alone); one search and one open each.
    """
    rng = random.Random(f"{task.id}/{policy}/{n_subagents}/{trial}")
    names = [row[0] for row in task.gold[:found]]
    readers = max(n_subagents, 1)
    work = [[name for i, name in enumerate(names) if i % readers == k] for k in range(readers)]
    subtasks = ["Find the length and country of: " + ", ".join(part) for part in work]
    read = [_reading(part, task, title, page_chars, rng) for part in work]
    answer = "| " + " | ".join(COLUMNS) + " |\n|---|---|---|\n"
    answer += "\n".join("| " + " | ".join(row) + " |" for row in task.gold[:found])
    done = ToolCall("answer", {"text": answer})
    if n_subagents == 0:
        turns = [replace(turn, level=level) for level, turn in enumerate(read[0])]
        begin = turns[-1].ended_s if turns else 0.0
        turns.append(_turn((done,), (), begin, rng, level=len(turns)))
        trajectories = [Trajectory("lead", "lead", task.question, tuple(turns), "answered")]
    else:
        trajectories = _team(task, subtasks, read, done, rng)
    subagents = range(1, len(trajectories)) if n_subagents else (0,)
    credits = tuple(
        CellCredit(row, column, (list(subagents)[row % readers],))
        for row in range(found)
        for column in range(3)
    )
    share = found / len(task.gold)
    f1 = 2 * share / (1 + share)
    score = Score(
        success=float(found == len(task.gold)),
        row_precision=float(found > 0),
        row_recall=share,
        row_f1=f1,
        item_precision=float(found > 0),
        item_recall=share,
        item_f1=f1,
        correct=tuple((credit.row, credit.column) for credit in credits),
    )
    return Episode(
        task=task,
        policy=policy,
        seed=trial,
        n_subagents=n_subagents,
        limits=Limits(),
        trajectories=tuple(trajectories),
        end="invalid" if invalid else "answered",
        answer=None if invalid else answer,
        score=None if invalid else score,
        reward_terms={} if invalid else {"item_f1": f1, "parsed": 0.1},
        provenance=() if invalid else credits,
        seconds=trajectories[0].turns[-1].ended_s,
        error="BackendError: the index is gone" if invalid else None,
        metadata={
            "policy": policy,
            "source": task.metadata["source"],
            "trial": trial,
            "depth": None,
            **metadata,
        },
    )


def _team(
    task: Task, subtasks: list[str], read: list[list[Turn]], done: ToolCall, rng: random.Random
) -> list[Trajectory]:
    """The lead delegates once, every subagent reads and reports, the lead answers."""
    workers, reports = [], []
    for slot, (subtask, turns) in enumerate(zip(subtasks, read, strict=True)):
        begin = turns[-1].ended_s if turns else 0.5
        text = f"{len(turns)} pages read for: {subtask}"
        report = _turn((ToolCall("report", {"text": text}),), (), begin, rng)
        agent, index = f"subagent_{slot}", slot + 1
        steps = [replace(turn, level=1 + n) for n, turn in enumerate([*turns, report])]
        workers.append(Trajectory(agent, "subagent", subtask, tuple(steps), "reported", 0, 0))
        reports.append(made_report(index, text, f"report from {agent} on: {subtask}\n"))
    call = ToolCall("delegate", {"subtasks": subtasks})
    end = max(worker.turns[-1].ended_s for worker in workers)
    names = ", ".join(worker.agent for worker in workers)
    indices = tuple(range(1, len(workers) + 1))
    begun = ToolResult(f"Delegated to {names}.", call=call, begun=indices)
    thought = Decision((call,), text="<think>Split.</think>")
    first = Turn(thought, (begun, *reports), 0.0, 0.4, end, level=0)
    level = 1 + max(worker.turns[-1].level for worker in workers)
    second = _turn((done,), (), end, rng, level=level)
    return [Trajectory("lead", "lead", task.question, (first, second), "answered"), *workers]


def made_report(trajectory: int, text: str, heading: str = "from somebody\n") -> ToolResult:
    """A report as the lead is shown it."""
    return ToolResult(heading + text, trajectory=trajectory, heading_chars=len(heading))


def _reading(
    names: list[str], task: Task, title: str, page_chars: int, rng: random.Random
) -> list[Turn]:
    turns: list[Turn] = []
    for name in names:
        query = ToolCall("search", {"query": f"{name} length"})
        hits = f"search: {name} length\n1. {title or name} | {url(name)}\n{name} is a river."
        begin = turns[-1].ended_s if turns else 0.5
        turns.append(
            _turn((query,), (ToolResult(hits, call=query, urls=(url(name),)),), begin, rng)
        )
        page = ToolCall("open", {"url": url(name)})
        text = f"{title or name} | {url(name)} | part 1 of 1\n" + "water " * (page_chars // 6)
        result = ToolResult(text, call=page, urls=(url(name),))
        turns.append(_turn((page,), (result,), turns[-1].ended_s, rng))
    return turns


def _turn(
    calls: tuple[ToolCall, ...],
    results: tuple[ToolResult, ...],
    begin: float,
    rng: random.Random,
    level: int = 0,
) -> Turn:
    decided = begin + rng.uniform(0.1, 0.4)
    ended = decided + (rng.lognormvariate(-2.5, 0.8) if results else 0.0)
    return Turn(Decision(calls), results, begin, decided, ended, level)
