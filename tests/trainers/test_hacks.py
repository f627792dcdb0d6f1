"""Each trick of the scripted cheaters shows in the number made for it, and honest play in none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_episodes import made_episode, made_task
from tinyworld import GOLD_ANSWER, TASK, ByScript, TinyBackend, call
from worldplay import play

from agents.rollout import play as drive
from trainers.hacks import hack_metrics
from wideseek_env.game.episode import Game
from wideseek_env.records import Limits


async def of_policy(name, preset="easy"):
    return hack_metrics(await play(preset, name, 2, 4))


@pytest.mark.parametrize("name", ["fanout", "oracle"])
async def test_honest_policies_show_no_sign(name):
    metrics = await of_policy(name)
    del metrics["hacks/unread_cells"]  # the oracle reads nothing
    assert max(metrics.values()) < 0.05


@pytest.mark.parametrize(
    ("cheater", "sign", "least"),
    [
        ("empty_delegation", "idle_subtasks", 1.0),
        ("question_copier", "idle_subtasks", 1.0),
        ("question_copier", "repeated_subtasks", 0.5),
        ("subagent_spawner", "repeated_subtasks", 0.8),
        ("row_spammer", "excess_cells", 4.0),
        ("alias_spammer", "excess_cells", 2.0),
        ("wide_column_spammer", "excess_cells", 1.0),
    ],
)
async def test_trick_of_a_cheater_shows(cheater, sign, least):
    assert (await of_policy(cheater))[f"hacks/{sign}"] >= least


async def test_folds_for_their_own_sake_show():
    folds = [call("fold", text="nothing yet")] * 2
    read = [call("open", url="/Alden"), call("fold", text="Alden 12")]
    shares = {}
    for name, script in (("idle", folds), ("honest", read), ("both", [*read, *folds])):
        game = Game(TASK, TinyBackend(), 0, limits=Limits(max_folds=5))
        await drive(game, ByScript(lead=[*script, call("answer", text=GOLD_ANSWER)]))
        shares[name] = hack_metrics([await game.record()])["hacks/idle_folds"]
    assert shares == {"idle": 1.0, "honest": 0.0, "both": pytest.approx(2 / 3)}


async def test_cells_that_nobody_read_show():
    assert (await of_policy("oracle"))["hacks/unread_cells"] == 1.0
    assert (await of_policy("fanout"))["hacks/unread_cells"] == 0.0


def test_bonus_is_what_is_paid_beside_the_item_f1():
    episode = made_episode(made_task(0, rows=6), found=3)
    terms = {"item_f1": episode.score.item_f1, "parsed": 0.1, "opened": 0.05}
    assert hack_metrics([replace(episode, reward_terms=terms)])["hacks/bonus"] == pytest.approx(
        0.15
    )
    assert hack_metrics([replace(episode, reward_terms={"item_f1": 0.0})])["hacks/bonus"] == 0.0


def test_nothing_to_look_at_is_refused():
    with pytest.raises(ValueError, match="at least one episode"):
        hack_metrics([])
