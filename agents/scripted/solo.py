"""`solo`: one agent that reads one page after another; and the work that subagents do alike.

With subagents and no tools of its own, the lead hands the whole question to one of them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from agents.policy import EpisodeInfo
from agents.scripted.gathering import Gathering
from agents.scripted.messages import Form, Report, Subtask, report_on
from agents.scripted.page_tables import copy_table, parse_table_question
from agents.scripted.script import (
    Calls,
    Script,
    ScriptPlayer,
    answer,
    delegate,
    has_tools,
    report,
    reports_in,
)
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Observation
from wideseek_env.scoring.tables import write_table


class SoloPolicy:
    """One agent, sequential: the baseline that turns and context hold back."""

    name = "solo"

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode."""
        return ScriptPlayer(info, solo_lead, subagent)


def solo_lead(info: EpisodeInfo, observation: Observation) -> Script:
    """Does all the work, or lets one subagent do it, and answers."""
    rows = yield from find_rows(info, observation)
    yield answer(answer_text(info, rows))


def find_rows(
    info: EpisodeInfo, observation: Observation
) -> Generator[Calls, Observation, Sequence[Sequence[str]]]:
    """Returns the rows of the answer, as far as one agent comes."""
    found = yield from find(info, observation)
    question = parse_question(info.question)
    return found.rows if question is None else Form(question).answer(found.rows)


def find(info: EpisodeInfo, observation: Observation) -> Generator[Calls, Observation, Report]:
    """Writes one agent's report on the whole question."""
    subtask = Subtask(observation.text, thorough=True)
    if has_tools(info):
        return (yield from carry_out(info, subtask, observation))
    observation = yield delegate([subtask.text()])
    return Report.read("\n".join(result.body for result in reports_in(observation)))


def subagent(info: EpisodeInfo, observation: Observation) -> Script:
    """Carries out a subtask and reports."""
    found = yield from carry_out(info, Subtask.read(observation.text), observation)
    yield report(found.text())


def carry_out(
    info: EpisodeInfo, subtask: Subtask, observation: Observation
) -> Generator[Calls, Observation, Report]:
    """Works on a subtask until it is done or only the last turn is left; returns what it found.

    A question of a kind that no rule reads is given up at once.
    """
    max_calls = info.limits.max_calls_per_turn
    table_question = parse_table_question(subtask.question)
    if table_question is not None:
        return Report((yield from copy_table(table_question, observation, max_calls)))
    question = parse_question(subtask.question)
    if question is None:
        return Report()
    gathering = Gathering(
        question,
        targets=list(subtask.targets) or None,
        share=subtask.share,
        thorough=subtask.thorough,
        max_calls=max_calls,
        max_chars=info.limits.max_context_chars - len(observation.text),
    )
    yield from gathering.work(observation)
    return report_on(gathering, verified=subtask.thorough and bool(subtask.targets))


def answer_text(info: EpisodeInfo, rows: Sequence[Sequence[str]]) -> str:
    """Returns the final answer: a table, or the one value of a deep question."""
    if info.kind == "deep":
        return rows[0][0] if rows else "unknown"
    return write_table(info.columns, rows)
