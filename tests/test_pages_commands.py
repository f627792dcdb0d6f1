"""Every command line that README, the pages and the models' cards show is one that is taken."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from wideseek_env.cli.commands import COMMANDS, Command
from wideseek_env.cli.options import read_options
from wideseek_env.plugins import resolve

ROOT = Path(__file__).resolve().parents[1]
CARDS = ROOT.glob("agents/learned/*/MODEL_CARD.md")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *CARDS]
ENDS = ("&", "|", "&&", ";")
"""Words of a shell, where a command line is over."""


def of(pattern: str) -> list[tuple[str, str]]:
    """Lists (page, command line) of what a pattern finds in all pages."""
    found = set[tuple[str, str]]()
    for page in PAGES:
        text = page.read_text("utf-8").replace("\\\n", " ")
        lines = re.findall(pattern, text, flags=re.MULTILINE)
        found |= {(str(page.relative_to(ROOT)), " ".join(line.split())) for line in lines}
    return sorted(found)


BLOCKS = [
    each for each in of(r"^(?: {4})?(wideseek [a-z].*)$") if not re.search(r"\.\.\.|…", each[1])
]
SENTENCES = of(r"`(wideseek [a-z][^`]*)`")


def parted(line: str) -> tuple[Command, list[str]]:
    """Gives the command of a line, and its words."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((n for n, word in enumerate(words) if word in ENDS), None)]
    size = 2 if " ".join(words[:2]) in COMMANDS else 1
    return COMMANDS[" ".join(words[:size])], words[size:]


@pytest.mark.parametrize(("page", "line"), BLOCKS)
def test_a_command_line_is_taken(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "tasks.jsonl").touch()
    command, words = parted(line.replace("SEED", "0"))
    if command.split is not None:
        words, *_ = resolve("commands", command.split, {})(words)
    kind = resolve("commands", command.options, {})
    defaults = kind.defaults(words) if hasattr(kind, "defaults") else None
    read_options(kind, words, prog="wideseek", default=defaults)


@pytest.mark.parametrize(("page", "line"), SENTENCES)
def test_a_command_that_a_sentence_names_has_the_flags(
    page: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, words = parted(line)
    kind = resolve("commands", command.options, {})
    with pytest.raises(SystemExit):
        read_options(kind, ["--help"], prog="wideseek", default=None)
    known = re.findall(r"--[\w-]+", capsys.readouterr().out)
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= set(known)


def test_pages_show_commands() -> None:
    assert len(BLOCKS) > 60
    assert len(SENTENCES) > 30
