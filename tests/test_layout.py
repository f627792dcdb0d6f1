"""Holds what CONTRIBUTING.md promises about the code: import direction, sizes, public names."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wideseek_env

ROOT = Path(__file__).resolve().parents[1]
ORDER = ("wideseek_env", "agents", "trainers", "benchmarks")
HEAVY = {"torch", "transformers", "vllm", "ray", "openrlhf", "torchrl", "peft", "safetensors"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Yields the top-level name of each import, and whether it runs when the module is imported."""
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.dump(outer.test))
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name.split(".")[0], id(node) not in inside
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0], id(node) not in inside


@pytest.mark.parametrize("package", ORDER)
def test_imports_go_one_way(package: str) -> None:
    later = set(ORDER[ORDER.index(package) + 1 :])
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name, _ in imported(path)
        if name in later
    ]
    assert wrong == []


def test_environment_imports_no_heavy_library() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("wideseek_env")
        for name, _ in imported(path)
        if name in HEAVY
    ]
    assert wrong == []


def test_importing_the_environment_loads_no_heavy_library_and_is_quick() -> None:
    program = (
        "import sys, time; start = time.process_time(); import wideseek_env;"
        "print(time.process_time() - start);"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    seconds, heavy = result.stdout.split("\n")[:2]
    assert heavy == "[]"
    assert float(seconds) < 0.5


@pytest.mark.parametrize("package", ORDER)
def test_files_and_functions_stay_small(package: str) -> None:
    wrong = []
    for path in modules(package):
        text = path.read_text()
        if len(text.splitlines()) >= 400:
            wrong.append(f"{path.relative_to(ROOT)}: {len(text.splitlines())} lines")
        wrong += [
            f"{path.relative_to(ROOT)}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.end_lineno is not None
            and node.end_lineno - node.lineno + 1 >= 60
        ]
    assert wrong == []


def statements_of_loop(trainer: str) -> tuple[list[str], list[str], list[str]]:
    """Returns what holds a trainer's loop, what begins an iteration, and what ends one."""
    tree = ast.parse((ROOT / "trainers" / f"{trainer}.py").read_text())
    (train,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "train")
    *_, block = train.body
    assert isinstance(block, ast.With)
    (loop,) = block.body
    assert isinstance(loop, ast.For)
    text = [ast.unparse(statement) for statement in loop.body]
    ends = text.index("ends = stop.asked")
    return [*map(ast.unparse, block.items), ast.unparse(loop.iter)], text[:2], text[ends:]


def test_training_loops_begin_and_end_an_iteration_alike() -> None:
    """Each loop can be seen whole, so these lines stand in three files; they are to stay equal."""
    (held, begin, end), *others = map(statements_of_loop, ("grpo", "ppo", "sft"))
    assert others == [(held, begin, end)] * 2
    assert (len(held), len(begin), len(end)) == (3, 2, 5)


def test_public_names_can_be_loaded() -> None:
    for name in wideseek_env.__all__:
        assert getattr(wideseek_env, name) is not None
    assert set(wideseek_env.__all__) == set(wideseek_env._HOMES)
    with pytest.raises(AttributeError, match="has no attribute 'enviroment'"):
        wideseek_env.enviroment  # noqa: B018


@pytest.mark.parametrize("first", ["wideseek_env.environment", "wideseek_env.game.episode"])
def test_functions_are_not_shadowed_by_modules(first: str) -> None:
    program = f"import {first}, wideseek_env; print(callable(wideseek_env.env))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "True"
