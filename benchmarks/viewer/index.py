"""What the viewer keeps of a file of episodes: where each line begins, and a few facts of it.

The file may grow while it is read, be replaced by a run that goes on, and hold damaged lines. Lines
are read one at a time, so nothing of a big file is in memory whole.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.compare.run_folder import EPISODES, RUN
from benchmarks.viewer.fates import count_fates, fates
from benchmarks.viewer.view import Label, label_of
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import decode_episode
from wideseek_env.records import RECORD_VERSION, Episode

_STEP_S = 0.05
"""A step of reading takes about this long, so that requests are answered in between."""


@dataclass(slots=True)
class Fact:
    """What the list shows of one line."""

    id: str
    """Short, and the same whenever and wherever the file is read."""
    line: int
    """From 1."""
    offset: int
    label: Label
    task_id: str = ""
    question: str = ""
    item_f1: float | None = None
    """None: it could not be scored."""
    row_f1: float | None = None
    end: str = "damaged"
    num_turns: int = 0
    seconds: float = 0.0
    error: str = ""
    """Why it is invalid or cannot be read, in one line."""
    fates: Mapping[str, int] | None = None
    """Cells by what became of them; None until it is found out."""


class _Task(msgspec.Struct):
    id: str
    question: str
    metadata: dict[str, Any] = {}


class _Score(msgspec.Struct):
    item_f1: float
    row_f1: float


class _Turn(msgspec.Struct):
    level: int


class _Trajectory(msgspec.Struct):
    turns: list[_Turn]


class _Line(msgspec.Struct):
    """The part of an `Episode` that the list needs; the texts are skipped."""

    task: _Task
    policy: str
    seed: int
    n_subagents: int
    trajectories: list[_Trajectory]
    end: str
    score: _Score | None
    seconds: float
    error: str | None = None
    metadata: dict[str, Any] = {}
    version: int = RECORD_VERSION


@dataclass(slots=True)
class RunIndex:
    """The facts of one file of episodes, as far as it has been read."""

    path: Path
    name: str
    """As the viewer calls the run."""
    facts: dict[str, Fact] = field(default_factory=dict)
    """By id; each trial once, the first that is valid."""
    num_changes: int = 0
    """Grows with every change of what is shown."""
    whole: bool = False
    """Whether all that is in the file has been read."""
    untraced: deque[Fact] = field(default_factory=deque)
    """Episodes whose cells nobody has followed yet."""
    _offset: int = 0
    _line: int = 0
    _file_id: int | None = None
    _questions: dict[str, str] = field(default_factory=dict)

    def step(self) -> bool:
        """Reads on for a moment; returns whether there is more to read now."""
        try:
            status = self.path.stat()
        except OSError:  # a run that goes on replaces its file
            return False
        if self._file_id != status.st_ino or status.st_size < self._offset:
            self._begin_again(status.st_ino)
        until_s = time.monotonic() + _STEP_S
        with self.path.open("rb") as file:
            file.seek(self._offset)
            while time.monotonic() < until_s:
                line = file.readline()
                if not line.endswith(b"\n"):  # the end, or a line that is being written
                    self.whole = True
                    return False
                self._line += 1
                self._keep(self._fact(line))
                self._offset += len(line)
        self.whole = False
        return True

    def read(self, fact: Fact) -> Episode:
        """Reads one episode whole.

        Raises:
            DataError: the line is damaged, or the file was replaced meanwhile.
        """
        try:
            return read_episode(self.path, fact.offset)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}, line {fact.line}: {error}") from error

    def set_fates(self, fact: Fact, counts: Mapping[str, int]) -> None:
        """Keeps what became of an episode's cells."""
        fact.fates = counts
        self.num_changes += 1

    def num_expected(self) -> int | None:
        """Returns how many episodes the run will have; None: nobody says."""
        try:
            expected = json.loads((self.path.parent / RUN).read_text("utf-8"))["num_expected"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return expected if isinstance(expected, int) else None

    def _begin_again(self, file_id: int) -> None:
        self.facts.clear()
        self.untraced.clear()
        self._offset = self._line = 0
        self._file_id = file_id
        self.num_changes += 1

    def _keep(self, fact: Fact) -> None:
        """Keeps a fact, unless the same trial has come before it and is valid."""
        before = self.facts.get(fact.id)
        if before is None or (before.item_f1 is None and fact.item_f1 is not None):
            self.facts[fact.id] = fact
            self.num_changes += 1
            if fact.item_f1 is not None:
                self.untraced.append(fact)

    def _fact(self, line: bytes) -> Fact:
        try:
            read = _DECODER.decode(line)
            if read.version != RECORD_VERSION:
                raise ValueError(
                    f"record version {read.version}, and this release reads {RECORD_VERSION}"
                )
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            nowhere = Label("", "", 0, None, 0)
            why = f"line {self._line} is no episode: {error}"
            return Fact(_digest(f"line {self._line}"), self._line, self._offset, nowhere, error=why)
        label = label_of(read.metadata, read.task.metadata, read.policy, read.n_subagents)
        key = read.metadata.get("key") or f"{self._line}|{label}|{read.task.id}|{read.seed}"
        question = self._questions.setdefault(read.task.question, read.task.question)
        return Fact(
            id=_digest(str(key)),
            line=self._line,
            offset=self._offset,
            label=label,
            task_id=read.task.id,
            question=question,
            item_f1=read.score.item_f1 if read.score else None,
            row_f1=read.score.row_f1 if read.score else None,
            end=read.end,
            num_turns=sum(len(trajectory.turns) for trajectory in read.trajectories),
            seconds=read.seconds,
            error=(read.error or "").partition("\n")[0],
        )


_DECODER = msgspec.json.Decoder(_Line)


def _digest(key: str) -> str:
    return blake2b(key.encode(), digest_size=5).hexdigest()


def read_episode(path: Path, offset: int) -> Episode:
    """Returns the episode whose line begins at this byte.

    Raises:
        ValueError: none does.
    """
    with path.open("rb") as file:
        file.seek(offset)
        return decode_episode(file.readline())


def fates_at(path: Path, offsets: list[int]) -> list[dict[str, int] | None]:
    """Counts the fates of the episodes whose lines begin there; None where none does."""
    counts: list[dict[str, int] | None] = []
    for offset in offsets:
        try:
            counts.append(dict(count_fates(fates(read_episode(path, offset), brief=True))))
        except (OSError, ValueError):
            counts.append(None)
    return counts


def open_runs(paths: list[Path]) -> list[RunIndex]:
    """Finds the files of episodes of runs, each under a name of its own.

    Raises:
        DataError: a folder has none.
    """
    files = [path / EPISODES if path.is_dir() else path for path in paths]
    for path, file in zip(paths, files, strict=True):
        if not file.is_file():
            raise DataError(
                f"expected a run, a folder with {EPISODES} or such a file, but there is none at "
                f"{path}; `wideseek benchmark` makes runs under runs/"
            )
    names = [(file.parent if file.name == EPISODES else file).resolve().name for file in files]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise DataError(f"expected different runs, got {paths[0]} twice")
    return [RunIndex(file, name) for file, name in zip(files, names, strict=True)]
