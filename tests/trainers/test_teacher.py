"""A teacher in tokens plays what it plays without, and every token is accounted for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.llm.policy import LLMConfig
from agents.llm.tokenizers import ByteTokenizer
from agents.rollout import Job, rollout
from agents.scripted import POLICIES
from trainers.batch import rows_of
from trainers.teacher import TeacherPolicy
from wideseek_env.worlds import World


@pytest.mark.parametrize("format", ["hermes", "json"])
async def test_teacher_plays_as_without_tokens(format):
    world = World("starter", seed=3)
    tasks = list(world.tasks(3))
    plain = POLICIES["fanout"](tasks)
    config = LLMConfig(
        format=format, max_tokens=100_000, max_context_tokens=1_000_000, budget_hints=False
    )
    letters = ByteTokenizer()
    teacher = TeacherPolicy(POLICIES["fanout"](tasks), letters, config)
    backend = world.backend()
    # The game counts what a model writes around its calls; with room enough that changes nothing.
    limits = replace(world.preset.limits, max_context_chars=100_000)
    jobs = [Job(task, backend, 3, limits) for task in tasks]
    played = {}
    for policy in (plain, teacher):
        episodes = [episode async for episode in rollout(jobs, policy)]
        played[policy.name] = sorted(episodes, key=lambda e: e.task.id)
    assert list(played) == ["fanout", "fanout in tokens"]
    for expected, actual in zip(*played.values(), strict=True):
        assert actual.error is None
        assert actual.answer == expected.answer
        assert actual.score == expected.score
        assert actual.score.item_f1 > 0.4
        for ours, theirs in zip(actual.trajectories, expected.trajectories, strict=True):
            assert [t.decision.calls for t in ours.turns] == [
                t.decision.calls for t in theirs.turns
            ]
            written = [
                letters.decode(turn.decision.tokens.ids).removesuffix("<|im_end|>")
                for turn in ours.turns
            ]
            assert written == [turn.decision.text for turn in ours.turns]
            assert all(turn.decision.tokens.logprobs == () for turn in ours.turns)
            shown = letters.decode(ours.turns[0].decision.tokens.prompt_ids)
            assert f"<|im_start|>user\n{ours.prompt}<|im_end|>" in shown


async def test_teacher_whose_student_runs_out_of_context_is_cut_like_the_student():
    world = World("starter", seed=3)
    tasks = list(world.tasks(1))
    config = LLMConfig(format="json", prompts="short", max_tokens=400, max_context_tokens=900)
    teacher = TeacherPolicy(POLICIES["fanout"](tasks), ByteTokenizer(), config)
    jobs = [Job(tasks[0], world.backend(), 3, world.preset.limits)]
    (episode,) = [e async for e in rollout(jobs, teacher)]
    assert episode.error is None
    assert "context_budget" in {t.end for t in episode.trajectories}


async def test_teacher_that_folds_gives_a_row_for_each_segment():
    world = World("easy", seed=3)
    tasks = list(world.tasks(1))
    config = LLMConfig(max_tokens=100_000, max_context_tokens=1_000_000)
    letters = ByteTokenizer()
    teacher = TeacherPolicy(POLICIES["solo_fold"](tasks), letters, config)
    limits = replace(world.preset.limits, max_context_chars=5_000, max_folds=20, max_lead_turns=60)
    (episode,) = [e async for e in rollout([Job(tasks[0], world.backend(), 0, limits)], teacher)]
    assert episode.error is None
    assert episode.score.item_f1 > 0.8
    (lead,) = episode.trajectories
    assert len(lead.segments) > 2
    rows = rows_of([episode])
    assert [set(row.turn[row.sampled].tolist()) for row in rows] == [set(s) for s in lead.segments]
    for row, segment in zip(rows, lead.segments, strict=True):
        text = letters.decode(row.ids[: int(row.sampled.argmax())].tolist())
        assert tasks[0].question in text
        if segment.start:
            folded = lead.turns[segment.start - 1].decision.calls[0].arguments["text"]
            assert folded in text
