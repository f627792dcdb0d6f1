"""The commands `world` and `tasks`."""

from __future__ import annotations

import pytest

from wideseek_env.cli.commands import main
from wideseek_env.jsonlines import decode_task
from wideseek_env.worlds import World
from wideseek_env.worlds.files import read_world


def test_world_out_writes_the_world(tmp_path, capsys):
    out = tmp_path / "w.jsonl"
    assert (
        main(["world", "--preset", "starter", "--seed", "3", "--split", "test", "--out", str(out)])
        == 0
    )
    assert list(read_world(out)) == list(World("starter", 3, "test").pages())
    assert "wrote 109 pages" in capsys.readouterr().out


def test_tasks_writes_one_line_each(tmp_path):
    out = tmp_path / "t.jsonl"
    arguments = ["--preset", "easy", "--num-tasks", "6", "--kind", "hybrid", "--task-seed", "2"]
    assert main(["tasks", *arguments, "--out", str(out)]) == 0
    written = [decode_task(line) for line in out.read_bytes().splitlines()]
    assert written == list(World("easy").tasks(6, seed=2, kind="hybrid"))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "nothing to do"),
        (["--serve", "99999"], "--serve: expected at least 1 and at most 65535, got 99999"),
        (["--load", "x.jsonl"], "nothing to do"),
        (["--load", "x.jsonl", "--out", "y.jsonl"], "goes with `--serve"),
        (["--out", "pages"], "--out: expected a name that ends in .jsonl"),
        (["--num-pages", "0", "--out", "y.jsonl"], "--num-pages: expected at least 1, got 0"),
    ],
)
def test_world_wrong_arguments_are_named(argv, message, capsys):
    assert main(["world", *argv]) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
