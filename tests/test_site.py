"""The site's pages: links out of docs/ become names, code is left alone, the tutorial runs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> Any:
    return SimpleNamespace(file=SimpleNamespace(src_uri=name))


@pytest.mark.parametrize(
    ("name", "written", "shown"),
    [
        ("llm.md", "[tools](backends.md#tools)", "[tools](backends.md#tools)"),
        ("llm.md", "[start](../README.md#install)", "[start](index.md#install)"),
        ("llm.md", "[rollout](../agents/rollout.py)", "rollout (`agents/rollout.py`)"),
        ("llm.md", "[`rollout`](../agents/rollout.py)", "`rollout`"),
        ("llm.md", "`[x](y)` and\n```\n[x](y)\n```", "`[x](y)` and\n```\n[x](y)\n```"),
        ("llm.md", "![figure](width.png) [paper](https://a.b)", "![figure](width.png) [paper](https://a.b)"),
        ("index.md", "[llm](llm.md) [env](wideseek_env/environment.py)",
         "[llm](llm.md) env (`wideseek_env/environment.py`)"),
    ],
)  # fmt: skip
def test_links(hooks: Any, name: str, written: str, shown: str) -> None:
    assert hooks.on_page_markdown(written, page(name)) == shown


def test_a_link_to_nothing_stops_the_build(hooks: Any) -> None:
    with pytest.raises(ValueError, match=r"leads to agents/nobody\.py"):
        hooks.on_page_markdown("[x](../agents/nobody.py)", page("llm.md"))


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": (\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed == {"index.md", *(path.name for path in (ROOT / "docs").glob("*.md"))}


def test_python_of_the_tutorial_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for block in re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(), re.DOTALL
    ):
        exec(compile(block, "tutorial.md", "exec"), {})
    out = capsys.readouterr().out.splitlines()
    assert out[-2].startswith("1.0 ")  # fanout: item F1, width, calls
    assert 0.1 < float(out[-1]) < 0.6  # random legal moves
