"""Every example runs as its first lines say, and README and CONTRIBUTING name all of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
WITH_TORCH = {"ppo_single_file"}
"""Run by `tests/benchmarks/compare/test_policies.py`, as they need torch and time."""
PRINTS = {
    "advantage": "[-1.   1.   0.  -0.5 -0.5  1. ]",
    "backend": "A yew grows to 15 metres and lives for 2000 years.",
    "policy": "3 episodes, item F1 0.",
    "scorer": "strict: item F1 0.75\nwhole rows: item F1 0.67",
    "task_source": "2 tasks, item F1 1.00",
    "tool": "sum: 42.5",
    "tool_format": 'open: {"url": "/a", "part": 2}\nTrue',
    "trainer": "mean return of the first 100 episodes",
}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in WITH_TORCH])
def test_the_example_runs(name: str) -> None:
    done = subprocess.run(
        [sys.executable, f"examples/{name}.py"],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=250,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert PRINTS[name] in done.stdout
    if name == "trainer":
        first, last = (float(number) for number in re.findall(r"\d\.\d+", done.stdout))
        assert last > first


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_page_names_every_example(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [name for name in EXAMPLES if f"examples/{name}.py" not in text] == []


def test_a_policy_of_ones_own_is_benchmarked_without_an_edit(tmp_path: Path) -> None:
    from wideseek_env.cli.commands import main

    words = ["benchmark", "--policies", "examples.policy:Quote,oracle", "--sources", "starter",
             "--widths", "2", "--depths", "", "--num-tasks", "1", "--num-workers", "2",
             "--out", str(tmp_path), "--name", "r"]  # fmt: skip
    assert main(words) == 0
    record = (tmp_path / "r" / "episodes.jsonl").read_text()
    assert "examples.policy:Quote" in record


def test_a_scorer_of_ones_own_scores_a_benchmark_in_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from agents.episode_file import read_episodes
    from wideseek_env.cli.commands import main

    words = ["benchmark", "--scorer", "examples.scorer:whole_rows", "--policies", "solo",
             "--sources", "conflict", "--widths", "0", "--depths", "", "--num-tasks", "4",
             "--num-workers", "2", "--out", str(tmp_path), "--name", "r"]  # fmt: skip
    assert main(words) == 0
    scores = [episode.score for episode in read_episodes(tmp_path / "r" / "episodes.jsonl")]
    assert len(scores) == 4
    assert all(score is not None and score.item_f1 == score.row_f1 for score in scores)
    assert any(score is not None and 0 < score.item_precision != score.row_f1 for score in scores)
    assert "scored by examples.scorer:whole_rows" in " ".join(capsys.readouterr().out.split())
