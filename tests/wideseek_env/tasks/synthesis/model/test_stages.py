"""The model's stages against a scripted model behind a real server."""

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from zlib import crc32

import pytest
from fault_server import FaultServer
from wording_model import (
    CITIES,
    NUM,
    PAGES,
    RULES,
    Program,
    WordingModel,
    gold,
    left_out,
    made,
    plan,
    said_in,
)

from wideseek_env.records import Task
from wideseek_env.scoring.tables import write_table
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.stages import Synthesis


def by_hand(program: Program, task: Task) -> Counter[tuple[str, ...]]:
    """Executes a program on the page's own rows: an interpreter that shares no code with ours."""
    [url] = {url for row in task.sources for urls in row for url in urls}
    [html] = [p.html for p in PAGES if p.url == url]
    cells = [
        [cell.partition("</td>")[0] for cell in line.split("<td>")[1:]]
        for line in html.split("<tr>")[2:]
    ]
    names = ["Bridge", "City", "Length (m)", "Opened"]

    def size(text: str) -> float:
        for form in ("%d %B %Y", "%Y-%m-%d"):
            try:
                return datetime.strptime(text, form).toordinal()
            except ValueError:
                continue
        return float(text.replace(",", ""))

    def holds(row: list[str], test: dict[str, object]) -> bool:
        cell, value = row[names.index(str(test["column"]))], str(test["value"])
        if test["op"] == "is":
            met = cell == value
        elif test["op"] == "more":
            met = size(cell) > size(value)
        else:
            met = size(cell) < size(value)
        return met != test["negated"]

    rows = [r for r in cells if all(any(holds(r, t) for t in c) for c in program["where"])]
    if top := program["top"]:
        at = names.index(top["column"])
        rows.sort(key=lambda row: size(row[at]), reverse=top["greatest"])
        rows = rows[: top["k"]]
    return Counter(tuple(row[names.index(c)] for c in program["columns"]) for row in rows)


def test_right_wordings_stay_and_say_the_columns_and_formats(
    corpus: Path, by_rules: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    told: list[str] = []
    work = Synthesis(corpus, tmp_path, NUM, RULES, lambda **now: told.append(now["note"]))
    result = work.run(plan(server))
    tasks, rules = made(tmp_path), {task.id: task for task in made(by_rules)}
    assert result.kept == len(tasks) == NUM
    for task in tasks:
        name, program = said_in(task.question)
        assert name == task.id
        assert by_hand(program, task) == Counter(task.gold)
        assert all(name in task.question for name in task.column_names)
        assert ("YYYY-MM-DD" in task.question) == ("Opened" in task.column_names)
        assert "请找出" in task.question if task.language == "zh" else "What rows" in task.question
        old = rules[task.id]
        assert replace(task, question="", metadata={}) == replace(old, question="", metadata={})
        assert task.metadata["synthesis"]["worded_by"] == "scripted"
    assert model.asked == Counter(
        wording=NUM, read_back=2 * NUM, paraphrase=NUM, memory=NUM, answers=2 * NUM
    )
    assert any(f"answers {NUM}" in note and "wording" in note for note in told)


KINDS = ("bound", "flip", "not", "drop", "add", "columns", "rank")


def wrong(kind: str, program: Program, rng: Random) -> Program:
    """Returns another program, wrong in one way; the same one where that way is not open."""
    program = deepcopy(program)
    tests = [test for clause in program["where"] for test in clause]
    test = rng.choice(tests) if tests else None
    if kind == "bound" and test:
        if test["op"] == "is":
            test["value"] = rng.choice([city for city in CITIES if city != test["value"]])
        elif "May" in test["value"]:
            test["value"] = f"{rng.randint(1, 28)} May {1900 + rng.randrange(24)}"
        else:
            test["value"] = str(round(float(test["value"].replace(",", "")) * rng.uniform(0.3, 3)))
    elif kind == "flip" and test and test["op"] != "is":
        test["op"] = {"more": "less", "less": "more"}[test["op"]]
    elif kind == "not" and test:
        test["negated"] = not test["negated"]
    elif kind == "drop" and tests:
        program["where"].pop(rng.randrange(len(program["where"])))
    elif kind == "add":
        city = {"column": "City", "op": "is", "value": rng.choice(CITIES), "negated": False}
        program["where"].append([city])
    elif kind == "columns" and len(program["columns"]) > 1:
        program["columns"] = program["columns"][:-1]
    elif kind == "rank":
        top = program["top"] or {"column": "Length (m)", "k": 4, "greatest": True}
        program["top"] = top | {"k": top["k"] + rng.choice((-1, 1)), "greatest": rng.random() < 0.5}
    return program


@pytest.mark.parametrize("stage", ["wording", "paraphrase"])
def test_no_wrong_wording_survives(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path, stage: str
) -> None:
    planted: dict[str, Program] = {}

    def mutate(at: str, task: Task, program: Program) -> Program:
        if at == stage and crc32(task.id.encode()) % 4:  # three of four are wrong
            rng = Random(task.id)
            program = wrong(rng.choice(KINDS), program, rng)
            planted[task.id] = program
        return program

    model.mutate = mutate
    Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server, num_answers=0, max_from_memory=1))
    tasks = {task.id: task for task in made(tmp_path)}
    differing = {
        name
        for name, program in planted.items()
        if by_hand(program, model.tasks[name]) != Counter(model.tasks[name].gold)
        or set(program["columns"]) != set(model.tasks[name].column_names)
    }
    assert len(differing) > NUM / 3
    for task in tasks.values():
        assert by_hand(said_in(task.question)[1], task) == Counter(task.gold)
    if stage == "wording":
        assert set(tasks) == set(model.tasks) - differing
        assert sum(left_out(tmp_path).values()) == len(differing)
        assert {at for at, _ in left_out(tmp_path)} == {"read-back"}
    else:  # then the first wording stays
        assert set(tasks) == set(model.tasks)
        assert all(("fetch" in t.question) == (n in differing) for n, t in tasks.items())
        assert (
            f"{len(differing)} tasks keep the first wording" in (tmp_path / "card.md").read_text()
        )


def test_a_task_whose_wording_fails_keeps_the_rules_question_when_asked(
    corpus: Path, by_rules: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    model.reading = lambda task, reading: "I cannot." if task.language == "en" else reading
    keeping = plan(server, keep_rules_wording=True, num_answers=0, max_from_memory=1)
    Synthesis(corpus, tmp_path, NUM, RULES).run(keeping)
    rules = {task.id: task.question for task in made(by_rules)}
    tasks = made(tmp_path)
    assert len(tasks) == NUM
    assert all((t.question == rules[t.id]) == (t.language == "en") for t in tasks)
    num = sum(task.language == "en" for task in tasks)
    assert f"{num} tasks keep the question made by rules" in (tmp_path / "card.md").read_text()
    assert model.asked["wording"] == NUM + num  # each had a second attempt


def test_each_filter_leaves_out_what_it_should_by_reason(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    names = sorted(model.tasks)
    model.known = set(names[:7])
    blank, wrong_twice, wrong_once = names[10:14], names[20:25], names[30:36]

    def answers(task: Task, sample: int) -> str:
        if task.id in blank:
            return ""
        if task.id in wrong_twice or (task.id in wrong_once and sample == 1):
            return write_table(task.column_names, [("?",) * len(task.columns)] * len(task.gold))
        return gold(task)

    model.answers = answers
    Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server))
    kept = {task.id for task in made(tmp_path)}
    assert kept == set(names) - model.known - {*blank, *wrong_twice, *wrong_once}
    assert left_out(tmp_path) == {
        ("from memory", "known by heart"): 7,
        ("answers", "answers differ from the gold table"): 15,
    }
    Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server, min_agreement=0.4))
    assert {t.id for t in made(tmp_path)} == kept | set(wrong_once)  # and nothing was asked again
    assert max(model.seen.values()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Which bridges are there currently in this table, all of them?", "words that depend"),
        ("Which of them is {cell}, and what are the others like?", "question holds a part"),
        ("", "no question of one"),
        ("word " * 400, "no question of one"),
        ("| Bridge |\n|---|\n| x |", "no question of one"),
        ("请列出页面上所有符合条件的桥梁，并给出它们的名称。", "in another language"),
    ],
)
def test_unusable_words_are_left_out_before_they_are_read(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path, text: str, reason: str
) -> None:
    english = replace(RULES, languages=("en",))
    Synthesis(corpus, tmp_path, 20, english).run()
    model.tasks = {task.id: task for task in load_tasks(tmp_path / "3_checked.jsonl")}
    said = model._wording

    def wording(user: str, sample: int) -> str:
        name, _ = said_in(said(user, sample))
        cell = next(cell for cell in model.tasks[name].gold[0] if cell.startswith(PREFIXES))
        return text.replace("{cell}", cell)

    model._wording = wording  # type: ignore[method-assign]
    Synthesis(corpus, tmp_path, 20, english).run(plan(server))
    [(at, why)] = left_out(tmp_path)
    assert at == "wording"
    assert reason in why
    assert model.asked == {"wording": 40}


PREFIXES = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta")


def test_nearly_equal_questions_are_kept_once(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    said = model._wording
    long = " ".join(f"word{number}" for number in range(80))

    def wording(user: str, sample: int) -> str:
        text = said(user, sample)
        return text if "请" in text else f"{long} {text}"

    model._wording = wording  # type: ignore[method-assign]
    rules = {"paraphrase": False, "num_answers": 0, "max_from_memory": 1}
    Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server, **rules))
    languages = Counter(task.language for task in model.tasks.values())
    assert Counter(task.language for task in made(tmp_path)) == {"en": 1, "zh": languages["zh"]}
    assert left_out(tmp_path) == {("alike", "nearly the question of another"): languages["en"] - 1}
