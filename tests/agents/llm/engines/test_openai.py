"""The OpenAI engine against a real server on loopback, well-behaved and not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chat_server import TOKENIZER, ChatServer

from agents.episode_file import EpisodeFile, read_episodes
from agents.llm.engines import ContextOverflow, Request
from agents.llm.engines.openai import OpenAIEngine
from agents.llm.policy import LLMConfig, LLMPolicy
from agents.rollout import Job, run_episode
from agents.run import Part, play_here
from wideseek_env.backends import Hit, Page
from wideseek_env.errors import PolicyError
from wideseek_env.formats import get_format
from wideseek_env.records import Column, Episode, Limits, Task, ToolCall

NATIVE = get_format("openai")
TABLE = "| Name |\n|---|\n| Ula |"
TASK = Task("lakes", "List the lakes.", (Column("Name"),), ("Name",), (("Ula",),))
IDS = Request("a", prompt_ids=tuple(TOKENIZER.encode("hello")), max_tokens=50, seed=4)
MESSAGES = Request("a", messages=({"role": "user", "content": "hi"},), max_tokens=50)


class Backend:
    async def search(self, query: str, top_k: int) -> list[Hit]:
        return [Hit("/ula", "Ula", "")]

    async def open(self, url: str, part: int = 1) -> Page:
        return Page(url, "Ula", "Ula is a lake.")

    async def close(self) -> None:
        """Frees nothing: there is nothing to free."""


@asynccontextmanager
async def served(
    reply: Any = lambda prompt: prompt[-20:], *, ids: bool = True, **options: Any
) -> AsyncIterator[tuple[ChatServer, OpenAIEngine]]:
    settings = {"backoff_s": 0.01, "max_retries": 3, **options}
    async with ChatServer(reply, ids=ids) as server:
        yield server, OpenAIEngine("m", base_url=server.url, **settings)


async def test_tokens_are_sent_and_kept_as_they_are() -> None:
    async with served(lambda prompt: "é", tokenizer=TOKENIZER) as (server, engine):
        (completion,) = await engine.generate([IDS])
    assert server.bodies[0]["prompt"] == list(IDS.prompt_ids)
    assert server.bodies[0]["return_token_ids"] is True
    assert server.bodies[0]["seed"] == 4
    assert completion.ids == (0xC3, 0xA9, 257)
    assert completion.text == "é"
    assert completion.logprobs == (-0.25,) * 3
    assert completion.prompt_ids == IDS.prompt_ids
    assert (completion.num_prompt_tokens, completion.num_new_tokens) == (5, 3)
    assert completion.num_cached_tokens == 3
    assert completion.finish == "stop"


async def test_turn_that_was_cut_says_so() -> None:
    async with served(lambda prompt: "x" * 99, tokenizer=TOKENIZER) as (_, engine):
        (completion,) = await engine.generate([IDS])
    assert completion.finish == "length"
    assert completion.text == "x" * 50


async def test_server_without_ids_is_refused_where_ids_are_needed() -> None:
    async with served(ids=False, tokenizer=TOKENIZER) as (_, engine):
        with pytest.raises(PolicyError, match="leave `tokenizer` out"):
            await engine.generate([IDS])


async def test_messages_give_text_and_what_else_the_server_tells() -> None:
    async with served(lambda prompt: "yes", token_ids=True, logprobs=True) as (server, engine):
        (completion,) = await engine.generate([MESSAGES])
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "hi"}]
    assert server.bodies[0]["logprobs"] is True
    assert "tools" not in server.bodies[0]
    assert completion.text == "yes"
    assert len(completion.ids) == len(completion.logprobs) == 4
    assert completion.prompt_ids is not None


async def test_messages_of_a_server_without_ids_are_refused_where_ids_are_asked_for() -> None:
    async with served(ids=False, token_ids=True) as (_, engine):
        with pytest.raises(PolicyError, match="leave `token_ids` out"):
            await engine.generate([MESSAGES])


async def test_messages_of_a_hosted_server_have_no_ids() -> None:
    async with served(lambda prompt: "yes", ids=False) as (server, engine):
        (completion,) = await engine.generate([MESSAGES])
    assert "return_token_ids" not in server.bodies[0]
    assert completion.text == "yes"
    assert completion.ids == ()
    assert completion.prompt_ids is None


async def test_reasoning_beside_the_content_becomes_thinking() -> None:
    said = json.dumps({"content": "yes", "reasoning_content": "hm"})
    async with served(lambda prompt: said) as (_, engine):
        (completion,) = await engine.generate([MESSAGES])
    assert completion.text == "<think>hm</think>yes"


async def test_native_tool_calls_play_a_whole_episode() -> None:
    def reply(prompt: str) -> str:
        if "<|im_start|>tool" in prompt:
            return NATIVE.render([ToolCall("answer", {"text": TABLE})])
        return NATIVE.render([ToolCall("open", {"url": "/ula"})])

    async with served(reply) as (server, engine):
        policy = LLMPolicy(engine, LLMConfig(format="openai"))
        episode = await run_episode(Job(TASK, Backend(), 0), policy)
    assert episode.error is None
    assert episode.score is not None
    assert episode.score.item_f1 == 1.0
    names = [tool["function"]["name"] for tool in server.bodies[0]["tools"]]
    assert names == ["answer", "search", "open"]
    assert server.bodies[1]["messages"][3]["tool_call_id"] == "call_0"


@pytest.mark.parametrize("fault", ["half", "drop", "list", "500", "503", "429"])
async def test_passing_failures_are_tried_again(fault: str) -> None:
    async with served(lambda prompt: "yes") as (server, engine):
        server.faults = [fault, fault]
        (completion,) = await engine.generate([MESSAGES])
        assert completion.text == "yes"
        assert engine.num_retries == 2
        assert len(server.bodies) == 3


async def test_slow_answer_is_given_up_and_tried_again() -> None:
    async with served(lambda prompt: "yes", timeout_s=0.2) as (server, engine):
        server.faults = ["slow"]
        started_s = time.perf_counter()
        (completion,) = await engine.generate([MESSAGES])
        assert completion.text == "yes"
        assert time.perf_counter() - started_s >= 0.2
        assert engine.num_retries == 1


async def test_retry_after_is_waited_for() -> None:
    async with served(lambda prompt: "yes") as (server, engine):
        server.faults = [("429", {"Retry-After": "0.4"})]
        started_s = time.perf_counter()
        await engine.generate([MESSAGES])
        assert time.perf_counter() - started_s >= 0.4
        server.faults = [("429", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})]
        await engine.generate([MESSAGES])


async def test_server_that_is_not_there_is_named() -> None:
    async with ChatServer(lambda prompt: "yes") as server:
        url = server.url
    engine = OpenAIEngine("m", base_url=url, max_retries=1, backoff_s=0.01)
    with pytest.raises(PolicyError, match=f"{url}/chat/completions: no answer after 2 attempts"):
        await engine.generate([MESSAGES])


async def test_attempts_are_bounded_and_the_error_says_what_happened() -> None:
    async with served() as (server, engine):
        server.faults = ["500"] * 9
        with pytest.raises(PolicyError, match=r"after 4 attempts; the last one: HTTP 500: no"):
            await engine.generate([MESSAGES])
        assert len(server.bodies) == 4


@pytest.mark.parametrize("status", ["400", "401", "404"])
async def test_refusals_are_not_tried_again(status: str) -> None:
    async with served() as (server, engine):
        server.faults = [status]
        with pytest.raises(PolicyError, match=f"HTTP {status}"):
            await engine.generate([MESSAGES])
        assert len(server.bodies) == 1


async def test_prompt_that_is_too_long_is_told_apart() -> None:
    async with served() as (server, engine):
        server.faults = [("400", {"text": "This model's maximum context length is 1024 tokens"})]
        with pytest.raises(ContextOverflow):
            await engine.generate([MESSAGES])


async def test_answer_of_another_form_is_an_error() -> None:
    async with served() as (server, engine):
        server.faults = ["empty"]
        with pytest.raises(PolicyError, match="not the answer of /chat/completions"):
            await engine.generate([MESSAGES])


async def test_no_more_than_max_in_flight_are_sent() -> None:
    async with served(max_in_flight=3) as (server, engine):
        assert len(await engine.generate([MESSAGES] * 20)) == 20
        assert server.max_running == 3


async def test_key_is_sent_when_the_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "abc")
    async with served(key_variable="SOME_KEY") as (server, engine):
        await engine.generate([MESSAGES])
    assert server.headers[0]["Authorization"] == "Bearer abc"
    monkeypatch.delenv("SOME_KEY")
    async with served(key_variable="SOME_KEY") as (server, engine):
        await engine.generate([MESSAGES])
    assert "Authorization" not in server.headers[0]


def test_engine_can_be_used_in_one_run_after_another() -> None:
    server = ChatServer(lambda prompt: "yes")
    engine = None

    async def ask() -> str:
        nonlocal engine
        async with server:
            engine = engine or OpenAIEngine("m", base_url=server.url)
            answers = await asyncio.gather(*(engine.generate([MESSAGES]) for _ in range(3)))
            return "".join(completion.text for (completion,) in answers)

    assert [asyncio.run(ask()) for _ in range(2)] == ["yesyesyes", "yesyesyes"]


def test_url_without_a_scheme_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="must begin with http://"):
        OpenAIEngine("m", base_url="localhost:8000/v1")


@pytest.mark.parametrize("bad", [{"max_in_flight": 0}, {"max_retries": -1}])
def test_bounds_are_checked(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        OpenAIEngine("m", **bad)  # type: ignore[arg-type]


async def test_server_that_dies_ends_episodes_as_invalid_and_the_run_resumes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "episodes.jsonl"
    jobs = [Job(TASK, Backend(), 0, Limits(), seed=seed) for seed in range(12)]

    def reply(prompt: str) -> str:
        if prompt.count("<|im_start|>assistant") > 1:
            return TABLE
        return get_format("hermes").render([ToolCall("open", {"url": "/ula"})])

    async def run(policy: LLMPolicy, stop_after: int | None) -> list[Episode]:
        episodes: list[Episode] = []
        with EpisodeFile(path) as file:

            def keep(episode: Episode) -> None:
                file.append(episode)
                episodes.append(episode)
                if len(episodes) == stop_after:
                    server.alive = False

            part = Part([jobs], lambda: policy, max_concurrent=4)
            await play_here([part], frozenset(file.keys), keep)
        return episodes

    async with served(reply, tokenizer=TOKENIZER, max_retries=1) as (server, engine):
        policy = LLMPolicy(engine)
        first = await run(policy, stop_after=4)
        assert len(first) == 12
        failed = [episode for episode in first if not episode.valid]
        assert 1 <= len(failed) <= 8
        assert all("no answer after 2 attempts" in (e.error or "") for e in failed)
        server.alive = True
        again = await run(policy, stop_after=None)
        assert len(again) == len(failed)
        assert all(episode.valid for episode in again)
    kept = list(read_episodes(path, tokens=True))
    assert sorted(episode.seed for episode in kept) == list(range(12))
    assert all(turn.decision.tokens for e in kept for t in e.trajectories for turn in t.turns)
