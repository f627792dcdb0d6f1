"""A data set that other people's loader reads, and whose held-out half is held out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from wideseek_env.cli.commands import main
from wideseek_env.jsonlines import encode
from wideseek_env.tasks.files import load_tasks
from wideseek_env.worlds import World


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "starter-tasks"
    words = ["starter", "--num-tasks", "70", "--num-test", "5", "--out", str(out)]
    assert main(["dataset", *words]) == 0
    return out


def test_its_tasks_are_those_of_the_worlds_and_read_back(made: Path) -> None:
    train = list(load_tasks(made / "data" / "train.jsonl", strict=True))
    assert len(train) == 70
    worlds = [World("starter", seed=0).tasks(64), World("starter", seed=1).tasks(6)]
    for task, original in zip(train, (task for world in worlds for task in world), strict=True):
        assert (task.question, task.gold) == (original.question, original.gold)
        assert task.columns == original.columns
    test = list(load_tasks(made / "data" / "test.jsonl", strict=True))
    regions = [
        {re.search(r" in ([A-Z]\w+)", task.question)[1] for task in tasks}  # type: ignore[index]
        for tasks in (train, test)
    ]
    assert regions[0].isdisjoint(regions[1])


def test_the_card_says_what_is_there(made: Path) -> None:
    card = (made / "README.md").read_text()
    assert "70 training tasks and 5 held-out ones" in card
    assert str(made.parent) not in card
    row = json.loads((made / "data" / "train.jsonl").read_text().splitlines()[0])
    assert {f"`{field}`" for field in row} <= set(re.findall(r"`\w+`", card))


def test_a_folder_of_synthesize_gives_its_two_files(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    tasks = list(World("starter", seed=0).tasks(3))
    (made / "tasks.jsonl").write_bytes(b"\n".join(map(encode, tasks[:2])))
    (made / "test.jsonl").write_bytes(encode(tasks[2]))
    (made / "card.md").write_text("Left out: nothing.")
    assert main(["dataset", str(made), "--out", str(tmp_path / "out")]) == 0
    assert [t.id for t in load_tasks(tmp_path / "out/data/test.jsonl")] == [tasks[2].id]
    assert "Left out: nothing." in (tmp_path / "out" / "README.md").read_text()


def test_another_source_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "startr", "--out", str(tmp_path / "o")]) == 2
    assert "did you mean starter?" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.filterwarnings("default")
def test_hugging_face_loads_it_offline(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="needs datasets, `pip install datasets`")
    loaded = datasets.load_dataset(str(made), cache_dir=str(tmp_path))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 70, "test": 5}
    first = next(iter(load_tasks(made / "data" / "test.jsonl")))
    assert loaded["test"][0]["question"] == first.question
