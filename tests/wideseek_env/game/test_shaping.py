import pytest
from tinyworld import GOLD_ANSWER, TASK, TinyBackend

import wideseek_env
from wideseek_env.game.shaping import Shaping

OPEN = {"name": "open", "arguments": {"url": "/Alden"}}


def play(shaping: Shaping | None) -> list[dict[str, float]]:
    """Returns the rewards of each step: two delegated, one opens a page, both report, answer."""
    env = wideseek_env.parallel_env(2, tasks=[TASK], backend=TinyBackend(), shaping=shaping)
    env.reset(seed=0)
    subtasks = {"name": "delegate", "arguments": {"subtasks": ["Read Alden", "Rest"]}}
    report = [{"name": "report", "arguments": {"text": "."}}]
    steps = [
        {"lead": [subtasks]},
        {"subagent_0": [OPEN], "subagent_1": [{"name": "search", "arguments": {"query": "x"}}]},
        {"subagent_0": report, "subagent_1": report},
        {"lead": [{"name": "answer", "arguments": {"text": GOLD_ANSWER}}]},
    ]
    return [env.step(step)[1] for step in steps]


def test_without_shaping_only_the_end_is_rewarded() -> None:
    assert [rewards["lead"] for rewards in play(None)] == [0.0, 0.0, 0.0, 1.0]


def test_call_cost_is_taken_from_everybody_when_the_calls_are_made() -> None:
    rewards = play(Shaping(call_cost=0.01))
    assert [r["subagent_1"] for r in rewards] == pytest.approx([0.0, -0.02, 0.0, 1.0])
    assert rewards[1]["lead"] == rewards[1]["subagent_0"]


def test_potential_pays_pages_early_and_takes_it_back_at_the_end() -> None:
    rewards = [r["lead"] for r in play(Shaping(potential=0.6))]
    assert rewards == pytest.approx([0.0, 0.2, 0.0, 0.8])  # a third of the cells were seen
    discounted = [r["lead"] for r in play(Shaping(potential=0.6, gamma=0.5))]
    assert discounted == pytest.approx([0.0, 0.1, -0.1, 0.8])


def test_provenance_moves_reward_to_who_supplied_cells_and_keeps_the_mean() -> None:
    last = play(Shaping(provenance=1.0))[-1]
    # The one that opened /Alden supplied its length, and its name with the other, whose search
    # showed all three names: 1.5 and 2.5 of 4 cells; two lengths nobody supplied.
    assert last["lead"] == 1.0
    assert last["subagent_0"] == pytest.approx(2 * 1.5 / 4)
    assert last["subagent_1"] == pytest.approx(2 * 2.5 / 4)
    half = play(Shaping(provenance=0.5))[-1]
    assert half["subagent_0"] == pytest.approx((1.0 + last["subagent_0"]) / 2)


@pytest.mark.parametrize("settings", [{"provenance": 1.5}, {"gamma": 0.0}])
def test_shaping_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Shaping(**settings)
