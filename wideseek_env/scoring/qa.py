r"""Deep tasks: one answer in `\boxed{}`, compared by exact match or by shared words (F1)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from wideseek_env.records import Score, Task
from wideseek_env.scoring.latex import without_latex
from wideseek_env.scoring.numbers import InHeader, near, read_number
from wideseek_env.scoring.tables import read_table
from wideseek_env.scoring.text import DASHES, fold, without_emphasis
from wideseek_env.scoring.values import read_value, same
from wideseek_env.thinking import said

MAX_SHORT_ANSWER_CHARS = 200
"""A text without a box and without a table is the answer itself when it is this short."""

_BRACES = re.compile(
    r"(?P<box>\\(?:f?boxed|fbox|framebox)\s*\{)|\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL
)
_MAX_BOX_CHARS = 2_000
"""What is longer is no short answer."""
_ANSWER_TAG = re.compile(
    r"<(?P<end>/?)(?:final_?)?answer\s*>|\[(?P<close>/?)(?:FINAL_)?ANSWER\]", re.IGNORECASE
)
_SAID = re.compile(
    r"[*_#\s]*(?:"
    r"(?:(?:so|thus|therefore|hence),? )?(?:(?:the|my) )?(?:final |correct )?answer"
    r"(?:\s+is\b\s*[:：]?|[*_]*\s*[:：\n])"
    r"|(?:最终|最終|最后)?(?:答案|回答|答え)(?:是|为|為|は)?\s*[:：]"
    r"|(?:a|réponse(?: finale)?|antwort|respuesta(?: final)?|resposta(?: final)?|risposta"
    r"|ответ)\s*[:：]"
    r")[*_]*\s*(?=\S)",
    re.IGNORECASE,
)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b(?=\s+\S)")
"""What ends a text is none: Vitamin A."""
_APART = re.compile(r"(?<=\d)\s+([-:/])\s+(?=\d)")
_KEPT = re.compile(
    r"(?<=\d)[.,/:;&*_](?=\d)|(?<=\w)[=^](?=\w)|(?<=[^\W\d_])-(?!\w)|(?<!\w)[-+<>~](?=[\d$€£¥.])|(?<=\d)-(?=\d)|(?<=\w)(?:\+\+|[+#*])(?!\w)"
    r"|[%‰°$€£¥]|[<>]=?(?=\s?\d)"
)
"""Punctuation that means something: 3.14, 1/2, -5, 10-20, C++, C#, A*, 10%, $5."""
_KEPT_PIECES = re.compile(f"({_KEPT.pattern})")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_SAME = DASHES | {ord("♯"): "#"}
_WORD = re.compile(r"[㐀-䶿一-鿿豈-﫿぀-ヿ]|[^\W_]+")
"""A Chinese or Japanese character counts as a word, as those scripts do not part words."""


def read_answer(text: str) -> str | None:
    r"""Returns the answer that a text hands in, or None when it holds none.

    What stands in thinking is none. What the last `<answer>` tags hold is all there is, if there
    are any; in it the last `\boxed{...}` wins that holds something; else the last table, when it
    has a single cell; else the whole text, when it is at most 200 characters. LaTeX is dropped.
    """
    text = said(text)
    text = _last_tagged(text) or text
    boxed = _last_boxed(text.replace("\\\\", "\\") if "\\\\boxed" in text else text)
    if boxed is not None:
        return without_latex(boxed, boxed=True) or None
    table = read_table(text)
    if table is not None:
        cells = [cell for row in table.rows for cell in row]
        return cells[0] if len(cells) == 1 and len(cells[0]) <= _MAX_BOX_CHARS else None
    whole = text.strip()
    if not 0 < len(whole) <= MAX_SHORT_ANSWER_CHARS:
        return None
    begin = _SAID.match(whole)
    return without_latex(whole[begin.end() :] if begin else whole, boxed=False)


def score_deep(task: Task, text: str) -> Score:
    """Returns 1.0 in every figure when the answer is the gold cell or an alias of it, else 0.0."""
    answer = read_answer(text)
    column, gold = task.columns[0], task.gold[0][0]
    if answer is None:
        return all_figures(0.0, parsed=False)
    right = any(
        same(read_value(answer, column), read_value(spelling, column), column)
        or _say_the_same(answer, spelling)
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
    """Returns a text without case, articles, extra blanks and punctuation that means nothing.

    As SQuAD does, but `3.14`, `C#`, `1/2` and `-5` stay what they are.
    """
    folded = without_emphasis(fold(text)).casefold().translate(_SAME)
    folded = _APART.sub(r"\1", folded)
    kept = "".join(
        piece if index % 2 else _without_punctuation(piece)
        for index, piece in enumerate(_KEPT_PIECES.split(folded))
    )
    return " ".join(_ARTICLES.sub(" ", kept).split())


def _without_punctuation(text: str) -> str:
    plain = _PUNCTUATION.sub("", text)
    if plain.isascii():
        return plain
    return "".join(c for c in plain if not unicodedata.category(c).startswith("P"))


def _say_the_same(answer: str, gold: str) -> bool:
    """Whether two short answers are equal: as numbers if both are, else as normalised texts."""
    numbers = [read_number(text, InHeader()) for text in (answer, gold)]
    if numbers[0] is not None and numbers[1] is not None:
        return near(numbers[0], numbers[1], Fraction(0))
    return normalise_answer(answer) == normalise_answer(gold) != ""


def _token_f1(answer: str, gold: str) -> float:
    mine = Counter(_WORD.findall(normalise_answer(answer)))
    wanted = Counter(_WORD.findall(normalise_answer(gold)))
    total = mine.total() + wanted.total()
    if total == 0:
        return 1.0
    return 2 * (mine & wanted).total() / total


def _last_tagged(text: str) -> str | None:
    """Returns what the last `<answer>` tags that hold something hold; one may lack its end."""
    start, held = None, None
    for tag in _ANSWER_TAG.finditer(text):
        if not (tag["end"] or tag["close"]):
            start = tag.end()
        elif start is not None:
            held, start = text[start : tag.start()].strip() or held, None
    return text[start:].strip() if held is None and start is not None else held


def _last_boxed(text: str) -> str | None:
    r"""Returns what the last closed `\boxed{...}` holds, if possible one that holds something.

    None when there is none.
    """
    found: dict[int, str] = {}
    starts: list[int | None] = []
    for brace in _BRACES.finditer(text):
        if brace["box"]:
            starts.append(brace.end())
        elif brace["open"]:
            starts.append(None)
        elif brace["close"] and starts:
            start = starts.pop()
            if start is not None and brace.start() - start <= _MAX_BOX_CHARS:
                found[start] = text[start : brace.start()].strip()
    full = {start: held for start, held in found.items() if held} or found
    return full[max(full)] if full else None


def all_figures(value: float, *, parsed: bool) -> Score:
    """Returns the score of a deep task, whose figures are all the same."""
    correct = ((0, 0),) if value else ()
    return Score(value, value, value, value, value, value, value, parsed=parsed, correct=correct)
