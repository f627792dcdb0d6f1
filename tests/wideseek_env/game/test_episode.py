import asyncio
from typing import Any

import pytest
from tinyworld import GOLD_ANSWER, TASK, ByScript, FanOut, TinyBackend, call, calls, what_happened

from agents.rollout import play
from wideseek_env.errors import BackendError, ScoringError
from wideseek_env.game.episode import Game
from wideseek_env.game.reward import RewardConfig
from wideseek_env.records import Decision, Episode, Limits


async def run(policy: Any, n_subagents: int = 3, backend: Any = None, **settings: Any) -> Episode:
    game = Game(TASK, backend or TinyBackend(), n_subagents, **settings)
    await play(game, policy.begin(None))
    return await game.record(policy.name)


def answer() -> Decision:
    return call("answer", text=GOLD_ANSWER)


async def test_fan_out_reads_three_pages_and_gets_full_score() -> None:
    episode = await run(FanOut())
    assert episode.end == "answered"
    assert episode.score is not None
    assert episode.score.item_f1 == 1.0
    assert episode.reward_terms == {"item_f1": 1.0}
    assert [t.agent for t in episode.trajectories] == [
        "lead",
        "subagent_0",
        "subagent_1",
        "subagent_2",
    ]
    assert [t.end for t in episode.trajectories] == ["answered", *["reported"] * 3]
    assert (episode.width, episode.depth, episode.num_turns) == (3, 3, 11)
    assert episode.num_tool_calls == 6
    # delegate, then search, open and report side by side, then answer
    assert episode.critical_path_turns == 5


async def test_fan_out_credits_each_cell_to_the_subagent_that_opened_its_page() -> None:
    episode = await run(FanOut())
    credit = {(c.row, c.column): c.trajectories for c in episode.provenance}
    assert credit == {(row, column): (row + 1,) for row in range(3) for column in range(2)}


async def test_results_are_the_same_whoever_is_faster() -> None:
    slow_first = await run(FanOut(), backend=TinyBackend(lambda q: 0.03 if "Alden" in q else 0.0))
    slow_last = await run(FanOut(), backend=TinyBackend(lambda q: 0.03 if "Cray" in q else 0.0))
    assert what_happened(slow_first) == what_happened(slow_last)


async def test_calls_of_one_turn_run_at_the_same_time() -> None:
    script = calls(*(call("open", url=f"/{n}") for n in ("Alden", "Brook", "Cray")))
    backend = TinyBackend(lambda _: 0.05)
    start = asyncio.get_running_loop().time()
    await run(ByScript(lead=[script, answer()]), 0, backend)
    assert asyncio.get_running_loop().time() - start < 0.12


async def test_lead_without_subagents_searches_and_answers_alone() -> None:
    episode = await run(
        ByScript(lead=[call("search", query="Alden"), call("open", url="/Alden"), answer()]), 0
    )
    assert episode.score is not None
    assert episode.score.success == 1.0
    assert episode.width == 0


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (call("fly"), "No tool 'fly' here. Allowed: delegate, answer."),
        (call("search", query="x"), "No tool 'search' here. Allowed: delegate, answer."),
        (call("answer"), "`answer` needs `text`"),
        (call("answer", text="   "), "`text` of `answer` must be a text"),
        (call("delegate", subtasks="all"), "must be a list of one or more texts"),
        (call("answer", text="x", extra=1), "`answer` has no argument 'extra'"),
        (Decision(), "No tool was called. Allowed: delegate, answer."),
        (Decision(error="Broken JSON."), "Broken JSON."),
    ],
)
async def test_a_wrong_call_costs_a_turn_and_says_what_is_allowed(
    decision: Decision, told: str
) -> None:
    policy = ByScript(lead=[decision, answer()])
    episode = await run(policy)
    assert told in policy.seen["lead"][1].text
    assert len(policy.seen["lead"][1].text) < 300
    assert episode.trajectories[0].turns[0].results[0].status == "wrong"
    assert len(episode.trajectories[0].turns) == 2


async def test_subtasks_beyond_the_free_subagents_are_dropped_and_the_others_handed_out() -> None:
    lead = [call("delegate", subtasks=["a", "b", "c", "d", "e"]), answer()]
    policy = ByScript(lead=lead, subagents=[call("report", text="done")])
    episode = await run(policy)
    assert [t.prompt for t in episode.trajectories[1:]] == ["a", "b", "c"]
    told = policy.seen["lead"][1]
    assert "subagent_2. No subagent is free for the other 2." in told.text
    assert {result.status for result in told.results} == {"ok"}


async def test_calls_over_the_limit_of_a_turn_are_refused_and_not_run() -> None:
    policy = ByScript(lead=[calls(*[call("open", url="/Alden")] * 7), answer()])
    backend = TinyBackend()
    await run(policy, 0, backend)
    assert len(backend.asked) == 5
    assert "Only 5 calls a turn: 2 were not carried out." in policy.seen["lead"][1].text


async def test_lead_that_never_answers_is_truncated_with_score_zero() -> None:
    episode = await run(ByScript(lead=[Decision()]), limits=Limits(max_lead_turns=3))
    assert episode.end == "turn_budget"
    assert len(episode.trajectories[0].turns) == 3
    assert episode.score is not None
    assert (episode.score.item_f1, episode.score.parsed) == (0.0, False)


async def test_last_turn_is_announced_and_runs_no_tools() -> None:
    backend = TinyBackend()
    policy = ByScript(lead=[call("open", url="/Alden")])
    await run(policy, 0, backend, limits=Limits(max_lead_turns=2))
    assert policy.seen["lead"][1].turns_left == 1
    assert "This is your last turn: call `answer` now." in policy.seen["lead"][1].text
    assert len(backend.asked) == 1


async def test_subagent_that_never_reports_fails_and_the_episode_goes_on() -> None:
    policy = ByScript(
        lead=[call("delegate", subtasks=["a"]), answer()], subagents=[call("open", url="/Alden")]
    )
    episode = await run(policy, limits=Limits(max_subagent_turns=4))
    assert episode.trajectories[1].end == "turn_budget"
    assert "subagent_0 used up its turn budget on: a" in policy.seen["lead"][1].text
    assert episode.end == "answered"


async def test_full_context_cuts_the_page_and_leaves_one_turn_to_report() -> None:
    policy = ByScript(
        lead=[call("delegate", subtasks=["a"]), answer()],
        subagents=[call("open", url="/Alden"), call("report", text="done")],
    )
    # "a" and the call's "/Alden" leave 33 characters for the page.
    episode = await run(policy, limits=Limits(max_context_chars=40))
    seen = policy.seen["subagent_0"][1]
    assert seen.results[0].text == "Alden | /Alden | part 1 of 1\nAlde [cut: your context is full]"
    assert seen.turns_left == 1
    assert "Your context is full: call `report` now." in seen.text
    assert episode.trajectories[1].end == "reported"


async def test_full_context_without_a_report_ends_the_subtask_as_failed() -> None:
    policy = ByScript(
        lead=[call("delegate", subtasks=["a"]), answer()], subagents=[call("open", url="/Alden")]
    )
    episode = await run(policy, limits=Limits(max_context_chars=40))
    assert episode.trajectories[1].end == "context_budget"
    assert len(episode.trajectories[1].turns) == 2


async def test_call_budget_is_shared_out_equally_and_unused_calls_come_back() -> None:
    limits = Limits(max_tool_calls=5)
    wave = call("delegate", subtasks=["a", "b"])
    greedy = [calls(*[call("open", url="/Alden")] * 3), call("report", text="x")]
    policy = ByScript(lead=[wave, wave, answer()], subagents=greedy)
    backend = TinyBackend()
    episode = await run(policy, limits=limits, backend=backend)
    # 5 // 2 = 2 each and 1 left over; then 1 // 2 = 0 each.
    statuses = [
        [r.status for r in t.turns[0].results] for t in episode.trajectories if t.role == "subagent"
    ]
    assert statuses == [["ok", "ok", "wrong"]] * 2 + [["wrong"] * 3] * 2
    assert len(backend.asked) == 4
    thrifty = ByScript(lead=[wave, wave, answer()], subagents=[call("report", text="x")])
    assert (await run(thrifty, limits=limits)).num_tool_calls == 0


async def test_unused_calls_of_a_subtask_go_to_the_next() -> None:
    policy = ByScript(
        lead=[
            call("delegate", subtasks=["a"]),
            call("delegate", subtasks=["b"]),
            answer(),
        ],
        subagents=[calls(*[call("open", url="/Alden")] * 2), call("report", text="x")],
    )
    episode = await run(policy, limits=Limits(max_tool_calls=4))
    assert episode.num_tool_calls == 4


async def test_tool_that_hangs_is_cut_at_its_deadline() -> None:
    policy = ByScript(lead=[call("open", url="/Alden"), answer()])
    backend = TinyBackend(lambda _: 60.0)
    episode = await run(policy, 0, backend, limits=Limits(tool_timeout_s=0.05))
    assert "`open` gave no answer within 0.05 s." in policy.seen["lead"][1].text
    assert episode.trajectories[0].turns[0].results[0].status == "failed"
    assert episode.valid


async def test_missing_page_is_told_to_the_agent() -> None:
    policy = ByScript(lead=[call("open", url="/Nile"), answer()])
    episode = await run(policy, 0)
    assert "no page '/Nile'" in policy.seen["lead"][1].text
    assert episode.valid


async def test_backend_that_dies_makes_the_episode_invalid_never_zero() -> None:
    class Dying(TinyBackend):
        async def open(self, url: str, part: int = 1) -> Any:
            raise BackendError("connection refused by 127.0.0.1:9")

    script = calls(call("open", url="/Alden"), call("open", url="/Brook"))
    episode = await run(ByScript(lead=[script]), 0, Dying())
    assert episode.end == "invalid"
    assert episode.score is None
    assert episode.error == "BackendError: connection refused by 127.0.0.1:9"
    assert episode.reward_terms == {}


async def test_scorer_that_fails_makes_the_episode_invalid() -> None:
    async def broken(task: Any, response: Any) -> Any:
        raise ScoringError("judge gave no verdict")

    episode = await run(ByScript(lead=[answer()]), scorer=broken)
    assert (episode.end, episode.score) == ("invalid", None)
    assert episode.error == "ScoringError: judge gave no verdict"


async def test_lead_goes_on_at_k_of_n_reports_and_gets_the_rest_later() -> None:
    backend = TinyBackend(lambda q: 0.02 if "Alden" in q else 0.001)
    policy = ByScript(
        lead=[call("delegate", subtasks=["Alden", "Brook", "Cray"]), Decision(), answer()],
        subagent_0=[call("open", url="/Alden"), call("report", text="late")],
        subagents=[call("open", url="/Brook"), call("report", text="early")],
    )
    await run(policy, backend=backend, limits=Limits(wait_for=2))
    second, third = (o.text for o in policy.seen["lead"][1:])
    assert second.count("early") == 2
    assert "late" not in second
    assert "late" in third
    assert "early" not in third


async def test_lead_that_never_waits_may_answer_before_anybody_reports() -> None:
    backend = TinyBackend(lambda _: 5.0)
    policy = ByScript(
        lead=[call("delegate", subtasks=["a"]), answer()], subagents=[call("open", url="/Alden")]
    )
    start = asyncio.get_running_loop().time()
    episode = await run(policy, backend=backend, limits=Limits(wait_for=0))
    assert asyncio.get_running_loop().time() - start < 1.0
    assert [t.end for t in episode.trajectories] == ["answered", "cancelled"]


async def test_report_beside_a_slow_call_does_not_free_the_slot_under_it() -> None:
    backend = TinyBackend(lambda q: 0.02 if "Alden" in q else 0.0)
    both = calls(call("report", text="x"), call("open", url="/Alden"))
    policy = ByScript(
        lead=[call("delegate", subtasks=["a", "b"]), call("delegate", subtasks=["c"]), answer()],
        subagent_0=[both],
        subagents=[call("report", text="y")],
    )
    episode = await run(policy, 2, backend, limits=Limits(wait_for=1))
    ends = {t.prompt: t.end for t in episode.trajectories[1:]}
    assert ends["c"] == "reported"
    assert all(len(t.turns) <= 1 for t in episode.trajectories[1:])


async def test_cancelled_game_leaves_a_whole_record_marked_as_such() -> None:
    game = Game(TASK, TinyBackend(lambda _: 9.0), 2)
    policy = ByScript(
        lead=[call("delegate", subtasks=["a"])], subagents=[call("open", url="/Alden")]
    )
    task = asyncio.create_task(play(game, policy.begin(None)))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    episode = await game.record("p")
    assert (episode.end, episode.score) == ("cancelled", None)
    assert [t.end for t in episode.trajectories] == ["cancelled", "cancelled"]
    assert episode.trajectories[1].turns[0].decision.calls[0].name == "open"


async def test_acting_out_of_turn_is_an_error_for_the_programmer() -> None:
    game = Game(TASK, TinyBackend(), 1)
    with pytest.raises(RuntimeError, match="subagent_0 has nothing to decide now"):
        await game.act("subagent_0", Decision())
    with pytest.raises(ValueError, match="expected one of lead, subagent_0, got 'subagent_1'"):
        await game.act("subagent_1", Decision())


async def test_episode_deadline_ends_the_game_by_time() -> None:
    policy = ByScript(lead=[call("open", url="/Alden")])
    limits = Limits(episode_timeout_s=0.03)
    episode = await run(policy, 0, TinyBackend(lambda _: 0.02), limits=limits)
    assert episode.end == "time_budget"
    assert episode.score is not None


async def test_reward_of_the_paper_has_its_terms() -> None:
    policy = ByScript(lead=[call("open", url="/Alden"), answer()])
    episode = await run(policy, 0, reward=RewardConfig.paper())
    assert episode.reward_terms == pytest.approx(
        {"item_f1": 1.0, "parsed": 0.1, "opened": 0.05, "long_turn": 0.0}
    )
    assert episode.reward == pytest.approx(1.15)
