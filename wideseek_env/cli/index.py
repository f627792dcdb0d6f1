"""`wideseek index`: reads and indexes pages into a folder that servers and runs open."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from wideseek_env.backends.corpus.building import grow_index
from wideseek_env.backends.corpus.index import Boosts
from wideseek_env.cli.options import AtLeastZero, OutFolder, check_values
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import Interrupted


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """Reads and indexes a corpus into a folder, which servers and runs open as a backend.

    Pages are read one at a time, so a corpus may be larger than memory. After Ctrl-C or a kill the
    same command goes on.
    """

    corpus: Positional[Path]
    """Folder or file of pages: HTML files, or JSON lines of pages or passages."""
    out: OutFolder
    """Folder of the index; `--backend FOLDER` and `wideseek serve FOLDER` open it."""
    add: bool = False
    """Adds to the index that is there; a page whose URL it has replaces the old one."""
    title_boost: AtLeastZero | None = None
    """Adds so many times what a word scores in the title alone; none is 0, or the index's own."""
    phrase_boost: AtLeastZero | None = None
    """Adds so many times what two words of a query score side by side; none as above."""
    strict: bool = False
    """Ends at the first broken line instead of leaving it out."""

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def boosts(self) -> Boosts | None:
        """What was asked for; None when nothing was."""
        if self.title_boost is None and self.phrase_boost is None:
            return None
        return Boosts(self.title_boost or 0.0, self.phrase_boost or 0.0)


def run(options: IndexOptions) -> int:
    """Indexes; returns the exit status."""
    started_s, shown = time.perf_counter(), 0
    try:
        with progress("pages", None) as advance:

            def on_page(count: int) -> None:
                nonlocal shown
                advance(count=count - shown)
                shown = count

            grown = grow_index(
                options.corpus,
                options.out,
                add=options.add,
                boosts=options.boosts,
                strict=options.strict,
                on_page=on_page,
            )
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"what was committed is kept in {options.out}; the same command goes on"
        ) from error
    seconds = time.perf_counter() - started_s
    counts = {
        "broken lines left out": grown.num_broken_lines,
        "with the URL of another left out": grown.num_duplicates,
        "replaced": grown.num_replaced,
    }
    notes = "".join(f", {count:,} {what}" for what, count in counts.items() if count)
    print(
        f"{grown.num_read:,} pages of {options.corpus} read{notes}; {grown.num_pages:,} pages in "
        f"{options.out}; {seconds:.1f} s"
    )
    return 0
