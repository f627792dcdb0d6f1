"""`fanout`: the lead splits the list among the subagents, then what is left, then what is doubtful.

Wave by wave: every subagent enumerates a share of the list and fills in its rows; what did not fit
into their contexts is dealt out again; rows with a second page that may be newer are verified as
long as turns are left; then the lead merges. Width is the number of subagents.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.policy import EpisodeInfo
from agents.scripted.messages import Form, Report, Subtask
from agents.scripted.script import Script, ScriptPlayer, answer, delegate, reports_in
from agents.scripted.solo import answer_text, solo_lead, subagent
from wideseek_env.reading.pages import Link
from wideseek_env.reading.question import parse_question
from wideseek_env.records import Observation

_MIN_TARGETS = 3
"""Pages that make a subtask worth its place in the lead's context."""
_SHARE_CHARS, _TARGETS_CHARS = 28, 100
"""About so much longer than the question is a subtask of a share, or of targets."""
_HEADING_CHARS = 230
"""At most so long is what stands before a report: who, and the beginning of the subtask."""
_FIRST_WAVE = 0.85
"""Share of the lead's context that the first wave may take, so that a second one is possible."""


class FanoutPolicy:
    """Enumerate, split, verify, merge."""

    name = "fanout"

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode."""
        return ScriptPlayer(info, fanout_lead if info.n_subagents else solo_lead, subagent)


def fanout_lead(info: EpisodeInfo, observation: Observation) -> Script:
    """Delegates in waves until nothing is open or only the last turn is left, then answers."""
    merged = _Merged(info, observation.text)
    while observation.turns_left > 1 and (subtasks := merged.next_subtasks()):
        texts = [subtask.text() for subtask in subtasks]
        observation = yield delegate(texts)
        num_out = merged.take(observation)
        while num_out > 0 and observation.turns_left > 1:
            observation = yield ()  # the game may be set to not wait for all of them
            num_out += merged.take(observation)
    yield answer(answer_text(info, merged.answer()))


class _Merged:
    """What the lead knows: rows reported so far, and what is still open."""

    def __init__(self, info: EpisodeInfo, question: str) -> None:
        self.rows: dict[str, tuple[str, ...]] = {}
        """By name; as long as `Form` makes them."""
        self._info = info
        self._question = question
        self._parsed = parse_question(question)
        self._form = Form(self._parsed) if self._parsed else None
        self._free_chars = info.limits.max_context_chars - len(question)
        self._unread: dict[Link, None] = {}
        self._doubtful: dict[Link, None] = {}
        self._begun = False

    def next_subtasks(self) -> list[Subtask]:
        """Returns the next wave; empty when nothing is left to do."""
        subtasks = self._next_wave()
        self._free_chars -= sum(len(subtask.text()) for subtask in subtasks)
        return subtasks

    def take(self, observation: Observation) -> int:
        """Merges reports; returns how many subtasks began, less those that came to their end."""
        self._free_chars -= len(observation.text)
        reports = reports_in(observation)
        for result in reports:
            self._merge(Report.read(result.body))
        return sum(len(result.begun) for result in observation.results) - len(reports)

    def answer(self) -> Sequence[Sequence[str]]:
        """Returns the rows of the answer."""
        rows = list(self.rows.values())
        return self._form.answer(rows) if self._form else rows

    def _next_wave(self) -> list[Subtask]:
        if not self._begun:
            num = self._affordable(len(self._question) + _SHARE_CHARS) if self._can_split() else 1
            self._begun = True
            return [Subtask(self._question, share=(i, num)) for i in range(1, num + 1)]
        most = self._affordable(len(self._question) + _TARGETS_CHARS)
        again = self._deal(self._unread, most, thorough=False)
        verify = self._deal(self._doubtful, most - len(again), thorough=True)
        return again + verify

    def _can_split(self) -> bool:
        """Returns whether the question is about a list: not about one page or one thing."""
        return self._parsed is not None and not self._parsed.start

    def _deal(self, links: dict[Link, None], most: int, *, thorough: bool) -> list[Subtask]:
        """Deals out links evenly, to at most `most` subagents, and forgets them."""
        num = min(most, -(-len(links) // _MIN_TARGETS))
        if num < 1:
            return []
        hands = [tuple(links)[start::num] for start in range(num)]
        links.clear()
        return [Subtask(self._question, targets=hand, thorough=thorough) for hand in hands]

    def _affordable(self, subtask_chars: int) -> int:
        """Returns for how many subtasks of this length the lead has slots and context."""
        # a report is taken to be about as long as its subtask
        cost = 2 * subtask_chars + min(_HEADING_CHARS, 30 + subtask_chars)
        chars = self._free_chars * (1 if self._begun else _FIRST_WAVE)
        return max(1, min(self._info.n_subagents, int(chars / cost)))

    def _merge(self, report: Report) -> None:
        if self._form is None:  # the table of a page, all from one subagent
            self.rows = {str(number): row for number, row in enumerate(report.rows)}
            return
        for link in report.ruled_out:
            self.rows.pop(link.text, None)
        for row in report.rows:
            if len(row) != self._form.num_cells:
                continue  # the lead's context cut it off
            name = row[self._form.name_at]
            old = self.rows.get(name, row)
            self.rows[name] = tuple(new or known for new, known in zip(row, old, strict=True))
        self._unread.update(dict.fromkeys(report.unread))
        self._doubtful.update(dict.fromkeys(report.doubtful))
