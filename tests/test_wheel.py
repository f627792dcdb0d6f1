"""The wheel has all packages under names that nobody else owns; a checkout knows the same names.

That a stranger can use it is seen by `make release`, in an environment of its own.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()  # and nothing else is left there
    return built


def test_no_module_of_the_wheel_imports_a_name_that_it_does_not_bring(wheel: Path) -> None:
    wrong, texts = [], 0
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if not name.endswith(".py"):
                continue
            source = files.read(name).decode()
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Import):
                    told = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    told = [node.module or ""]
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    told = node.value.split()
                    texts += "wideseek.benchmarks.compare.command:run" in told
                else:
                    continue
                wrong += [
                    (name, each)
                    for each in told
                    if each.partition(".")[0] in ("agents", "trainers", "benchmarks")
                    and "." in each.rstrip(".")
                    and "/" not in each
                ]
    assert wrong == []
    assert texts == 1


def test_in_a_checkout_both_names_are_one_module() -> None:
    long = importlib.import_module("wideseek.agents.scripted.fanout")
    short = importlib.import_module("agents.scripted.fanout")
    assert long is short
    assert short.__spec__ is not None
    assert short.__spec__.name == short.__name__ == "agents.scripted.fanout"
    import wideseek

    assert wideseek.agents.scripted is importlib.import_module("agents.scripted")  # type: ignore[attr-defined]
    with pytest.raises(ModuleNotFoundError, match=r"wideseek\.agents\.nobody"):
        importlib.import_module("wideseek.agents.nobody")
    with pytest.raises(ModuleNotFoundError, match=r"wideseek\.json"):
        importlib.import_module("wideseek.json")


def test_a_module_runs_under_its_long_name() -> None:
    command = [sys.executable, "-m", "wideseek.benchmarks.scorers.gauntlet", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: wideseek gauntlet" in done.stdout


def test_the_version_is_one_and_the_changelog_has_it() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"\n## {project['version']} " in (ROOT / "CHANGELOG.md").read_text()
    assert (ROOT / "wideseek_env" / "py.typed").exists()
    assert (ROOT / "wideseek" / "py.typed").exists()
