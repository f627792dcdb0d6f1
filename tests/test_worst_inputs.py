"""The worst inputs of the allowed size that we know: none keeps a process busy for a second.

All episodes of a process share it, so what one page, query or message costs, all wait for.
"""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from functools import cache

import pytest
from timing import least_seconds
from worldplay import world

import wideseek_env
from agents.learned.policy import LearnedPolicy
from agents.rollout import Job, run_episode
from agents.scripted import POLICIES
from agents.scripted.messages import Form, Report, Subtask
from wideseek_env.backends import Hit, Page
from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.backends.html.source import MAX_HTML_CHARS
from wideseek_env.backends.html.text import read_html, split_parts
from wideseek_env.discrete.messages import read_lines, read_subtask, take_lines, write_report
from wideseek_env.discrete.notes import Notes
from wideseek_env.game.tools import MAX_TEXT_CHARS
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Column, Task
from wideseek_env.scoring.official.scorer import score_official
from wideseek_env.scoring.qa import score_deep
from wideseek_env.scoring.strict import score_strict

MOST_S = 2.0
"""What is a second on a fast core may be two on a slow one; what is quadratic takes minutes."""
MARKS = "a" + "\u0301\u0316" * 5 + "\u0316\u0301" * (MAX_TEXT_CHARS // 2 - 1000)
"""Combining marks in the wrong order: what Unicode normalisation takes longest over."""


def seconds(work: Callable[[], object]) -> float:
    return least_seconds(work, enough=MOST_S)


def fill(piece: str, size: int) -> str:
    return piece * (size // len(piece))


PAGE = MAX_HTML_CHARS
PAGES = {
    "spans": "<table>" + ("<tr>" + "<td colspan=64 rowspan=65534>x" * 10) * 90,
    "spans of long cells": "<table>" + fill("<tr><td colspan=1000 rowspan=0>abc", PAGE),
    "columns apart": "<table><tr><td colspan=1000><td rowspan=0>x" + fill("<tr>", PAGE // 8),
    "attributes": "<a " + " ".join(f"a{i}" for i in range(300_000)) + ">x",
    "attributes behind a script": '<script>x <b y="</script><a q=">" '
    + " ".join(f"a{i}" for i in range(200_000))
    + ">",
    "tags of 63 attributes": fill("<b " + " ".join(f"a{i}" for i in range(63)) + ">x</b>", PAGE),
    "tags in a tag": fill("<a ", PAGE),
    "tags in values": fill("<a b='", PAGE // 2) + '"' + fill("<a b='", PAGE // 2) + '"',
    "tag without an end": fill("<a/b=", PAGE),
    "cells": "<table><tr>" + fill("<td>x", PAGE),
    "paragraphs": fill("<p>x", PAGE),
    "blocks": fill("<div>", PAGE),
    "lists": fill("<li>x", PAGE),
    "tables": fill("<table><tr><td>x</table>", PAGE),
    "superscripts": fill("<sup>", PAGE // 4) + fill("x ", PAGE // 4),
    "digits": fill("1", PAGE - 20) + "<sup>2</sup>",
    "links": "<div><a href=x>" * 49 + fill("x ", PAGE - 1000),
    "declarations": fill("<meta ", PAGE),
    "comments": fill("<!--", PAGE),
    "wide header": "<table><tr><th>" + "x" * 2900 + "<th>y" + fill("<tr><td>x<td>y", PAGE // 2),
}


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str) -> None:
    page = PAGES[name][:PAGE].encode()

    def read() -> None:
        text = read_html(page, links=True).text
        parts = split_parts(text, 6000)
        assert sum(map(len, parts)) <= 3 * PAGE

    assert seconds(read) < MOST_S


@cache
def backend() -> PagesBackend:
    pages = (
        RawPage(f"/{i}", f"Page {i}", f"<p>many words of page {i} 长城 é" + " more words" * 300)
        for i in range(300)
    )
    return PagesBackend([*pages, RawPage("/long", "long title " * 100_000, "<p>x\n" * 2_000)])


QUERIES = {
    "marks": MARKS,
    "new words": " ".join(f"w{i}" for i in range(30_000)),
    "common words": "many words of page more " * 8_000,
    "Chinese": "长城" * 100_000,
    "one word": "x" * MAX_TEXT_CHARS,
    "accents": "é" * MAX_TEXT_CHARS,
    "ligatures": "\ufdfa" * MAX_TEXT_CHARS,  # one of them is eighteen characters
    "syntax": '"(+-' * 50_000,
}


@pytest.mark.parametrize("name", QUERIES)
def test_query(name: str) -> None:
    backend()
    assert seconds(lambda: asyncio.run(backend().search(QUERIES[name], 100))) < MOST_S


QUESTION = (
    "Please collect the cities in Hiasu that lie lower than 150 m. Columns: City, Area (km²)."
)
MESSAGES = {
    "marks": MARKS,
    "conditions": QUESTION.replace(".", fill(" and that lie lower than 150 m", 190_000) + ".", 1),
    "calls": fill("<tool_call>", 190_000),
    "rows": fill("| a | b |\n", 190_000),
    "links": fill("[a](b), ", 190_000),
    "unread links": QUESTION + "\nUnread: " + fill("[a](b), ", 190_000),
    "brackets": fill("[", 190_000),
    "share of nothing": QUESTION + "\nTake list pages 1, 1, ...",
    "share backwards": QUESTION + "\nTake list pages 9, 1, ...",
    "share of digits": QUESTION + f"\nTake list pages {'9' * 5_000}, {'9' * 5_001}, ...",
    "calls of digits": "calls | " + "9" * 190_000,
    "calls of words": "calls | many",
    "part of digits": f"{QUESTION}\npart | list | 9{'9' * 5_000} of 2 | -",
    "part of words": f"{QUESTION}\npart | list | 1 of many | few calls",
    "part of fields": f"{QUESTION}\npart | list | 1 of 2 | - | -",
    "part of nothing": f"{QUESTION}\npart | list | 0 of 0 | -",
    "list of millions": "list | 1 of 30000000 | /hiasu/cities/1 | read",
    "list of words": "list | one of two | /hiasu/cities/1 | read one two",
    "list read of digits": f"list | 1 of 2 | /hiasu/cities/1 | read {'9' * 5_000}",
    "forged date": "row | A | /a | . 20xx-99-99 | Area: 1 | b yesterday | Area: 2",
    "facts": "row | A | /a | . 2024-01-01 | " + fill("Area: 1; ", 190_000),
    "many rows": "".join(f"row | A{i} | /a{i} | . 2024-01-01 | Area: 1\n" for i in range(4_300)),
    "dates": fill("31 February 2020 ", 190_000),
}


def read_message(text: str) -> None:
    """Reads a text as scripted agents and the discrete interface do, whatever it is."""
    Subtask.read(text)
    question = parse_question(QUESTION)
    assert question is not None
    rows = [row for row in Report.read(text).rows if len(row) == Form(question).num_cells]
    Form(question).answer(rows)
    read_subtask(text)
    notes = Notes(question)
    take_lines(notes, read_lines(text))
    for shown in (f"Page | /p | part 1 of 1\n{text}", f"search: x\n1. Page | /p\n{text}"):
        notes.take_page(shown)
        notes.take_search(shown)
    write_report(notes, 1)


@pytest.mark.parametrize("name", MESSAGES)
def test_subtask_report_and_part_of_a_page(name: str) -> None:
    assert len(MESSAGES[name]) <= MAX_TEXT_CHARS
    assert seconds(lambda: read_message(MESSAGES[name])) < MOST_S


@pytest.mark.parametrize("name", ["marks", "calls", "rows", "brackets"])
@pytest.mark.parametrize("interface", ["tools", "text"])
def test_messages_of_a_game(name: str, interface: str) -> None:
    env = wideseek_env.parallel_env(1, interface=interface, preset="starter", num_tasks=1)
    env.reset(seed=0)

    def call(tool: str, arguments: dict[str, object]) -> object:
        if interface == "tools":
            return [{"name": tool, "arguments": arguments}]
        called = json.dumps({"name": tool, "arguments": arguments})
        return f"<tool_call>{called}</tool_call>{MESSAGES[name]}"

    def play() -> None:
        env.step({"lead": call("delegate", {"subtasks": [MESSAGES[name]]})})
        env.step({"subagent_0": call("report", {"text": MESSAGES[name]})})

    assert seconds(play) < 2 * MOST_S  # of two messages
    env.close()


class Forged:
    """A world's backend whose every search says that there is a list of very many pages."""

    def __init__(self, number: str) -> None:
        self._backend, self._number = world("starter")[1], number

    async def search(self, query: str, top_k: int) -> list[Hit]:
        title = f"{query}, page 1 of {self._number}"
        return [Hit("/forged/1", title, title), *await self._backend.search(query, top_k)][:top_k]

    async def open(self, url: str, part: int = 1) -> Page:
        return await self._backend.open(url, part)

    async def close(self) -> None: ...


@pytest.mark.parametrize("number", ["500", "20000", "30000000", "9" * 5_000])
@pytest.mark.parametrize("name", ["solo", "fanout", "mappo"])
def test_forged_list_in_a_game(name: str, number: str) -> None:
    made, _ = world("starter")
    [task] = made.tasks(1, seed=2)
    policy = LearnedPolicy() if name == "mappo" else POLICIES[name]([task])
    job = Job(task, Forged(number), 2, limits=made.preset.limits)
    started = time.process_time()
    episode = asyncio.run(run_episode(job, policy))
    assert episode.valid, episode.error
    assert time.process_time() - started < MOST_S


ANSWERS = {
    "marks": f"| Name | Size |\n|---|---|\n| {MARKS} | 5 |",
    "rows": "| Name | Size |\n|---|---|\n" + fill("| a | 5 |\n", 190_000),
    "digits": "| Name | Size |\n|---|---|\n| a | " + "9" * 190_000 + " |",
    "groups": "| Name | Size |\n|---|---|\n| a | " + "1,234" * 38_000 + " |",
    "bars": "| Name | Size |\n" + "|" * 190_000,
    "fences": "```\n|" * 38_000,
    "escaped pipes": "\\|" * 95_000,
    "control tokens": "<|python_tag|>" * 13_500,
    "wide header": "|a" * 45_000 + "\n|---|\n" + "|a\n" * 33_000,
    "wide header in a fence": "```markdown\n"
    + "|x" * 40_000
    + "\n|---|\n"
    + "|a\n" * 30_000
    + "```",
    "headers of one name": "|x" * 60_000 + "|\n|---|\n| 1 |",
    "headers numbered": "".join(f"|x.{i}" for i in range(8_000)) + "|x" * 20_000 + "\n|---|\n|1|",
    "wide last row": "| Name | Size |\n|---|---|\n" + "|a|1|\n" * 20_000 + "|a" * 30_000,
}


@pytest.mark.parametrize(
    "piece", ["\ufdfa", "a\u0316\u0301", "1 - ", "$", "an the ", "\\frac{", "½"]
)
def test_short_answer(piece: str) -> None:
    task = Task("t", "q", (Column("Name"),), ("Name",), (("204",),), kind="deep")
    text = fill(piece, 190_000)
    for answer in (f"| Name |\n|---|\n| {text} |", f"\\boxed{{{text}}}", text):
        assert seconds(lambda answer=answer: score_deep(task, answer)) < MOST_S
    assert score_deep(task, "| Name |\n|---|\n| 204 |").item_f1 == 1.0


@pytest.mark.parametrize("name", ANSWERS)
def test_answer(name: str) -> None:
    gold = (("a", "5"), ("b", "6"))
    columns = (Column("Name"), Column("Size", metric="number_near", criterion=0.0))
    task = Task("t", "q", columns, ("Name",), gold)
    assert seconds(lambda: score_strict(task, ANSWERS[name])) < MOST_S
    assert seconds(lambda: score_official(task, ANSWERS[name], datetime(2026, 1, 1))) < MOST_S
