"""`wideseek index`: reads and indexes pages ahead of time, for servers and runs that open them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from wideseek_env.backends.corpus.folder import FolderBackend
from wideseek_env.cli.options import OutFolder, check_values
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import Interrupted


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """Reads and indexes a corpus, so that servers and runs open it in a moment.

    Pages are read one at a time, so a corpus may be larger than memory. One that is indexed already
    is left as it is, and a corpus that changed is indexed again.
    """

    corpus: Positional[Path]
    """Folder or file of pages: HTML files, or JSON lines of pages or passages."""
    out: OutFolder | None = None
    """Where the index is kept; none is a hidden folder beside the pages, where they are opened."""
    strict: bool = False
    """Ends at the first broken line instead of leaving it out."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: IndexOptions) -> int:
    """Indexes; returns the exit status."""
    started_s = time.perf_counter()
    try:
        with progress("pages", None) as advance:
            backend = FolderBackend(
                options.corpus,
                index_dir=options.out,
                links=True,
                strict=options.strict,
                on_page=lambda count: advance(),
            )
    except KeyboardInterrupt as error:
        raise Interrupted("no index was left; the same command begins again") from error
    seconds = time.perf_counter() - started_s
    broken = f", {backend.num_broken_lines:,} broken lines left out" * bool(
        backend.num_broken_lines
    )
    twice = f", {backend.num_duplicates:,} with the URL of another" * bool(backend.num_duplicates)
    print(f"{len(backend):,} pages of {options.corpus} are indexed{broken}{twice}; {seconds:.1f} s")
    return 0
