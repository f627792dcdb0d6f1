"""Engines that answer what no record can hold: that episode is invalid, and says why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tinyworld import TASK, TinyBackend

from agents.llm.engines import Completion, Request
from agents.llm.engines.echo import EchoEngine
from agents.llm.policy import LLMPolicy
from agents.rollout import Job, run_episode
from agents.storable import prove


class Altered(EchoEngine):
    """Echoes, and then alters what it gives."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(lambda prompt: "It is 12 km long.")
        self.changes = changes

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [replace(c, **self.changes) for c in await super().generate(requests)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": None}, "expected a text, got None"),
        ({"ids": (None, 3)}, "expected token ids from 0 to 2**31 - 1, got None at 0"),
        ({"ids": (3, "7")}, "got '7' at 1"),
        ({"ids": (2**31,)}, "got 2147483648 at 0"),
        ({"ids": (-1,)}, "got -1 at 0"),
        ({"ids": (True,)}, "got True at 0"),
        ({"ids": None}, "'NoneType' object is not iterable"),
        ({"prompt_ids": (1.5,)}, "got 1.5 at 0"),
        ({"ids": (3,), "logprobs": ("-1",)}, "expected finite log-probabilities of at most 0"),
        ({"ids": (3,), "logprobs": (math.nan,)}, "got nan at 0"),
        ({"ids": (3,), "logprobs": (-math.inf,)}, "got -inf at 0"),
        ({"ids": (3,), "logprobs": (0.5,)}, "got 0.5 at 0"),
        ({"ids": (3, 4), "logprobs": (-0.5,)}, "expected a log-probability for each of 2 ids"),
    ],
)
async def test_completion_that_is_none_makes_the_episode_invalid(
    changes: dict[str, Any], reason: str
) -> None:
    episode = await run_episode(Job(TASK, TinyBackend(), 0), LLMPolicy(Altered(**changes)))
    assert episode.end == "invalid"
    assert "PolicyError: the engine's answer is none: " in episode.error
    assert reason in episode.error
    prove(episode)


async def test_completion_at_the_bounds_is_fine() -> None:
    engine = Altered()
    ids = engine.tokenizer.encode("It is 12 km long.")
    engine.changes = {"logprobs": (0.0, *(-1000.0 for _ in ids[1:]))}
    engine.changes["ids"] = tuple(ids)
    episode = await run_episode(Job(TASK, TinyBackend(), 0), LLMPolicy(engine))
    assert episode.error is None
