"""`wideseek synthesize`: makes broad tasks with gold tables out of pages, by rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta
from tyro.conf import Positional

from wideseek_env.cli.options import Count, OutFolder, Seed, check_values
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import Interrupted
from wideseek_env.tasks.synthesis.drafts import DraftRules
from wideseek_env.tasks.synthesis.stages import CARD, Synthesis

_HalfAtMost = Annotated[float, Meta(ge=0, le=0.5)]


@dataclass(frozen=True, kw_only=True)
class SynthesizeOptions:
    """Makes broad tasks with exact gold tables out of pages with tables, or of a world's pages.

    No model is asked. The same corpus and options give the same tasks; a run that was stopped goes
    on where it was.
    """

    corpus: Positional[Path]
    """Folder or file of pages: HTML files, or JSON lines as `wideseek world --out` writes them."""
    out: OutFolder
    """Folder for the tasks, the file of each stage, and the data card."""
    num_tasks: Count = 1000
    """At most so many tasks, held-out ones among them."""
    languages: tuple[Literal["en", "zh"], ...] = ("en",)
    """Of the questions, in turn."""
    min_rows: Count = 3
    """Fewest rows of a gold table."""
    max_rows: Count = 60
    """Most rows of a gold table."""
    broad: bool = False
    """Only tasks that no single page answers."""
    test_share: _HalfAtMost = 0.1
    """Share of the groups of pages that are held out for a test."""
    seed: Seed = 0
    """Of all draws."""
    dry_run: bool = False
    """Prints what would be done and ends."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.min_rows > self.max_rows:
            raise ValueError(
                f"--min-rows: expected at most --max-rows, got {self.min_rows} and {self.max_rows}"
            )
        if not self.languages:
            raise ValueError("--languages: expected at least one of en and zh, got none")


def run(options: SynthesizeOptions) -> int:
    """Makes the tasks; returns the exit status."""
    rules = DraftRules(
        options.seed,
        options.languages,
        options.min_rows,
        options.max_rows,
        options.broad,
        options.test_share,
    )
    try:
        with progress("pages", None) as advance:
            synthesis = Synthesis(
                options.corpus,
                options.out,
                options.num_tasks,
                rules,
                lambda **told: advance(count=0, **told),
            )
            if options.dry_run:
                done = ", ".join(synthesis.state.stages) or "none"
                print(
                    f"{options.corpus}: relations, then at most {options.num_tasks:,} drafts, each "
                    f"checked against its pages, to {options.out}. Stages done: {done}. No model "
                    "is asked: price 0."
                )
                return 0
            made = synthesis.run()
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"the finished stages are kept in {options.out}; the same command goes on"
        ) from error
    print(f"wrote {made.kept:,} tasks to {options.out}; {options.out / CARD} tells about them")
    if made.kept < options.num_tasks:
        print(f"these pages give no more: {options.num_tasks:,} were asked for")
    return 0
