"""How well and how fast real pages are read, indexed and found.

    wideseek speed pages --corpus DIR             # pages.jsonl.gz, tables.jsonl.gz in DIR
    wideseek speed pages --num-synthetic 200000   # time and memory of an index on disk

Quality is measured against tables that others took out of the same pages: does each gold row stand
on one line of our text, and does a query that names the page and a row find the page?
"""

from __future__ import annotations

import asyncio
import random
import re
import resource
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from wideseek_env.backends.corpus.folder import FolderBackend
from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.backends.html.text import one_line, read_html, split_cells
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, InFolder, check_values
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines
from wideseek_env.tasks.page_tables import PageTable

ROWS_TARGET = 0.97
FOUND_TARGET = 0.95
QUERIES_PER_TABLE = 3

_RAISED = re.compile(r"(?<=\w)\[(\w{1,2})\]|\^(?=[+\-\u2212\u2013]?\d)")
_Record = TypeVar("_Record")


class _Page(msgspec.Struct):
    url: str
    title: str
    html: str


@dataclass(frozen=True)
class RowsKept:
    """Shares of gold rows, empty ones aside."""

    num_rows: int
    as_cells: float
    """One line has every non-empty gold cell as a cell of its own (as a multiset)."""
    as_row: float
    """One line has exactly the gold row's cells, in order, empty ones included."""


def rows_kept(texts: dict[str, str], tables: Sequence[PageTable]) -> RowsKept:
    """Returns how many gold rows are one line of their page's text.

    Cells are compared without white space, case and invisible characters, after Unicode NFKC, and
    without what tells a superscript from the text before it, as gold runs the two together (`19881`
    for 1988 with note 1). Nothing else is forgiven.
    """
    num_rows = as_cells = as_row = 0
    for table in tables:
        lines = [[_bare(cell) for cell in split_cells(line)] for line in _lines(texts, table)]
        rows = {tuple(line) for line in lines}
        counts = [Counter(line) for line in lines]
        for gold in ([_bare(cell) for cell in row] for row in table.rows):
            needed = Counter(cell for cell in gold if cell)
            if needed:
                num_rows += 1
                as_cells += any(needed <= count for count in counts)
                as_row += tuple(gold) in rows
    return RowsKept(num_rows, as_cells / num_rows, as_row / num_rows)


def queries(tables: Sequence[PageTable]) -> Iterator[tuple[str, str, str]]:
    """Yields (URL, query with the page's title, query without) for rows drawn from each table.

    With the title: title, the name of one column drawn at random, first non-empty cell of the row.
    Without: that cell and the first four column names.
    """
    rng = random.Random(0)
    for table in tables:
        rows = [row for row in table.rows if any(row)]
        for row in rng.sample(rows, min(QUERIES_PER_TABLE, len(rows))):
            key = next(cell for cell in row if cell)
            named = f"{table.title} {rng.choice(table.columns)} {key}"
            yield table.url, named, f"{key} {' '.join(table.columns[:4])}"


def share_found(
    backend: PagesBackend, asked: Sequence[tuple[str, str]]
) -> tuple[float, list[float]]:
    """Returns the share of (URL, query) whose page is in the top 5, and seconds of each search."""

    async def ask() -> tuple[float, list[float]]:
        found, seconds = 0, []
        for url, query in asked:
            start = time.perf_counter()
            hits = await backend.search(query, 5)
            seconds.append(time.perf_counter() - start)
            found += url in {hit.url for hit in hits}
        return found / len(asked), seconds

    return asyncio.run(ask())


def measure_corpus(folder: Path) -> bool:
    """Prints quality and speed on a corpus's folder; returns whether every target is met."""
    pages = _read(folder / "pages.jsonl.gz", _Page)
    tables = _read(folder / "tables.jsonl.gz", PageTable)
    texts, seconds = {}, []
    for page in pages:
        start = time.process_time()
        texts[page.url] = read_html(page.html).text
        seconds.append(time.process_time() - start)
    kept = rows_kept(texts, tables)
    print(f"pages {len(pages)}, tables {len(tables)}, gold rows {kept.num_rows}")
    _verdict("gold rows whose cells are the cells of one line", kept.as_cells, ROWS_TARGET)
    print(f"  {kept.as_row:7.2%}  gold rows equal to one line, empty columns included")
    print(
        f"reading: {_ms(seconds)} CPU a page, {len(pages) / sum(seconds):.0f} pages/s, "
        f"{sum(len(page.html) for page in pages) / sum(seconds) / 1e6:.1f} MB/s"
    )
    del pages, texts
    with tempfile.TemporaryDirectory() as index_dir:
        before, start = _memory_mb(), time.process_time()
        backend = FolderBackend(folder / "pages.jsonl.gz", index_dir=index_dir)
        print(
            f"index on disk: {time.process_time() - start:.1f} s CPU with reading, "
            f"{_size_mb(Path(index_dir)):.0f} MB, memory +{_memory_mb() - before:.0f} MB"
        )
        asked = list(queries(tables))
        named, named_s = share_found(backend, [(url, query) for url, query, _ in asked])
        bare, bare_s = share_found(backend, [(url, query) for url, _, query in asked])
    _verdict(
        f"page in top 5 for title + column + row key, {len(asked)} queries", named, FOUND_TARGET
    )
    print(f"  {bare:7.2%}  page in top 5 for row key + column names, without the title")
    print(f"searching, not cached: {_ms(named_s)} with title, {_ms(bare_s)} without (wall)")
    return kept.as_cells >= ROWS_TARGET and named >= FOUND_TARGET


def measure_synthetic(num_pages: int) -> None:
    """Prints time and memory of building and asking an on-disk index over tiny made-up pages."""
    with tempfile.TemporaryDirectory() as folder:
        index_dir = Path(folder) / "index"
        before, start, wall = _memory_mb(), time.process_time(), time.perf_counter()
        backend = PagesBackend(made_pages(num_pages), index_dir=index_dir)
        cpu, wall = time.process_time() - start, time.perf_counter() - wall
        print(
            f"{num_pages} pages: {cpu:.1f} s CPU, {wall:.1f} s wall, "
            f"{num_pages / cpu:.0f} pages a CPU second; disk {_size_mb(index_dir):.0f} MB; "
            f"memory before {before:.0f} MB, now {_memory_mb():.0f} MB, peak {_peak_mb():.0f} MB"
        )
        rng = random.Random(1)
        asked = [("", f"{_word(rng)} {_word(rng)} {_word(rng)}") for _ in range(500)]
        _, seconds = share_found(backend, asked)
        print(f"searching, not cached: {_ms(seconds)} (wall)")


def made_pages(num_pages: int) -> Iterator[RawPage]:
    """Yields pages of about 700 characters with an info box and a paragraph, one at a time."""
    rng = random.Random(0)
    for number in range(num_pages):
        name = f"{_word(rng)} {_word(rng)} {number}"
        box = "".join(f"<tr><th>{_word(rng)}<td>{rng.randrange(10_000)}</tr>" for _ in range(8))
        prose = " ".join(_word(rng) for _ in range(50))
        yield RawPage(f"/page/{number}", name, f"<h1>{name}</h1><table>{box}</table><p>{prose}")


def _word(rng: random.Random) -> str:
    return f"w{int(rng.paretovariate(0.6)) % 50_000}"  # few words often, many words seldom


def _bare(cell: str) -> str:
    bare = "".join(one_line(unicodedata.normalize("NFKC", cell)).casefold().split())
    return _RAISED.sub(r"\1", bare)


def _lines(texts: dict[str, str], table: PageTable) -> list[str]:
    return texts[table.url].split("\n")


def _read(path: Path, kind: type[_Record]) -> list[_Record]:
    records = []
    for record in read_json_lines(path, kind):
        if isinstance(record, DataError):
            raise record
        records.append(record)
    return records


def _verdict(what: str, share: float, target: float) -> None:
    print(f"  {share:7.2%}  {what} (target {target:.0%}: {'met' if share >= target else 'MISSED'})")


def _ms(seconds: Sequence[float]) -> str:
    median, p95 = np.percentile(seconds, (50, 95)) * 1e3
    return f"median {median:.2f} ms, p95 {p95:.2f} ms"


def _size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _memory_mb() -> float:
    """Resident memory now; the peak where the system does not tell (not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return _peak_mb()
    return pages * resource.getpagesize() / 1e6


def _peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@dataclass(frozen=True, kw_only=True)
class PagesOptions:
    """Measures how well and how fast real pages are read, indexed and found.

    Ends with status 1 when a target is missed.
    """

    corpus: InFolder | None = None
    """Folder with pages.jsonl.gz and tables.jsonl.gz."""
    num_synthetic: Count | None = None
    """Indexes so many made-up pages on disk instead."""

    def __post_init__(self) -> None:
        check_values(self)
        if (self.corpus is None) == (self.num_synthetic is None):
            raise ValueError("expected --corpus DIR or --num-synthetic N, one of them")


def run(options: PagesOptions) -> int:
    """Measures what is asked for; returns the exit status."""
    if options.corpus is not None:
        return 0 if measure_corpus(options.corpus) else 1
    measure_synthetic(options.num_synthetic or 0)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("speed pages"))
