r"""Deep tasks: one answer in `\boxed{}`, compared by exact match or by shared words (F1)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from wideseek_env.records import Score, Task
from wideseek_env.scoring.numbers import InHeader, near, read_number
from wideseek_env.scoring.tables import read_table, without_thinking
from wideseek_env.scoring.text import DASHES, fold, without_emphasis
from wideseek_env.scoring.values import read_value, same

MAX_SHORT_ANSWER_CHARS = 200
"""A text without a box and without a table is the answer itself when it is this short."""

_BRACES = re.compile(r"(?P<box>\\(?:f?boxed|fbox)\s*\{)|\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL)
_MAX_BOX_CHARS = 2_000
"""What is longer is no short answer."""
_MAX_WRAPS = 20
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_SAID = re.compile(r"(?:the )?(?:final |correct )?answer(?: is)?\s*[:：]\s*(?=\S)", re.IGNORECASE)
_WRAPPED = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt|normal)?|mbox|hbox|emph|underline"
    r"|operatorname\*?|bm|boldsymbol)\s*\{([^{}]*)\}"
)
_GROUP = re.compile(r"(?<![\\\w}^_*])\{([^{}]*)\}")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX = (
    ("\\%", "%"), ("\\$", "$"), ("\\#", "#"), ("\\&", "&"), ("\\_", "_"), ("\\,", " "),
    ("\\;", " "), ("\\ ", " "), ("\\!", ""), ("{,}", ","), ("^\\circ", "°"),
    ("^{\\circ}", "°"), ("\\times", "×"),
)  # fmt: skip
_ARTICLES = re.compile(r"\b(a|an|the)\b(?![-+#*])")
_KEPT = re.compile(
    r"(?<=\d)[.,/:^](?=\d)|(?<!\w)[-+<>~](?=[\d$€£¥.])|(?<=\d)-(?=\d)|(?<=\w)(?:\+\+|[+#*])(?!\w)"
    r"|[%‰°$€£¥]|[<>]=?(?=\s?\d)"
)
"""Punctuation that means something: 3.14, 1/2, -5, 10-20, C++, C#, A*, 10%, $5."""
_KEPT_PIECES = re.compile(f"({_KEPT.pattern})")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~，。、；：？！“”‘’（）《》「」·]")
_WORD = re.compile(r"[㐀-䶿一-鿿豈-﫿぀-ヿ]|[^\W_]+")
"""A Chinese or Japanese character counts as a word, as those scripts do not part words."""


def read_answer(text: str) -> str | None:
    r"""Returns the answer that a text hands in, or None when it holds none.

    What stands in thinking is none. What the last `<answer>` tags hold is all there is, if there
    are any; in it the last `\boxed{...}` wins that holds something; else the last table, when it
    has a single cell; else the whole text, when it is at most 200 characters. LaTeX is dropped.
    """
    text = without_thinking(text)
    text = _last_tagged(text) or text
    boxed = _last_boxed(text)
    if boxed is not None:
        return _without_latex(boxed) or None
    table = read_table(text)
    if table is not None:
        cells = [cell for row in table.rows for cell in row]
        return cells[0] if len(cells) == 1 else None
    whole = text.strip()
    if not 0 < len(whole) <= MAX_SHORT_ANSWER_CHARS:
        return None
    said = _SAID.match(whole)
    return _without_latex(whole[said.end() :] if said else whole)


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
    folded = without_emphasis(fold(text)).casefold().translate(DASHES)
    kept = "".join(
        piece if index % 2 else _PUNCTUATION.sub("", piece)
        for index, piece in enumerate(_KEPT_PIECES.split(folded))
    )
    return " ".join(_ARTICLES.sub(" ", kept).split())


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
    """Returns what the last `<answer>` tags that hold something hold."""
    start, held = None, None
    for tag in _ANSWER_TAG.finditer(text):
        if not tag[1]:
            start = tag.end()
        elif start is not None:
            held, start = text[start : tag.start()].strip() or held, None
    return held


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


def _without_latex(text: str) -> str:
    for _ in range(_MAX_WRAPS):
        inner = _GROUP.sub(r"\1", _FRACTION.sub(r"\1/\2", _WRAPPED.sub(r"\1", text)))
        if inner == text:
            break
        text = inner
    for mark, meant in _LATEX:
        text = text.replace(mark, meant)
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def all_figures(value: float, *, parsed: bool) -> Score:
    """Returns the score of a deep task, whose figures are all the same."""
    correct = ((0, 0),) if value else ()
    return Score(value, value, value, value, value, value, value, parsed=parsed, correct=correct)
