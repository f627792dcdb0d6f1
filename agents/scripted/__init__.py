"""Scripted agents: baselines, the ceiling, and cheaters that the scorer must withstand.

`POLICIES` names them all. A factory gets the tasks that the policy will be asked to play; only
`oracle` looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from agents.policy import Policy
from agents.scripted.cheaters import CHEATERS, CheaterPolicy
from agents.scripted.fanout import FanoutPolicy
from agents.scripted.page_tables import parse_table_question
from agents.scripted.partial import HastyPolicy, PartialPolicy
from agents.scripted.simple import OraclePolicy, RandomPolicy
from agents.scripted.solo import SoloPolicy
from agents.scripted.solo_fold import SoloFoldPolicy
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Task

__all__ = [
    "CHEATERS",
    "POLICIES",
    "CheaterPolicy",
    "FanoutPolicy",
    "HastyPolicy",
    "MakePolicy",
    "OraclePolicy",
    "PartialPolicy",
    "RandomPolicy",
    "SoloFoldPolicy",
    "SoloPolicy",
    "reads",
]

MakePolicy: TypeAlias = Callable[[Iterable[Task]], Policy]


def reads(question: str) -> bool:
    """Tells whether `solo`, `fanout` and those that are made of them can read a question.

    They read the English of closed worlds and of tables on pages, and give all others up at once.
    """
    return parse_question(question) is not None or parse_table_question(question) is not None


def _cheater(name: str) -> MakePolicy:
    return lambda tasks: CheaterPolicy(name)


POLICIES: Mapping[str, MakePolicy] = {
    "random": lambda tasks: RandomPolicy(),
    "solo": lambda tasks: SoloPolicy(),
    "solo_fold": lambda tasks: SoloFoldPolicy(),
    "fanout": lambda tasks: FanoutPolicy(),
    "partial": lambda tasks: PartialPolicy(),
    "hasty": lambda tasks: HastyPolicy(),
    "oracle": OraclePolicy,
    **{name: _cheater(name) for name in CHEATERS},
}
"""Every scripted policy by name."""
