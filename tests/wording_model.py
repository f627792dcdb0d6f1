"""A scripted model for synthesis, to stand behind a real server, and what its tests share.

It words programs, reads them back and answers. Its questions hold the program that it was told, in
hexadecimal, so that reading one back is reading what the question says, right or wrong.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web
from fault_server import FaultServer, completion

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.records import Task
from wideseek_env.scoring.tables import write_table
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.drafts import DraftRules
from wideseek_env.tasks.synthesis.model.asking import Server
from wideseek_env.tasks.synthesis.model.grounds import Grounds
from wideseek_env.tasks.synthesis.model.run import ModelPlan
from wideseek_env.tasks.synthesis.model.stages import ModelRules

_HEX = re.compile(r"[0-9a-f]{40,}")
Program = dict[str, Any]


class WordingModel:
    """Answers every stage as it should, but for what it is told to get wrong.

    Args:
        tasks: that it may be asked about.
        grounds: what they were made from.
    """

    def __init__(self, tasks: Iterable[Task], grounds: Grounds) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.grounds = grounds
        self.mutate: Callable[[str, Task, Program], Program] = lambda stage, task, program: program
        """Changes the program that a `wording` or `paraphrase` says."""
        self.reading: Callable[[Task, Program], Program | str] = lambda task, reading: reading
        """Changes what a question is read back as."""
        self.known = set[str]()
        """Ids of tasks that it knows by heart."""
        self.answers: Callable[[Task, int], str] = lambda task, sample: gold(task)
        self.asked = Counter[str]()
        """Requests, by stage."""
        self.seen = Counter[str]()
        """Bodies of requests that were answered."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        system, user = (message["content"] for message in body["messages"])
        stage = next(name for name, begins in _STAGES.items() if system.startswith(begins))
        self.asked[stage] += 1
        text = getattr(self, f"_{stage}")(user, body["seed"])
        self.seen[json.dumps(body, sort_keys=True)] += 1
        return web.json_response(completion(text))

    def _wording(self, user: str, sample: int) -> str:
        program = json.loads(user.rpartition("The same as a program: ")[2])
        task = self._about(user, program)
        return _said(task, self.mutate("wording", task, program), "Kindly fetch what is meant by")

    def _paraphrase(self, user: str, sample: int) -> str:
        task, program = self._decoded(user)
        return _said(task, self.mutate("paraphrase", task, program), "What rows does it say in")

    def _read_back(self, user: str, sample: int) -> str:
        task, program = self._decoded(user.rpartition("Question: ")[2])
        made = self.grounds.of(task)
        numbers = {each.id: i for i, each in enumerate(self.grounds.choices(task, made), 1)}
        reading = {"table": numbers[made.parts[0].id], **program}
        if made.joined is not None:
            reading["join"] = {"table": numbers[made.parts[1].id], "on": made.joined.on}
        changed = self.reading(task, reading)
        return changed if isinstance(changed, str) else f"```json\n{json.dumps(changed)}\n```"

    def _memory(self, user: str, sample: int) -> str:
        task, _ = self._decoded(user)
        return gold(task) if task.id in self.known else "I do not know.\n\n| a |\n|---|\n| b |"

    def _answers(self, user: str, sample: int) -> str:
        task, _ = self._decoded(user.rpartition("Question: ")[2])
        return self.answers(task, sample)

    def _about(self, user: str, program: Program) -> Task:
        [found] = [
            task
            for task in self.tasks.values()
            if json.dumps(task.metadata["synthesis"]["program"]) == json.dumps(program)
            and all(part.place in user for part in self.grounds.of(task).parts[:1])
        ]
        return found

    def _decoded(self, text: str) -> tuple[Task, Program]:
        name, program = said_in(text)
        return self.tasks[name], program


_STAGES = {
    "wording": "You write questions",
    "paraphrase": "Say the request",
    "read_back": "You turn questions",
    "memory": "Answer the question with a Markdown table, from what you know",
    "answers": "Answer the question with a Markdown table, from the pages",
}


def said_in(question: str) -> tuple[str, Program]:
    """Returns the id of the task and the program that a question says."""
    found = _HEX.search(question)
    assert found is not None, question
    name, program = json.loads(bytes.fromhex(found.group()))
    return name, program


def gold(task: Task) -> str:
    return write_table(task.column_names, task.gold)


def _said(task: Task, program: Program, words: str) -> str:
    coded = json.dumps([task.id, program]).encode().hex()
    return (
        f"请找出 {coded} 所指的全部内容，{words}" if task.language == "zh" else f"{words} {coded}?"
    )


NUM = 48
RULES = DraftRules(seed=2, languages=("en", "zh"), test_share=0.3)
CITIES = ("Rome", "Bern", "Oslo", "Ulm", "Graz")


def page(number: int) -> RawPage:
    rng = Random(number)
    name = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta"][number]
    rows = "".join(
        f"<tr><td>{name} {chr(65 + i)}{chr(97 + i)}</td><td>{rng.choice(CITIES)}</td>"
        f"<td>{rng.randint(100, 99_999):,}</td><td>{rng.randint(1, 28)} May {1900 + i}</td></tr>"
        for i in range(24)
    )
    head = "<tr><th>Bridge</th><th>City</th><th>Length (m)</th><th>Opened</th></tr>"
    html = f"<h1>{name}</h1><h2>Bridges</h2><table>{head}{rows}</table>"
    return RawPage(f"w/{name}", name, html)


PAGES = [page(number) for number in range(6)]


def plan(server: FaultServer, **rules: object) -> ModelPlan:
    where = Server(server.url, "scripted", concurrency=8, max_tries=12, backoff_s=0.01)
    return ModelPlan(where, replace(ModelRules(), **rules))  # type: ignore[arg-type]


def made(out: Path) -> list[Task]:
    files = [out / name for name in ("tasks.jsonl", "test.jsonl")]
    return [t for file in files if file.stat().st_size for t in load_tasks(file, strict=True)]


def left_out(out: Path) -> Counter[tuple[str, str]]:
    rows = [json.loads(line) for line in (out / "left_out.jsonl").read_text().splitlines()]
    return Counter((row["stage"], row["reason"]) for row in rows)
