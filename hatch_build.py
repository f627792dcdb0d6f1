"""Makes the wheel's files: `agents`, `trainers` and `benchmarks` go into it as parts of `wideseek`.

Other distributions own the top-level name `agents`, so a wheel must not install it. A checkout has
the short names. What is written into the wheel is the checkout's code with `wideseek.` put before
these names where they are imported, and where a text names a module of theirs.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
import tokenize
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MOVED = ("agents", "trainers", "benchmarks")
_PATH = re.compile(rf"(?<![\w./-])({'|'.join(MOVED)})(?=\.[a-z_])")
"""`agents.rollout` in a text, and not `my_package.agents.x` or `docs/agents.md`."""
_KEPT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "scripts")
"""Scripts of `trainers/openrlhf` make a checkout's environments."""


class WheelFiles(BuildHookInterface):
    """Called by hatchling; an editable install needs none of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes all packages as the wheel has them, and names them to the builder."""
        if version == "editable":
            return
        root, staged = Path(self.root), Path(tempfile.mkdtemp())
        self._staged = staged
        for package in ("wideseek_env", "wideseek"):
            shutil.copytree(root / package, staged / package, ignore=_KEPT_OUT)
        for package in MOVED:
            shutil.copytree(root / package, staged / "wideseek" / package, ignore=_KEPT_OUT)
        for path in staged.rglob("*.py"):
            path.write_text(renamed(path.read_text("utf-8"), path), "utf-8")
        build_data["force_include"] |= {
            str(staged / package): package for package in ("wideseek_env", "wideseek")
        }

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Takes the copies away again."""
        if version != "editable":
            shutil.rmtree(self._staged)


def renamed(source: str, path: Path) -> str:
    """Puts `wideseek.` before the moved packages, in imports and in texts.

    Raises:
        ValueError: a module of theirs is imported in a form that binds its first name alone.
    """
    lines = source.splitlines(keepends=True)
    put: list[tuple[int, int]] = []  # (line, column) before which the name goes
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and before in ("from", "import") and token.string in MOVED:
            if before == "import":
                raise ValueError(
                    f"{path}: write `from {token.string}… import`, for the wheel's sake"
                )
            put.append((token.start[0] - 1, token.start[1]))
        elif token.type == tokenize.STRING or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            put += _in_text(lines, token)
        before = token.string
    for line, column in sorted(put, reverse=True):
        lines[line] = f"{lines[line][:column]}wideseek.{lines[line][column:]}"
    return "".join(lines)


def _in_text(lines: list[str], token: tokenize.TokenInfo) -> list[tuple[int, int]]:
    (first, start), (last, end) = token.start, token.end
    found = []
    for number in range(first - 1, last):
        low = start if number == first - 1 else 0
        high = end if number == last - 1 else len(lines[number])
        found += [(number, m.start()) for m in _PATH.finditer(lines[number], low, high)]
    return found
