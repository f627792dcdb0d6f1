"""Whatever a policy, backend or scorer puts into a record: the file stays readable."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyworld import GOLD_ANSWER, TASK, ByScript, FanOut, TinyBackend, call

from agents.episode_file import EpisodeFile, read_episodes
from agents.rollout import Job, run_episode
from agents.storable import mended, prove
from wideseek_env.backends import Hit, Page
from wideseek_env.records import Decision, Episode, Limits, Score, Task, TokenSpan, ToolCall

ANSWER = call("answer", text=GOLD_ANSWER)
FINE = Score(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


async def played(
    decision: Any = ANSWER, backend: Any = None, task: Task = TASK, **settings: Any
) -> Episode:
    lead = [decision] if decision is ANSWER else [decision, ANSWER]
    seed = int(decision is ANSWER)  # two jobs, as a file keeps one episode of each
    job = Job(task, backend or TinyBackend(), 0, Limits(max_lead_turns=3), seed)
    return await run_episode(job, ByScript(lead=lead), **settings)


def spans(**parts: Any) -> TokenSpan:
    return TokenSpan(**{"prompt_ids": (1,), "ids": (2,), "logprobs": (-0.5,), **parts})


BAD_DECISIONS = {
    "NaN in usage": Decision(usage={"cost": math.nan}),
    "inf in usage": Decision(usage={"cost": math.inf}),
    "no usage": Decision(usage=None),
    "text in usage": Decision(usage={"cost": "much"}),
    "no text": Decision(text=None),
    "no calls": Decision(calls=None),
    "no ids": Decision(tokens=spans(ids=None)),
    "text as ids": Decision(tokens=spans(ids=("7",))),
    "one text as ids": Decision(tokens=spans(ids="7")),
    "id too large": Decision(tokens=spans(ids=(2**31,))),
    "negative id": Decision(tokens=spans(prompt_ids=(-1,))),
    "logprob as text": Decision(tokens=spans(logprobs=("-0.5",))),
    "logprob NaN": Decision(tokens=spans(logprobs=(math.nan,))),
    "logprob -inf": Decision(tokens=spans(logprobs=(-math.inf,))),
    "positive logprob": Decision(tokens=spans(logprobs=(0.1,))),
    "logprobs of another number": Decision(tokens=spans(logprobs=(-0.1, -0.1))),
    "object in usage": Decision(usage={"cost": object()}),
    "surrogate in usage": Decision(usage={"\ud800": 1.0}),
    "surrogate in usage's text": Decision(usage={"a": "\ud800"}),
}


@pytest.mark.parametrize("decision", BAD_DECISIONS.values(), ids=BAD_DECISIONS)
async def test_bad_decision_is_an_invalid_episode_that_can_be_kept(
    decision: Decision, tmp_path: Path
) -> None:
    bad, good = await played(decision), await played()
    assert (bad.end, bad.score, bad.reward_terms) == ("invalid", None, {})
    assert bad.error
    assert prove(bad) is bad
    path = tmp_path / "episodes.jsonl"
    with EpisodeFile(path) as file:
        file.append(bad)
        file.append(good)
    kept = {episode.seed: episode.valid for episode in read_episodes(path, tokens=True)}
    assert kept == {bad.seed: False, good.seed: True}


HARMLESS_DECISIONS = {
    "numpy numbers": Decision(usage={"cost": np.float64(0.5), "tokens": np.int64(3)}),
    "surrogate in the text": Decision(text="\ud800"),
    "surrogate in an argument": call("answer", text="\ud800"),
    "surrogate in a tool's name": call("\ud800"),
    "surrogate in a key": Decision((ToolCall("open", {"\ud800": 1}),)),
    "huge number": call("open", url="/Alden", part=10**5000),
    "NaN": call("open", url="/Alden", part=math.nan),
    "deep list": call("open", url=eval("[" * 50 + "]" * 50)),
    "surrogate in what could not be read": Decision(error="\udfff"),
}


@pytest.mark.parametrize("decision", HARMLESS_DECISIONS.values(), ids=HARMLESS_DECISIONS)
async def test_what_a_model_may_write_costs_a_turn_and_not_the_episode(decision: Decision) -> None:
    episode = await played(decision)
    assert episode.error is None
    assert episode.valid
    assert len(episode.trajectories[0].turns) <= 2
    prove(episode)


class Broken(TinyBackend):
    def __init__(self, hit: Any = None, page: Any = None) -> None:
        super().__init__()
        self.hit, self.page = hit, page

    async def search(self, query: str, top_k: int) -> list[Hit]:
        return [self.hit]

    async def open(self, url: str, part: int = 1) -> Page:
        return self.page


@pytest.mark.parametrize(
    ("decision", "backend"),
    [
        (call("search", query="a"), Broken(Hit(None, "Alden", "A river."))),
        (call("search", query="a"), Broken(Hit(b"/Alden", "Alden", "A river."))),
        (call("open", url="/Alden"), Broken(page=Page(None, "Alden", "A river."))),
    ],
)
async def test_hit_or_page_without_url_is_a_failure_of_the_backend(
    decision: Decision, backend: Any
) -> None:
    episode = await played(decision, backend)
    assert episode.end == "invalid"
    assert "BackendError: expected a text and URLs" in episode.error
    prove(episode)


async def test_surrogates_of_a_page_are_replaced() -> None:
    page = Page("/Alden", "Alden", "A \ud800 river.")
    episode = await played(call("open", url="/Alden"), Broken(page=page))
    assert episode.valid
    assert "A \ufffd river." in episode.trajectories[0].turns[0].results[0].text


@pytest.mark.parametrize(
    "score",
    [replace(FINE, item_f1=math.nan), replace(FINE, row_recall=math.inf), None, 1.0,
     replace(FINE, success="yes"), replace(FINE, correct=((0, math.nan),))],
)  # fmt: skip
async def test_score_that_is_none_makes_the_episode_invalid(score: Any) -> None:
    async def scorer(task: Task, answer: str | None) -> Score:
        return score

    episode = await played(scorer=scorer)
    assert (episode.end, episode.score) == ("invalid", None)
    prove(episode)


async def test_scores_of_numpy_numbers_count() -> None:
    async def scorer(task: Task, answer: str | None) -> Score:
        return replace(FINE, item_f1=np.float32(0.5))

    episode = await played(scorer=scorer)
    assert episode.reward == 0.5
    assert type(episode.score.item_f1) is float


@pytest.mark.parametrize(
    "task",
    [
        replace(TASK, question="List \ud800."),
        replace(TASK, metadata={"x": object()}),
        replace(TASK, metadata={"x": 10**5000}),
        replace(TASK, id="\ud800"),
    ],
    ids=["question", "object", "number", "id"],
)
async def test_task_that_no_file_can_hold_is_an_invalid_episode_under_its_name(task: Task) -> None:
    episode = await played(task=task)
    assert not episode.valid
    assert prove(episode).task.id in ("rivers", "\ufffd")
    assert episode.num_turns == 1


async def test_mended_record_keeps_what_is_sound_and_says_what_is_not() -> None:
    bad = replace(call("open", url="/Alden"), usage={"cost": math.nan})
    episode = await played(bad)
    first, second = episode.trajectories[0].turns
    assert first.decision == Decision(error="left out: no file can hold it")
    assert first.results[0].text.startswith("Alden | /Alden")
    assert second.decision == ANSWER
    assert episode.answer == GOLD_ANSWER
    assert "its record cannot be kept" in episode.error


async def test_mended_metadata_keeps_the_key() -> None:
    job = Job(TASK, TinyBackend(), 3, metadata={"note": "\ud800", "budget": 2.0, "what": object()})
    episode = await run_episode(job, FanOut())
    assert not episode.valid
    assert episode.metadata["note"] == "\ufffd"
    assert episode.metadata["budget"] == 2.0
    assert episode.metadata["what"] == "a object"
    assert prove(mended(episode))
