"""The judge against a real server on loopback that misbehaves in every way it can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from wideseek_env.errors import DataError, ScoringError
from wideseek_env.records import Column, Task
from wideseek_env.scoring import JudgedScorer, score_strict, write_table
from wideseek_env.scoring.judge import Judge, read_reply

Reply = web.StreamResponse
Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[Reply]]


def chat(content: object) -> web.Response:
    text = content if isinstance(content, str) else json.dumps(content)
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    return web.json_response({"choices": [{"message": {"content": text}}], "usage": usage})


def verdicts_of(body: dict[str, Any]) -> dict[str, Any]:
    """Answers rightly: cells are the same when they begin with the same letter; so are keys."""
    data = json.loads(body["messages"][1]["content"])
    if "pairs" in data:
        return {
            "verdicts": {
                number: pair["answer"][:1].lower() == pair["reference"][:1].lower()
                for number, pair in data["pairs"].items()
            }
        }
    first = {name[:1].lower(): int(number) for number, name in data["references"].items()}
    return {"matches": {n: first.get(q["name"][:1].lower()) for n, q in data["names"].items()}}


async def honest(request: web.Request, body: dict[str, Any]) -> Reply:
    return chat(verdicts_of(body))


class Server:
    """Plays the behaviours one after the other, then answers rightly."""

    def __init__(self) -> None:
        self.script: list[Behaviour] = []
        self.bodies: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> Reply:
        body = await request.json()
        self.bodies.append(body)
        behaviour = self.script.pop(0) if self.script else honest
        return await behaviour(request, body)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    played = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", played.handle)
    async with TestServer(app) as running:
        played.url = str(running.make_url("/v1"))
        yield played


def judge_at(server: Server, **options: Any) -> Judge:
    return Judge(server.url, "m", **{"backoff_s": 0.001, "max_retries": 3, **options})


async def slow(request: web.Request, body: dict[str, Any]) -> Reply:
    await asyncio.sleep(0.5)
    return chat(verdicts_of(body))


async def error_500(request: web.Request, body: dict[str, Any]) -> Reply:
    return web.Response(status=500, text="out of memory")


async def error_429(request: web.Request, body: dict[str, Any]) -> Reply:
    return web.Response(status=429, headers={"Retry-After": "0.05"})


async def half_a_json(request: web.Request, body: dict[str, Any]) -> Reply:
    return chat(json.dumps(verdicts_of(body))[:-4])


async def half_a_body(request: web.Request, body: dict[str, Any]) -> Reply:
    return web.Response(text='{"choices": [{"mess', content_type="application/json")


async def cut_connection(request: web.Request, body: dict[str, Any]) -> Reply:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def prose_first(request: web.Request, body: dict[str, Any]) -> Reply:
    return chat("Sure! " + json.dumps(verdicts_of(body)))


async def wrong_ids(request: web.Request, body: dict[str, Any]) -> Reply:
    return chat({"verdicts": {"7": True}})


async def missing_ids(request: web.Request, body: dict[str, Any]) -> Reply:
    return chat({"verdicts": {}})


async def words_for_verdicts(request: web.Request, body: dict[str, Any]) -> Reply:
    return chat({"verdicts": {"0": "correct"}})


async def no_choices(request: web.Request, body: dict[str, Any]) -> Reply:
    return web.json_response({"choices": []})


async def null_content(request: web.Request, body: dict[str, Any]) -> Reply:
    return web.json_response({"choices": [{"message": {"content": None}}]})


BAD = [
    slow,
    error_500,
    error_429,
    half_a_json,
    half_a_body,
    cut_connection,
    prose_first,
    wrong_ids,
    missing_ids,
    words_for_verdicts,
    no_choices,
    null_content,
]


@pytest.mark.parametrize("behaviour", BAD, ids=lambda b: b.__name__)
async def test_judge_one_bad_reply_is_asked_again(server: Server, behaviour: Behaviour) -> None:
    server.script = [behaviour]
    async with judge_at(server, timeout_s=0.2) as judge:
        assert await judge.same("v", None, [("x", "Xylo")]) == [True]
        assert (judge.usage.num_requests, judge.usage.num_retries) == (2, 1)


@pytest.mark.parametrize("behaviour", BAD, ids=lambda b: b.__name__)
async def test_judge_that_stays_bad_raises_and_caches_nothing(
    server: Server, behaviour: Behaviour, tmp_path: Path
) -> None:
    server.script = [behaviour] * 2
    cache = tmp_path / "verdicts.sqlite"
    async with judge_at(server, timeout_s=0.2, max_retries=1, cache=cache) as judge:
        with pytest.raises(ScoringError, match="in 2 attempts"):
            await judge.same("v", None, [("x", "y")])
    async with judge_at(server, cache=cache) as judge:
        await judge.same("v", None, [("x", "y")])
        assert judge.usage.num_cached == 0


async def test_judge_refused_for_good_raises_at_once(server: Server) -> None:
    async def error_401(request: web.Request, body: dict[str, Any]) -> Reply:
        return web.Response(status=401, text="no such key")

    server.script = [error_401]
    async with judge_at(server) as judge:
        with pytest.raises(ScoringError, match="401"):
            await judge.same("v", None, [("x", "y")])
        assert judge.usage.num_requests == 1


async def test_judge_waits_as_long_as_the_server_asks(server: Server) -> None:
    server.script = [error_429]
    loop = asyncio.get_running_loop()
    async with judge_at(server) as judge:
        started = loop.time()
        await judge.same("v", None, [("x", "y")])
        assert 0.05 <= loop.time() - started < 1.0


async def test_judge_is_sent_temperature_zero_and_the_criterion(server: Server) -> None:
    async with judge_at(server) as judge:
        await judge.same("Club", "same entity", [("x", "y")])
    (body,) = server.bodies
    assert (body["temperature"], body["model"]) == (0, "m")
    assert "same entity" in body["messages"][0]["content"]
    assert "Club" in body["messages"][0]["content"]


async def test_judge_is_told_what_was_wrong_with_its_reply(server: Server) -> None:
    server.script = [prose_first]
    async with judge_at(server) as judge:
        await judge.same("v", None, [("x", "y")])
    assert "Reply with the JSON object alone" in server.bodies[1]["messages"][-1]["content"]


async def test_judge_batches_and_keeps_the_order(server: Server) -> None:
    pairs = [(f"{'ab'[i % 2]}{i}", f"a{i}!") for i in range(25)]
    async with judge_at(server, batch_size=10) as judge:
        verdicts = await judge.same("v", None, pairs)
        usage = judge.usage
    assert verdicts == [i % 2 == 0 for i in range(25)]
    assert len(server.bodies) == 3
    assert (usage.num_questions, usage.num_accepted) == (25, 13)
    assert (usage.prompt_tokens, usage.completion_tokens) == (30, 6)


async def test_judge_cache_is_by_model_and_content(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "verdicts.sqlite"
    async with judge_at(server, cache=cache) as judge:
        await judge.same("v", None, [("x", "y"), ("x", "xx")])
    async with judge_at(server, cache=cache) as judge:
        assert await judge.same("v", None, [("x", "xx"), ("x", "y")]) == [True, False]
        assert judge.usage.num_requests == 0
        await judge.same("v", "another criterion", [("x", "y")])
        assert judge.usage.num_requests == 1
    other = Judge(server.url, "m2", cache=cache)
    async with other:
        await other.same("v", None, [("x", "y")])
        assert other.usage.num_requests == 1


def test_judge_cache_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello " * 100)
    with pytest.raises(DataError, match=r"notes\.txt"):
        Judge("http://localhost/v1", "m", cache=path)


@pytest.mark.parametrize(
    "reply",
    [
        "true",
        "[]",
        '{"verdicts": [true]}',
        '{"verdicts": {"0": 1}}',
        '{"verdicts": {"0": true, "1": true}}',
        '{"verdicts": {"0": "not correct"}}',
        'yes {"verdicts": {"0": true}}',
    ],
)
def test_read_reply_anything_but_the_object_is_refused(reply: str) -> None:
    with pytest.raises(ValueError, match="verdict"):
        read_reply(reply, "verdicts", 1, None)


def test_read_reply_matches_must_name_a_reference() -> None:
    assert read_reply('```json\n{"matches": {"0": 1, "1": null}}\n```', "matches", 2, 2) == [
        1,
        None,
    ]
    for wrong in ("2", "-1", "true", '"1"'):
        with pytest.raises(ValueError, match="no verdict"):
            read_reply(f'{{"matches": {{"0": {wrong}}}}}', "matches", 1, 2)


def _task() -> Task:
    columns = (Column("name", "llm_judge"), Column("note", "llm_judge"), Column("n"))
    gold = (("New York", "big", "1"), ("Bern", "small", "2"), ("Chur", "-", "3"))
    return Task("t", "", columns, ("name",), gold)


async def test_judged_scorer_asks_only_what_the_rules_leave_open(server: Server) -> None:
    answer = write_table(
        ["name", "note", "n"],
        [("nyc", "BIG", "1"), ("Bern", "smallish", "9"), ("Chur", "wet", "3"), ("Ulm", "x", "4")],
    )
    async with judge_at(server) as judge:
        score = await JudgedScorer(judge)(_task(), answer)
    asked = [json.loads(body["messages"][1]["content"]) for body in server.bodies]
    # The key "Bern" and "Chur" and the cell "BIG" are settled by rules; so is the missing note.
    assert [q["name"] for q in asked[0]["names"].values()] == ["Ulm", "nyc"]
    assert asked[0]["references"] == {"0": "New York"}
    assert list(asked[1]["pairs"].values()) == [{"answer": "smallish", "reference": "small"}]
    assert len(asked) == 2
    assert score.correct == ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 2))


async def test_judged_scorer_two_answers_for_one_gold_key_are_paid_once(server: Server) -> None:
    answer = write_table(
        ["name", "note", "n"], [("nyc", "big", "1"), ("new york city", "big", "1")]
    )
    async with judge_at(server) as judge:
        score = await JudgedScorer(judge)(_task(), answer)
    assert (score.row_recall, score.row_precision) == (pytest.approx(1 / 3), 0.5)


async def test_judged_scorer_failure_is_no_score(server: Server) -> None:
    server.script = [error_500] * 9
    answer = write_table(["name", "note", "n"], [("nyc", "big", "1")])
    async with judge_at(server, max_retries=0) as judge:
        with pytest.raises(ScoringError):
            await JudgedScorer(judge)(_task(), answer)


async def test_judged_scorer_without_open_questions_asks_nothing(server: Server) -> None:
    task = _task()
    answer = write_table(task.column_names, task.gold)
    async with judge_at(server) as judge:
        assert await JudgedScorer(judge)(task, answer) == score_strict(task, answer)
        assert (await JudgedScorer(judge)(task, None)).parsed is False
    assert server.bodies == []


async def test_judged_scorer_deep_answer(server: Server) -> None:
    task = Task("t", "Which?", (Column("answer", "llm_judge"),), ("answer",), (("Paris",),), "deep")
    async with judge_at(server) as judge:
        scorer = JudgedScorer(judge)
        assert (await scorer(task, "\\boxed{P.}")).success == 1.0
        assert (await scorer(task, "\\boxed{Rome}")).success == 0.0
        assert (await scorer(task, "\\boxed{paris}")).success == 1.0
    assert len(server.bodies) == 2
