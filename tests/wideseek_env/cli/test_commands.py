"""What holds for every command: help, wrong values, wrong names, Ctrl-C, exit statuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from msgspec import Meta

from wideseek_env.cli import commands
from wideseek_env.cli.commands import COMMANDS, Command, main, run_command
from wideseek_env.cli.options import PathRule, check_paths, flag
from wideseek_env.errors import Interrupted
from wideseek_env.plugins import MissingExtra, resolve

NEEDED = {
    "tasks": ["--out", "t.jsonl"],
    "score": ["--tasks", "hub", "--tables", "t", "--responses", __file__, "--out", "o.jsonl"],
    "world": ["--out", "w.jsonl"],
    "report": ["."],
    "view": ["."],
    "serve": ["pages"],
    "mcp": ["pages"],
    "dataset": ["starter", "--out", "d"],
    "index": ["pages", "--out", "i"],
    "synthesize": ["pages", "--out", "s"],
    "evaluate": ["partial"],
    "experiments": ["gain"],
    "learned": ["--out", "l"],
    "train discrete": ["--out", "d"],
    "train mappo": ["--out", "m"],
    "difficulty": [".", "--backend", "b"],
    "speed pages": ["--num-synthetic", "10"],
    "speed scorers": ["--data", "."],
}
"""Arguments without which a command does not begin."""


def options_of(kind: type) -> Iterator[tuple[str, Any]]:
    """Yields (field, hint) of all flags, those of nested dataclasses among them."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        if dataclasses.is_dataclass(bare):
            yield from options_of(bare)
        elif "Positional" not in str(hint):
            renamed = [
                part.name
                for part in get_args(hint)[1:]
                if isinstance(getattr(part, "name", None), str)
            ]
            yield (renamed or [name])[0], hint


def wrong_values(hint: Any) -> list[str]:
    """Lists values that a field of this type cannot have; none for texts and paths."""
    found = []
    parts = [hint, *get_args(hint), *(a for part in get_args(hint) for a in get_args(part))]
    if any(part in (int, float) for part in parts):
        found.append("two")
    if any(isinstance(part, Meta) and (part.ge or 0) >= 0 for part in parts):
        found.append("-3")
    if any(get_origin(part) is Literal for part in parts):
        found.append("no_such_choice")
    return found


FLAGS = [
    (name, field, value)
    for name, command in COMMANDS.items()
    for field, hint in options_of(resolve("commands", command.options, {}))
    for value in wrong_values(hint)
]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_every_flag_in_a_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(name, ["--help"]) == 0
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    kind = resolve("commands", COMMANDS[name].options, {})
    assert (kind.__doc__ or "").split("\n")[0].strip() in words
    for field, _ in options_of(kind):
        rest = words.partition(f"{flag(field)} ")[2] or words.partition(f"{flag(field)},")[2]
        assert rest, field
        sentence = rest.partition("(default")[0].partition("(required")[0]
        assert sentence.rstrip().endswith((".", ")")), (field, sentence)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_flag_is_exit_2(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(name, [*NEEDED.get(name, []), "--no-such-flag"]) == 2
    assert "--no-such-flag" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "field", "value"), FLAGS)
def test_a_wrong_value_is_exit_2_and_names_the_flag(
    name: str, field: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(name, [*NEEDED.get(name, []), f"{flag(field)}={value}"]) == 2
    shown = capsys.readouterr()
    assert flag(field) in shown.err or f"`{field}`" in shown.err
    assert "expected" in shown.err or "must be" in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("name", "field", "use"),
    [
        (name, field, rule.use)
        for name, command in COMMANDS.items()
        for field, hint in options_of(resolve("commands", command.options, {}))
        for rule in [r for part in (hint, *get_args(hint)) for r in get_args(part)]
        if isinstance(rule, PathRule)
    ],
)
def test_a_path_that_cannot_be_used_is_found_before_any_work(
    name: str,
    field: str,
    use: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "t").mkdir()
    worked = []
    monkeypatch.setattr(commands, "check_paths", lambda o: (check_paths(o), worked.append(o)))
    path = "file/x.jsonl" if use == "write" else "no/such"
    more = ["--policies", "llm"] if field == "replay" else []
    needed = [] if field in ("load",) else NEEDED.get(name, [])
    more += ["--serve", "8000"] if field == "load" else []
    if field == "record":
        judge = ["--judge", "http://localhost/v1", "--judge-model", "m"]
        asks = ["--source" if name == "evaluate" else "--sources", "file:x", "--backend", "x"]
        more += judge if name == "score" else asks
    if field == "replay_tools" and name != "score":
        more += ["--source" if name == "evaluate" else "--sources", "file:x"]
    more += ["--judge-model", "m"] if (name, field) == ("score", "replay_tools") else []
    if name == "speed pages" and field == "corpus":
        needed = []
    assert run_command(name, [*needed, *more, f"{flag(field)}={path}"]) == 1
    assert flag(field) in capsys.readouterr().err
    assert worked == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "t"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Does what a test wants."""

    out: str = ""
    """Nothing."""


def fail() -> int:
    raise OUTCOME[0]


OUTCOME: list[BaseException] = []
KNOWN = {"wideseek_env.cli.commands:Options": Options, "work": lambda options: fail()}


@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted: nothing is kept"),
        (Interrupted("step 7 is in runs/x; go on"), 130, "interrupted: step 7 is in runs/x; go on"),
        (ValueError("--out: expected a, got b"), 2, "error: --out: expected a, got b"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (MissingExtra("install it with: pip install -e '.[llm]'"), 2, "pip install"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_a_status(
    outcome: BaseException,
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(COMMANDS, "x", Command("x", "wideseek_env.cli.commands:Options", "work"))
    monkeypatch.setattr(commands, "resolve", lambda kind, path, known: KNOWN[path])
    OUTCOME[:] = [outcome]
    assert main(["x"]) == status
    assert told in capsys.readouterr().err


def test_the_overview_names_every_command_and_typos_get_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    assert main(["benchmrk"]) == 2
    assert "did you mean benchmark?" in capsys.readouterr().err
    assert main(["speed", "thruput"]) == 2
    assert "did you mean speed throughput?" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("wideseek ")


def test_flags_of_one_meaning_are_spelled_alike() -> None:
    kinds = [resolve("commands", command.options, {}) for command in COMMANDS.values()]
    spelled = {field for kind in kinds for field, _ in options_of(kind)}
    assert not spelled & {"num", "workers", "trials", "steps", "turns", "episodes", "concurrent"}


def test_a_module_of_the_current_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Nobody:\n    '''Waits.'''\n")
    root = Path(__file__).parents[3]
    code = "import sys; from wideseek_env.cli.commands import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "benchmark", "--policies", "mine:Nobdy"],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(root), "PATH": ""},
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "did you mean Nobody?" in done.stderr
