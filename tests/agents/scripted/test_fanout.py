import ast
import inspect
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest
from made_episodes import made_report
from smallweb import LENGTHS, small_backend, small_task
from worldplay import play

import agents.scripted
from agents.policy import EpisodeInfo
from agents.rollout import Job, run_episode
from agents.scripted import FanoutPolicy
from agents.scripted.fanout import fanout_lead
from wideseek_env.records import Limits, Observation
from wideseek_env.scoring.tables import read_table
from wideseek_env.worlds import PRESETS

FLOORS = {
    # preset: least mean item F1 of solo without subagents, of fanout with 8
    "starter": (0.2, 0.9),
    "easy": (0.7, 0.95),
    "default": (0.05, 0.9),
    "conflict": (0.03, 0.8),
    "missing": (0.02, 0.7),
    "hops": (0.0, 0.5),
    "hard": (0.02, 0.5),
}


def item_f1(episodes):
    return mean(episode.score.item_f1 for episode in episodes)


@pytest.mark.parametrize("preset", PRESETS)
async def test_solo_and_fanout_reach_their_floor_and_oracle_1(preset):
    solo, fanout = FLOORS[preset]
    assert item_f1(await play(preset, "solo", 0, 6)) >= solo
    assert item_f1(await play(preset, "fanout", 8, 6)) >= fanout
    assert item_f1(await play(preset, "oracle", 8, 6)) == 1.0


async def test_fanout_rises_with_width_on_default():
    found = [item_f1(await play("default", "fanout", n, 8)) for n in (0, 1, 2, 4, 8)]
    assert found == sorted(found)
    steps = [after - before for before, after in pairwise(found)]
    assert min(steps[:3]) > 0.1


async def test_fanout_without_subagents_is_solo():
    episodes = {name: await play("default", name, 0, 2) for name in ("solo", "fanout")}
    answers = {name: [e.answer for e in played] for name, played in episodes.items()}
    assert answers["solo"] == answers["fanout"]


async def test_fanout_answers_deep_questions():
    assert item_f1(await play("default", "fanout", 2, 6, kind="deep")) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
async def test_fanout_with_ample_budgets_misses_next_to_nothing(preset):
    limits = Limits(max_lead_turns=12, max_subagent_turns=40, max_context_chars=2_000_000)
    # what a newer page would let in again, after an older one ruled it out, is not read
    assert item_f1(await play(preset, "fanout", 8, 30, "wide", limits)) >= 0.93
    assert item_f1(await play(preset, "fanout", 8, 30, "deep", limits)) >= 0.93


async def test_fanout_splits_the_list_verifies_and_merges():
    episode = await run_episode(Job(LENGTHS, small_backend(), 2), FanoutPolicy())
    prompts = [t.prompt.splitlines()[-1] for t in episode.trajectories[1:]]
    assert prompts == [
        "Take list pages 1, 3, ...",
        "Take list pages 2, 4, ...",
        "Verify: [Alden](/varnia/alden)",
    ]
    assert set(read_table(episode.answer).rows) == set(LENGTHS.gold)


async def test_fanout_answers_what_an_edited_page_says():
    backend = small_backend(
        {
            "/varnia/alden/gazetteer": ("210 km", "211 km"),
            "/varnia/rivers/2": ("Crooked River", "Dry River"),
            "/varnia/cray": ("99 km", "1,000 m"),
        }
    )
    episode = await run_episode(Job(LENGTHS, backend, 4), FanoutPolicy())
    lengths = {row[0]: row[1] for row in read_table(episode.answer).rows}
    assert lengths == {"Alden": "211", "Brook": "30", "Cray": "1"}


async def test_fanout_verifies_out_a_row_whose_newer_page_fails_a_condition():
    task = small_task(
        "List all rivers in Varnia that have a length of less than 205 km. "
        "Give a table with the columns: River, Length (km).",
        ("River", "Length (km)"),
    )
    limits = {turns: Limits(max_lead_turns=turns) for turns in (2, 3)}
    rows = {}
    for turns, limit in limits.items():
        episode = await run_episode(Job(task, small_backend(), 2, limits=limit), FanoutPolicy())
        rows[turns] = {row[0] for row in read_table(episode.answer).rows}
    assert rows == {2: {"Alden", "Brook", "Cray"}, 3: {"Brook", "Cray"}}


@pytest.mark.parametrize("wait_for", [0, 1, "all"])
async def test_fanout_gathers_all_reports_however_long_the_lead_waits(wait_for):
    limits = Limits(max_lead_turns=20, wait_for=wait_for)
    episode = await run_episode(Job(LENGTHS, small_backend(), 2, limits=limits), FanoutPolicy())
    assert set(read_table(episode.answer).rows) == set(LENGTHS.gold)


async def test_fanout_keeps_to_the_lead_s_context():
    limits = Limits(max_context_chars=700)
    episode = await run_episode(Job(LENGTHS, small_backend(), 16, limits=limits), FanoutPolicy())
    first = episode.trajectories[0].turns[0].decision.calls[0]
    assert len(first.arguments["subtasks"]) < 4
    assert episode.end == "answered"


def test_scripted_agents_import_nothing_of_worlds():
    folder = Path(inspect.getfile(agents.scripted)).parent
    # a cheater may know by heart what things can be, as a learner could
    for path in {*folder.glob("*.py")} - {folder / "list_guessers.py"}:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", [])]
            module = getattr(node, "module", None) or ""
            assert not any("worlds" in name for name in [module, *names]), path.name


def test_fanout_lead_merges_what_later_reports_correct_and_keeps_what_they_leave_empty():
    info = EpisodeInfo.of(LENGTHS, 2, Limits(), 0)
    script = fanout_lead(info, Observation(LENGTHS.question, 0, 10))

    def reports(*texts):
        return Observation("", 1, 5, tuple(map(made_report, (1, 2), texts)))

    next(script)
    (verify,) = script.send(
        reports("| Alden | 204 | Dorn |\n| Brook | 30 | Dorn |\n| Cr", "Doubtful: [Alden](/a)")
    )
    assert verify.arguments["subtasks"][0].endswith("Verify: [Alden](/a)")
    (final,) = script.send(reports("| Alden | 210 |  |"))
    rows = read_table(final.arguments["text"]).rows
    assert rows == (("Alden", "210", "Dorn"), ("Brook", "30", "Dorn"))


def test_fanout_lead_deals_out_again_what_was_not_read_and_stops_on_its_last_turn():
    info = EpisodeInfo.of(LENGTHS, 2, Limits(), 0)
    links = [f"[R{i}](/r{i})" for i in range(7)]
    script = fanout_lead(info, Observation(LENGTHS.question, 0, 3))
    next(script)
    report = made_report(1, f"Unread: {', '.join(links)}")
    (again,) = script.send(Observation("", 1, 2, (report, report)))
    hands = [text.partition("Fill in: ")[2].split(", ") for text in again.arguments["subtasks"]]
    assert sorted(link for hand in hands for link in hand) == links
    assert [len(hand) for hand in hands] == [4, 3]
    (final,) = script.send(Observation("", 2, 1, (report, report)))
    assert final.name == "answer"
