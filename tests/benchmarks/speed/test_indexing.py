import json
import re
from pathlib import Path

import pytest

from benchmarks.speed import indexing
from benchmarks.speed.indexing import IndexingOptions, run
from wideseek_env.backends.corpus.lines import read_pages
from wideseek_env.backends.corpus.pages import RawPage

FIGURES = re.compile(
    r"300 lines: ([\d.]+) s of CPU, (\d+) MB of memory at most, (\d+) MB on disk\n"
    r"20 queries: p50 ([\d.]+) ms, p99 ([\d.]+) ms; of CPU, .* p50 ([\d.]+) ms\n"
    r"on paper, 21,000,000 passages: (\d+) minutes of CPU, ([\d.]+) GB\n"
)


def _pages(folder: Path) -> Path:
    folder.mkdir()
    line = {"url": "/a", "title": "A", "html": f"<p>{' '.join(f'word{i}' for i in range(150))}</p>"}
    (folder / "pages.jsonl").write_text(json.dumps(line) + "\n")
    return folder


@pytest.mark.parametrize("drawn", [False, True])
def test_lines_are_indexed_searched_and_scaled_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], drawn: bool
) -> None:
    corpus = _pages(tmp_path / "pages") if drawn else None
    status = run(IndexingOptions(num_lines=300, num_queries=20, corpus=corpus))
    said = capfd.readouterr().out
    figures = FIGURES.search(said)
    assert figures, said
    cpu_s, memory_mb, _, p50_ms, p99_ms, work_ms, minutes, _ = map(float, figures.groups())
    assert 0 < cpu_s < 60
    assert memory_mb > 20
    assert 0 < p50_ms <= p99_ms
    assert work_ms <= p99_ms
    # Seconds are told to a tenth, so these may be a twentieth of a second off, 70,000 times.
    assert minutes == pytest.approx(cpu_s * 70_000 / 60, abs=0.06 * 70_000 / 60)
    assert ("MISSED" in said) == (status == 1)


def test_lines_are_passages_of_titles_and_the_same_for_a_seed(tmp_path: Path) -> None:
    corpus = _pages(tmp_path / "pages")
    written = []
    for number, options in enumerate((IndexingOptions(num_lines=25, num_queries=3),) * 2):
        path = tmp_path / f"{number}.jsonl"
        queries = indexing._write(path, indexing._drawn(options, corpus), options)
        assert [len(query.split()) for query in queries] == [5, 5, 5]
        written.append(path.read_bytes())
        pages = [page for page in read_pages(path) if isinstance(page, RawPage)]
        assert [page.title for page in pages] == ["Article 0", "Article 1", "Article 2"]
        assert written[-1].count(b"\n") == 25
    assert written[0] == written[1]
