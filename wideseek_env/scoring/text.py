"""Texts without what does not count: case, blanks, emphasis, width, typography.

Every reader of cells begins here. Nothing here knows of columns or scores.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape

MAX_MARKS = 30
"""Combining marks in a row that count; the others are dropped, as no writing has so many and
putting n of them in order takes n² steps.

Source: Unicode Standard Annex 15, Stream-Safe Text Format.
"""

_MAYBE_MARKS = re.compile(
    "[^\\x00-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u20cf\u2100-\u2cee\u2d00-\u2d7e\u2e00-\u3029"
    f"\u3031-\u3098\u309b-\ua66e\uac00-\ufb1d]{{{MAX_MARKS + 1}}}"
)
"""So many characters in a row that may be marks: not of the usual scripts."""
DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－~～⁓〜─━"), "-")
_QUOTES = dict.fromkeys(map(ord, "‘’‚‛′`´"), "'") | dict.fromkeys(map(ord, "“”„‟″"), '"')
_CONTROL = dict.fromkeys((*range(9), *range(14, 28), 127, *range(0xFE00, 0xFE10)))
SAME_CHARACTER = DASHES | _QUOTES
_BARE = SAME_CHARACTER | _CONTROL
_ANY_OF_BARE = re.compile(f"[{re.escape(''.join(map(chr, _BARE)))}]")
_PLAIN = re.compile(r"[^*\\`~_<&\x00-\x1f\x7f\]]*")
_POWER = re.compile(r"(?<=\d)(?:([⁺⁻]?[⁰¹²³⁴-⁹]+)|[₀-₉①-⒛⓪-⓿❶-➓㉑-㉟㊱-㊿]+)")
"""A power, or an index or a note in a ring: digits that do not go on with the number before."""
_EMPHASIS = re.compile(
    r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*]+)(?<=\S)\1(?![\w*])"
    r"|(?<![^\W])(_{1,2})(?=[^\s_])([^_]+)(?<=\S)\3(?!\w)"
    r"|(?<!`)(`{1,2})(?=[^`])([^`]+)\5(?!`)"
)
_MARKUP = re.compile(
    r"</?(?:b|i|u|em|strong|small|span|font|mark|code|tt|sub|p|bdi|cite|nobr)"
    r"(?:\s+[a-z-]{1,20}=(?:\"[^\"<>]{0,200}\"|'[^'<>]{0,200}'|\w{1,50})){0,8}\s*/?>",
    re.IGNORECASE,
)
_RAISED = re.compile(r"(?<=\d)<su([pb])>([^<>]{1,20})</su\1>", re.IGNORECASE)
_LINK = re.compile(
    r"!?\[([^\[\]]{0,300})\]\(<?(?:[^()\s]|\([^()\s]{0,300}\)){0,2000}>?(?: \"[^\"]*\")?\)"
)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_APART = re.compile(r"(?<=\d)\s+(?=\d)")


_MARKED = re.compile(r"[*_`\\<&]|\]\(")


def stream_safe(text: str) -> str:
    """Returns a text that takes no long time to normalise: runs of marks are cut to `MAX_MARKS`."""
    if len(text) <= MAX_MARKS or _MAYBE_MARKS.search(text) is None:
        return text
    kept, run = [], 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def nfkc(text: str) -> str:
    """Returns a text in one form of width, ligatures and composed letters."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text if len(text) <= MAX_MARKS else stream_safe(text))


def fold(text: str) -> str:
    """Returns a text without width; 10⁶ is 10^6 and 10₂ is 10_2, of which NFKC would make 106."""
    folded = nfkc(text)
    if folded == text or _POWER.search(text) is None:
        return folded
    return nfkc(_POWER.sub(lambda found: ("^" if found[1] else "_") + found[0], text))


def without_emphasis(text: str) -> str:
    r"""Returns a text without Markdown and its HTML: `**A**`, `<b>A</b>` and `[A](url)` are A.

    `\*` is `*`, `&amp;` is `&`, and `A*` stays.
    """
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "<" in text:
        text = _RAISED.sub(lambda found: ("^" if found[1] in "pP" else "_") + found[2], text)
        text = _MARKUP.sub("", text)
    if "*" in text or "_" in text or "`" in text:
        text = _EMPHASIS.sub(lambda found: found[2] or found[4] or found[6], text)
    if "\\" in text:
        text = _ESCAPE.sub(r"\1", text)
    return unescape(text) if "&" in text else text


def bare_text(text: str) -> str:
    """Returns a text without what does not count; a blank between digits counts."""
    if text.isascii() and _PLAIN.fullmatch(text):
        # Most cells hold nothing that is dropped or unified; the rest is the slow part.
        return _without_blanks(text.lower())
    bare = unicodedata.normalize("NFKC", text if len(text) <= MAX_MARKS else stream_safe(text))
    if bare != text and _POWER.search(text):
        bare = fold(text)
    composed = bare
    if _MARKED.search(bare):
        bare = without_emphasis(bare)
    bare = bare.casefold()
    if _ANY_OF_BARE.search(bare) is not None:
        bare = bare.translate(_BARE)
    bare = _without_blanks(bare)
    if bare.isascii():
        return bare
    if not bare.isprintable():
        bare = "".join(c for c in bare if unicodedata.category(c) not in ("Cf", "Cc"))
    # Again, because folding case and dropping characters can bring new ones together.
    return bare if bare == composed else unicodedata.normalize("NFKC", bare)


def _without_blanks(text: str) -> str:
    words = text.split()
    joined = "".join(words)
    if len(words) < 2 or joined.isalpha() or _APART.search(text) is None:
        return joined
    return "".join(_APART.sub("\0", text).split()).replace("\0", " ")
