"""One typed record per level: Task, ToolCall, Turn, Trajectory, Episode, Score.

Every part of the project reads and writes these and nothing else: the rules fill an `Episode`, the
scorer a `Score`; benchmark, viewer and trainer take both from one JSON line. The records are frozen
dataclasses; `jsonlines.py` writes and reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

from wideseek_env.game.limits import check_limit

RECORD_VERSION = 2

Role: TypeAlias = Literal["lead", "subagent"]
ResultStatus: TypeAlias = Literal["ok", "wrong", "failed", "notice"]
TrajectoryEnd: TypeAlias = Literal[
    "answered", "reported", "turn_budget", "context_budget", "cancelled", "running"
]
EpisodeEnd: TypeAlias = Literal[
    "answered", "turn_budget", "context_budget", "time_budget", "cancelled", "invalid"
]


@dataclass(frozen=True, slots=True)
class Column:
    """A required column and how its cells are compared (WideSearch's `eval_pipeline`)."""

    name: str
    """Header, as the question names it."""
    metric: str = "exact_match"
    """One of exact_match, number_near, date_near, url_match, in_match, llm_judge. Official mode
    also marks several, joined by `+`, or `none`; strict mode then goes by `preprocess` alone."""
    preprocess: tuple[str, ...] = ("norm_str",)
    """Any of norm_str, extract_number, norm_date, in this order, before the metric."""
    criterion: float | str | None = None
    """number_near: relative tolerance; llm_judge: what the judge is told counts as equal. None is
    the mode's default. Unused by other metrics."""


@dataclass(frozen=True, slots=True)
class Task:
    """A question with its required columns, key columns and gold table.

    A deep task (one answer, several hops) is a table with one row and one column.
    """

    id: str
    question: str
    columns: tuple[Column, ...]
    key_columns: tuple[str, ...]
    gold: tuple[tuple[str, ...], ...]
    """Rows; each has one cell for each of `columns`, in their order."""
    kind: Literal["wide", "deep"] = "wide"
    language: str = "en"
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Gold value to further spellings that are as right as it."""
    sources: tuple[tuple[tuple[str, ...], ...], ...] = ()
    """URLs of the pages that hold each gold cell, `[row][column]`; empty when unknown."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What made the task: preset, world, number of rows, hops; never read by rules or scorer."""

    def __post_init__(self) -> None:
        """Checks that the parts fit together, as a task that does not would end its episode.

        Raises:
            ValueError: they do not; the message says which.
        """
        names = self.column_names
        if not names or not set(self.key_columns) <= set(names):
            raise ValueError(
                f"task {self.id!r}: expected `columns`, and `key_columns` among them, got "
                f"{self.key_columns!r} and the columns {names!r}"
            )
        for row in self.gold:
            if len(row) != len(names):
                raise ValueError(
                    f"task {self.id!r}: expected {len(names)} cells in each gold row, one for "
                    f"each column, got {len(row)}: {row!r}"
                )
        if self.sources and list(map(len, self.sources)) != list(map(len, self.gold)):
            raise ValueError(
                f"task {self.id!r}: expected `sources` to be empty or to have an entry for each "
                f"gold cell, got rows of {[len(row) for row in self.sources]}"
            )

    @property
    def column_names(self) -> tuple[str, ...]:
        """Headers of the required columns, in order."""
        return tuple(column.name for column in self.columns)


STEERING = ("delegate", "answer", "report", "fold")
"""Calls that steer the game; every other asks for information, and its tool may fail."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool, such as `search`, `open`, `delegate`, `report` or `answer`."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def informs(self) -> bool:
        """Whether it asks a tool for information, as `search` and `open` do."""
        return self.name not in STEERING


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What one tool call, or the game itself, said to an agent."""

    text: str
    """What the agent sees, whole."""
    status: ResultStatus = "ok"
    """ok; wrong: not allowed or malformed; failed: the tool could not; notice: the game's word."""
    call: ToolCall | None = None
    """The call that this answers; None for notices and for reports that came later."""
    urls: tuple[str, ...] = ()
    """Pages shown: the one opened, or the hits of a search."""
    seconds: float = 0.0
    """Wall time of the tool."""
    begun: tuple[int, ...] = ()
    """Trajectories that a `delegate` began, in the order of its subtasks; what it dropped began
    none. Indices into `Episode.trajectories`, as all that name a trajectory."""
    trajectory: int | None = None
    """The trajectory whose report, or word of its absence, this is; None for all else."""
    heading_chars: int = 0
    """Characters at the beginning of `text` in which the game says whose report this is."""
    cut: bool = False
    """Whether the context had no room for all of it; `text` is what was shown."""

    @property
    def body(self) -> str:
        """What stands behind the game's heading: a report in its author's own words."""
        return self.text[self.heading_chars :]


@dataclass(frozen=True, slots=True)
class Observation:
    """What one agent sees before one decision."""

    text: str
    turn: int
    """0 for the first decision on a (sub)task: then `text` is the question or the subtask."""
    turns_left: int
    """Decisions left, this one included; at least 1. With a full context 1, unless it folds."""
    results: tuple[ToolResult, ...] = ()
    """`text` in its parts: answers to the last calls, in order, then notices; empty at turn 0.
    After a fold, `text` has the (sub)task before them: it is all that the agent has."""
    segment: int = 0
    """How often the agent has folded its context on this (sub)task. A greater number than in its
    last observation: nothing that it was shown before counts any more."""


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """The exact tokens of one decision; kept as sampled, never made again from text."""

    prompt_ids: tuple[int, ...]
    """Ids that were new in the prompt since the agent's last decision."""
    ids: tuple[int, ...]
    """Sampled ids."""
    logprobs: tuple[float, ...]
    """Log-probability of each of `ids` in the sampler; empty when the engine gives none."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an agent does in one turn; no calls means wait."""

    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    """What a model wrote, thinking included; empty for scripted agents."""
    error: str | None = None
    """Why no calls could be read out of `text`; the agent is told."""
    tokens: TokenSpan | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    """Figures of the policy: tokens, seconds, cost; the game carries them unread."""
    context_full: bool = False
    """The policy has no room for another turn: the trajectory ends here, as `context_budget`."""

    @property
    def num_chars(self) -> int:
        """Characters written; without a text, those of its calls' arguments."""
        if self.text:
            return len(self.text)
        return sum(len(str(value)) for call in self.calls for value in call.arguments.values())


@dataclass(frozen=True, slots=True)
class Turn:
    """One decision of one agent and what came of it; the results are the next observation."""

    decision: Decision
    results: tuple[ToolResult, ...]
    started_s: float
    """When the agent saw the observation, in seconds since the episode began."""
    decided_s: float
    """When the decision reached the game."""
    ended_s: float
    """When the last result was there."""
    level: int
    """Turns of all agents on the longest chain that had to be over before this one; 0 for the
    episode's first turn. A subagent's first turn comes after the turn that delegated it, the lead's
    next turn after the reports that it shows."""

    @property
    def folded(self) -> bool:
        """Whether the agent replaced all that it had read: the next turn begins a segment."""
        return any(r.call and r.call.name == "fold" and r.status == "ok" for r in self.results)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """All turns of one agent on one (sub)task; a slot has one for each subtask it was given."""

    agent: str
    role: Role
    prompt: str
    """First observation: the question, or the subtask."""
    turns: tuple[Turn, ...]
    end: TrajectoryEnd
    parent: int | None = None
    """The trajectory that delegated this one; None: the lead's own, which nobody delegated."""
    parent_turn: int | None = None
    """The turn of `parent` in which it did, from 0."""

    @property
    def segments(self) -> tuple[range, ...]:
        """Turns by segment; a fold ends one, see `game/fold.py`."""
        ends = [number for number, turn in enumerate(self.turns, 1) if turn.folded]
        bounds = [0, *(end for end in ends if end < len(self.turns)), len(self.turns)]
        return tuple(map(range, bounds, bounds[1:]))


@dataclass(frozen=True, slots=True)
class Score:
    """Table metrics as WideSearch defines them; strict mode keeps each in [0, 1]."""

    success: float
    row_precision: float
    row_recall: float
    row_f1: float
    item_precision: float
    item_recall: float
    item_f1: float
    parsed: bool = True
    """Whether a table (or, for a deep task, an answer) could be read from the response."""
    correct: tuple[tuple[int, int], ...] = ()
    """(row, column) in the gold table of each cell that the response got right."""


METRICS = tuple(metric.name for metric in fields(Score) if metric.type == "float")
"""Names of the metrics of a `Score`, in its order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an episode may use. Every limit has a defined end: the agent is told, nothing raises.

    The defaults are the paper's.

    Source: WideSeek-R1 (arXiv 2602.04634).
    """

    max_lead_turns: int = 10
    """Decisions of the lead; after the last without an answer the episode is truncated."""
    max_subagent_turns: int = 20
    """Decisions of a subagent on one subtask; after the last without a report it has failed."""
    max_calls_per_turn: int = 5
    """Tool calls that run in one turn; the rest are refused."""
    max_tool_calls: int | None = None
    """`search` and `open` calls of all agents together; None is no bound. For equal budgets."""
    top_k: int = 3
    """Search results for each query."""
    max_snippet_chars: int = 300
    """Length of a search result's snippet; 0 shows titles and URLs alone."""
    max_context_chars: int = 120_000
    """Characters that one agent may read and write on one (sub)task, about 32k tokens; what does
    not fit is cut, and the agent is told to report or answer. A fold begins the count anew."""
    max_folds: int = 0
    """Times that an agent may `fold` its context on one (sub)task; 0: it has no such tool."""
    max_fold_chars: int = 60_000
    """Characters of the text that then stands for all that it has read; in any case no more than
    half of `max_context_chars`."""
    tool_timeout_s: float = 30.0
    """Deadline of one `search` or `open`."""
    episode_timeout_s: float | None = None
    """Wall time of the episode; None is no bound, as it makes results depend on the machine. In
    `env.step` the time is looked at when a turn ends; the rollout driver stops in mid-turn."""
    wait_for: int | Literal["all"] = "all"
    """Reports the lead waits for after it delegated: "all", or a number (0: it goes on at once)."""
    lead_tools: bool = False
    """Whether the lead may search and open by itself; always so without subagents."""
    tools: tuple[str, ...] = ("search", "open")
    """Tools for information, of all who seek: names of `wideseek_env.game.tools.TOOLS`, or import
    paths of a user's own (`my_package.tools:CALCULATE`), which every process can then find."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            check_limit(limit.name, getattr(self, limit.name))


@dataclass(frozen=True, slots=True)
class CellCredit:
    """A correct cell of the final table and the trajectories that had read a source of it."""

    row: int
    column: int
    trajectories: tuple[int, ...]
    """Indices into `Episode.trajectories`; empty when nobody opened a source."""


@dataclass(frozen=True, slots=True)
class Episode:
    """All turns of all agents on one task, with times, score, reward terms and provenance."""

    task: Task
    policy: str
    seed: int
    n_subagents: int
    limits: Limits
    trajectories: tuple[Trajectory, ...]
    """The lead's first, then by order of delegation."""
    end: EpisodeEnd
    answer: str | None
    """What the lead handed in; None when it did not."""
    score: Score | None
    """None: could not be scored (see `error`), which is not a score of 0."""
    reward_terms: Mapping[str, float]
    """Named parts of the team's reward; they add up to it."""
    provenance: tuple[CellCredit, ...]
    seconds: float
    error: str | None = None
    """Why the episode is invalid: type, message and traceback."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Set by who ran the episode: preset, trial, budget."""
    version: int = RECORD_VERSION

    @property
    def valid(self) -> bool:
        """Whether the episode counts: it ended by its rules and was scored."""
        return self.score is not None

    @property
    def reward(self) -> float:
        """The team's reward, the sum of its terms."""
        return float(sum(self.reward_terms.values()))

    @property
    def width(self) -> int:
        """Subagents that worked."""
        return len({t.agent for t in self.trajectories if t.role == "subagent" and t.turns})

    @property
    def depth(self) -> int:
        """Most turns that one agent took on one (sub)task."""
        return max((len(t.turns) for t in self.trajectories), default=0)

    @property
    def critical_path_turns(self) -> int:
        """Turns on the longest chain of turns that wait for one another."""
        return max((turn.level + 1 for t in self.trajectories for turn in t.turns), default=0)

    @property
    def num_turns(self) -> int:
        """Turns of all agents."""
        return sum(len(t.turns) for t in self.trajectories)

    @property
    def num_folds(self) -> int:
        """Folds of all agents."""
        return sum(turn.folded for t in self.trajectories for turn in t.turns)

    @property
    def num_tool_calls(self) -> int:
        """Calls for information that a tool answered, failures included."""
        return sum(1 for result in self.tool_results() if result.status in ("ok", "failed"))

    @property
    def chars_read(self) -> int:
        """Characters that tools for information showed to all agents."""
        return sum(len(result.text) for result in self.tool_results())

    def tool_results(self) -> list[ToolResult]:
        """Every answer to a call for information, by trajectory and turn."""
        return [
            result
            for trajectory in self.trajectories
            for turn in trajectory.turns
            for result in turn.results
            if result.call is not None and result.call.informs
        ]
