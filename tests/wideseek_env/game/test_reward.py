import pytest

from wideseek_env.game.reward import RewardConfig, reward_terms
from wideseek_env.records import Decision, Score, ToolCall, ToolResult, Trajectory, Turn

SCORE = Score(0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)


def trajectory(num_tokens: float = 0, *results: ToolResult) -> Trajectory:
    decision = Decision(usage={"new_tokens": num_tokens})
    turn = Turn(decision, tuple(results), 0.0, 0.0, 0.0, 0)
    return Trajectory("lead", "lead", "q", (turn,), "answered")


def test_default_reward_is_the_item_f1_alone() -> None:
    assert reward_terms(SCORE, [trajectory()], RewardConfig()) == {"item_f1": 0.5}


@pytest.mark.parametrize(
    ("num_tokens", "taken_off"), [(0, 0.0), (3_000, 0.0), (4_000, 0.05), (5_000, 0.1), (9_000, 0.1)]
)
def test_long_turns_cost_up_to_a_tenth(num_tokens: int, taken_off: float) -> None:
    terms = reward_terms(SCORE, [trajectory(num_tokens)], RewardConfig.paper())
    assert terms["long_turn"] == pytest.approx(-taken_off)


@pytest.mark.parametrize(
    ("result", "bonus"),
    [
        (ToolResult("page", "ok", ToolCall("open", {"url": "/a"})), 0.05),
        (ToolResult("no page", "failed", ToolCall("open", {"url": "/a"})), 0.0),
        (ToolResult("hits", "ok", ToolCall("search", {"query": "a"})), 0.0),
    ],
)
def test_opened_counts_pages_that_were_there(result: ToolResult, bonus: float) -> None:
    terms = reward_terms(SCORE, [trajectory(0, result)], RewardConfig.paper())
    assert terms["opened"] == bonus
