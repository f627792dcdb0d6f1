"""Rows of an episode and what they count, against the formulas and against trainers.grpo."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")

from toy_learning import tiny_lm, toy_play

from trainers.batch import rows_of, shares_of
from trainers.grpo import GRPOConfig, prepare
from trainers.openrlhf.rows import TeamRow, credit, episodes_of, team_rows, token_gae
from trainers.ppo import PPOConfig, estimate
from trainers.update import updates_of
from wideseek_env.records import CellCredit, Episode


def row(episode: str, role: str = "subagent", **changes) -> TeamRow:
    settings = {
        "episode": episode,
        "group": "task",
        "agent": role,
        "role": role,
        "ids": [1, 2, 3, 4],
        "mask": [False, True, True, False],
        "logprobs": [0.0, -1.0, -1.0, 0.0],
    }
    return TeamRow(**{**settings, **changes})


def team(episode: str, reward: float | None, size: int = 2, **changes) -> list[TeamRow]:
    others = [row(episode, **changes) for _ in range(size - 1)]
    return [*others, row(episode, "lead", reward=reward, **changes)]


def played(step: int = 0, **changes) -> list[Episode]:
    return [dataclasses.replace(e, **changes) for e in toy_play(tiny_lm())(step)]


def test_rows_of_an_episode_stand_together_and_the_lead_is_last() -> None:
    (episode, *_) = played()
    rows = team_rows(episode, episode_id="7", group="t")
    assert [r.role for r in rows] == ["subagent"] * (len(rows) - 1) + ["lead"]
    assert {(r.episode, r.group) for r in rows} == {("7", "t")}
    assert [r.reward for r in rows] == [None] * (len(rows) - 1) + [episode.reward]


def test_tokens_are_those_that_were_sampled() -> None:
    (episode, *_) = played()
    lead = team_rows(episode, episode_id="7", group="t")[-1]
    spans = [turn.decision.tokens for turn in episode.trajectories[0].turns]
    assert lead.ids == [i for s in spans for i in (*s.prompt_ids, *s.ids)]
    ends = np.cumsum([len(s.prompt_ids) + len(s.ids) for s in spans]).tolist()
    assert lead.spans == [(e - len(s.ids), e) for e, s in zip(ends, spans, strict=True)]
    for (start, end), span in zip(lead.spans, spans, strict=True):
        assert tuple(lead.ids[start:end]) == span.ids
        assert tuple(lead.logprobs[start:end]) == span.logprobs


def test_turns_that_do_not_train_are_outside_of_the_mask() -> None:
    (episode, *_) = played(answer=None)  # nothing failed in it, so nothing is held against anybody
    rows = team_rows(episode, episode_id="7", group="t")
    assert sum(r.num_trained for r in rows) == 0
    assert rows[-1].reward is not None


def test_an_episode_without_a_score_has_no_reward() -> None:
    (episode, *_) = played(score=None)
    assert team_rows(episode, episode_id="7", group="t")[-1].reward is None


def test_a_lead_without_a_turn_still_carries_the_reward() -> None:
    (episode, *_) = played()
    bare = dataclasses.replace(episode.trajectories[0], turns=())
    episode = dataclasses.replace(episode, trajectories=(bare, *episode.trajectories[1:]))
    lead = team_rows(episode, episode_id="7", group="t")[-1]
    assert (lead.role, lead.ids, lead.reward) == ("lead", [], episode.reward)
    alone = dataclasses.replace(episode, trajectories=(bare,))
    assert len(team_rows(alone, episode_id="7", group="t")) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("a"), row("b", "lead"), row("a", "lead")], "must stand together"),
        ([row("a", "lead"), row("a")], "expected one lead, last"),
        ([row("a")], "expected one lead, last"),
        ([row("a", "lead"), row("a", "lead")], "expected one lead, last"),
        ([row("a", reward=1.0), row("a", "lead")], "on the lead's row alone"),
    ],
)
def test_broken_contracts_are_named(rows: list[TeamRow], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        episodes_of(rows)


def test_the_baseline_is_over_episodes_however_many_rows_they_have() -> None:
    told = credit([*team("a", 1.0, size=3), *team("b", 0.0, size=1)], baseline="mean")
    assert told.advantages.tolist() == [0.5, 0.5, 0.5, -0.5]
    assert told.weights == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("mean", [2.0, -1.0, -1.0]),
        ("mean-std", [2 / 3**0.5, -1 / 3**0.5, -1 / 3**0.5]),
        ("leave-one-out", [3.0, -1.5, -1.5]),
    ],
)
def test_baselines(baseline: str, expected: list[float]) -> None:
    rows = [*team("a", 3.0, 1), *team("b", 0.0, 1), *team("c", 0.0, 1)]
    assert credit(rows, baseline=baseline).advantages == pytest.approx(expected)


def test_groups_are_compared_within_themselves() -> None:
    rows = [
        r
        for group, rewards in (("x", (1.0, 0.0)), ("y", (10.0, 12.0)))
        for number, reward in enumerate(rewards)
        for r in team(f"{group}{number}", reward, 1, group=group)
    ]
    assert credit(rows, baseline="mean").advantages.tolist() == [0.5, -0.5, -1.0, 1.0]


def test_what_says_nothing_counts_nowhere() -> None:
    rows = [
        *team("a", 1.0, group="x"),
        *team("b", 0.0, group="x"),
        *team("broken", None, group="x"),
        *team("c", 1.0, group="equal"),
        *team("d", 1.0, group="equal"),
    ]
    told = credit(rows, baseline="mean")
    assert told.trains.tolist() == [True] * 4 + [False] * 6
    assert told.weights.sum() == pytest.approx(1)
    assert told.weights[4:].sum() == 0
    assert (told.num_groups, told.num_silent) == (2, 1)


def test_rows_without_a_token_that_trains_count_for_nobody() -> None:
    silent = row("a", mask=[False] * 4)
    told = credit([silent, *team("a", 1.0, 1), *team("b", 0.0, 1)], baseline="mean")
    assert told.weights.tolist() == [0.0, 0.5, 0.5]


def test_a_critic_needs_no_group() -> None:
    told = credit(team("a", 0.7), baseline=None)
    assert told.advantages.tolist() == [0.7, 0.7]
    assert told.weights.tolist() == [0.5, 0.5]


def test_shares_are_those_of_the_cells_that_were_read() -> None:
    (episode, *_) = played()
    cells = len(episode.task.gold) * len(episode.task.columns)
    episode = dataclasses.replace(episode, provenance=(CellCredit(0, 0, (1,)),))
    assert shares_of(episode).tolist() == [0.0, 1 / cells, *[0.0] * (len(episode.trajectories) - 2)]
    others = team_rows(episode, episode_id="7", group="t")
    assert next(r.share for r in others) == 1 / cells


@pytest.mark.parametrize("baseline", ["mean-std", "mean", "leave-one-out"])
@pytest.mark.parametrize("aggregation", ["agent-mean", "sequence-mean", "token-mean"])
@pytest.mark.parametrize("provenance", [0.0, 0.5])
def test_what_rows_count_is_what_our_own_trainer_makes_of_them(
    baseline: str, aggregation: str, provenance: float
) -> None:
    episodes = played(provenance=(CellCredit(0, 0, (1,)),))
    episodes[1] = dataclasses.replace(episodes[1], provenance=())
    config = GRPOConfig(model="", baseline=baseline, aggregation=aggregation, provenance=provenance)
    ours, advantages, _ = prepare(episodes, config)
    known = type("Known", (), {"trains": np.concatenate([r.trains[r.sampled] for r in ours])})
    known.trains = __import__("torch").from_numpy(known.trains).float()
    ((_, weight),) = updates_of(ours, known, config, 0)
    by_row = np.split(weight.numpy(), np.cumsum([r.sampled.sum() for r in ours])[:-1])
    expected = sorted(
        (tuple(r.ids.tolist()), float(a), float(w.sum()))
        for r, a, w in zip(ours, advantages, by_row, strict=True)
    )
    rows = [
        r
        for number, episode in enumerate(episodes)
        for r in team_rows(episode, episode_id=str(number), group=episode.task.id)
    ]
    told = credit(rows, baseline=baseline, aggregation=aggregation, provenance=provenance)
    found = sorted(
        (tuple(r.ids), float(a), float(w))
        for r, a, w, t in zip(rows, told.advantages, told.weights, told.trains, strict=True)
        if t
    )
    assert [f[0] for f in found] == [e[0] for e in expected]
    assert np.array([f[1:] for f in found]) == pytest.approx(np.array([e[1:] for e in expected]))


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (1.0, 0.95), (0.99, 0.9), (1.0, 0.0)])
def test_values_of_a_team_are_estimated_as_in_our_own_ppo(gamma: float, lam: float) -> None:
    episodes = played()
    rows = rows_of(episodes)
    rng = np.random.default_rng(0)
    values = rng.normal(size=sum(int(r.sampled.sum()) for r in rows))
    config = PPOConfig(model="", step_of="token", gamma=gamma, lam=lam)
    last = dict.fromkeys(range(len(rows)), 0.0)
    advantage, aim, _ = estimate(rows, episodes, values, last, config)

    length = max(len(r.ids) for r in rows)
    at = [np.flatnonzero(r.sampled) for r in rows]
    table, mask, rewards = (np.zeros((len(rows), length)) for _ in range(3))
    place = 0
    for number, where in enumerate(at):
        table[number, where] = values[place : place + len(where)]
        mask[number, where] = 1
        rewards[number, where[-1]] = episodes[rows[number].episode].reward
        place += len(where)
    advantages, returns = token_gae(rewards, table, mask > 0, gamma, lam)
    assert returns[mask > 0] == pytest.approx(aim)
    found = advantages[mask > 0]
    assert (found - found.mean()) / found.std() == pytest.approx(advantage)
    assert not advantages[mask == 0].any()
