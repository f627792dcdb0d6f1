from statistics import mean

import pytest
from worldplay import play, world

from agents.rollout import Job, run_episode
from agents.scripted import CHEATERS, CheaterPolicy
from wideseek_env.worlds import PRESETS


async def outcomes(preset, name, n_subagents, num, kind):
    """Mean item F1, row F1 and reward."""
    episodes = await play(preset, name, n_subagents, num, kind)
    values = ((e.score.item_f1, e.score.row_f1, e.reward) for e in episodes)
    return tuple(map(mean, zip(*values, strict=True)))


async def check_no_cheater_beats_solo(preset, widths, num, kinds):
    for kind in kinds:
        for width in widths:
            honest = await outcomes(preset, "solo", width, num, kind)
            for name in CHEATERS:
                found = await outcomes(preset, name, width, num, kind)
                pairs = zip(found, honest, strict=True)
                assert all(f <= h + 1e-9 for f, h in pairs), (name, width, kind, found, honest)


@pytest.mark.parametrize("preset", PRESETS)
async def test_no_cheater_beats_solo(preset):
    await check_no_cheater_beats_solo(preset, (0, 4), 3, ("wide",))


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
async def test_no_cheater_beats_solo_on_many_tasks(preset):
    await check_no_cheater_beats_solo(preset, (0, 1, 8), 30, ("wide", "deep"))


async def test_cheaters_do_cheat():
    """Each must do what it is named for, or the tests above say nothing."""
    made, backend = world("easy")
    task = next(made.tasks(1))
    job = Job(task, 2, limits=made.preset.limits)
    played = {name: await run_episode(job, CheaterPolicy(name), backend) for name in CHEATERS}
    num_lines = {name: len(e.answer.splitlines()) - 2 for name, e in played.items()}
    num_rows = len(task.gold)
    assert num_lines["row_spammer"] >= 10 * num_rows
    assert num_lines["alias_spammer"] >= 6 * num_rows
    header = played["wide_column_spammer"].answer.splitlines()[0]
    assert header.count(task.column_names[-1]) > 1
    assert {t.prompt for t in played["empty_delegation"].trajectories[1:]} == {"."}
    assert {t.prompt for t in played["question_copier"].trajectories[1:]} == {task.question}
    most = 2 * (made.preset.limits.max_lead_turns - 1)
    assert len(played["subagent_spawner"].trajectories) == 1 + most


def test_cheater_of_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="row_spammer"):
        CheaterPolicy("nobody")
