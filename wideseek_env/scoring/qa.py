r"""Deep tasks: one answer in `\boxed{}`, compared by exact match or by shared words (F1)."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable

from wideseek_env.records import Score, Task
from wideseek_env.scoring.tables import read_table
from wideseek_env.scoring.values import read_value, same

MAX_SHORT_ANSWER_CHARS = 200
"""A text without a box and without a table is the answer itself when it is this short."""

_BOX = re.compile(r"\\boxed\s*\{")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "，。、；：？！“”‘’（）《》「」·")
_WORD = re.compile(r"[㐀-䶿一-鿿豈-﫿぀-ヿ]|[^\W_]+")
"""A Chinese or Japanese character counts as a word, as those scripts do not part words."""


def read_answer(text: str) -> str | None:
    r"""Returns the answer that a text hands in, or None when it holds none.

    The last `\boxed{...}` wins; else the last table, when it has a single cell; else the whole
    text, when it is at most 200 characters.
    """
    boxed = _last_boxed(text)
    if boxed is not None:
        return boxed or None
    table = read_table(text)
    if table is not None:
        cells = [cell for row in table.rows for cell in row]
        return cells[0] if len(cells) == 1 else None
    whole = text.strip()
    return whole if 0 < len(whole) <= MAX_SHORT_ANSWER_CHARS else None


def score_deep(task: Task, text: str) -> Score:
    """Returns 1.0 in every figure when the answer is the gold cell or an alias of it, else 0.0."""
    answer = read_answer(text)
    column, gold = task.columns[0], task.gold[0][0]
    if answer is None:
        return all_figures(0.0, parsed=False)
    right = any(
        same(read_value(answer, column), read_value(spelling, column), column)
        or normalise_answer(answer) == normalise_answer(spelling) != ""
        for spelling in (gold, *task.aliases.get(gold, ()))
    )
    return all_figures(float(right), parsed=True)


def exact_match(answer: str, golds: Iterable[str]) -> float:
    """Returns 1.0 when the answer equals one of the gold spellings after `normalise_answer`."""
    return float(normalise_answer(answer) in {normalise_answer(gold) for gold in golds})


def token_f1(answer: str, golds: Iterable[str]) -> float:
    """Returns the F1 of shared words against the best of the gold spellings, in [0, 1]."""
    return max((_token_f1(answer, gold) for gold in golds), default=0.0)


def normalise_answer(text: str) -> str:
    """Returns a text without case, punctuation, articles and extra blanks, as SQuAD does."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", folded).split())


def _token_f1(answer: str, gold: str) -> float:
    mine = Counter(_WORD.findall(normalise_answer(answer)))
    wanted = Counter(_WORD.findall(normalise_answer(gold)))
    total = mine.total() + wanted.total()
    if total == 0:
        return 1.0
    return 2 * (mine & wanted).total() / total


def _last_boxed(text: str) -> str | None:
    r"""Returns what the last `\boxed{...}` holds, braces balanced; None when there is none."""
    openings = list(_BOX.finditer(text))
    if not openings:
        return None
    start = openings[-1].end()
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position].strip()
    return None


def all_figures(value: float, *, parsed: bool) -> Score:
    """Returns the score of a deep task, whose figures are all the same."""
    correct = ((0, 0),) if value else ()
    return Score(value, value, value, value, value, value, value, parsed=parsed, correct=correct)
