"""What a benchmark run plays: its settings, checked, and the cells of its grid.

Equal settings give equal episodes, so a run that was killed goes on only under its own settings.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from tyro.conf import OmitArgPrefixes

from benchmarks.compare.llm import LLM, REACHED_BY, LLMSettings, is_model
from benchmarks.compare.policies import POLICIES, entry_of
from wideseek_env.cli.options import Count, PathRule, Seed, check_values, recorded
from wideseek_env.plugins import check
from wideseek_env.scoring.named import SCORERS
from wideseek_env.tasks.named import check_backend
from wideseek_env.worlds import PRESETS

Width = Annotated[int, Meta(ge=0, le=256)]


@dataclass(frozen=True, slots=True)
class Settings:
    """One run; the defaults end within two minutes on two cores."""

    policies: tuple[str, ...] = ("solo", "solo_fold", "fanout", "mappo", "random", "oracle")
    """Who plays: names that `--list` tells; your own as my_package.policies:Mine; weights:FILE or
    sb3:FILE, a checkpoint; hf:FOLDER, a language model; http://HOST/v1, the model of a server."""
    widths: tuple[Width, ...] = (0, 1, 2, 4, 8, 16)
    """Numbers of subagents; 0 is a single agent that searches and opens by itself."""
    depths: tuple[Count, ...] = (2, 3, 4, 5, 10, 20, 40, 80, 160)
    """Turn limits of the single agent in the depth sweep; an empty text leaves the sweep out."""
    sources: tuple[str, ...] = ("default", "conflict", "hard")
    """Tasks to play: presets of closed worlds, held out from training (split `test`); corpus:DIR, a
    folder of pages with its tasks; file:FILE; hub:NAME; a Python path, my_package.tasks:make."""
    num_tasks: Annotated[int, Meta(ge=1, le=1_000_000)] = 12
    """Tasks of each source; intervals are over tasks."""
    num_trials: Annotated[int, Meta(ge=1, le=1_000)] = 1
    """Episodes of each task, with seeds that differ; Avg@k, Max@k and Pass@k need 2."""
    seed: Seed = 0
    """Of worlds, tasks, policies and intervals."""
    budget: Count | None = 240
    """Search and open calls of all agents together, the same for every policy and width."""
    scorer: str = "strict"
    """Who scores: strict, official, or a Python path such as my_package.scoring:Mine."""
    backend: str | None = None
    """Where the tasks of a file are looked up: a folder of pages, or a Python path."""
    record: Annotated[str, PathRule("file", "write")] | None = None
    """SQLite file that every call to `--backend` goes into, and that answers what it holds."""
    replay_tools: Annotated[str, PathRule("file", "read")] | None = None
    """Such a file in place of `--backend`: nobody is asked, and a call that it does not hold makes
    its episode invalid."""
    tables: Annotated[str, PathRule("folder", "read")] | None = None
    """Folder of the gold tables, which WideSearch's format needs."""
    salt: Annotated[str, PathRule("file", "read")] | None = None
    """A file with a secret that closed worlds are drawn from: nobody without it can make them, or
    their answers, again."""
    llm: OmitArgPrefixes[LLMSettings] = field(default_factory=LLMSettings)
    """The model behind the policy `llm`, and how it and other models play."""

    def __post_init__(self) -> None:
        for name in self.policies:
            check("policies", name, POLICIES)
        for text in self.sources:
            check("sources", text, PRESETS)  # others, such as corpus:DIR, when they are played
        check("scorers", self.scorer, SCORERS)
        check_values(self)
        check_backend(self.asked, *self.sources)
        for option, values in (
            ("--policies", self.policies),
            ("--sources", self.sources),
            ("--widths", self.widths),
            ("--depths", self.depths),
        ):
            _check_once(option, values, may_be_empty=option == "--depths")
        for name in self.models:
            self.llm.named(name)
        if self.llm.chosen != (LLM in self.policies):
            raise ValueError(
                "the policy llm and its model go together: give `--policies llm` with --model or "
                "--replay, or none of these"
            )

    def read_salt(self) -> str:
        """Reads the secret that closed worlds are drawn from; "" without one.

        Raises:
            ValueError: the file cannot be read, or is empty.
        """
        if self.salt is None:
            return ""
        try:
            salt = Path(self.salt).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--salt: cannot read {self.salt}: {error}") from error
        if not salt:
            raise ValueError(f"--salt: expected a secret in {self.salt}, which is empty")
        return salt

    @property
    def asked(self) -> str | None:
        """The backend by its text, with the file that records it or stands for it."""
        return recorded(self.backend, self.record, self.replay_tools)

    @property
    def models(self) -> tuple[str, ...]:
        """The policies that are language models, for which engines have to be opened."""
        return tuple(filter(is_model, self.policies))

    def check_playable(self) -> None:
        """Looks whether there is anything to play, for which policies are imported.

        Raises:
            ValueError: no policy plays at any of the widths and sources.
        """
        if not self.cells():
            raise ValueError(
                f"no policy of {', '.join(self.policies)} plays at widths "
                f"{', '.join(map(str, self.widths))} on {', '.join(self.sources)}; "
                "`wideseek benchmark --list` says what each plays"
            )

    def cells(self) -> tuple[GridCell, ...]:
        """Returns the grid: every policy at each width that it plays, then the depth sweep.

        References play at the least and the greatest width alone: they are flat.
        """
        entries = {name: entry_of(name) for name in self.policies}
        ends = (min(self.widths), max(self.widths))
        grid = [
            GridCell(source, policy, width)
            for source in self.sources
            for policy, entry in entries.items()
            for width in self.widths
            if entry.plays(source, width) and (width in ends or not entry.reference)
        ]
        sweep = [
            GridCell(source, policy, 0, depth)
            for source in self.sources
            for policy, entry in entries.items()
            if entry.sweep_depth
            for depth in self.depths
        ]
        return (*grid, *sweep)

    def to_json(self) -> dict[str, Any]:
        """Gives the settings as JSON can hold them; a model that does not play is not in them."""
        data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))  # tuples as lists
        if not self.models:
            del data["llm"]
        return data

    def left_out(self) -> tuple[str, ...]:
        """Returns the policies that no cell plays: a width or a source that they need is absent."""
        playing = {cell.policy for cell in self.cells()}
        return tuple(name for name in self.policies if name not in playing)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        """Reads what `to_json` gave.

        Raises:
            ValueError: a setting is not allowed, is missing, or is none of this release's.
        """
        settings = msgspec.convert(data, cls)
        if settings.to_json() != data:
            raise ValueError(f"expected the settings {settings.to_json()}, got {data}")
        return settings

    def difference(self, other: dict[str, Any]) -> str | None:
        """Returns the first setting in which `other`, read from JSON, differs, for people.

        How a model is reached is no difference: a server may come back at another address.
        """
        for setting in fields(self):
            mine, theirs = (
                {k: v for k, v in value.items() if k not in REACHED_BY} if isinstance(value, dict)
                else value
                for value in (self.to_json().get(setting.name), other.get(setting.name))
            )  # fmt: skip
            if mine != theirs:
                return f"`{setting.name}` was {theirs!r} and is now {mine!r}"
        return None


@dataclass(frozen=True, slots=True)
class GridCell:
    """One row of the table: a policy at one width (or, in the sweep, one depth) on one source."""

    source: str
    policy: str
    width: int
    depth: int | None = None
    """Turn limit of the single agent in the depth sweep; None outside it."""


def _check_once(option: str, values: Collection[Any], *, may_be_empty: bool) -> None:
    if not values and not may_be_empty:
        raise ValueError(f"{option}: expected at least one, got none")
    twice = [value for value in values if list(values).count(value) > 1]
    if twice:
        raise ValueError(f"{option}: expected each value once, got {twice[0]!r} twice")
