import dataclasses
import json

import pytest
from tinyworld import TASK, FanOut, TinyBackend

from agents.rollout import Job, run_episode
from wideseek_env.jsonlines import decode_episode, decode_task, encode
from wideseek_env.records import METRICS, Decision, TokenSpan, ToolCall


async def test_episode_survives_json() -> None:
    episode = await run_episode(Job(TASK, TinyBackend(), 3, metadata={"trial": 1}), FanOut())
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
    line = encode(TASK).replace(b'"key_columns":["', b'"key_columns":["No ')
    with pytest.raises(ValueError, match="task 'rivers': expected `columns`, and `key_columns` am"):
        decode_task(line)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"gold": (("Alden",),)}, "expected 2 cells in each gold row"),
        ({"columns": (), "key_columns": ()}, "expected `columns`, and `key_columns` among them"),
        ({"sources": ((),)}, "expected `sources` to be empty or to have an entry for each"),
    ],
)
def test_task_whose_parts_do_not_fit_is_refused(parts: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"task 'rivers': {message}"):
        dataclasses.replace(TASK, **parts)


async def test_episode_of_another_version_is_refused() -> None:
    episode = await run_episode(Job(TASK, TinyBackend(), 3), FanOut())
    line = encode(dataclasses.replace(episode, version=99))
    with pytest.raises(ValueError, match="episode of record version 2, got 99; play it again"):
        decode_episode(line)


async def test_line_of_version_1_is_refused_by_its_version_and_not_by_what_it_lacks() -> None:
    episode = await run_episode(Job(TASK, TinyBackend(), 3), FanOut())
    line = json.loads(encode(episode))
    line["version"] = 1
    for trajectory in line["trajectories"]:
        del trajectory["parent"], trajectory["parent_turn"]
        for turn in trajectory["turns"]:
            del turn["level"]
    with pytest.raises(ValueError, match="expected an episode of record version 2, got 1;"):
        decode_episode(json.dumps(line))
    line["version"] = 2
    with pytest.raises(ValueError, match="missing required field `level`"):
        decode_episode(json.dumps(line))


def test_metrics_are_the_seven_of_a_table_in_the_order_of_a_score() -> None:
    rows, items = ("row_precision", "row_recall", "row_f1"), ("item_precision", "item_recall")
    assert ("success", *rows, *items, "item_f1") == METRICS


def test_a_decision_has_the_characters_of_its_text_or_else_of_its_arguments() -> None:
    calls = (
        ToolCall("search", {"query": "lakes"}),
        ToolCall("open", {"url": "/a", "part": 12}),
    )
    assert Decision(calls).num_chars == len("lakes") + len("/a") + len("12")
    assert Decision(calls, text="I look.").num_chars == len("I look.")
    assert Decision().num_chars == 0
