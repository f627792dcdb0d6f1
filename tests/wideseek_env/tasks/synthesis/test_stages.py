"""Synthesis on small corpora, against the world's own data base and the raw HTML."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from agents.rollout import Job, rollout
from agents.scripted import OraclePolicy
from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.cli.commands import run_command
from wideseek_env.errors import DataError
from wideseek_env.records import Task
from wideseek_env.scoring.strict import score_strict
from wideseek_env.scoring.tables import write_table
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.source import TaskSource
from wideseek_env.tasks.synthesis.drafts import DraftRules
from wideseek_env.tasks.synthesis.fairness import Alike, cells_of, is_leaking
from wideseek_env.tasks.synthesis.pagecheck import PageCells, unheld_cells
from wideseek_env.tasks.synthesis.stages import Synthesis
from wideseek_env.tasks.synthesis.things import Things
from wideseek_env.tasks.widesearch import load_widesearch
from wideseek_env.worlds import World
from wideseek_env.worlds.files import write_world
from wideseek_env.worlds.values import gold_text

CITIES = ("Rome", "Bern", "Oslo", "Ulm")


def table_page(number: int) -> RawPage:
    rng = Random(number)
    name = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta"][number]
    rows = "".join(
        f"<tr><td>{name} {chr(65 + i)}{chr(97 + i)}</td><td>{rng.choice(CITIES)}</td>"
        f"<td>{rng.randint(100, 99_999):,}</td><td>{rng.randint(1, 28)} May {1900 + i}</td></tr>"
        for i in range(20)
    )
    head = "<tr><th>Bridge</th><th>City</th><th>Length (m)</th><th>Opened</th></tr>"
    html = f"<h1>{name}</h1><h2>Bridges</h2><table>{head}{rows}</table>"
    return RawPage(f"w/{name}", name, html)


PAGES = [table_page(number) for number in range(8)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    lines = [json.dumps({"url": p.url, "title": p.title, "html": p.html}) for p in PAGES]
    (folder / "pages.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def made(corpus: Path) -> Path:
    out = corpus.parent / f"{corpus.name}-made"
    rules = DraftRules(seed=1, languages=("en", "zh"), test_share=0.3)
    Synthesis(corpus, out, 150, rules).run()
    return out


@pytest.fixture(scope="module")
def tasks(made: Path) -> list[Task]:
    files = (made / "tasks.jsonl", made / "test.jsonl")
    return [task for file in files for task in load_tasks(file, strict=True)]


def test_gold_cells_stand_in_the_html_of_their_page(tasks: list[Task]) -> None:
    html = {page.url: page.html for page in PAGES}
    assert len(tasks) == 150
    for task in tasks:
        for row, sources in zip(task.gold, task.sources, strict=True):
            [[url]] = {tuple(urls) for urls in sources}
            [line] = [part for part in html[url].split("<tr>") if f"<td>{row[0]}</td>" in part]
            assert all(f"<td>{cell}</td>" in line for cell in row)


def test_tasks_are_fair(tasks: list[Task]) -> None:
    assert {task.language for task in tasks} == {"en", "zh"}
    for task in tasks:
        assert 3 <= len(task.gold) <= 60
        assert not is_leaking(task)
        assert all(name in task.question for name in task.column_names)
        assert score_strict(task, write_table(task.column_names, task.gold)).success == 1.0


def test_no_held_out_row_is_on_a_training_page(made: Path) -> None:
    train, test = (list(load_tasks(made / name)) for name in ("tasks.jsonl", "test.jsonl"))
    urls = [{u for t in ts for row in t.sources for us in row for u in us} for ts in (train, test)]
    assert urls[0]
    assert urls[1]
    assert urls[0].isdisjoint(urls[1])


def test_other_forms_load_as_the_same_tasks(made: Path) -> None:
    train = list(load_tasks(made / "tasks.jsonl"))
    as_r1 = list(load_tasks(made / "width_20k.jsonl", strict=True))
    test = list(load_tasks(made / "test.jsonl"))
    as_search = list(
        load_widesearch(made / "widesearch.jsonl", made / "widesearch_gold", strict=True)
    )
    for ours, theirs in ((train, as_r1), (test, as_search)):
        assert ours
        for task, other in zip(ours, theirs, strict=True):
            for name in ("id", "question", "columns", "key_columns", "gold", "language"):
                assert getattr(task, name) == getattr(other, name)


def test_equal_settings_give_equal_tasks_and_finished_stages_are_kept(
    corpus: Path, made: Path, tmp_path: Path
) -> None:
    rules = DraftRules(seed=1, languages=("en", "zh"), test_share=0.3)
    Synthesis(corpus, tmp_path, 150, rules).run()
    assert (tmp_path / "tasks.jsonl").read_bytes() == (made / "tasks.jsonl").read_bytes()
    kept = (tmp_path / "2_drafts.jsonl").stat().st_mtime_ns
    Synthesis(corpus, tmp_path, 150, rules).run()
    assert (tmp_path / "2_drafts.jsonl").stat().st_mtime_ns == kept
    with pytest.raises(DataError, match="num_tasks was 150 and is 151"):
        Synthesis(corpus, tmp_path, 151, rules)


def test_a_stopped_run_goes_on(corpus: Path, made: Path, tmp_path: Path) -> None:
    def stop(what: str, note: str) -> None:
        if what == "drafts":
            raise KeyboardInterrupt

    rules = DraftRules(seed=1, languages=("en", "zh"), test_share=0.3)
    with pytest.raises(KeyboardInterrupt):
        Synthesis(corpus, tmp_path, 150, rules, stop).run()
    assert not (tmp_path / "2_drafts.jsonl").exists()
    Synthesis(corpus, tmp_path, 150, rules).run()
    assert (tmp_path / "tasks.jsonl").read_bytes() == (made / "tasks.jsonl").read_bytes()


def _plant(task: Task, rng: Random) -> Task:
    """Puts one wrong cell into the gold table: another's, one digit off, or made up."""
    row, column = rng.randrange(len(task.gold)), rng.randrange(len(task.columns))
    cell = task.gold[row][column]
    others = [r[column] for r in task.gold if r[column] != cell]
    digits = [i for i, c in enumerate(cell) if c.isdigit()]
    kind = rng.randrange(3)
    if kind == 0 and others:
        wrong = rng.choice(others)
    elif kind == 1 and digits:
        at = rng.choice(digits)
        wrong = cell[:at] + str((int(cell[at]) + rng.randint(1, 9)) % 10) + cell[at + 1 :]
    else:
        wrong = f"{cell}x"
    gold = [list(r) for r in task.gold]
    gold[row][column] = wrong
    return replace(task, gold=tuple(map(tuple, gold)))


@pytest.mark.parametrize("kind", ["tables", "hard", "missing"])
def test_planted_errors_are_caught(kind: str, tasks: list[Task], tmp_path: Path) -> None:
    pages = PAGES
    if kind != "tables":
        world = World(kind, 3)
        pages = list(world.pages())
        write_world(world, tmp_path / "pages.jsonl")
        Synthesis(tmp_path / "pages.jsonl", tmp_path / "out", 150, DraftRules()).run()
        tasks = list(load_tasks(tmp_path / "out" / "3_checked.jsonl"))
    cells = {page.url: PageCells(page) for page in pages}
    assert not any(unheld_cells(task, cells) for task in tasks)
    rng = Random(0)
    planted = [_plant(task, rng) for task in tasks for _ in range(4)]
    caught = sum(bool(unheld_cells(task, cells)) for task in planted)
    assert caught >= 0.99 * len(planted)


@pytest.mark.parametrize("preset", ["starter", "default", "conflict", "hard"])
def test_relations_of_a_world_are_what_its_data_base_says(preset: str) -> None:
    world, things = World(preset, 5), Things()
    for page in world.pages():
        things.add(page)
    num_cells = 0
    regions = [world._region(number).region for number in range(world._num_regions)]
    for relation in things.relations():
        [region] = [r for r in regions if r.name.casefold() == relation.group]
        assert {row[0] for row in relation.rows} <= set(region.by_name)
        for row in relation.rows:
            entity = region.by_name[row[0]]
            by_label = {a.label: a for a in entity.domain.attributes}
            for field, cell in zip(relation.fields[1:], row[1:], strict=True):
                value = entity.values[by_label[field.name].key]
                assert cell == gold_text(value, year_only=field.kind == "year")
                num_cells += 1
    assert num_cells > 200


def test_tasks_about_things_are_broad(tmp_path: Path) -> None:
    write_world(World("easy", 1), tmp_path / "pages.jsonl")
    rules = DraftRules(broad=True, test_share=0.0)
    Synthesis(tmp_path / "pages.jsonl", tmp_path / "out", 60, rules).run()
    hops = Counter()
    for task in load_tasks(tmp_path / "out" / "tasks.jsonl", strict=True):
        hops[task.metadata["synthesis"]["difficulty"]["hops"]] += 1
        first = [set(row[0]) for row in task.sources]
        assert not set.intersection(*first)
    assert hops[1]
    assert hops[2]


def test_near_duplicates_are_noticed(tasks: list[Task]) -> None:
    task = max(tasks, key=lambda task: len(task.gold))
    alike = Alike()
    assert not alike.seen(cells_of(task))
    shorter = replace(task, gold=task.gold[1:], sources=task.sources[1:])
    assert alike.seen(cells_of(shorter))
    half = len(task.gold) // 2
    assert not alike.seen(
        cells_of(replace(task, gold=task.gold[:half], sources=task.sources[:half]))
    )


async def test_the_tasks_are_played_with_their_pages(corpus: Path, made: Path) -> None:
    source = TaskSource.file(made / "tasks.jsonl", str(corpus))
    jobs = [Job(assignment.task, assignment.backend) for assignment in source[:2]]
    policy = OraclePolicy([job.task for job in jobs])
    episodes = [episode async for episode in rollout(jobs, policy)]
    assert [e.score.item_f1 for e in episodes if e.score] == [1.0, 1.0]


def test_the_command_makes_tasks_and_tells_what_it_would_do(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(corpus), "--out", str(tmp_path / "o"), "--num-tasks", "20"]
    assert run_command("synthesize", [*argv, "--dry-run"]) == 0
    assert "price 0" in capsys.readouterr().out
    assert not (tmp_path / "o").exists()
    assert run_command("synthesize", argv) == 0
    assert "wrote 20 tasks" in capsys.readouterr().out
    card = (tmp_path / "o" / "card.md").read_text()
    assert "| drafts | 20 |" in card
    assert "nearly as another" in card or "too few or too many rows" in card
    assert run_command("synthesize", [*argv, "--seed", "4"]) == 1
    assert "other settings" in capsys.readouterr().err
