"""The two ends of the scale: `random`, which knows nothing, and `oracle`, which sees the gold."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from agents.policy import EpisodeInfo, public_id
from agents.scripted.script import Script, ScriptPlayer, answer, report
from wideseek_env.game.episode import role_of
from wideseek_env.game.tools import tools_of
from wideseek_env.records import Decision, Observation, Task, ToolCall
from wideseek_env.scoring.tables import write_table

_WORD = re.compile(r"\w+")
_URL = re.compile(r"(?:https?:/)?/[^\s()|]+")
_MAX_WORDS = 400


class RandomPolicy:
    """Makes random valid calls, with words and URLs that the agent has seen, or waits."""

    name = "random"

    def begin(self, info: EpisodeInfo) -> _RandomPlayer:
        """Returns the player of one episode; all it draws follows from `info.seed`."""
        return _RandomPlayer(info)


class _RandomPlayer:
    def __init__(self, info: EpisodeInfo) -> None:
        self._info = info
        # One generator for each agent, so that who is asked first does not change what is drawn.
        self._rng: dict[str, random.Random] = {}
        self._words: dict[str, list[str]] = {}
        self._urls: dict[str, list[str]] = {}

    async def decide(self, agent: str, observation: Observation) -> Decision:
        rng = self._rng.setdefault(agent, random.Random(f"{self._info.seed}:{agent}"))
        if observation.turn == 0:
            self._words[agent], self._urls[agent] = ["x"], ["/"]
        self._words[agent] += _WORD.findall(observation.text)[:_MAX_WORDS]
        self._urls[agent] += _URL.findall(observation.text)[:_MAX_WORDS]
        names = list(tools_of(role_of(agent), self._info.limits, self._info.n_subagents))
        num_calls = rng.randint(0, self._info.limits.max_calls_per_turn)
        return Decision(tuple(self._call(rng, agent, rng.choice(names)) for _ in range(num_calls)))

    def _call(self, rng: random.Random, agent: str, name: str) -> ToolCall:
        def text(max_words: int) -> str:
            return " ".join(rng.choices(self._words[agent], k=rng.randint(1, max_words)))

        if name == "search":
            return ToolCall(name, {"query": text(6)})
        if name == "open":
            part = {} if rng.random() < 0.7 else {"part": rng.randint(1, 3)}
            return ToolCall(name, {"url": rng.choice(self._urls[agent]), **part})
        if name == "delegate":
            num = rng.randint(1, max(1, self._info.n_subagents))
            return ToolCall(name, {"subtasks": [text(20) for _ in range(num)]})
        if name == "answer":
            width = len(self._info.columns)
            rows = [[text(2) for _ in range(width)] for _ in range(rng.randint(1, 10))]
            return ToolCall(name, {"text": write_table(self._info.columns, rows)})
        return ToolCall(name, {"text": text(20)})


class OraclePolicy:
    """Answers the gold at once: the ceiling, and a check of worlds and scorer.

    Args:
        tasks: every task that it will be asked to play.
    """

    name = "oracle"

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = {public_id(task): task for task in tasks}

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode.

        Raises:
            ValueError: the task is none of those that the oracle was given.
        """
        task = self._tasks.get(info.task_id)
        if task is None:
            raise ValueError(
                f"the oracle must know the task, got {info.question[:80]!r}; "
                f"give OraclePolicy all tasks (it has {len(self._tasks)})"
            )
        text = task.gold[0][0] if task.kind == "deep" else write_table(task.column_names, task.gold)

        def lead(info: EpisodeInfo, observation: Observation) -> Script:
            yield answer(text)

        def subagent(info: EpisodeInfo, observation: Observation) -> Script:
            yield report("")

        return ScriptPlayer(info, lead, subagent)
