"""What the viewer shows of an episode: when turns took place, who supplied which cell."""

from __future__ import annotations

from dataclasses import replace

from made_episodes import made_episode, made_task

from agents.rollout import Job, rollout
from agents.scripted.script import ScriptPlayer, answer, delegate, report
from benchmarks.report.episode_view import MAX_TEXT_CHARS, clip, view
from wideseek_env import World
from wideseek_env.records import Decision, Turn


def test_view_right_cell_names_agent_page_and_turn():
    table = view(made_episode(made_task(0), found=4))["table"]
    # Rows go round robin: the third row is the second that subagent_0 read, by its fourth turn's
    # page; the search before that has already shown it.
    cell = table["rows"][2][1]
    assert cell["text"] == "102"
    assert cell["right"]
    assert cell["agents"] == ["subagent 0"]
    assert cell["page"] == "/river/river-c0"
    assert cell["turn"] == (1, 2)


def test_view_missing_rows_come_last_with_what_they_should_be():
    rows = view(made_episode(made_task(0), found=4))["table"]["rows"]
    assert [row[0]["right"] for row in rows] == [True] * 4 + [False] * 2
    assert rows[4][0]["note"] == "missing: River E0"


def test_view_wrong_cell_shows_the_right_one_and_unasked_row_says_so():
    episode = made_episode(made_task(0), found=4)
    answer = episode.answer.replace("| 101 |", "| 999 |") + "\n| River X | 5 | Nowhere |"
    correct = tuple(cell for cell in episode.score.correct if cell != (1, 1))
    changed = replace(episode, answer=answer, score=replace(episode.score, correct=correct))
    rows = view(changed)["table"]["rows"]
    assert rows[1][1] == {
        "text": "999",
        "right": False,
        "note": "right: 101",
        "agents": [],
        "page": None,
        "turn": None,
    }
    assert [cell["note"] for cell in rows[4]] == ["not asked for", "", ""]


def test_view_invalid_episode_has_its_error_and_no_table():
    shown = view(made_episode(made_task(0), invalid=True))
    assert shown["error"] == "BackendError: the index is gone"
    assert shown["item_f1"] is None
    assert shown["table"] is None


def test_view_links_delegation_and_report_to_the_turns_of_the_lead():
    trajectories = view(made_episode(made_task(0), found=4))["trajectories"]
    assert [(t["delegated_in"], t["read_in"]) for t in trajectories[1:]] == [(0, 1), (0, 1)]
    assert [turn["level"] for turn in trajectories[0]["turns"]] == [0, 6]
    assert [turn["level"] for turn in trajectories[1]["turns"]] == [1, 2, 3, 4, 5]


async def test_view_subtasks_that_were_dropped_shift_no_later_one():
    class Twice:
        name = "twice"

        def begin(self, info):
            return ScriptPlayer(info, self._lead, lambda info, seen: iter_report())

        @staticmethod
        def _lead(info, seen):
            yield delegate(["a", "b", "c"])  # two are free
            yield delegate(["d"])
            yield answer("| River |\n|---|\n| x |")

    def iter_report():
        yield report("done")

    world = World("starter")
    [task] = world.tasks(1)
    limits = replace(world.preset.limits, max_lead_turns=5)
    metadata = {"policy": "twice", "source": "starter", "depth": None, "trial": 0}
    job = Job(task, world.backend(), 2, limits, metadata=metadata)
    [episode] = [e async for e in rollout([job], Twice())]
    assert [t.prompt for t in episode.trajectories[1:]] == ["a", "b", "d"]
    assert [t["delegated_in"] for t in view(episode)["trajectories"][1:]] == [0, 0, 1]


def test_view_report_is_read_in_the_first_turn_that_begins_after_it():
    episode = made_episode(made_task(0), found=4)
    lead, *subagents = episode.trajectories
    delegation, answer = lead.turns
    begun, first, second = delegation.results
    # A lead that waits for one report alone takes a turn between the two.
    early = replace(delegation, results=(begun, second))
    idle = Turn(Decision(), (first,), started_s=0.0, decided_s=0.0, ended_s=0.0, level=6)
    waiting = replace(lead, turns=(early, idle, replace(answer, level=7)))
    shown = view(replace(episode, trajectories=(waiting, *subagents)))["trajectories"]
    assert [(t["delegated_in"], t["read_in"]) for t in shown[1:]] == [(0, 2), (0, 1)]
    assert [turn["level"] for turn in shown[0]["turns"]] == [0, 6, 7]


def test_view_report_that_came_after_the_last_turn_was_read_in_none():
    episode = made_episode(made_task(0), found=4)
    lead, *subagents = episode.trajectories
    alone = replace(lead, turns=lead.turns[:1])
    shown = view(replace(episode, trajectories=(alone, *subagents)))["trajectories"]
    assert [(t["delegated_in"], t["read_in"]) for t in shown[1:]] == [(0, None), (0, None)]


def test_view_texts_are_clipped_and_say_by_how_much():
    shown = view(made_episode(made_task(0), found=1, page_chars=60_000))
    page = shown["trajectories"][1]["turns"][1]["calls"][0]["result"]
    assert len(page) < MAX_TEXT_CHARS + 40
    assert page.endswith("characters more]")
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "abc […1 characters more]"
