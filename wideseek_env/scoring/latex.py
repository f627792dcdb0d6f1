r"""LaTeX of short answers as the text that it shows: `\text{5 km}`, `\frac{1}{2}`, `10^{6}`."""

from __future__ import annotations

import re
import unicodedata

_MAX_WRAPS = 20
_WRAPPED = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|sc|sl|up|md|normal)?|math(?:rm|bf|it|sf|tt|bb|cal|normal)?|mbox|hbox"
    r"|emph|underline|operatorname\*?|bm|boldsymbol|mathring|uppercase|ensuremath"
    r"|(?:textcolor|colorbox)\s*\{[^{}]*\})\s*\{([^{}]*)\}"
)
_SWITCH = re.compile(
    r"\\(?:color\s*\{[^{}]*\}|(?:tiny|small|normalsize|large|Large|LARGE|huge|Huge|bf|rm|it|sf|tt|sc|em"
    r"|bfseries|itshape|rmfamily|displaystyle|textstyle|left|right|big|Big)(?![a-zA-Z]))\s*"
)
_GROUP = re.compile(r"(?<![\\\w}^_*])\{([^{}]*)\}")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)\s*(\d))")
_RAISED = re.compile(r"(?<=[\w)}])\^\{([-+]?\w+)\}")
_LOWERED = re.compile(r"(?<=[A-Za-z)])_(?:\{(\d+)\}|(\d+))")
_ROOT = re.compile(r"\\sqrt\s*\{(\w+)\}")
_TIE = re.compile(r"(?<=\d)~(?=\D)|(?<=[^\W\d])~(?=\S)")
_ACCENTS = dict(
    zip(
        "\"'`^~=.cvuH",
        "\u0308\u0301\u0300\u0302\u0303\u0304\u0307\u0327\u030c\u0306\u030b",
        strict=True,
    )
)
_ACCENT = re.compile(r"\\(?:([\"'`^~=.])(?:\{([^\W\d_])\}|([^\W\d_]))|([cvuH])\{([^\W\d_])\})")
_MARKS = (
    ("\\%", "%"), ("\\$", "$"), ("\\#", "#"), ("\\&", "&"), ("\\_", "_"), ("\\,", " "),
    ("\\;", " "), ("\\:", " "), ("\\ ", " "), ("\\!", ""), ("{,}", ","), ("^\\circ", "°"),
    ("^{\\circ}", "°"),
)  # fmt: skip
_SYMBOLS = {
    "times": "×", "cdot": "×", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠",
    "pm": "±", "approx": "≈", "infty": "∞", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "o": "ø",
    "O": "Ø", "aa": "å", "AA": "Å", "l": "ł", "L": "Ł", "euro": "€", "pounds": "£", "quad": " ",
    "qquad": " ", "ldots": "…", "dots": "…", "degree": "°", "percent": "%", "sharp": "♯",
}  # fmt: skip
_SYMBOL = re.compile(r"\\([A-Za-z]+)(?:\{\}|\s(?=\S))?")


def without_latex(text: str, *, boxed: bool) -> str:
    """Returns what a short text shows.

    Args:
        text: of some hundred characters.
        boxed: whether it stood in a box, where `~` is a blank.
    """
    if "\\" in text or "{" in text:
        text = _ACCENT.sub(_accented, text)
        for _ in range(_MAX_WRAPS):
            inner = _RAISED.sub(r"^\1", _LOWERED.sub(r"\1\2", _ROOT.sub(r"√\1", text)))
            inner = _FRACTION.sub(r"\1\3/\2\4", _WRAPPED.sub(r"\1", _SWITCH.sub("", inner)))
            inner = _GROUP.sub(r"\1", inner)
            if inner == text:
                break
            text = inner
        for mark, meant in _MARKS:
            text = text.replace(mark, meant)
        text = _SYMBOL.sub(_symbol, text)
    if boxed:
        text = _LOWERED.sub(r"\1\2", _TIE.sub(" ", text))
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def _accented(found: re.Match[str]) -> str:
    mark, letter = found[1] or found[4], found[2] or found[3] or found[5]
    return unicodedata.normalize("NFC", letter + _ACCENTS[mark])


def _symbol(found: re.Match[str]) -> str:
    name = found[1]
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    try:
        size = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    except KeyError:
        return found.group()
