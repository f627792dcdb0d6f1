"""Several real servers on loopback behind one engine: shared, dying, coming back."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from chat_server import ChatServer

from agents.llm.engines import Request, fleet
from agents.llm.engines.openai import OpenAIEngine, served_model
from wideseek_env.errors import PolicyError


@asynccontextmanager
async def served(num: int, **options: Any) -> AsyncIterator[tuple[list[ChatServer], OpenAIEngine]]:
    settings = {"backoff_s": 0.01, "max_retries": 2, **options}
    async with AsyncExitStack() as stack:
        servers = [ChatServer(lambda prompt: "yes") for _ in range(num)]
        for server in servers:
            await stack.enter_async_context(server)
        engine = OpenAIEngine("m", base_url=[server.url for server in servers], **settings)
        yield servers, engine
        await engine.close()


def asking(conversation: str) -> Request:
    said = f"conversation <{conversation}>"
    return Request(conversation, messages=({"role": "user", "content": said},), max_tokens=9)


def heard(server: ChatServer) -> Counter[str]:
    """Counts the requests of each conversation that a server got."""
    told = [json.dumps(body["messages"]) for body in server.bodies]
    return Counter(text.partition("<")[2].partition(">")[0] for text in told)


async def test_conversations_are_spread_and_each_stays_at_its_server() -> None:
    names = [f"c{number}" for number in range(12)]
    async with served(3) as (servers, engine):
        for _ in range(4):
            await engine.generate([asking(name) for name in names])
    assert [len(heard(server)) for server in servers] == [4, 4, 4]
    assert all(set(heard(server).values()) == {4} for server in servers)


async def test_a_new_conversation_goes_where_least_is_in_flight() -> None:
    async with served(2) as ((slow, quick), engine):
        slow.slow_s = 1.0
        slow.faults = quick.faults = ["slow"]  # one list: whoever is first is slow
        slow_one = asyncio.create_task(engine.generate([asking("first")]))
        await asyncio.sleep(0.1)
        for number in range(6):
            await engine.generate([asking(f"c{number}")])
        await slow_one
    (busy, idle) = sorted((slow, quick), key=lambda server: len(server.bodies))
    assert list(heard(busy)) == ["first"]
    assert len(idle.bodies) == 6


async def test_conversations_of_a_dead_server_move_to_another_and_stay_there() -> None:
    names = [f"c{number}" for number in range(8)]
    async with served(2) as ((dying, living), engine):
        await engine.generate([asking(name) for name in names])
        mine = set(heard(dying))
        assert len(mine) == 4
        await dying.stop()
        for _ in range(3):
            answers = await engine.generate([asking(name) for name in names])
            assert [answer.text for answer in answers] == ["yes"] * 8
        assert all(heard(living)[name] == 3 for name in mine)
        assert engine.num_retries <= len(mine)  # the second and the third time, nobody asked it


async def test_a_server_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "_AWAY_S", 0.3)
    async with served(2) as ((dying, _), engine):
        dying.alive = False
        await engine.generate([asking(f"a{number}") for number in range(8)])
        dying.alive = True
        num_before = len(dying.bodies)
        await engine.generate([asking(f"b{number}") for number in range(8)])
        assert len(dying.bodies) == num_before  # it is still left alone
        await asyncio.sleep(0.4)
        await engine.generate([asking("c")])
        await engine.generate([asking(f"d{number}") for number in range(8)])
        assert len(dying.bodies) >= num_before + 4


async def test_error_names_every_server_when_all_have_failed() -> None:
    async with served(2) as ((one, other), engine):
        one.alive = False
        other.faults = ["500"] * 9
        with pytest.raises(PolicyError, match="none of 2 servers answers") as raised:
            await engine.generate([asking("a")])
    assert one.url in str(raised.value)
    assert f"{other.url}/chat/completions: no answer after 1 attempt; the last one: HTTP 500" in (
        str(raised.value)
    )
    assert (len(one.bodies), len(other.bodies)) == (3, 3)  # as often as `max_retries` allows


async def test_refusal_of_a_server_is_final() -> None:
    async with served(2) as (servers, engine):
        for server in servers:
            server.faults = ["400"]
        with pytest.raises(PolicyError, match="HTTP 400"):
            await engine.generate([asking("a")])
    assert sum(len(server.bodies) for server in servers) == 1


async def test_each_server_gets_as_much_at_once_as_is_allowed() -> None:
    async with served(2, max_in_flight=3) as (servers, engine):
        await engine.generate([asking(f"c{number}") for number in range(20)])
    assert [server.max_running for server in servers] == [3, 3]


async def test_model_is_that_of_the_servers_that_answer() -> None:
    async with served(3) as ((one, two, three), _):
        urls = [server.url for server in (one, two, three)]
        one.models = two.models = three.models = ["tiny"]
        assert await served_model(*urls) == "tiny"
        three.models = ["large"]
        with pytest.raises(PolicyError, match=r"expected one model .* got \['tiny', 'large'\]"):
            await served_model(*urls)


def test_no_server_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one server"):
        OpenAIEngine("m", base_url=())
