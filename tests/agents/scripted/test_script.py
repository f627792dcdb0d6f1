from tinyworld import TASK

from agents.policy import EpisodeInfo
from agents.scripted.script import ScriptPlayer, answer, delegate, open_page, report, search
from wideseek_env.records import Limits, Observation, ToolCall


def lead(info, observation):
    observation = yield delegate([observation.text])
    yield answer(observation.text)


def subagent(info, observation):
    observation = yield (search(observation.text), open_page("/a"), open_page("/a", 2))
    yield report("")


async def test_player_runs_one_script_for_each_agent_and_begins_again_at_turn_0():
    player = ScriptPlayer(EpisodeInfo.of(TASK, 2, Limits(), 0), lead, subagent)

    async def calls(agent, text, turn):
        return (await player.decide(agent, Observation(text, turn, 5))).calls

    assert await calls("lead", "Q", 0) == (ToolCall("delegate", {"subtasks": ["Q"]}),)
    for subtask in ("one", "two"):
        found = await calls("subagent_0", subtask, 0)
        assert [dict(call.arguments) for call in found] == [
            {"query": subtask},
            {"url": "/a"},
            {"url": "/a", "part": 2},
        ]
    assert await calls("lead", "all back", 1) == (ToolCall("answer", {"text": "all back"}),)
    assert await calls("subagent_0", "hits", 1) == (ToolCall("report", {"text": "Nothing found."}),)


async def test_player_waits_once_a_script_is_over():
    player = ScriptPlayer(EpisodeInfo.of(TASK, 2, Limits(), 0), lead, subagent)
    for turn in range(2):
        await player.decide("lead", Observation("Q", turn, 5))
    assert (await player.decide("lead", Observation("more", 2, 5))).calls == ()
