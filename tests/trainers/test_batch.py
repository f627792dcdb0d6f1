"""Rows and micro-batches: which tokens are where, and which train."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")

from toy_learning import toy_episode  # noqa: E402

from trainers.batch import flat, micro_batches, rows_of, spread, turns_that_train  # noqa: E402
from wideseek_env.records import Decision, TokenSpan, ToolResult, Trajectory, Turn  # noqa: E402

LEAD = [TokenSpan((1, 2), (3, 4, 5), (-0.1, -0.2, -0.3)), TokenSpan((6,), (7,), (-0.4,))]
SUBAGENT = [TokenSpan((8, 9, 10), (11, 12), (-0.5, -0.6))]


def test_rows_of_keep_the_tokens_as_they_were_sampled():
    lead, subagent = rows_of([toy_episode(0, [LEAD, SUBAGENT], 1.0)])
    assert lead.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert lead.turn.tolist() == [-1, -1, 0, 0, 0, -1, 1]
    assert lead.trains.tolist() == [False, False, True, True, True, False, True]
    np.testing.assert_array_equal(lead.logprobs, [np.nan, np.nan, -0.1, -0.2, -0.3, np.nan, -0.4])
    assert (lead.role, lead.trajectory, subagent.role, subagent.trajectory) == (
        "lead",
        0,
        "subagent",
        1,
    )
    assert flat([lead.ids, subagent.ids], [lead, subagent], "cpu").tolist() == [3, 4, 5, 7, 11, 12]
    assert spread(np.array([0.5, 2.0]), [lead, subagent], "cpu").tolist() == [0.5] * 4 + [2.0] * 2


def test_rows_of_one_role_trains_only_that_role():
    lead, subagent = rows_of([toy_episode(0, [LEAD, SUBAGENT], 1.0)], roles=("subagent",))
    assert not lead.trains.any()
    assert subagent.trains.any()


def test_rows_of_refuses_what_it_cannot_train_on():
    scripted = toy_episode(0, [LEAD], 1.0)
    turn = Turn(Decision(), (), 0.0, 0.0, 0.0, 0)
    bare = replace(scripted, trajectories=(replace(scripted.trajectories[0], turns=(turn,)),))
    with pytest.raises(ValueError, match="expected tokens in the decisions of 'toy'"):
        rows_of([bare])
    assert [row.episode for row in rows_of([bare, scripted])] == [1]
    assert rows_of([]) == []
    with pytest.raises(ValueError, match="expected 2 log-probabilities"):
        rows_of([toy_episode(0, [[TokenSpan((1,), (2, 3), (-0.1,))]], 1.0)])
    with pytest.raises(ValueError, match="expected prompt tokens before"):
        rows_of([toy_episode(0, [[TokenSpan((), (2,), (-0.1,))]], 1.0)])


def test_rows_of_without_logprobs_are_unknown_not_zero():
    (row,) = rows_of([toy_episode(0, [[TokenSpan((1,), (2, 3), ())]], 1.0)])
    assert np.isnan(row.logprobs).all()


def make_turn(error=None, status="ok"):
    return Turn(Decision(error=error), (ToolResult("", status),), 0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("answer", "role", "end", "expected"),
    [
        ("table", "lead", "answered", [True, True, True, True]),
        ("table", "subagent", "reported", [True, True, True, True]),
        ("table", "subagent", "turn_budget", [False] * 4),
        ("table", "subagent", "context_budget", [False] * 4),
        (None, "lead", "turn_budget", [False, True, True, True]),
        (None, "lead", "cancelled", [False, True, True, False]),
        (None, "subagent", "reported", [False, True, True, False]),
    ],
)
def test_turns_that_train(answer, role, end, expected):
    # Right, not readable, refused, right.
    turns = (make_turn(), make_turn(error="no call"), make_turn(status="wrong"), make_turn())
    trajectory = Trajectory("x", role, "", turns, end)
    episode = replace(toy_episode(0, [LEAD], 1.0), answer=answer, trajectories=(trajectory,))
    assert turns_that_train(episode) == [expected]


def test_turns_that_train_a_failed_tool_or_report_is_no_failed_turn():
    turns = (make_turn(status="failed"), make_turn())
    trajectory = Trajectory("lead", "lead", "", turns, "cancelled")
    episode = replace(toy_episode(0, [LEAD], 1.0), answer=None, trajectories=(trajectory,))
    assert turns_that_train(episode) == [[False, False]]


def random_rows(seed, num=12):
    rng = np.random.default_rng(seed)
    episodes = []
    for number in range(num):
        spans = [
            TokenSpan(
                tuple(rng.integers(0, 32, rng.integers(1, 6)).tolist()),
                tuple(rng.integers(0, 32, size).tolist()),
                (-1.0,) * size,
            )
            for size in rng.integers(1, 5, rng.integers(1, 4))
        ]
        episodes.append(toy_episode(number, [spans], 0.0))
    return rows_of(episodes)


@pytest.mark.parametrize("budget", [1, 30, 10_000])
def test_micro_batches_hold_every_sampled_token_once(budget):
    rows = random_rows(0)
    chosen = [0, 2, 3, 5, 7, 11]
    all_ids = flat([row.ids for row in rows], rows, "cpu").long()
    owner = spread(np.arange(12.0), rows, "cpu").long()
    seen = []
    for batch in micro_batches(rows, chosen, budget, "cpu"):
        assert batch.ids.numel() <= budget or len(batch.ids) == 1
        assert torch.equal(batch.targets, all_ids[batch.tokens])
        assert torch.equal(batch.ids.flatten()[batch.before + 1], batch.targets)
        lines = batch.before // batch.ids.shape[1]
        assert torch.equal(torch.tensor(batch.rows)[lines], owner[batch.tokens])
        for line, index in enumerate(batch.rows):
            end = int(batch.ends[line]) - line * batch.ids.shape[1]
            assert batch.ids[line, : end + 1].tolist() == rows[index].ids.tolist()
        seen += batch.tokens.tolist()
    assert sorted(seen) == [t for t in range(len(owner)) if int(owner[t]) in chosen]
