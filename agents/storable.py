"""Proves that an episode's record can be written and read back, and mends one that cannot.

A policy, a backend or a scorer may put into a record what no file holds: a NaN, a null where a text
belongs, a token id that is none. One such line would spoil the file of a whole run.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from agents.tokens_file import check_span
from wideseek_env.jsonlines import encode, plain
from wideseek_env.records import Column, Decision, Episode, Task, Trajectory, Turn

_LEFT_OUT = "left out: no file can hold it"
_ANY_TASK = Task("", "", (Column("a"),), (), ())
_MAX_PROVED = 256
_decoder = msgspec.json.Decoder(tuple[list[Decision], Episode])
_proved: dict[int, Task] = {}
"""By identity; holding the task keeps another from getting its number."""


def prove(episode: Episode) -> Episode:
    """Returns the episode, which can be written and read back.

    What tools answered is most of a record and left out of the proof: `game/toolrun.py` lets texts
    alone through.

    Raises:
        Exception: it cannot; of any type, as whatever a policy made is asked to be JSON.
    """
    decisions = [turn.decision for t in episode.trajectories for turn in t.turns]
    for decision in decisions:
        check_span(decision.tokens)
    _prove_task(episode.task)
    rest = replace(episode, trajectories=(), task=_ANY_TASK)
    _decoder.decode(encode((decisions, rest)))
    return episode


def _prove_task(task: Task) -> None:
    """Proves a task once: the same object is played again and again."""
    if _proved.get(id(task)) is not task:
        msgspec.json.decode(encode(task), type=Task)
        if len(_proved) >= _MAX_PROVED:
            _proved.clear()
        _proved[id(task)] = task


def mended(episode: Episode) -> Episode:
    """Returns an episode without a score, less what in it cannot be written and read back.

    What is left out is said in its place, so that turns and edges keep their numbers.
    """
    return replace(
        episode,
        task=_task(episode.task),
        policy=plain(episode.policy) if isinstance(episode.policy, str) else repr(episode.policy),
        trajectories=tuple(map(_trajectory, episode.trajectories)),
        answer=plain(episode.answer) if isinstance(episode.answer, str) else None,
        score=None,
        reward_terms={},
        provenance=(),
        error=plain(episode.error),
        metadata=plain(episode.metadata),
    )


def _task(task: Task) -> Task:
    """Returns the task; of one that cannot be written, what it is called and asks."""
    if _reads_back(task, Task):
        return task
    names = [str(plain(str(name))) for name in task.column_names]
    return Task(
        id=plain(str(task.id)),
        question=plain(str(task.question)),
        columns=tuple(map(Column, names)),
        key_columns=(),
        gold=(),
    )


def _trajectory(trajectory: Trajectory) -> Trajectory:
    turns = tuple(map(_turn, trajectory.turns))
    return replace(trajectory, prompt=plain(str(trajectory.prompt)), turns=turns)


def _turn(turn: Turn) -> Turn:
    decision = turn.decision
    try:
        check_span(decision.tokens)
        reads_back = _reads_back(decision, Decision)
    except (TypeError, ValueError, AttributeError):
        reads_back = False
    return turn if reads_back else replace(turn, decision=Decision(error=_LEFT_OUT))


def _reads_back(record: Task | Decision, kind: type) -> bool:
    try:
        msgspec.json.decode(encode(record), type=kind)
    except (TypeError, ValueError, OverflowError, RecursionError, AttributeError):
        return False
    return True
