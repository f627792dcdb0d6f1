"""What a large index costs: `wideseek speed indexing`.

It writes JSON lines as Wikipedia of 2018 comes in Search-R1's corpus (passages of 100 words,
several in a row of one title), indexes them with `wideseek index` in a process of its own, and asks
the index. The text is of a closed world, whose pages share most of their words, or with `--corpus`
words drawn from real pages, as often as they stand there.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from wideseek_env.backends.corpus.building import IndexBackend
from wideseek_env.backends.corpus.folder import Corpus
from wideseek_env.backends.html.text import read_html
from wideseek_env.cli.options import Count, InFolder, Seed, check_values
from wideseek_env.cli.terminal import progress
from wideseek_env.errors import WideSeekError
from wideseek_env.worlds import World

CPU_TARGET_S = 60.0
"""For 640,000 lines."""
P50_TARGET_MS = 5.0
WIKI_2018 = 21_000_000
"""Passages of the whole of Wikipedia of 2018."""
_WORDS = 100
_LINES_OF_A_TITLE = 10
_WORDS_OF_A_QUERY = 5


@dataclass(frozen=True, kw_only=True)
class IndexingOptions:
    """Measures what an index of many passages costs, and how long a search in it takes."""

    num_lines: Count = 640_000
    """Passages that are written and indexed."""
    num_queries: Count = 400
    """Searches, all different, five words of one passage each."""
    corpus: InFolder | None = None
    """Folder of pages whose words are drawn; none is the text of a closed world."""
    seed: Seed = 0
    """Of the text and the queries."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: IndexingOptions) -> int:
    """Measures and prints; gives 1 when a target is missed."""
    texts = _world(options) if options.corpus is None else _drawn(options, options.corpus)
    with tempfile.TemporaryDirectory() as folder:
        lines, index = Path(folder) / "lines.jsonl", Path(folder) / "index"
        queries = _write(lines, texts, options)
        cpu_s, memory_mb = _index(lines, index)
        size_mb = sum(file.stat().st_size for file in index.rglob("*") if file.is_file()) / 1e6
        waits_ms, works_ms = asyncio.run(_search(index, queries))
    p50_ms, p99_ms = (float(each) for each in np.percentile(waits_ms, [50, 99]))
    print(
        f"{options.num_lines:,} lines: {cpu_s:.1f} s of CPU, {memory_mb:.0f} MB of memory at most, "
        f"{size_mb:.0f} MB on disk"
    )
    print(
        f"{len(queries)} queries: p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms; of CPU, which other "
        f"work on the machine does not lengthen, p50 {np.median(works_ms):.1f} ms"
    )
    times = WIKI_2018 / options.num_lines
    print(
        f"on paper, {WIKI_2018:,} passages: {cpu_s * times / 60:.0f} minutes of CPU, "
        f"{size_mb * times / 1000:.1f} GB"
    )
    target_s = CPU_TARGET_S * max(1.0, options.num_lines / 640_000)
    reached = cpu_s < target_s and p50_ms < P50_TARGET_MS
    print(
        f"target: under {target_s:.0f} s of CPU, p50 under {P50_TARGET_MS:.0f} ms: "
        f"{'reached' if reached else 'MISSED'}"
    )
    return 0 if reached else 1


def _world(options: IndexingOptions) -> Iterator[tuple[str, str]]:
    """Yields title and passage; a world's page has about four."""
    world = World("default", options.seed, num_pages=options.num_lines)
    for page in world.pages():
        words = read_html(page.html).text.split()
        for start in range(0, len(words), _WORDS):
            yield page.title, " ".join(words[start : start + _WORDS])


def _drawn(options: IndexingOptions, corpus: Path) -> Iterator[tuple[str, str]]:
    words = [
        sys.intern(word)
        for page in Corpus(corpus, strict=False).pages()
        for word in read_html(page.html).text.split()
    ]
    rng = random.Random(options.seed)
    for number in range(options.num_lines):
        title = f"Article {number // _LINES_OF_A_TITLE}"
        yield title, " ".join(rng.choices(words, k=_WORDS))


def _write(path: Path, texts: Iterable[tuple[str, str]], options: IndexingOptions) -> list[str]:
    """Writes the lines; gives queries, each of words of one of them."""
    rng = random.Random(options.seed)
    asked = set(rng.sample(range(options.num_lines), min(options.num_queries, options.num_lines)))
    queries = []
    with path.open("w", encoding="utf-8") as file, progress("lines", options.num_lines) as advance:
        for number, (title, text) in enumerate(islice(texts, options.num_lines)):
            line = {"id": str(number), "contents": f'"{title}"\n{text}'}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            if number in asked:
                words = text.split()
                queries.append(" ".join(rng.sample(words, min(_WORDS_OF_A_QUERY, len(words)))))
            advance()
    return queries


def _index(lines: Path, index: Path) -> tuple[float, float]:
    """Indexes; gives CPU seconds, and the most memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "wideseek_env", "index", str(lines), "--out", str(index)]
    status = subprocess.run(command, check=False).returncode
    if status:
        raise WideSeekError(f"`wideseek index` ended with {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # Linux counts kilobytes, and a child's begin with what its parent has: this one has little.
    return cpu_s, after.ru_maxrss / 1024


async def _search(index: Path, queries: list[str]) -> tuple[list[float], list[float]]:
    """Asks; gives what each search took on the clock and of CPU, in ms."""
    backend = IndexBackend(index)
    waits_ms, works_ms = [], []
    for query in queries:
        start_s, cpu_s = time.perf_counter(), time.process_time()
        hits = await backend.search(query, 3)
        waits_ms.append(1000 * (time.perf_counter() - start_s))
        works_ms.append(1000 * (time.process_time() - cpu_s))
        if not hits:
            raise WideSeekError(f"the index does not find {query!r}, which it was given")
    await backend.close()
    return waits_ms, works_ms


if __name__ == "__main__":
    from wideseek_env.cli.commands import run_command

    sys.exit(run_command("speed indexing"))
