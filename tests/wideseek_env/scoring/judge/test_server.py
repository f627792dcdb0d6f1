"""What a judge makes of what its server sends: a verdict, a further try, or no score."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fault_server import (
    NO_COMPLETIONS,
    NO_CONTENTS,
    PASSING_FAULTS,
    USAGES,
    FaultServer,
    completion,
    contents,
    json_of,
    num_sockets,
    reply,
    stall,
)
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wideseek_env.errors import ScoringError
from wideseek_env.scoring.judge.judge import Judge

YES = '{"verdicts": {"0": true}}'
NO = '{"verdicts": {"0": false}}'


@asynccontextmanager
async def judged(**options: Any) -> AsyncIterator[tuple[FaultServer, Judge]]:
    async with FaultServer(json_of(completion(YES))) as server:
        named = {"backoff_s": 0.001, "max_retries": 2, "timeout_s": 5.0, **options}
        async with Judge(server.url, "m", **named) as judge:
            yield server, judge


async def _ask(judge: Judge) -> bool:
    (verdict,) = await judge.same("City", None, [("NYC", "New York")])
    return verdict


@pytest.mark.parametrize("form", contents("", ""))
async def test_content_in_every_form(form: str) -> None:
    async with judged(max_retries=0) as (server, judge):
        for said, draft, verdict in ((YES, NO, True), (NO, YES, False)):
            server.script = [json_of(completion(contents(said, draft)[form]))]
            (found,) = await judge.same("City", None, [("NYC", said)])
            assert found is verdict


BAD = {name: completion(content) for name, content in NO_CONTENTS.items()} | NO_COMPLETIONS
BAD |= {name: completion(text) for name, text in (("null", None), ("empty", ""), ("blank", " "))}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_verdict_is_asked_again_and_then_no_score(name: str) -> None:
    async with judged() as (server, judge):
        server.script = [json_of(BAD[name])] * 2
        assert await _ask(judge) is True
        assert (judge.usage.num_requests, judge.usage.num_retries) == (3, 2)
        server.script = [json_of(BAD[name])] * 3
        with pytest.raises(ScoringError, match="3 attempts") as raised:
            await judge.same("City", None, [("other", "cells")])
        assert len(str(raised.value)) < 1_000


@pytest.mark.parametrize("name", PASSING_FAULTS)
async def test_server_that_fails_is_asked_again_and_then_no_score(name: str) -> None:
    timeout_s = 0.2 if "stall" in name else 5.0
    async with judged(max_retries=1, timeout_s=timeout_s) as (server, judge):
        server.script = [PASSING_FAULTS[name]]
        assert await _ask(judge) is True
        server.script = [PASSING_FAULTS[name]] * 2
        with pytest.raises(ScoringError, match="2 attempts"):
            await judge.same("City", None, [("other", "cells")])


@pytest.mark.parametrize("usage", USAGES)
async def test_usage_of_any_form_is_counted_or_not(usage: str) -> None:
    async with judged() as (server, judge):
        server.script = [json_of(completion(YES) | {"usage": USAGES[usage]})]
        assert await _ask(judge) is True
        for number in (judge.usage.prompt_tokens, judge.usage.completion_tokens):
            assert 0 <= number <= 2**53


async def test_tries_are_shared_by_failures_of_all_kinds() -> None:
    async with judged(max_retries=3) as (server, judge):
        server.script = [
            reply(status=503),
            json_of(completion("no idea")),
            reply(status=522),
            json_of(completion(None)),
        ]
        with pytest.raises(ScoringError, match="4 attempts"):
            await _ask(judge)
        assert (judge.usage.num_requests, judge.usage.num_retries) == (4, 3)
        assert len(server.requests) == 4


async def test_key_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-very-s3cret")
    async with judged(key_variable="JUDGE_KEY", max_retries=0) as (server, judge):
        server.script = [reply(b"no such key: sk-very-s3cret", status=401)]
        with pytest.raises(ScoringError, match=r"HTTP 401: no such key: \[key\]; check the key"):
            await _ask(judge)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "", "ftp://x/v1", "http://"])
def test_url_of_no_server_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="`url` must begin with http://"):
        Judge(url, "m")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
TEXTS = st.text(max_size=30) | st.sampled_from([YES, NO, f"<think>{NO}</think>{YES}", "[" * 9_000])


@pytest.mark.hypothesis
def test_no_json_of_any_server_is_more_than_no_score() -> None:
    async def play(answers: list[object]) -> None:
        before = num_sockets()
        async with judged(max_retries=1) as (server, judge):
            server.script = [json_of(answer) for answer in answers]
            try:
                assert await _ask(judge) in (True, False)
            except ScoringError as error:
                assert "2 attempts" in str(error)  # noqa: PT017
        await asyncio.sleep(0)
        assert num_sockets() <= before

    @settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            JSON
            | st.builds(completion, JSON | TEXTS)
            | st.builds(lambda usage: completion(YES) | {"usage": usage}, JSON),
            min_size=2,
            max_size=2,
        )
    )
    def fuzz(answers: list[object]) -> None:
        asyncio.run(play(answers))

    fuzz()


async def test_verdict_that_was_doubted_is_not_cached() -> None:
    async with judged(max_retries=0) as (server, judge):
        server.script = [json_of(completion(f"{YES} or {NO}"))]
        with pytest.raises(ScoringError, match="differ"):
            await _ask(judge)
        assert await _ask(judge) is True
        assert json.loads(await server.requests[1].text())["model"] == "m"
        assert judge.usage.num_cached == 0


async def test_first_failure_ends_what_is_still_asked() -> None:
    async with judged(batch_size=1, max_in_flight=8) as (server, judge):
        server.otherwise = stall
        server.script = [stall, stall, reply(b"no such key", status=401)]
        with pytest.raises(ScoringError, match="401"):
            await judge.same("c", None, [(f"{n}", "x") for n in range(6)])
        num_asked = len(server.requests)
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
        assert not [name for name in names if "ask_batch" in name]
        await asyncio.sleep(0.1)
        assert len(server.requests) == num_asked <= 6
