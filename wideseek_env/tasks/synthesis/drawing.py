"""Draws programs over a relation by chance, such that their questions can be fair.

Bounds of numbers and dates are values that the answer excludes, or round numbers between two
values, so that no question tells a cell of its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random

from wideseek_env.scoring.numbers import Number
from wideseek_env.scoring.values import MISSING, Value
from wideseek_env.tasks.synthesis.programs import Comparison, Program, Top
from wideseek_env.tasks.synthesis.relations import Relation, size_of

_NUM_CLAUSES = (0, 1, 1, 2, 2, 3)
_MAX_COLUMNS = 5
_TOP_SHARE = 0.2
_OR_SHARE, _NOT_SHARE = 0.3, 0.3
_RANKED = ("number", "year", "date")


def draw_program(
    relation: Relation, rng: Random, *, fixed: Sequence[int] = (), min_clauses: int = 0
) -> Program | None:
    """Draws a program; None when the dice gave none that makes sense.

    Args:
        relation: of at least two fields.
        rng: source of all draws.
        fixed: fields that must be among the columns, besides the keys.
        min_clauses: fewest conditions, so that a long relation is not asked for whole.
    """
    whole = [i for i in range(len(relation.fields)) if MISSING not in relation.values(i)]
    ranked = [
        i for i in whole if relation.fields[i].kind in _RANKED and len(set(relation.values(i))) > 3
    ]
    clauses: list[tuple[Comparison, ...]] = []
    bound: set[int] = set()
    for _ in range(max(min_clauses, rng.choice(_NUM_CLAUSES))):
        clause = _clause(relation, whole, bound, rng)
        if clause is not None:
            clauses.append(clause)
    top = None
    if ranked and rng.random() < _TOP_SHARE:
        field = rng.choice(ranked)
        top = Top(relation.fields[field].label, rng.randint(3, 12), rng.random() < 0.6)
    if len(clauses) < min_clauses and top is None:
        return None
    columns = _columns(relation, bound, fixed, rng)
    if columns is None:
        return None
    labels = tuple(relation.fields[i].label for i in columns)
    return Program(labels, tuple(clauses), top)


def _columns(
    relation: Relation, bound: set[int], fixed: Sequence[int], rng: Random
) -> list[int] | None:
    """Draws the columns wanted: keys, fixed ones and some others, none that a question tells."""
    needed = {*relation.keys, *fixed}
    if needed & bound:
        return None
    others = [i for i in range(len(relation.fields)) if i not in needed and i not in bound]
    most = min(len(others), _MAX_COLUMNS - len(needed))
    if most < 1 and len(needed) < 2:
        return None
    num = rng.randint(min(1, most), most) if most > 0 else 0
    chosen = needed | set(rng.sample(others, num))
    return [*relation.keys, *sorted(chosen - set(relation.keys))]


def _clause(
    relation: Relation, whole: Sequence[int], bound: set[int], rng: Random
) -> tuple[Comparison, ...] | None:
    """Draws a condition on a field that has none yet; adds to `bound` the fields it gives away."""
    free = [i for i in whole if i not in bound]
    rng.shuffle(free)
    for field in free:
        kind = relation.fields[field].kind
        if kind in _RANKED and len(set(relation.values(field))) > 3:
            return _range(relation, field, rng)
        if kind == "text" and field not in relation.keys:
            tests = _choice(relation, field, rng)
            if tests is not None:
                bound.add(field)
                return tests
    return None


def _choice(relation: Relation, field: int, rng: Random) -> tuple[Comparison, ...] | None:
    """Draws "is A", "is A or B", "is not A" of a field with few different texts."""
    values, label = relation.values(field), relation.fields[field].label
    first: dict[Value, str] = {}
    for row, value in zip(relation.rows, values, strict=True):
        first.setdefault(value, row[field])
    counts = Counter(values)
    if not 2 <= len(counts) <= max(2, len(values) // 2):
        return None
    common = [value for value in first if counts[value] > 1]
    if not common:
        return None
    if rng.random() < _NOT_SHARE:
        return (Comparison(label, "is", first[rng.choice(common)], negated=True),)
    num = 2 if len(common) > 2 and rng.random() < _OR_SHARE else 1
    return tuple(Comparison(label, "is", first[value]) for value in rng.sample(common, num))


def _range(relation: Relation, field: int, rng: Random) -> tuple[Comparison, ...]:
    """Draws "more than A", "less than A", or, of two tests, "less than A or more than B"."""
    label, kind = relation.fields[field].label, relation.fields[field].kind
    first: dict[Value, str] = {}
    for row, value in zip(relation.rows, relation.values(field), strict=True):
        first.setdefault(value, row[field])
    ordered = sorted(first, key=size_of)  # type: ignore[arg-type]

    def bound(index: int, op: str) -> str:
        inner = index + 1 if op == "more" else index - 1
        if kind == "number" and 0 <= inner < len(ordered):
            return _round_between(ordered[index], ordered[inner], first[ordered[index]])
        return first[ordered[index]]

    last = len(ordered) - 1
    if last >= 5 and rng.random() < _OR_SHARE / 2:
        low, high = sorted(rng.sample(range(1, last), 2))
        return (
            Comparison(label, "less", bound(low, "less")),
            Comparison(label, "more", bound(high, "more")),
        )
    if rng.random() < 0.5:
        return (Comparison(label, "more", bound(rng.randint(0, last - 1), "more")),)
    return (Comparison(label, "less", bound(rng.randint(1, last), "less")),)


def _round_between(outside: Value, inside: Value, text: str) -> str:
    """Finds the roundest number from a value that is excluded to before one that is included."""
    if not isinstance(outside.form, Number) or not isinstance(inside.form, Number):
        return text
    a, b = Fraction(outside.form.size), Fraction(inside.form.size)
    if "%" in text or not text.replace(",", "").replace(".", "").isascii():
        return text
    for digits in range(len(str(int(max(abs(a), abs(b))))), -4, -1):
        step = Fraction(10) ** digits
        number = (a // step) * step
        for candidate in (number, number + step, number - step):
            if (a <= candidate < b) or (b < candidate <= a):
                return f"{Decimal(str(float(candidate))):f}" if digits < 0 else str(int(candidate))
    return text
