"""Commands of other libraries' trainers, on a machine that has none of the libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wideseek_env.cli.commands import COMMANDS

ROOT = Path(__file__).parents[3]
WITHOUT = """
import runpy, sys
class Nothing:
    libraries = set(sys.argv.pop(1).split(","))
    def find_spec(self, name, *_):
        if name.partition(".")[0] in self.libraries:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Nothing())
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
LIBRARIES = (
    "torch,ray,trl,openrlhf,torchrl,benchmarl,stable_baselines3,sb3_contrib,transformers,openenv"
)
MODULES = {
    name: command.run.partition(":")[0]
    for name, command in COMMANDS.items()
    if command.run.startswith("trainers.third_party.")
} | {"train openrlhf": "trainers.openrlhf"}


def started(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, LIBRARIES, MODULES[name], *words],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_help_and_the_missing_library_are_told_without_a_traceback(
    name: str, tmp_path: Path
) -> None:
    help_ = started(name, "--help")
    assert (help_.returncode, help_.stderr) == (0, "")
    assert f"usage: wideseek {name}" in help_.stdout
    wants_out = name not in ("train benchmarl", "train rllib", "openenv")
    done = started(name, *(["--out", str(tmp_path / "out")] if wants_out else []))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
