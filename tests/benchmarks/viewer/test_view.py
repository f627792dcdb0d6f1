"""What the viewer shows of an episode: when turns took place, who supplied which cell."""

from __future__ import annotations

from dataclasses import replace

from made_episodes import made_episode, made_task

from agents.rollout import Job, rollout
from agents.scripted.script import ScriptPlayer, answer, delegate, report
from benchmarks.viewer.view import label_of, view
from wideseek_env import World
from wideseek_env.records import Decision, Turn


def reasons(episode):
    rows = view(episode)["table"]["rows"]
    return [[cell["reason"] for cell in row["cells"]] for row in rows]


def test_view_right_cell_has_the_page_that_the_record_credits_though_no_line_says_it():
    table = view(made_episode(made_task(0), found=4))["table"]
    # Rows go round robin: the third row is the second that subagent_0 read, in its third turn.
    cell = table["rows"][2]["cells"][1]
    assert (cell["fate"], cell["text"], cell["gold"]) == ("right", "102", "102")
    assert cell["reads"] == [[1, 2, 0, None, "/river/river-c0", None]]
    assert cell["reason"] == "read by subagent 0"
    assert table["counts"] == {"right": 12, "unread": 6}


def test_view_missing_row_says_what_it_should_be_and_where_it_is():
    row = view(made_episode(made_task(0), found=4))["table"]["rows"][4]
    assert (row["gold"], row["answer"]) == (4, None)
    cell = row["cells"][0]
    assert (cell["text"], cell["gold"], cell["reason"]) == ("", "River E0", "never read")
    assert cell["sources"] == ["/river/river-e0"]


def test_view_reasons_name_who_had_it():
    episode = made_episode(made_task(0), found=4)
    lead, first, second = episode.trajectories
    read, told = first.turns[1], lead.turns[0].results[1]
    says = replace(read.results[0], text="River C0 is 102 km long", urls=("/river/river-c0",))
    first = replace(first, turns=(replace(read, results=(says,)), *first.turns[2:]))
    answer = episode.answer.replace("| 102 |", "| |").replace("| 101 |", "| 999 |")
    answer += "\n| River X | 5 | Nowhere |\n| River X | 5 | Nowhere |"
    right = tuple(c for c in episode.score.correct if c not in ((1, 1), (2, 1)))
    episode = replace(
        episode, answer=answer, score=replace(episode.score, correct=right), provenance=(),
        trajectories=(lead, first, second),
    )  # fmt: skip
    found = reasons(episode)
    assert found[2][1] == "read by subagent 0 and not reported"
    assert found[1][1] == "wrong value; the right one was never read"
    assert found[0][0] == "right, though no agent read a page that has it"
    assert found[6] == ["nobody asked for this row"] * 3
    assert found[7] == ["says the same as row 5 of the answer, so it does not count"] * 3
    silent = replace(episode, trajectories=(lead, replace(first, end="turn_budget"), second))
    assert reasons(silent)[2][1] == "read by subagent 0, which handed in no report (turn budget)"
    report = replace(told, text=told.text[: told.heading_chars] + "River C0: 102")
    turn = replace(lead.turns[0], results=(report,))
    told_lead = replace(lead, turns=(turn, *lead.turns[1:]))
    dropped = replace(episode, trajectories=(told_lead, first, second))
    assert reasons(dropped)[2][1] == "reported by subagent 0 and dropped by the lead"


def test_view_invalid_episode_has_its_error_and_no_table():
    shown = view(made_episode(made_task(0), invalid=True))
    assert shown["error"] == "BackendError: the index is gone"
    assert shown["item_f1"] is None
    assert shown["table"] is None


def test_view_links_delegation_and_report_to_the_turns_of_the_lead():
    trajectories = view(made_episode(made_task(0), found=4))["trajectories"]
    assert [(t["parent_turn"], t["read_in"]) for t in trajectories[1:]] == [(0, 1), (0, 1)]
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
    assert [t["parent_turn"] for t in view(episode)["trajectories"][1:]] == [0, 0, 1]


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
    assert [(t["parent_turn"], t["read_in"]) for t in shown[1:]] == [(0, 2), (0, 1)]
    assert [turn["level"] for turn in shown[0]["turns"]] == [0, 6, 7]


def test_view_report_that_came_after_the_last_turn_was_read_in_none():
    episode = made_episode(made_task(0), found=4)
    lead, *subagents = episode.trajectories
    alone = replace(lead, turns=lead.turns[:1])
    shown = view(replace(episode, trajectories=(alone, *subagents)))["trajectories"]
    assert [(t["parent_turn"], t["read_in"]) for t in shown[1:]] == [(0, None), (0, None)]


def test_view_has_texts_whole():
    shown = view(made_episode(made_task(0), found=1, page_chars=60_000))
    assert len(shown["trajectories"][1]["turns"][1]["calls"][0]["text"]) > 59_000


def test_label_of_an_episode_that_no_benchmark_played_is_the_records_own():
    label = label_of({}, {"preset": "hard"}, "mine", 3)
    assert (label.source, label.policy, label.width, label.depth, label.trial) == (
        "hard", "mine", 3, None, 0,
    )  # fmt: skip
    assert label_of({"depth": "deep", "trial": None}, {}, "", 0).policy == "unnamed"
