"""Folded trajectories: a row for each segment, one agent in the objective, one process for GAE.

The independent computation: the objective written as loops over episodes, agents and tokens, each
segment read by the model on its own.
"""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from toy_learning import tiny_lm, toy_episode, toy_play  # noqa: E402

from trainers.advantages import sequence_weights  # noqa: E402
from trainers.batch import agents_of, rows_of, rows_that_train  # noqa: E402
from trainers.grpo import GRPOConfig, improve, prepare  # noqa: E402
from trainers.log import Timer  # noqa: E402
from trainers.model import Learner  # noqa: E402
from trainers.openrlhf.rows import refuse_folds, team_rows  # noqa: E402
from trainers.openrlhf.settings import TeamSettings  # noqa: E402
from trainers.ppo import PPOConfig, estimate  # noqa: E402
from trainers.sft import SFTConfig, imitate  # noqa: E402
from wideseek_env.records import (  # noqa: E402
    CellCredit,
    Episode,
    Limits,
    TokenSpan,
    ToolCall,
    ToolResult,
)

FOLDED = ToolResult("noted", call=ToolCall("fold", {"text": "noted"}))


def folded(episode: Episode, *at: tuple[int, int]) -> Episode:
    """The episode in which these (trajectory, turn) were folds."""
    trajectories = tuple(
        replace(
            t,
            turns=tuple(
                replace(turn, results=(FOLDED,)) if (index, number) in at else turn
                for number, turn in enumerate(t.turns)
            ),
        )
        for index, t in enumerate(episode.trajectories)
    )
    return replace(episode, trajectories=trajectories, limits=Limits(max_folds=3))


def spans(*lengths: int) -> list[TokenSpan]:
    """Turns of so many sampled tokens; each is shown two."""
    return [TokenSpan((1, 2), tuple(range(3, 3 + n)), (-1.0,) * n) for n in lengths]


def by_agent(lm, episode: Episode) -> list[list[torch.Tensor]]:
    """Log-probabilities of all that each agent wrote, read token by token from each fold on."""
    found = []
    for t in episode.trajectories:
        logprobs, seen = [], []
        for number, turn in enumerate(t.turns):
            if number and t.turns[number - 1].results:
                seen = []  # it was folded: the model begins anew
            assert turn.decision.tokens is not None
            seen += turn.decision.tokens.prompt_ids
            for token in turn.decision.tokens.ids:
                logits = lm(torch.tensor([seen])).logits[0, -1]
                logprobs.append(torch.log_softmax(logits, -1)[token])
                seen.append(token)
        found.append(logprobs)
    return found


TEAM = [spans(1, 2, 3, 4), spans(2), spans(1, 1)]


def test_a_row_for_each_segment_which_is_read_from_its_own_beginning() -> None:
    rows = rows_of([folded(toy_episode(0, TEAM, 1.0), (0, 0), (0, 2), (2, 0))])
    assert [(row.trajectory, row.ids.tolist()) for row in rows] == [
        (0, [1, 2, 3]),
        (0, [1, 2, 3, 4, 1, 2, 3, 4, 5]),
        (0, [1, 2, 3, 4, 5, 6]),
        (1, [1, 2, 3, 4]),
        (2, [1, 2, 3]),
        (2, [1, 2, 3]),
    ]
    assert rows[1].turn.tolist() == [-1, -1, 1, 1, -1, -1, 2, 2, 2]
    assert agents_of(rows).tolist() == [0, 0, 0, 1, 2, 2]


@pytest.mark.parametrize("aggregation", ["agent-mean", "sequence-mean", "token-mean"])
def test_a_fold_changes_no_tokens_weight(aggregation: str) -> None:
    plain = [toy_episode(0, TEAM, 1.0), toy_episode(1, TEAM[:2], 0.0)]
    cut = [folded(plain[0], (0, 1), (0, 2), (2, 0)), folded(plain[1], (0, 3))]

    def weight_of_each_token(episodes: list[Episode]) -> list[float]:
        rows = rows_of(episodes)
        weights = sequence_weights(
            np.array([int(row.trains.sum()) for row in rows]),
            np.array([row.episode for row in rows]),
            aggregation,
            agents_of(rows),
        )
        return [w for row, w in zip(rows, weights, strict=True) for _ in range(row.trains.sum())]

    whole, parts = weight_of_each_token(plain), weight_of_each_token(cut)
    assert parts == pytest.approx(whole)
    assert sum(parts) == pytest.approx(1.0)
    if aggregation == "agent-mean":  # 1 / (2 episodes, 3 agents, 10 tokens), by hand
        assert parts[:10] == pytest.approx([1 / 60] * 10)
        assert parts[-12:-2] == pytest.approx([1 / 40] * 10)


def test_segments_without_a_token_that_trains_weigh_nothing_and_count_nowhere() -> None:
    weights = sequence_weights(
        np.array([0, 4, 0, 2]), np.array([0, 0, 0, 0]), "agent-mean", np.array([5, 5, 7, 9])
    )
    assert weights.tolist() == [0.0, 1 / 8, 0.0, 1 / 4]


def test_the_gradient_is_that_of_the_formula_over_whole_agents(monkeypatch) -> None:
    config = GRPOConfig(out="unused", model="toy", device="cpu", kl_weight=0.0, max_grad_norm=1e9)
    lm = tiny_lm()
    # As sampled in one conversation; the second turn of a folded agent begins with its own prompt.
    episodes = [
        folded(e, (0, 0), *(((1, 0),) if number % 2 else ()))
        for number, e in enumerate(toy_play(lm, group=3)(0))
    ]
    learner = Learner(lm, replace(config, sampler_cap=0.0))
    rows, advantages, _ = prepare(episodes, config)
    monkeypatch.setattr(learner, "update", lambda update: (0.0, 0.0))  # keeps the gradient
    config = replace(config, sampler_cap=0.0)
    improve(rows, advantages, config, learner, iteration=0, timer=Timer())
    actual = [p.grad.clone() for p in learner.parameters]
    lm.zero_grad()
    objective = 0.0
    for episode in episodes:
        group = [e.reward for e in episodes if e.task.id == episode.task.id]
        advantage = (episode.reward - statistics.fmean(group)) / statistics.stdev(group)
        agents = []
        for logprobs in by_agent(lm, episode):
            tokens = [torch.exp(p - p.detach()) * advantage for p in logprobs]
            assert len(tokens) == 8
            agents.append(sum(tokens) / len(tokens))
        objective = objective + sum(agents) / len(agents) / len(episodes)
    (-objective).backward()
    for mine, parameter in zip(actual, learner.parameters, strict=True):
        torch.testing.assert_close(mine, parameter.grad, atol=2e-6, rtol=1e-3)


def test_imitation_is_the_mean_over_agents_of_the_mean_over_all_their_tokens() -> None:
    config = SFTConfig(out="unused", device="cpu", aggregation="agent-mean")
    learner = Learner(tiny_lm(), config, reference=False)
    episode = folded(toy_episode(0, TEAM, 1.0), (0, 1), (2, 0))
    with torch.no_grad():
        means = [float(sum(p) / len(p)) for p in by_agent(learner.lm, episode)]
    loss = imitate(rows_of([episode]), config, learner, 0)["sft/loss"]
    assert loss == pytest.approx(-statistics.fmean(means), abs=1e-5)


@pytest.mark.parametrize("step_of", ["turn", "token"])
def test_gae_goes_on_across_a_fold(step_of) -> None:
    """What comes after a fold is what the head expects at the start of the next segment."""
    plain = toy_episode(0, [spans(2, 1, 2)], 1.0)
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    config = PPOConfig(out="unused", model="toy", gamma=0.9, lam=0.5, step_of=step_of)

    def estimated(episode: Episode) -> tuple[np.ndarray, ...]:
        rows = rows_that_train(rows_of([episode]))
        last = dict.fromkeys(range(len(rows)), 9.0)
        return estimate(rows, [episode], values, last, config)

    whole, parts = estimated(plain), estimated(folded(plain, (0, 0), (0, 1)))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other)
    if step_of == "turn":
        # Turns begin at values .1, .3, .4; from the end A is 1-.4 = .6, then .9*.4-.3 + .45*.6 =
        # .33, then .9*.3-.1 + .45*.33 = .3185; a return is A + value.
        returns = parts[1][parts[2] > 0]
        np.testing.assert_allclose(returns, [0.3185 + 0.1, 0.33 + 0.3, 1.0])


def test_a_segment_in_which_nothing_trains_still_stands_in_the_process() -> None:
    """Of an episode without an answer only the turns that failed train: here the last one."""
    cut = folded(toy_episode(0, [spans(2, 1, 2)], 1.0), (0, 0), (0, 1))
    lead = replace(cut.trajectories[0], end="turn_budget")
    cut = replace(cut, answer=None, end="turn_budget", trajectories=(lead,))
    rows = rows_of([cut])
    assert [bool(row.trains.any()) for row in rows] == [False, False, True]
    assert len(rows_that_train(rows)) == 3
    assert rows_that_train(rows_of([cut], roles=("subagent",))) == []


def test_provenance_compares_agents_and_no_segments() -> None:
    def advantages(*at: tuple[int, int]) -> dict[tuple[int, int], float]:
        team = [spans(2, 2), spans(2, 2), spans(2, 2)]
        credit = (CellCredit(0, 0, (1,)), CellCredit(0, 1, (1,)))
        episodes = [
            folded(toy_episode(0, team, reward, provenance=credit), *at) for reward in (0.0, 1.0)
        ]
        config = GRPOConfig(out="unused", model="toy", device="cpu", provenance=0.5)
        rows, found, _ = prepare(episodes, config)
        return {(r.episode, r.trajectory): a for r, a in zip(rows, found, strict=True)}

    assert advantages((1, 0)) == pytest.approx(advantages())


def test_rows_that_hold_one_sequence_an_agent_refuse_folds() -> None:
    episode = folded(toy_episode(0, TEAM, 1.0), (0, 0))
    with pytest.raises(ValueError, match="a row for each segment: set `max_folds` to 0"):
        team_rows(episode, episode_id="0", group="0")
    with pytest.raises(ValueError, match="an agent is one row here"):
        refuse_folds(Limits(max_folds=1))
    refuse_folds(Limits())
    assert len(team_rows(replace(episode, trajectories=toy_episode(0, TEAM, 1.0).trajectories),
                         episode_id="0", group="0")) == 3  # fmt: skip


def test_openrlhf_offers_no_fold() -> None:
    assert TeamSettings().limits(Limits(max_folds=4)).max_folds == 0
