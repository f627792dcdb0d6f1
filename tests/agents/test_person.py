"""A person at the terminal: what lines stand for, what costs no turn, Ctrl-C, the record."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from agents.episode_file import read_episodes
from agents.person import PersonPolicy, printable
from agents.rollout import Job, run_episode
from agents.scripted import FanoutPolicy
from wideseek_env import World


async def play(*lines, agent="lead", n_subagents=2):
    """Plays one episode with these lines; returns it, what was written, and the policy."""
    left, written = list(lines), []

    def read(prompt):
        written.append(prompt)
        if not left:
            raise EOFError
        return left.pop(0)

    world = World("starter")
    [task] = world.tasks(1)
    policy = PersonPolicy(agent, FanoutPolicy(), read, written.append)
    episode = await run_episode(
        Job(task, world.backend(), n_subagents, world.preset.limits), policy
    )
    return episode, "\n".join(written), policy


def calls_of(episode, trajectory=0):
    turns = episode.trajectories[trajectory].turns
    return [[(c.name, dict(c.arguments)) for c in turn.decision.calls] for turn in turns]


async def test_person_leads_scripted_subagents_to_the_answer():
    episode, written, _ = await play("delegate", "answer", "| Museum | City |", "|---|---|", ".")
    question = episode.task.question
    assert calls_of(episode) == [
        [("delegate", {"subtasks": [question] * 2})],
        [("answer", {"text": "| Museum | City |\n|---|---|"})],
    ]
    assert episode.end == "answered"
    assert all(t.end == "reported" for t in episode.trajectories[1:])
    assert f"You are the lead.\n\n{question}" in written.replace("\n\n\n", "\n\n")
    assert "report from subagent_1" in written  # what came back was shown


async def test_quit_ends_the_episode_and_help_says_so():
    _, written, policy = await play("help", "quit", "answer none")
    assert policy.stopped
    assert written.count("quit   ") == 2  # at the beginning, and when asked


async def test_person_alone_searches_and_opens_hits_by_their_number():
    lines = ("search museums | cities", "open 2 | /nowhere", "answer none")
    episode, written, _ = await play(*lines, n_subagents=0)
    searched, opened, answered = calls_of(episode)
    assert searched == [("search", {"query": "museums"}), ("search", {"query": "cities"})]
    hits = [url for r in episode.trajectories[0].turns[0].results for url in r.urls]
    assert opened == [("open", {"url": hits[1]}), ("open", {"url": "/nowhere"})]
    assert answered == [("answer", {"text": "none"})]
    assert f"2. {hits[1]}" in written


async def test_person_line_that_is_no_turn_costs_none():
    lines = ("", "dance", "search", "wait", "answer", ".", "help", "answer done")
    episode, written, _ = await play(*lines, n_subagents=0)
    assert calls_of(episode) == [[("answer", {"text": "done"})]]
    assert "expected one of answer, search, open, help, quit; got 'dance'" in written
    assert "usage: search WORDS" in written
    assert "got 'wait'" in written  # there is nobody to wait for
    assert "nothing was written" in written


async def test_person_as_subagent_is_led_by_a_policy():
    episode, written, _ = await play("search museums", "report", "Baval | Gufor", ".",
                                     *["report nothing"] * 5, agent="subagent_0")  # fmt: skip
    mine = next(t for t in episode.trajectories if t.agent == "subagent_0")
    assert mine.end == "reported"
    assert "You are the subagent 0." in written
    assert "delegate" not in written.partition(">")[0].partition(mine.prompt)[2]
    assert episode.end == "answered"


async def test_person_who_stops_leaves_an_invalid_episode_and_says_so():
    episode, _, policy = await play("delegate")
    assert policy.stopped
    assert not episode.valid


def test_printable_lets_no_terminal_obey_a_page():
    assert printable("a\x1b[2Jb\x9b31m\u202ec\r\n\td") == "a[2Jb31mc\n\td"


@pytest.fixture
def terminal(tmp_path):
    """Starts `wideseek play` on a terminal of its own; gives `say(line)` and `wait(text)`.

    `wait(text, press=key)` presses the key again while nothing happens, as a person does: Python
    loses a Ctrl-C that comes after its prompt is written and before it reads.
    """
    master, slave = pty.openpty()
    # Of its own session, so that Ctrl-C is a signal.
    program = "import os, sys; os.login_tty(0); os.execv(sys.executable, sys.argv[1:])"
    words = [sys.executable, "-m", "wideseek_env", "play", "--out", str(tmp_path / "played")]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen = ""

    def wait(text, seconds=120, press=""):
        nonlocal seen
        until = time.monotonic() + seconds
        while text not in seen and time.monotonic() < until:
            if press and not select.select([master], [], [], 5)[0]:
                say(press)
            if select.select([master], [], [], 0.1)[0]:
                try:
                    seen += os.read(master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
        assert text in seen, seen
        before, seen = seen, seen[seen.index(text) + len(text) :]
        return before

    def say(text):
        os.write(master, text.encode())

    yield say, wait, process
    process.kill()
    process.wait()
    os.close(master)


def test_play_on_a_terminal_keeps_the_episode_for_the_viewer(terminal, tmp_path):
    say, wait, process = terminal
    wait("lead, turn 1 of")
    say("delegate\n")
    wait("lead, turn 2 of")
    say("answer\n| Museum | City |\n|---|---|\n| x | y |\n.\n")
    wait("strict: item F1")
    wait("wideseek view")
    assert process.wait(60) == 0
    [episode] = read_episodes(tmp_path / "played" / "episodes.jsonl")
    assert (episode.policy, episode.metadata["source"], episode.metadata["trial"]) == (
        "person", "starter", 0,
    )  # fmt: skip


@pytest.mark.parametrize("ending", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_play_ends_cleanly_when_the_person_stops(terminal, tmp_path, ending):
    say, wait, process = terminal
    wait("lead, turn 1 of")
    say(ending)
    before = wait("interrupted: the episode was not finished, so nothing is kept", press=ending)
    assert "Traceback" not in before
    assert process.wait(60) == 130
    assert not (tmp_path / "played").exists()
