import pytest
from tinyworld import RIVERS, TASK, TinyBackend

from agents.policy import EpisodeInfo
from agents.rollout import Job, rollout, run_episode
from agents.scripted import OraclePolicy, RandomPolicy
from wideseek_env.records import Limits, Task


async def play_random(num, seed=0):
    limits = [Limits(), Limits(max_lead_turns=3, max_context_chars=400), Limits(wait_for=0)]
    jobs = [
        Job(TASK, TinyBackend(), n_subagents=i % 5, limits=limits[i % 3], seed=seed + i)
        for i in range(num)
    ]
    return [e async for e in rollout(jobs, RandomPolicy(), max_concurrent=16)]


async def test_random_play_never_raises():
    episodes = await play_random(200)
    assert [e.error for e in episodes if not e.valid] == []
    names = {
        turn_call.name
        for e in episodes
        for t in e.trajectories
        for turn in t.turns
        for turn_call in turn.decision.calls
    }
    assert names == {"search", "open", "delegate", "answer", "report"}


@pytest.mark.slow
async def test_random_play_of_10000_episodes_never_raises():
    episodes = await play_random(10_000, seed=1000)
    assert [e.error for e in episodes if not e.valid] == []


async def test_random_play_follows_its_seed():
    def texts(episode):
        return [[turn.decision for turn in t.turns] for t in episode.trajectories]

    runs = [
        await run_episode(Job(TASK, TinyBackend(), 3, seed=seed), RandomPolicy())
        for seed in (5, 5, 6)
    ]
    assert texts(runs[0]) == texts(runs[1])
    assert texts(runs[0]) != texts(runs[2])


@pytest.mark.parametrize("n_subagents", [0, 4])
async def test_oracle_scores_1_in_one_turn(n_subagents):
    episode = await run_episode(Job(TASK, TinyBackend(), n_subagents), OraclePolicy([TASK]))
    assert episode.score.item_f1 == episode.score.success == 1.0
    assert episode.num_turns == 1


async def test_oracle_scores_1_on_a_deep_task():
    length = RIVERS["Alden"]
    task = Task("deep", "How long?", TASK.columns[1:], ("Length",), ((length,),), "deep")
    episode = await run_episode(Job(task, TinyBackend()), OraclePolicy([task]))
    assert episode.answer == length
    assert episode.score.success == 1.0


def test_oracle_asked_about_a_task_that_it_was_not_given_says_so():
    info = EpisodeInfo.of(TASK, 2, Limits(), 0)
    with pytest.raises(ValueError, match="must know the task, got 'List all rivers"):
        OraclePolicy([]).begin(info)
