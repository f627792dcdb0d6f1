"""What lies on an agent's desk: its notes, its budgets, and the lists that its moves choose from.

A desk belongs to one agent on one (sub)task. It reads what the agent is shown and never looks at
the game, the task or another desk.
"""

from __future__ import annotations

from wideseek_env.discrete.messages import Subtask, read_lines, take_lines, whole_lines
from wideseek_env.discrete.notes import Candidate, Hit, Notes
from wideseek_env.reading.parsed import ParsedQuestion
from wideseek_env.records import Limits, Observation, ToolCall

_PAGE_CHARS, _PAGE_SHARE = 2_500, 0.2
"""Usual length of an opened page; of a context that is small, as its pages are, this share."""


class Desk:
    """What leads and subagents have in common.

    Args:
        question: what is asked.
        limits: budgets of the episode.
        calls: `search` and `open` calls that may still be made; None: no bound.
    """

    def __init__(self, question: ParsedQuestion, limits: Limits, calls: int | None) -> None:
        self.notes = Notes(question)
        self.limits = limits
        self.calls_left = calls
        self.turn = 0
        self.turns_left = 1
        self._chars = 0
        """Read and written so far."""

    @property
    def context_left(self) -> float:
        """Share of its context that the agent has left, in [0, 1]."""
        return max(0.0, 1.0 - self._chars / self.limits.max_context_chars)

    @property
    def last_turn(self) -> bool:
        """Whether the agent must report or answer now."""
        return self.turns_left == 1

    def write(self, calls: tuple[ToolCall, ...]) -> None:
        """Counts what a decision takes of the context."""
        for call in calls:
            for value in call.arguments.values():
                self._chars += sum(map(len, value)) if isinstance(value, list) else len(str(value))

    def _look(self, observation: Observation) -> None:
        self.turn, self.turns_left = observation.turn, observation.turns_left
        self._chars += len(observation.text)


class SubagentDesk(Desk):
    """A subagent's desk.

    Args:
        subtask: what it was asked to do.
        limits: budgets of the episode.
    """

    def __init__(self, subtask: Subtask, limits: Limits) -> None:
        super().__init__(subtask.question, limits, subtask.calls)
        self.subtask = subtask
        take_lines(self.notes, subtask.lines)
        self._read_before = frozenset(self.notes.lists_read)
        self.given = frozenset(self.notes.rows)
        """URLs of the rows that it was given."""
        self.num_calls = 0
        self.num_failed = 0
        self.rest: tuple[str, int] | None = None
        """URL and number of the part that follows the one that was opened last."""
        self.asked: set[str] = set()
        """Queries made, and URLs of rows searched for."""
        self.lists: list[str] = []
        """URLs of pages of the list that are its share and not read."""
        self.to_open: list[Candidate] = []
        """Rows whose own page was not opened and that may be in the answer."""
        self.to_search: list[Candidate] = []
        """Rows that lack facts and were not searched for."""
        self.others: list[tuple[str, Candidate]] = []
        """Further pages, with their rows, the row whose newest page is oldest first."""
        self.to_follow: list[str] = []
        """Pages of related things whose facts are lacking."""
        self.hits: list[Hit] = []
        """Results of the last search that are about the question and were not opened."""

    def see(self, observation: Observation) -> None:
        """Reads an observation."""
        self._look(observation)
        for result in observation.results:
            if result.call is None or result.call.name not in ("search", "open"):
                continue
            if result.status == "wrong":  # not carried out
                self.num_failed += 1
                continue
            self.num_calls += 1
            if self.calls_left is not None:
                self.calls_left = max(0, self.calls_left - 1)
            if result.status != "ok":
                self.num_failed += 1
                self.asked.add(str(result.call.arguments.get("url")))
            elif result.call.name == "search":
                self.notes.take_search(result.text)
            else:
                self._take_page(result.text)
        self._refresh()

    @property
    def most_calls(self) -> int:
        """Calls that it can make in this turn."""
        most = self.limits.max_calls_per_turn
        return most if self.calls_left is None else min(most, self.calls_left)

    @property
    def most_pages(self) -> int:
        """Pages about things that its context still holds, at their usual length."""
        whole = self.limits.max_context_chars
        return int(self.context_left * whole / min(_PAGE_CHARS, _PAGE_SHARE * whole))

    @property
    def rows(self) -> list[Candidate]:
        """The rows that are its own: given to it, or found on its share of the list."""
        rows = self.notes.rows.values()
        if self.given:
            return [row for row in rows if row.url in self.given]
        if self.subtask.part == "list":
            return [row for row in rows if row.page or row.read]
        return list(rows)

    def _take_page(self, text: str) -> None:
        notes = self.notes.take_page(text)
        self.rest = None
        if notes is not None:
            self.asked.add(notes.url)
            if notes.part < notes.num_parts:
                self.rest = (notes.url, notes.part + 1)

    def _refresh(self) -> None:
        notes, asked = self.notes, self.asked
        first, step = self.subtask.share
        numbers = [n for n in range(1, notes.num_lists + 1) if n not in self._read_before]
        own = numbers[first - 1 :: step] if self.subtask.part == "list" else []
        self.lists = [notes.lists[n] for n in own if n in notes.lists and n not in notes.lists_read]
        live = [row for row in self.rows if row.verdict is not False]
        checks = self.subtask.part == "check"
        self.to_open = [] if checks else [
            row for row in live if row.url not in row.read and row.url not in asked
        ]  # fmt: skip
        self.to_search = [row for row in live if row.missing and f"?{row.url}" not in asked]
        aged = sorted((row for row in live if row.unread), key=lambda row: row.newest)
        self.others = [(url, row) for row in aged for url in row.others if url not in asked]
        follow = (url for row in live for url in notes.to_follow(row))
        self.to_follow = [url for url in dict.fromkeys(follow) if url not in asked]
        self.hits = [hit for hit in notes.hits if hit.url not in asked and notes.is_about(hit)]
        if self.subtask.part == "locate":
            self.hits, self.to_open, self.to_search = [], [], []


class LeadDesk(Desk):
    """The lead's desk.

    Args:
        text: the question as it was asked.
        question: the same, read.
        limits: budgets of the episode.
        n_subagents: slots.
    """

    def __init__(
        self, text: str, question: ParsedQuestion, limits: Limits, n_subagents: int
    ) -> None:
        super().__init__(question, limits, limits.max_tool_calls)
        self.text = text
        self.n_subagents = n_subagents
        self.free = n_subagents
        self.failed: list[str] = []
        """Subtasks of the latest wave that brought no report, or one without a finding."""
        self.open_rows: list[Candidate] = []
        """Rows that may be in the answer and lack facts."""
        self.sure: list[Candidate] = []
        """Rows that meet all conditions."""
        self.unsure: list[Candidate] = []
        """Rows of which it is not known whether they do."""
        self.doubtful: list[Candidate] = []
        """Rows that may be in the answer and have unread pages, oldest knowledge first."""
        self.undated: list[Candidate] = []
        """Rows that may be in the answer and are known from search results alone."""
        self.lists_left: list[int] = []
        """Numbers of the pages of the list that nobody read."""
        self._handed_out: list[str] = []
        """Subtasks of the latest `delegate`, until it is known which trajectories they are."""
        self._share: int | None = None
        """Calls of each of them."""
        self._shares: dict[int, tuple[str, int | None]] = {}
        """Trajectory that is under way to its subtask, and its calls."""
        self._refresh()

    def see(self, observation: Observation) -> None:
        """Reads an observation: reports, and word of subagents that failed."""
        self._look(observation)
        if observation.turn == 0:
            return
        self.failed = []
        for result in observation.results:
            for trajectory, subtask in zip(result.begun, self._handed_out, strict=False):
                self._shares[trajectory] = (subtask, self._share)
            if result.trajectory is None:
                continue
            subtask, share = self._shares.pop(result.trajectory, ("", None))
            self.free = min(self.n_subagents, self.free + 1)
            lines = read_lines(whole_lines(result.body))
            used = take_lines(self.notes, lines)
            if self.calls_left is not None and share is not None and lines:
                self.calls_left += share - used
            if not lines and subtask:
                self.failed.append(subtask)
        self._refresh()

    def share_of_calls(self, num: int) -> int | None:
        """Returns the calls that each of `num` subtasks gets, as the rules share them out."""
        if self.calls_left is None:
            return None
        waits = self.limits.wait_for == "all"
        return self.calls_left // (num if waits else max(self.free, 1))

    def hand_out(self, subtasks: list[str]) -> None:
        """Notes which subtasks go out, to as many slots as are free."""
        self._share = self.share_of_calls(len(subtasks))
        self._handed_out = subtasks[: self.free]
        if self.calls_left is not None and self._share is not None:
            self.calls_left -= self._share * len(self._handed_out)
        self.free -= len(self._handed_out)

    def _refresh(self) -> None:
        notes = self.notes
        live = [row for row in notes.rows.values() if row.verdict is not False]
        self.sure = [row for row in live if row.verdict]
        self.unsure = [row for row in live if row.verdict is None]
        self.open_rows = [row for row in live if row.missing]
        self.undated = [row for row in live if row.facts and not row.read]
        self.doubtful = sorted((row for row in live if row.others), key=lambda row: row.newest)
        numbers = range(1, notes.num_lists + 1)
        self.lists_left = [n for n in numbers if n not in notes.lists_read]
