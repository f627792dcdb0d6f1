"""From relations to drafts of tasks: joins, programs, gold tables with sources, questions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from zlib import crc32

import msgspec

from wideseek_env.records import Task
from wideseek_env.scoring.text import bare_text
from wideseek_env.scoring.values import MISSING, Value
from wideseek_env.tasks.synthesis.drawing import draw_program
from wideseek_env.tasks.synthesis.fairness import (
    Alike,
    TrainingRows,
    cells_of,
    is_on_one_page,
    is_test_group,
    unfair,
)
from wideseek_env.tasks.synthesis.programs import (
    Program,
    Unfair,
    brought_fields,
    execute,
    join,
    table_of,
)
from wideseek_env.tasks.synthesis.questions import JoinedWith, Language, question_of
from wideseek_env.tasks.synthesis.relations import Relation

_MIN_JOINED, _MIN_JOINED_SHARE = 4, 0.6
_MAX_PARTNERS = 3
_COUNTRIES = {"country", "nation", "nationality", "nat", "noc", "nat.", "countries", "nations"}
_MAX_ROUNDS = 400
_IDLE_ROUNDS = 25
"""Rounds over all relations without a single new task that show that there are no more."""


@dataclass(frozen=True, slots=True)
class DraftRules:
    """What drafts have to be like."""

    seed: int = 0
    languages: tuple[Language, ...] = ("en",)
    min_rows: int = 3
    max_rows: int = 60
    broad: bool = False
    """Only tasks that no single page answers."""
    test_share: float = 0.1
    """Of the groups of pages, those held out."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What programs are drawn over: a relation, or a join."""

    relation: Relation
    joined: tuple[Relation, Relation, int, int] | None = None
    """The first and second relation, and the fields of them that are equal."""


def make_drafts(
    relations: Sequence[Relation], num: int, rules: DraftRules, dropped: Counter[str]
) -> Iterator[Task]:
    """Yields at most `num` drafts, the same ones for the same arguments.

    Relations take turns, so that the tasks are spread over all pages.

    Args:
        relations: of one corpus.
        num: how many.
        rules: what they have to be like.
        dropped: counts the drafts left out, by reason.
    """
    in_test = {r.group: is_test_group(r.group, rules.seed, rules.test_share) for r in relations}
    training = TrainingRows(r for r in relations if not in_test[r.group])
    grounds = find_grounds(relations, lambda r: in_test[r.group])
    alike, made, idle, worn = Alike(), 0, 0, Counter[str]()
    for number in range(_MAX_ROUNDS):
        before = made
        for index, ground in enumerate(grounds):
            if worn[ground.relation.id] > _IDLE_ROUNDS:
                continue
            language = rules.languages[(index + number) % len(rules.languages)]
            task = draft(ground, number, language, rules)
            if not isinstance(task, str):
                if in_test[ground.relation.group] and training.hold(task):
                    task = "row of a training page"
                elif alike.seen(cells_of(task)):
                    task = "nearly as another"
            if isinstance(task, str):
                dropped[task] += 1
                worn[ground.relation.id] += 1
                continue
            worn[ground.relation.id] = 0
            task.metadata["synthesis"]["split"] = (
                "test" if in_test[ground.relation.group] else "train"
            )
            made += 1
            yield task
            if made >= num:
                return
        idle = idle + 1 if made == before else 0
        if idle > _IDLE_ROUNDS:
            return


def find_grounds(
    relations: Sequence[Relation], side: Callable[[Relation], object] = lambda relation: None
) -> list[Ground]:
    """Lists all relations, and the joins between those that share a key and are on one side."""
    where: dict[tuple[object, bool, Value], list[int]] = defaultdict(list)
    for number, relation in enumerate(relations):
        if len(relation.keys) == 1 and relation.fields[relation.keys[0]].kind == "text":
            for value in relation.values(relation.keys[0]):
                where[side(relation), relation.of_things, value].append(number)
    grounds = [Ground(relation) for relation in relations]
    for number, left in enumerate(relations):
        shared: dict[tuple[int, int], list[Value]] = defaultdict(list)
        for field, kind in enumerate(field.kind for field in left.fields):
            if kind == "text":
                for value in left.values(field):
                    if value != MISSING:
                        for other in where.get((side(left), left.of_things, value), ()):
                            if other != number and _is_same_key(left, field, relations[other]):
                                shared[other, field].append(value)
        fit = [
            pair
            for pair, values in shared.items()
            if len(set(values)) >= _MIN_JOINED and len(values) >= _MIN_JOINED_SHARE * len(left.rows)
        ]
        for other, field in sorted(fit, key=lambda pair: -len(shared[pair]))[:_MAX_PARTNERS]:
            right = relations[other]
            made = join(left, right, (field, right.keys[0]))
            if made is not None:
                grounds.append(Ground(made, (left, right, field, right.keys[0])))
    return grounds


def _is_same_key(left: Relation, field: int, right: Relation) -> bool:
    """Whether a field and the key of another relation are about the same kind of thing.

    Equal cells alone do not tell: clay courts are not Clay County. On one page, or about things of
    one closed world, they do.
    """
    if left.of_things or left.urls == right.urls:
        return True
    names = [bare_text(r.fields[i].name) for r, i in ((left, field), (right, right.keys[0]))]
    return names[0] == names[1] or set(names) <= _COUNTRIES


def draft(ground: Ground, number: int, language: Language, rules: DraftRules) -> Task | str:
    """Draws one task, or says why there is none.

    Args:
        ground: what it is about.
        number: of the draw; the same number gives the same task.
        language: of its question.
        rules: what it has to be like.
    """
    relation = ground.relation
    rng = Random(f"{rules.seed}|{relation.id}|{number}")
    fixed = (ground.joined[2],) if ground.joined else ()
    long = len(relation.rows) > rules.max_rows
    program = draw_program(relation, rng, fixed=fixed, min_clauses=int(long or relation.of_things))
    if program is None:
        return "no program"
    try:
        rows = execute(program, relation)
        if not _every_part_matters(program, relation, rows):
            return "condition without effect"
    except Unfair as unfit:
        return str(unfit)
    joined = joined_with(ground, program)
    if ground.joined and (joined is None or not joined.columns):
        return "join without a column of its own"
    task = _task(ground, program, rows, number=number, rng=rng, language=language, joined=joined)
    reason = unfair(task, min_rows=rules.min_rows, max_rows=rules.max_rows, broad=rules.broad)
    return reason or task


def _every_part_matters(program: Program, relation: Relation, rows: Sequence[int]) -> bool:
    """Whether each condition and the rank change what is asked for."""
    for i in range(len(program.where)):
        clauses = program.where[:i] + program.where[i + 1 :]
        try:
            without = execute(msgspec.structs.replace(program, where=clauses), relation)
        except Unfair:
            continue  # a tie, so the answer would be another
        if without == list(rows):
            return False
    return program.top is None or len(rows) < len(
        execute(msgspec.structs.replace(program, top=None), relation)
    )


def joined_with(ground: Ground, program: Program) -> JoinedWith | None:
    """Says what the second half of a join is, and which columns of the program it brings."""
    if ground.joined is None:
        return None
    left, right, on, key = ground.joined
    of_right = {right.fields[i].label for i in brought_fields(left, right, key)}
    used = [*program.columns, *(t.column for clause in program.where for t in clause)]
    if program.top is not None:
        used.append(program.top.column)
    return JoinedWith(
        right,
        ground.relation.fields[on].label,
        right.fields[key].label,
        tuple(dict.fromkeys(label for label in used if label in of_right)),
    )


def _task(
    ground: Ground,
    program: Program,
    rows: Sequence[int],
    *,
    number: int,
    rng: Random,
    language: Language,
    joined: JoinedWith | None,
) -> Task:
    relation = ground.relation
    gold = table_of(program, relation, rows)
    fields = [relation.index(label) for label in program.columns]
    about = {
        "relations": relation.id.split(" + ")[:2],
        "things": relation.of_things,
        "program": msgspec.to_builtins(program),
        "join": {
            "on": joined.on,
            "key": joined.key,
            "columns": [c for c in joined.columns if c in program.columns],
        }
        if joined
        else None,
    }
    cells = {cell for row in gold for cell in row}
    task = Task(
        id=f"syn-{language}-{crc32(relation.id.encode()):08x}-{number}",
        question=question_of(program, relation, rng, language=language, joined=joined),
        columns=tuple(relation.fields[i].column() for i in fields),
        key_columns=tuple(relation.fields[i].label for i in relation.keys),
        gold=gold,
        language=language,
        aliases={c: a for c, a in relation.aliases.items() if c in cells},
        sources=tuple(tuple(relation.sources(row, i) for i in fields) for row in rows),
        metadata={"synthesis": about},
    )
    about["difficulty"] = {
        "rows": len(rows),
        "columns": len(fields),
        "conditions": len(program.where),
        "ranked": program.top is not None,
        "hops": 2 if joined else 1,
        "one_page": is_on_one_page(task),
        "pages": len({url for row in task.sources for urls in row for url in urls[:1]}),
    }
    return task
