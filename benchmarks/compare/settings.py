"""What a benchmark run plays: its settings, checked, and the cells of its grid.

Equal settings give equal episodes, so a run that was killed goes on only under its own settings.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.compare.llm import LLM, REACHED_BY, LLMSettings
from benchmarks.compare.policies import POLICIES
from wideseek_env.worlds import PRESETS

CORPUS = "corpus"
"""Stands in the preset's place when the pages are a folder's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run; the defaults end in about a minute on two cores."""

    policies: tuple[str, ...] = ("solo", "fanout", "mappo", "random", "oracle")
    """Names from `policies.POLICIES`."""
    widths: tuple[int, ...] = (0, 1, 2, 4, 8, 16)
    """Subagents; 0 is a single agent that searches and opens by itself."""
    depths: tuple[int, ...] = (2, 3, 4, 5, 10, 20, 40, 80)
    """Turn limits of the single agent in the depth sweep; empty leaves the sweep out."""
    presets: tuple[str, ...] = ("default", "conflict", "hard")
    """Worlds, held out from training ("test" split)."""
    num_tasks: int = 12
    """Tasks of each preset; intervals are over tasks."""
    num_trials: int = 1
    """Episodes of each task, with seeds that differ; Avg@k, Max@k and Pass@k need 2."""
    seed: int = 0
    """Of worlds, tasks, policies and intervals."""
    budget: int | None = 240
    """`search` and `open` calls of all agents together, the same for every policy and width."""
    corpus: str | None = None
    """Folder of real pages that takes the place of the presets."""
    task_file: str | None = None
    """Questions about the corpus, in any format that `wideseek_env.tasks.files` reads; None: those
    that the corpus brings."""
    tables: str | None = None
    """Folder of the gold tables, which WideSearch's format needs."""
    llm: LLMSettings | None = None
    """The model behind the policy `llm`; None when it does not play."""

    def __post_init__(self) -> None:
        _check_names("--policies", self.policies, POLICIES)
        if self.corpus is None:
            _check_names("--presets", self.presets, PRESETS)
        elif not Path(self.corpus).is_dir():
            raise ValueError(
                f"--corpus: expected a folder of pages, got {self.corpus!r}, which is none; "
                "see docs/benchmarks.md for what it must hold"
            )
        _check_numbers("--widths", self.widths, lowest=0, highest=256)
        if self.depths:
            _check_numbers("--depths", self.depths, lowest=1, highest=10_000)
        _check_numbers("--tasks", (self.num_tasks,), lowest=1, highest=1_000_000)
        _check_numbers("--trials", (self.num_trials,), lowest=1, highest=1_000)
        _check_numbers("--seed", (self.seed,), lowest=0, highest=2**31 - 1)
        if self.budget is not None:
            _check_numbers("--budget", (self.budget,), lowest=1, highest=10**9)
        if self.task_file is not None and self.corpus is None:
            raise ValueError("--task-file: its questions need pages, give --corpus as well")
        if self.tables is not None and self.task_file is None:
            raise ValueError("--tables: they are the gold of a --task-file, give that as well")
        if (self.llm is not None) != (LLM in self.policies):
            raise ValueError(
                "the policy llm and its model go together: give `--policies llm` with --model or "
                "--replay, or none of these"
            )
        if not self.cells():
            raise ValueError(
                f"no policy of {', '.join(self.policies)} plays at widths "
                f"{', '.join(map(str, self.widths))} on {self.corpus or ', '.join(self.presets)}; "
                "`python -m benchmarks --list` says what each plays"
            )

    def cells(self) -> tuple[Cell, ...]:
        """Returns the grid: every policy at each width that it plays, then the depth sweep.

        References play at the least and the greatest width alone: they are flat.
        """
        presets = (CORPUS,) if self.corpus else self.presets
        ends = (min(self.widths), max(self.widths))
        grid = [
            Cell(preset, policy, width)
            for preset in presets
            for policy in self.policies
            for width in self.widths
            if POLICIES[policy].plays(preset, width)
            and (width in ends or not POLICIES[policy].reference)
        ]
        sweep = [
            Cell(preset, policy, 0, depth)
            for preset in presets
            for policy in self.policies
            if POLICIES[policy].sweep_depth
            for depth in self.depths
        ]
        return (*grid, *sweep)

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as JSON can hold them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    def left_out(self) -> tuple[str, ...]:
        """Returns the policies that no cell plays: a width or a preset that they need is absent."""
        playing = {cell.policy for cell in self.cells()}
        return tuple(name for name in self.policies if name not in playing)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        """Returns the settings that `to_json` gave.

        Raises:
            TypeError: `data` has other fields than these.
            ValueError: a setting is not allowed, as after a policy was renamed.
        """
        fields_: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        if fields_.get("llm") is not None:
            fields_["llm"] = LLMSettings.from_json(fields_["llm"])
        return cls(**fields_)

    def difference(self, other: dict[str, Any]) -> str | None:
        """Returns the first setting in which `other`, read from JSON, differs, for people.

        How a model is reached is no difference: a server may come back at another address.
        """
        for field in fields(self):
            mine, theirs = (
                {k: v for k, v in value.items() if k not in REACHED_BY} if isinstance(value, dict)
                else value
                for value in (self.to_json()[field.name], other.get(field.name))
            )  # fmt: skip
            if mine != theirs:
                return f"`{field.name}` was {theirs!r} and is now {mine!r}"
        return None


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the table: a policy at one width (or, in the sweep, one depth) on one preset."""

    preset: str
    policy: str
    width: int
    depth: int | None = None
    """Turn limit of the single agent in the depth sweep; None outside it."""


def _check_names(option: str, names: tuple[str, ...], valid: Any) -> None:
    for name in names or ("",):
        if name not in valid:
            raise ValueError(f"{option}: expected any of {', '.join(valid)}, got {name!r}")
    _check_once(option, names)


def _check_numbers(option: str, numbers: tuple[int, ...], *, lowest: int, highest: int) -> None:
    if not numbers:
        raise ValueError(f"{option}: expected at least one number, got none")
    for number in numbers:
        if not lowest <= number <= highest:
            raise ValueError(f"{option}: expected {lowest} to {highest}, got {number}")
    _check_once(option, numbers)


def _check_once(option: str, values: tuple[Any, ...]) -> None:
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise ValueError(f"{option}: expected each value once, got {twice[0]!r} twice")
