"""Difficulty by play: what is kept in the rows, and that it is played once."""

import asyncio
import json
from pathlib import Path

import pytest

from agents.evaluate import Exam, evaluate
from agents.scripted import SoloPolicy
from wideseek_env.cli.commands import run_command
from wideseek_env.tasks.source import TaskSource
from wideseek_env.tasks.synthesis.difficulty import made_tasks
from wideseek_env.tasks.synthesis.drafts import DraftRules
from wideseek_env.tasks.synthesis.stages import Synthesis
from wideseek_env.worlds import World
from wideseek_env.worlds.files import write_world

RULES = DraftRules(languages=("en", "zh"), broad=True, test_share=0.4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_world(World("easy", 1), tmp_path / "pages.jsonl")
    Synthesis(tmp_path / "pages.jsonl", tmp_path / "made", 24, RULES).run()
    return tmp_path


def test_scores_of_players_stand_in_the_rows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, pages = folder / "made", str(folder / "pages.jsonl")
    argv = [str(made), "--backend", pages, "--budget", "12", "--width", "4"]
    assert run_command("difficulty", argv) == 0
    assert "solo plays 12 of 24 tasks" in capsys.readouterr().out
    tasks = [t for name in ("tasks.jsonl", "test.jsonl") for t in made_tasks(made, name)]
    assert len(tasks) == 24
    english = [task for task in tasks if task.language == "en"]
    played = {t.id: t.metadata["synthesis"]["difficulty"].get("played") for t in tasks}
    assert {name for name, row in played.items() if row} == {task.id for task in english}
    exam = Exam(TaskSource.file(made / "tasks.jsonl", pages), 0, budget=12)
    alone = asyncio.run(evaluate([j for j in exam if j.task.language == "en"], SoloPolicy()))
    assert any(0 < e.score.item_f1 < 1 for e in alone.episodes if e.score)
    for episode in alone.episodes:
        row = played[episode.task.id]
        assert episode.score is not None
        assert row is not None
        assert row["solo"] == pytest.approx(episode.score.item_f1, abs=1e-4)
        assert 0 <= row["fanout 4"] <= 1

    lines = (made / "difficulty.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 24
    (made / "difficulty.jsonl").write_bytes(b"".join(lines[:20]) + lines[20][:9])  # a kill
    assert run_command("difficulty", argv) == 0
    again = (made / "difficulty.jsonl").read_bytes().splitlines(keepends=True)
    assert again[:20] == lines[:20]
    assert sorted(again) == sorted(lines)

    Synthesis(folder / "pages.jsonl", made, 24, RULES).run()  # writes its tasks anew
    rows = [json.loads(line) for line in (made / "tasks.jsonl").read_text().splitlines()]
    kept = [row["metadata"]["synthesis"]["difficulty"].get("played") for row in rows]
    assert kept == [played[row["id"]] for row in rows]


def test_a_folder_of_no_synthesis_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("difficulty", [str(tmp_path), "--backend", "pages"]) == 1
    assert "which `wideseek synthesize --out" in capsys.readouterr().err
