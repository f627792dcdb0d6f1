"""Folding: what an agent keeps, what the record keeps, and that no budget can be escaped by it."""

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from tinyworld import GOLD_ANSWER, RIVERS, TASK, ByScript, TinyBackend, call, calls

import wideseek_env
from agents.evaluate import Exam, evaluate
from agents.rollout import play
from agents.scripted import POLICIES
from agents.stepping import step_through
from wideseek_env import TaskSource
from wideseek_env.game.episode import Game
from wideseek_env.game.tools import TOOLS, json_schemas, tools_of
from wideseek_env.jsonlines import decode_episode, encode
from wideseek_env.records import Decision, Episode, Limits

FOLDS = Limits(max_folds=2, max_fold_chars=40)
NOTES = "Alden: 12 km. Left: /Brook, /Cray"


def opens(*names: str) -> Decision:
    return calls(*(call("open", url=f"/{name}") for name in names))


async def run(policy: Any, limits: Limits = FOLDS, n_subagents: int = 0) -> Episode:
    game = Game(TASK, TinyBackend(), n_subagents, limits=limits)
    await play(game, policy.begin(None))
    return await game.record(policy.name)


def told(episode: Episode, turn: int, trajectory: int = 0) -> list[tuple[str, str]]:
    results = episode.trajectories[trajectory].turns[turn].results
    return [(result.status, result.text) for result in results]


async def test_after_a_fold_the_agent_has_its_task_and_its_own_text() -> None:
    policy = ByScript(lead=[opens("Alden"), call("fold", text=NOTES), call("answer", text=NOTES)])
    await run(policy)
    _, second, third = seen = policy.seen["lead"]
    assert [o.segment for o in seen] == [0, 0, 1]
    assert "Length: 12 km" in second.text
    assert third.text == f"{TASK.question}\n\nYour context was folded. You noted:\n{NOTES}"
    assert [result.body for result in third.results] == [NOTES]
    assert [o.turn for o in policy.seen["lead"]] == [0, 1, 2]
    assert [o.turns_left for o in policy.seen["lead"]] == [10, 9, 8]


async def test_the_record_keeps_all_turns_and_tells_the_segments() -> None:
    read = ("Alden", "Brook", "Cray")
    script = [opens(read[0]), call("fold", text=NOTES), opens(*read[1:]), call("fold", text="All.")]
    episode = await run(ByScript(lead=[*script, call("answer", text=GOLD_ANSWER)]))
    (lead,) = episode.trajectories
    assert lead.segments == (range(2), range(2, 4), range(4, 5))
    assert [turn.folded for turn in lead.turns] == [False, True, False, True, False]
    assert [turn.level for turn in lead.turns] == [0, 1, 2, 3, 4]
    assert (episode.num_folds, episode.num_turns, episode.num_tool_calls) == (2, 5, 3)
    assert decode_episode(encode(episode)).trajectories == episode.trajectories


async def test_a_trajectory_without_a_fold_is_one_segment() -> None:
    episode = await run(ByScript(lead=[opens("Alden"), call("answer", text=NOTES)]))
    assert episode.trajectories[0].segments == (range(2),)
    ends_with_fold = replace(
        episode.trajectories[0], turns=(await folded_turn(),), end="turn_budget"
    )
    assert ends_with_fold.segments == (range(1),)


async def folded_turn() -> Any:
    episode = await run(ByScript(lead=[call("fold", text=NOTES), call("answer", text=NOTES)]))
    return episode.trajectories[0].turns[0]


async def test_the_context_is_free_again_and_counts_what_was_folded() -> None:
    page = "Alden | /Alden | part 1 of 1\nAlden is a river. Length: 12 km."
    room = len(TASK.question) + len("/Alden") + len(page) + 10
    limits = Limits(max_context_chars=room, max_folds=1, max_fold_chars=40)
    policy = ByScript(
        lead=[
            opens("Alden"),
            call("fold", text="Alden: 12"),
            opens("Brook"),
            call("answer", text="x"),
        ]
    )
    episode = await run(policy, limits)
    assert told(episode, 0) == [("ok", page)]
    brook = told(episode, 2)[0][1]
    left = room - len(TASK.question) - len(policy.seen["lead"][2].results[0].text) - len("/Brook")
    assert brook == page.replace("Alden", "Brook").replace("12", "30")[:left] + (
        " [cut: your context is full]"
    )


async def test_an_agent_whose_context_is_full_may_fold_and_go_on() -> None:
    limits = Limits(max_context_chars=100, max_folds=1, max_fold_chars=40)
    policy = ByScript(lead=[opens("Alden"), call("fold", text="A 12"), call("answer", text="A 12")])
    episode = await run(policy, limits)
    assert told(episode, 0)[-1] == ("notice", "Your context is full: call `fold` or `answer` now.")
    assert [o.turns_left for o in policy.seen["lead"]] == [10, 1, 8]
    assert episode.end == "answered"


async def test_no_more_folds_than_allowed() -> None:
    script = [call("fold", text=str(number)) for number in range(3)]
    episode = await run(ByScript(lead=[*script, call("answer", text="x")]))
    assert told(episode, 2) == [("wrong", "No fold is left: you had 2.")]
    assert episode.num_folds == 2


async def test_a_full_context_without_a_fold_left_ends_as_ever() -> None:
    limits = Limits(max_context_chars=100, max_folds=1, max_fold_chars=40)
    script = [opens("Alden"), call("fold", text="A"), opens("Brook"), call("fold", text="A B")]
    episode = await run(ByScript(lead=script), limits)
    assert told(episode, 2)[-1] == ("notice", "Your context is full: call `answer` now.")
    assert [status for status, _ in told(episode, 3)] == ["wrong"]
    assert (episode.num_folds, episode.num_turns) == (1, 4)
    assert episode.end == "context_budget"


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (call("fold", text="a" * 41), "`text` of `fold` may have at most 40 characters, got 41."),
        (calls(call("fold", text="a"), call("search", query="b")), "must be the only call"),
        (calls(call("fold", text="a"), call("fold", text="b")), "must be the only call"),
        (call("fold", text=" "), "`text` of `fold` must be a text"),
        (call("fold"), "`fold` needs `text`. Example: "),
    ],
)
async def test_a_fold_that_is_not_allowed_costs_a_turn_and_is_answered(
    decision: Decision, said: str
) -> None:
    policy = ByScript(lead=[decision, call("answer", text=GOLD_ANSWER)])
    episode = await run(policy)
    status, text = told(episode, 0)[0]
    assert status == "wrong"
    assert said in text
    assert episode.num_folds == 0
    assert [o.segment for o in policy.seen["lead"]] == [0, 0]


async def test_a_fold_is_at_most_half_of_the_context() -> None:
    episode = await run(
        ByScript(lead=[call("fold", text="a" * 151)]), Limits(max_folds=1, max_context_chars=300)
    )
    assert told(episode, 0)[0][1] == "`text` of `fold` may have at most 150 characters, got 151."


async def test_without_a_turn_after_it_a_fold_is_refused() -> None:
    script = [opens("Alden"), call("fold", text="A")]
    episode = await run(ByScript(lead=script), replace(FOLDS, max_lead_turns=2))
    assert told(episode, 0)[-1] == ("notice", "This is your last turn: call `answer` now.")
    assert told(episode, 1) == [("wrong", "Not carried out: there was no turn left to use it.")]
    assert episode.end == "turn_budget"


async def test_folding_gives_no_turn_and_no_call_back() -> None:
    limits = replace(FOLDS, max_lead_turns=5, max_tool_calls=1)
    script = [
        opens("Alden"),
        call("fold", text="A"),
        opens("Brook"),
        call("fold", text="A"),
        opens(),
    ]
    episode = await run(ByScript(lead=[*script, call("answer", text="late")]), limits)
    assert told(episode, 2)[0] == (
        "wrong",
        "Your search and open calls are used up: report or answer.",
    )
    assert (episode.end, episode.num_turns, episode.num_tool_calls) == ("turn_budget", 5, 1)


async def test_credit_for_a_cell_survives_and_a_folded_text_gives_none() -> None:
    rows = "; ".join(f"{name} {length}" for name, length in RIVERS.items())
    script = [opens("Alden"), call("fold", text=rows), call("answer", text=GOLD_ANSWER)]
    episode = await run(ByScript(lead=script))
    assert episode.score is not None
    assert episode.score.item_f1 == 1.0
    credit = {(cell.row, cell.column): cell.trajectories for cell in episode.provenance}
    assert credit == {(row, at): (0,) if row == 0 else () for row in range(3) for at in range(2)}


async def test_lead_and_subagents_fold_each_their_own_context() -> None:
    policy = ByScript(
        lead=[
            call("delegate", subtasks=["Brook?"]),
            call("fold", text="one out"),
            call("answer", text="x"),
        ],
        subagents=[opens("Brook"), call("fold", text="B 30"), call("report", text="B 30")],
    )
    episode = await run(policy, FOLDS, 1)
    lead, subagent = episode.trajectories
    assert lead.segments == (range(2), range(2, 3))
    assert subagent.segments == (range(2), range(2, 3))
    assert (
        policy.seen["subagent_0"][2].text == "Brook?\n\nYour context was folded. You noted:\nB 30"
    )
    # delegate 0, the subagent 1 to 3, fold 4, answer 5
    assert [turn.level for turn in subagent.turns] == [1, 2, 3]
    assert [turn.level for turn in lead.turns] == [0, 4, 5]


async def test_reports_that_come_in_the_turn_of_a_fold_are_in_the_new_context() -> None:
    policy = ByScript(
        lead=[
            call("delegate", subtasks=["Brook?"]),
            call("fold", text="out"),
            Decision(),
            call("answer", text="x"),
        ],
        subagents=[call("report", text="B 30")],
    )
    episode = await run(policy, replace(FOLDS, wait_for=0), 1)
    lead = episode.trajectories[0]
    reports = [
        (n, r.body) for n, turn in enumerate(lead.turns) for r in turn.results if r.trajectory
    ]
    assert [body for _, body in reports] == ["B 30"]
    (folded,) = [
        o for o in policy.seen["lead"] if o.segment == 1 and o.text.startswith(TASK.question)
    ]
    assert folded.results[0].body == "out"


def test_the_tool_is_there_for_both_roles_once_it_is_allowed() -> None:
    for role, n_subagents in (("lead", 0), ("lead", 2), ("subagent", 2)):
        without, allowed = (
            list(tools_of(role, limits, n_subagents))
            for limits in (Limits(), FOLDS)  # type: ignore[arg-type]
        )
        assert allowed == [*without, "fold"]
    (schema,) = json_schemas([TOOLS["fold"]])
    assert schema["function"]["parameters"]["required"] == ["text"]


@pytest.mark.parametrize("interface", ["tools", "text"])
@pytest.mark.parametrize("form", ["parallel", "aec"])
def test_the_environment_folds_in_both_forms(interface: str, form: str) -> None:
    make = wideseek_env.parallel_env if form == "parallel" else wideseek_env.env
    env: Any = make(0, interface=interface, tasks=[TASK], backend=TinyBackend(), limits=FOLDS)
    env.reset(seed=0)
    action: Any = [{"name": "fold", "arguments": {"text": NOTES}}]
    if interface == "tools":
        assert env.action_space("lead").contains(action)
    else:
        action = f"<tool_call>\n{json.dumps(action[0])}\n</tool_call>"
    if form == "parallel":
        observations, _, _, _, infos = env.step({"lead": action})
        text, info = observations["lead"]["text"], infos["lead"]
    else:
        env.step(action)
        observation, _, _, _, info = env.last()
        text = observation["text"]
    assert text == f"{TASK.question}\n\nYour context was folded. You noted:\n{NOTES}"
    assert info["observation"].segment == 1


def test_random_play_with_folds_keeps_its_bounds() -> None:
    limits = Limits(max_folds=3, max_lead_turns=12, max_context_chars=400)
    env = wideseek_env.parallel_env(2, tasks=[TASK], backend=TinyBackend(), limits=limits)
    folds = 0
    for seed in range(40):
        env.reset(seed=seed)
        for number, agent in enumerate(env.possible_agents):
            env.action_space(agent).seed(seed * 10 + number)
        while env.agents:
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        assert env.episode is not None
        folds += env.episode.num_folds
        assert max(len(t.segments) for t in env.episode.trajectories) <= 4
    assert folds > 5


def test_steps_and_driver_give_the_same_folded_episode() -> None:
    script = [opens("Alden"), call("fold", text=NOTES), opens("Brook"), call("answer", text=NOTES)]
    env = wideseek_env.parallel_env(0, tasks=[TASK], backend=TinyBackend(), limits=FOLDS)
    stepped = step_through(env, ByScript(lead=list(script)), seed=0)
    driven = asyncio.run(run(ByScript(lead=list(script))))
    assert [[r.text for r in t.results] for t in stepped.trajectories[0].turns] == [
        [r.text for r in t.results] for t in driven.trajectories[0].turns
    ]


BEFORE = {
    "default": "64bddff5fa25df4c7732255bbd665aac349e24ceb5d7a63705275698990c24e6",
    "starter": "bc919fb08579ac28cbeb2bad447df914923fe4724bf2a000a08f103c2a707b13",
}
"""Of the records of four scripted policies before there was a fold; without what has come since,
times, provenance, and tracebacks, which name this folder."""


@pytest.mark.parametrize("preset", BEFORE)
def test_off_all_records_and_scores_are_what_they_were(preset: str) -> None:
    digest = hashlib.sha256()
    source = TaskSource.world(preset, split="test", num_tasks=4)
    for name, width in (
        *(("solo", 0), ("solo", 3), ("fanout", 0), ("fanout", 3)),
        *(("random", 0), ("random", 3), ("partial", 3)),
    ):
        exam = Exam(source, width=width, budget=60, metadata={"x": 1})
        played = asyncio.run(evaluate(exam, POLICIES[name]([job.task for job in exam])))
        for episode in played.episodes:
            record = without_times(json.loads(encode(episode)))
            digest.update(json.dumps(record, sort_keys=True).encode())
    assert digest.hexdigest() == BEFORE[preset]


def without_times(record: Any) -> Any:
    names = {"seconds", "started_s", "decided_s", "ended_s", "max_folds", "max_fold_chars"}
    names |= {"key", "error", "cut", "provenance"}
    if isinstance(record, dict):
        return {k: without_times(v) for k, v in record.items() if k not in names}
    return [without_times(item) for item in record] if isinstance(record, list) else record
