"""Errors planted into what was read of a corpus: no task keeps a cell that its page denies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from random import Random

import msgspec
import pytest
from wording_model import PAGES, RULES

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.records import Task
from wideseek_env.scoring.values import reader_of
from wideseek_env.tasks.synthesis.drafts import make_drafts
from wideseek_env.tasks.synthesis.pagecheck import PageCells, unheld_cells
from wideseek_env.tasks.synthesis.pagetables import table_relations
from wideseek_env.tasks.synthesis.relations import Relation
from wideseek_env.tasks.synthesis.things import Things
from wideseek_env.worlds import World

_DIGITS = re.compile(r"\d+")


def digit(cell: str, column: list[str], rng: Random) -> str:
    """One digit is another."""
    places = [i for i, c in enumerate(cell) if c.isdigit()]
    if not places:
        return cell
    at = rng.choice(places)
    return cell[:at] + str((int(cell[at]) + rng.randint(1, 9)) % 10) + cell[at + 1 :]


def swapped_digits(cell: str, column: list[str], rng: Random) -> str:
    """Two digits change places."""
    places = [i for i in range(len(cell) - 1) if cell[i : i + 2].isdigit()]
    if not places:
        return cell
    at = rng.choice(places)
    return cell[:at] + cell[at + 1] + cell[at] + cell[at + 2 :]


def scaled(cell: str, column: list[str], rng: Random) -> str:
    """A thousand times as much, or a tenth."""
    if not re.fullmatch(r"[\d,]+(?:\.\d+)?", cell):
        return cell
    number = float(cell.replace(",", ""))
    return f"{number * rng.choice((1000, 0.1)):g}"


def off_by_one(cell: str, column: list[str], rng: Random) -> str:
    """One more, in the last number of the cell."""
    found = list(_DIGITS.finditer(cell))
    if not found:
        return cell
    return cell[: found[-1].start()] + str(int(found[-1].group()) + 1) + cell[found[-1].end() :]


def of_another(cell: str, column: list[str], rng: Random) -> str:
    """Another row's cell."""
    return rng.choice(column)


def letter(cell: str, column: list[str], rng: Random) -> str:
    """One letter is another."""
    places = [i for i, c in enumerate(cell) if c.isalpha()]
    if not places:
        return cell
    at = rng.choice(places)
    return cell[:at] + rng.choice("bcdfgklmnprstvz") + cell[at + 1 :]


def missing_letter(cell: str, column: list[str], rng: Random) -> str:
    """A letter is gone."""
    at = rng.randrange(len(cell)) if len(cell) > 3 else 0
    return cell[:at] + cell[at + 1 :] if len(cell) > 3 and cell[at].isalnum() else cell


def negated(cell: str, column: list[str], rng: Random) -> str:
    """A minus before a number."""
    return f"-{cell}" if cell[:1].isdigit() and _DIGITS.fullmatch(cell.replace(",", "")) else cell


KINDS: tuple[Callable[[str, list[str], Random], str], ...] = (
    digit, swapped_digits, scaled, off_by_one, of_another, letter, missing_letter, negated,
)  # fmt: skip


def planted(relation: Relation, kind: int, rng: Random) -> tuple[Relation, dict[str, set[str]]]:
    """Returns a relation with a tenth of its cells wrong, and the wrong cells of each row.

    What is no number or date any more is left as it was: no reader would take it for one.
    """
    rows, wrong = [list(row) for row in relation.rows], dict[str, set[str]]()
    for row in rows:
        key = row[relation.keys[0]]
        for i in range(len(row)):
            column = [other[i] for other in relation.rows if other[i]]
            if row[i] and i not in relation.keys and rng.random() < 0.1:
                cell = KINDS[kind](row[i], column, rng)
                read = reader_of(relation.fields[i].column())
                if _plain(cell) != _plain(row[i]) and read(cell).kind == read(row[i]).kind:
                    wrong.setdefault(key, set()).add(cell)
                    row[i] = cell
    made = msgspec.structs.replace(relation, rows=tuple(map(tuple, rows)))
    return made, wrong


def _plain(text: str) -> str:
    return re.sub(r"[\s,]", "", text).casefold()


def wrong_cells(task: Task, wrong: dict[tuple[str, str], set[str]]) -> int:
    about = task.metadata["synthesis"]["relations"]
    return sum(
        cell in wrong.get((about[0], row[0]), ()) for row in task.gold for cell in row[1:] if cell
    )


def pages_of(corpus: str) -> list[RawPage]:
    return PAGES if corpus == "tables" else list(World(corpus, 3).pages())


@pytest.mark.parametrize("corpus", ["tables", "missing"])
def test_wrong_cells_do_not_survive_the_check(corpus: str) -> None:
    pages = pages_of(corpus)
    things = Things()
    relations = [r for page in pages for r in table_relations(page, Counter())]
    for page in pages:
        things.add(page)
    relations = [*relations, *things.relations()][:12]
    held = {page.url: PageCells(page) for page in pages}
    num_planted, num_missed, right = 0, 0, 0
    for kind in range(len(KINDS)):
        rng = Random(f"{corpus}|{kind}")
        bad, wrong = list[Relation](), dict[tuple[str, str], set[str]]()
        for relation in relations:
            made, found = planted(relation, kind, rng)
            bad.append(made)
            wrong |= {(relation.id, key): cells for key, cells in found.items()}
        for task in make_drafts(bad, 40, RULES, Counter()):
            if task.metadata["synthesis"]["join"]:
                continue  # whose cells are of two relations
            num = wrong_cells(task, wrong)
            num_planted += bool(num)
            caught = bool(unheld_cells(task, held))
            num_missed += bool(num) and not caught
            right += not num and not caught
    assert num_planted > 60
    assert right > 10
    assert num_missed <= 0.01 * num_planted
