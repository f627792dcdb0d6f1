from __future__ import annotations

import asyncio

import pytest

from agents.llm.engines import Request, make_engine
from agents.llm.engines.echo import EchoEngine


async def test_echo_cuts_at_max_tokens() -> None:
    engine = EchoEngine(lambda prompt: "abc")
    whole, cut = await engine.generate([Request("a", (1,)), Request("a", (1,), max_tokens=2)])
    assert (whole.text, whole.ids, whole.finish) == ("abc", (97, 98, 99, 257), "stop")
    assert (cut.text, cut.ids, cut.finish) == ("ab", (97, 98), "length")


async def test_echo_counts_what_is_in_flight() -> None:
    engine = EchoEngine(latency_s=0.01)
    await asyncio.gather(*(engine.generate([Request("a", (1,))]) for _ in range(5)))
    assert (engine.num_running, engine.max_running) == (0, 5)


def test_make_engine_of_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(ValueError, match="openai, transformers, vllm"):
        make_engine("tgi", "m")


def test_make_engine_passes_options_on() -> None:
    assert make_engine("openai", "m", base_url="http://127.0.0.1:1/v1").name == "openai m"
