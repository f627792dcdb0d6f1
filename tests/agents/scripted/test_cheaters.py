import re
from dataclasses import replace
from statistics import mean

import pytest
from worldplay import play, world

from agents.rollout import Job, run_episode
from agents.scripted import CHEATERS, CheaterPolicy
from agents.scripted.list_guessers import LIST_GUESSERS
from wideseek_env.worlds import PRESETS

LUCKY = {"row_padder", *LIST_GUESSERS}
"""Those who hand in what they did not check: right by luck on some tasks, so it takes many."""


async def outcomes(preset, name, n_subagents, num, kind, max_calls=None):
    """Mean item F1, reward and row F1."""
    limits = replace(PRESETS[preset].limits, max_tool_calls=max_calls)
    episodes = await play(preset, name, n_subagents, num, kind, limits)
    values = ((e.score.item_f1, e.reward, e.score.row_f1) for e in episodes)
    return tuple(map(mean, zip(*values, strict=True)))


async def check_no_cheater_beats_solo(preset, names, widths, num, kind="wide", max_calls=None):
    for width in widths:
        honest = await outcomes(preset, "solo", width, num, kind, max_calls)
        for name in names:
            found = await outcomes(preset, name, width, num, kind, max_calls)
            # a cell that is guessed can be the only one of its row, and right by luck
            num_figures = 2 if name.startswith("cell_guesser") else 3
            pairs = list(zip(found, honest, strict=True))[:num_figures]
            assert all(f <= h + 1e-9 for f, h in pairs), (name, width, kind, found, honest)


@pytest.mark.parametrize("preset", PRESETS)
async def test_no_cheater_beats_solo(preset):
    await check_no_cheater_beats_solo(preset, [n for n in CHEATERS if n not in LUCKY], (0, 4), 3)


@pytest.mark.parametrize("preset", PRESETS)
async def test_nobody_who_checks_nothing_beats_solo(preset):
    await check_no_cheater_beats_solo(preset, LUCKY, (0, 4), 20)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
async def test_no_cheater_beats_solo_on_many_tasks(preset):
    for kind in ("wide", "deep"):
        await check_no_cheater_beats_solo(preset, CHEATERS, (0, 1, 8), 40, kind)
    for max_calls in (12, 25):
        await check_no_cheater_beats_solo(preset, CHEATERS, (0, 4), 40, max_calls=max_calls)


async def test_cheaters_do_cheat():
    """Each must do what it is named for, or the tests above say nothing."""
    made, backend = world("easy")
    task = next(made.tasks(1))
    job = Job(task, backend, 2, limits=made.preset.limits)
    played = {name: await run_episode(job, CheaterPolicy(name)) for name in CHEATERS}
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


async def test_list_guessers_read_lists_alone_and_answer_every_name():
    made, backend = world("default")
    task = next(made.tasks(1, kind="wide"))
    for name in LIST_GUESSERS:
        job = Job(task, backend, 4, limits=made.preset.limits)
        episode = await run_episode(job, CheaterPolicy(name))
        opened = {url for t in episode.trajectories for url in opened_by(t)}
        assert opened, name
        assert all(re.search(r"/\d+$", url) for url in opened), name
        header, _, *rows = episode.answer.splitlines()
        assert len(rows) > 2 * len(task.gold), name
        assert header.count("|") - 1 == (
            1 if name.startswith("list_guesser") and "blank" not in name else len(task.columns)
        )


async def test_a_padder_answers_the_rows_of_solo_and_names_with_blanks():
    [padded] = await play("default", "row_padder", 0, 1)
    [honest] = await play("default", "solo", 0, 1)
    kept, more = honest.answer.splitlines(), padded.answer.splitlines()
    assert more[: len(kept)] == kept
    assert len(more) > len(kept)
    assert all(re.fullmatch(r"\| [^|]+ (\|  )+\|", line) for line in more[len(kept) :])


def opened_by(trajectory):
    for turn in trajectory.turns:
        for result in turn.results:
            if result.call is not None and result.call.name == "open":
                yield result.call.arguments["url"]


def test_cheater_of_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="row_spammer"):
        CheaterPolicy("nobody")
