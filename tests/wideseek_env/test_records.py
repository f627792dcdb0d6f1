import dataclasses

import pytest
from tinyworld import TASK, FanOut, TinyBackend

from agents.rollout import Job, run_episode
from wideseek_env.records import TokenSpan, decode_episode, decode_task, encode


async def test_episode_survives_json() -> None:
    episode = await run_episode(Job(TASK, 3, metadata={"trial": 1}), FanOut(), TinyBackend())
    lead = episode.trajectories[0]
    decision = dataclasses.replace(
        lead.turns[0].decision, tokens=TokenSpan((1, 2), (3,), (-0.1234567890123456,))
    )
    turn = dataclasses.replace(lead.turns[0], decision=decision)
    lead = dataclasses.replace(lead, turns=(turn, *lead.turns[1:]))
    episode = dataclasses.replace(episode, trajectories=(lead, *episode.trajectories[1:]))
    line = encode(episode)
    assert b"\n" not in line
    assert decode_episode(line) == episode


def test_task_survives_json() -> None:
    assert decode_task(encode(TASK)) == TASK


def test_wrong_lines_say_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"JSON that holds a Task, got '\{\}'"):
        decode_task("{}")
    with pytest.raises(ValueError, match="JSON that holds a Episode"):
        decode_episode(b"not json")
    short = dataclasses.replace(TASK, gold=(("Alden",),))
    with pytest.raises(ValueError, match="task 'rivers': expected 2 cells in each gold row"):
        decode_task(encode(short))


async def test_episode_of_another_version_is_refused() -> None:
    episode = await run_episode(Job(TASK, 3), FanOut(), TinyBackend())
    line = encode(dataclasses.replace(episode, version=99))
    with pytest.raises(ValueError, match="expected an episode of record version 1, got 99"):
        decode_episode(line)
