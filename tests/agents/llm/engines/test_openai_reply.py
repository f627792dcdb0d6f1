"""What the OpenAI engine makes of an answer: a completion that can be kept, or one sentence."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from chat_server import TOKENIZER
from fault_server import (
    NO_COMPLETIONS,
    NO_CONTENTS,
    USAGES,
    FaultServer,
    completion,
    contents,
    json_of,
    reply,
)
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.llm.engines import Completion, ContextOverflow, Request
from agents.llm.engines.openai import OpenAIEngine
from wideseek_env.errors import PolicyError
from wideseek_env.formats import get_format

MESSAGES = Request("a", messages=({"role": "user", "content": "hi"},), max_tokens=50)
IDS = Request("a", prompt_ids=(1, 2, 3), max_tokens=50)


@asynccontextmanager
async def answering(answer: object, **options: Any) -> AsyncIterator[OpenAIEngine]:
    async with FaultServer(json_of(answer)) as server:
        engine = OpenAIEngine("m", base_url=server.url, **{"max_retries": 0, **options})
        try:
            yield engine
        finally:
            await engine.close()


async def _chat(answer: object, **options: Any) -> Completion:
    async with answering(answer, **options) as engine:
        (found,) = await engine.generate([MESSAGES])
    return found


async def _tokens(choice: dict[str, Any], **fields: Any) -> Completion:
    async with answering({"choices": [choice], **fields}, tokenizer=TOKENIZER) as engine:
        (found,) = await engine.generate([IDS])
    return found


@pytest.mark.parametrize("form", contents("", ""))
async def test_content_in_every_form(form: str) -> None:
    found = await _chat(completion(contents("fine, really", "a draft")[form]))
    text = found.text
    assert text.endswith("fine, really")
    assert text in ("fine, really", "<think>a draft</think>fine, really")
    assert ("a draft" in text) == (form in ("thinking of parts", "thinking of text", "reasoning",
                                            "thinking after"))  # fmt: skip


@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]])
async def test_content_of_nothing_is_an_empty_turn(content: object) -> None:
    assert (await _chat(completion(content))).text == ""


@pytest.mark.parametrize("name", NO_CONTENTS | NO_COMPLETIONS)
async def test_what_is_no_completion_is_one_error(name: str) -> None:
    answer = completion(NO_CONTENTS[name]) if name in NO_CONTENTS else NO_COMPLETIONS[name]
    with pytest.raises(PolicyError, match="not the answer of /chat/completions: ") as raised:
        await _chat(answer)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("usage", USAGES)
async def test_usage_of_any_form_is_counted_or_not(usage: str) -> None:
    found = await _chat(completion("fine") | {"usage": USAGES[usage]})
    assert found.text == "fine"
    for number in (found.num_prompt_tokens, found.num_new_tokens):
        assert 0 <= number <= 2**53
    assert 0 <= found.num_cached_tokens <= found.num_prompt_tokens


NO_IDS: dict[str, object] = {
    "text": "1 2", "number": 5, "object": {"0": 1}, "texts": ["1"], "fractions": [1.0],
    "negative": [-1], "2**31": [2**31], "large": [10**30], "null inside": [1, None],
    "true": [True], "lists": [[1]], "nan": [float("nan")], "infinity": [float("inf")],
}  # fmt: skip


@pytest.mark.parametrize("name", NO_IDS)
async def test_ids_that_are_none_end_the_episode(name: str) -> None:
    good = {"token_ids": [65, 257], "prompt_token_ids": [1]}
    for field in ("token_ids", "prompt_token_ids"):
        with pytest.raises(PolicyError, match=f"expected `{field}` to be ids from 0 to"):
            await _tokens(good | {field: NO_IDS[name]})
    with pytest.raises(PolicyError, match="to be ids"):
        await _chat(completion("x", token_ids=NO_IDS[name]))
    with pytest.raises(PolicyError, match="to be ids"):
        await _chat(completion("x") | {"prompt_token_ids": NO_IDS[name]}, token_ids=True)


@pytest.mark.parametrize("ids", [[], [0], [65, 66], [257], [255, 257]])
async def test_ids_are_kept_as_they_came(ids: list[int]) -> None:
    found = await _tokens({"token_ids": ids, "logprobs": {"token_logprobs": [-0.5] * len(ids)}})
    assert found.ids == tuple(ids)
    assert found.logprobs == (-0.5,) * len(ids)
    assert found.prompt_ids is None


async def test_ids_that_the_tokenizer_does_not_know_are_named() -> None:
    with pytest.raises(PolicyError, match="give the tokenizer of the model"):
        await _tokens({"token_ids": [2**31 - 1]})


NO_LOGPROBS: dict[str, object] = {
    "text": "-0.5", "texts": ["-0.5"], "null inside": [-0.5, None], "nan": [float("nan")],
    "infinity": [float("inf")], "minus infinity": [float("-inf")], "positive": [0.5],
    "true": [True], "object": {"0": -0.5}, "lists": [[-0.5]], "number": -0.5, "large": [-(10**400)],
}  # fmt: skip


@pytest.mark.parametrize("name", NO_LOGPROBS)
async def test_logprobs_that_are_none_end_the_episode(name: str) -> None:
    value = NO_LOGPROBS[name]
    with pytest.raises(PolicyError, match="log-probabilities to be finite numbers"):
        await _tokens({"token_ids": [65], "logprobs": {"token_logprobs": value}})
    if isinstance(value, list):
        content = [{"logprob": item} for item in value]
        with pytest.raises(PolicyError, match="log-probabilities to be finite numbers"):
            await _chat(completion("x", logprobs={"content": content}))


@pytest.mark.parametrize("value", ["x", 5, {"a": 1}, ["x"], [5], [None], [[-0.5]]])
async def test_logprobs_of_a_chat_that_are_no_objects_end_the_episode(value: object) -> None:
    with pytest.raises(PolicyError, match="expected a list of objects in `logprobs`"):
        await _chat(completion("x", logprobs={"content": value}))


@pytest.mark.parametrize(
    "value", [None, {}, "x", 5, [], {"content": None}, {"token_logprobs": None}]
)
async def test_logprobs_that_are_absent_are_none(value: object) -> None:
    assert (await _chat(completion("x", logprobs=value))).logprobs == ()
    assert (await _tokens({"token_ids": [65], "logprobs": value})).logprobs == ()


async def test_logprobs_that_were_rounded_are_at_most_zero() -> None:
    logprobs = {"token_logprobs": [1e-7, -9999.0, 0]}
    found = await _tokens({"token_ids": [65, 66, 257], "logprobs": logprobs})
    assert found.logprobs == (0.0, -9999.0, 0.0)
    assert all(isinstance(number, float) for number in found.logprobs)


TOOL_CALLS = [
    "search", 5, {"name": "search"}, [5], [None], ["x"], [[]], [{}], [{"function": None}],
    [{"function": "search"}], [{"function": {"name": 5, "arguments": 5}}],
    [{"function": {"name": "search", "arguments": "{"}}],
    [{"function": {"name": "search", "arguments": {"query": "x"}}}],
    [{"id": None, "function": {"name": None, "arguments": None}}],
    [{"function": {"name": "search", "arguments": "[" * 5_000}}],
]  # fmt: skip


@pytest.mark.parametrize("calls", TOOL_CALLS)
async def test_tool_calls_of_any_form_are_a_turn(calls: object) -> None:
    answer = completion(None)
    answer["choices"][0]["message"]["tool_calls"] = calls
    found = await _chat(answer)
    assert json.loads(found.text) == {"content": None, "tool_calls": calls}
    decision = get_format("openai").parse(found.text, "subagent")
    assert decision.calls or decision.error
    get_format("openai").messages(found.text, [])


async def test_lone_surrogates_become_text_that_can_be_written() -> None:
    found = await _chat(completion("a\ud800b\U0001f986"))
    assert found.text == "a\ufffdb\U0001f986"
    answer = completion("\udfff")
    answer["choices"][0]["message"]["reasoning"] = "\ud800"
    assert (await _chat(answer)).text == "<think>\ufffd</think>\ufffd"


@pytest.mark.parametrize(
    "text", ["maximum context length is 8", "prompt is too long", "Context length"]
)
async def test_overflow_is_told_apart_by_status_and_words(text: str) -> None:
    async with FaultServer(reply(text.encode(), status=400)) as server:
        engine = OpenAIEngine("m", base_url=server.url, max_retries=0)
        with pytest.raises(ContextOverflow):
            await engine.generate([MESSAGES])
        server.otherwise = reply(text.encode(), status=403)
        with pytest.raises(PolicyError) as raised:
            await engine.generate([MESSAGES])
        assert not isinstance(raised.value, ContextOverflow)
        await engine.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "message": JSON
        | st.fixed_dictionaries(
            {}, optional={"content": JSON, "tool_calls": JSON, "reasoning": JSON}
        ),
        "token_ids": JSON | st.lists(st.integers(-1, 300)),
        "prompt_token_ids": JSON,
        "logprobs": JSON
        | st.fixed_dictionaries({}, optional={"content": JSON, "token_logprobs": JSON}),
        "finish_reason": JSON,
    },
)


@pytest.mark.hypothesis
def test_no_json_of_any_server_is_more_than_an_invalid_episode() -> None:
    async def play(answer: object, tokens: bool) -> None:
        options = {"tokenizer": TOKENIZER} if tokens else {"logprobs": True}
        async with answering(answer, **options) as engine:
            try:
                (found,) = await engine.generate([IDS if tokens else MESSAGES])
            except PolicyError:
                return
        found.text.encode()
        assert all(0 <= token < 2**31 for token in (*found.ids, *(found.prompt_ids or ())))
        assert all(math.isfinite(number) and number <= 0 for number in found.logprobs)
        assert found.finish in ("stop", "length")

    @settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        JSON
        | st.fixed_dictionaries(
            {"choices": st.lists(CHOICES, max_size=2)},
            optional={"usage": JSON, "prompt_token_ids": JSON},
        ),
        st.booleans(),
    )
    def fuzz(answer: object, tokens: bool) -> None:
        asyncio.run(play(answer, tokens))

    fuzz()
