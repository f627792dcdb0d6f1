"""HTML to the text that agents read: one line for a table row, `- ` for list items, `## ` headings.

Tables are what wide questions are answered from, so row and column spans are expanded, hidden sort
keys dropped and header rows that belong together merged: every data row is one line that can be
read by itself. `split_parts` cuts long text into parts that `open` can page through. Backends call
both; nothing here knows of URLs or indexes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

from lxml import etree

from wideseek_env.backends.html.source import decode, parse
from wideseek_env.backends.html.tables import (
    BLANK,
    BREAK,
    CELL,
    ROW,
    Copies,
    TableReader,
    is_hidden,
)

_MAX_DEPTH = 100  # deeper markup is broken; its text is kept without layout
_MAX_ELEMENTS = 150_000  # so is, from then on, what no honest page has

_SKIPPED, _BLOCK, _LINE_BREAK, _HEADING, _ITEM, _TABLE, _PRE, _LINK, _RAISED, _LOWERED = range(10)
_SKIPPED_TAGS = "script style noscript template head title svg iframe object video audio canvas"
_BLOCK_TAGS = """
address article aside blockquote body caption center dd details dialog div dl dt fieldset
figcaption figure footer form header html legend main menu nav ol option p section select summary
tbody td tfoot th thead tr ul
"""
_KINDS: dict[object, int] = {
    **dict.fromkeys(_SKIPPED_TAGS.split(), _SKIPPED),
    **dict.fromkeys(_BLOCK_TAGS.split(), _BLOCK),
    **dict.fromkeys(("br", "hr"), _LINE_BREAK),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _HEADING),
    "li": _ITEM,
    "table": _TABLE,
    "pre": _PRE,
    "a": _LINK,
    "sup": _RAISED,
    "sub": _LOWERED,
}
# Zero-width and soft-hyphen characters: invisible, yet they make equal words unequal.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
# What a superscript stands behind, and the kinds of superscript.
_BASE = re.compile(r"(?:(\d[\d.,]*)|([^\W\d_]+|[%‰]))\Z")
_MAX_BASE_CHARS = 40
_INTEGER = re.compile(r"[+\-\u2212\u2013]?\d+")
_MAX_BASE_DIGITS = 3
_SLASHES = ("/", "\u2044", "\u2215")
_NOTE_LETTER = re.compile(r"[a-df-np-qu-z]")  # but for 1e, No, Mr, St, 10th
_NOTE_NUMBER = re.compile(r"\d{1,2}")
_NOTE_MARKS = re.compile(r"(?:[a-z]|\d{1,2})(?:(?:, ?|; ?| )(?:[a-z]|\d{1,2}))+")
_UNIT = re.compile(r"[a-z]{1,6}|[A-Za-z]{1,2}")
# What would end a link's URL early, as percent signs.
_IN_LINK = {ord(" "): "%20", ord("("): "%28", ord(")"): "%29", ord("|"): "%7C"}
_LINK_IN_TEXT = re.compile(r"\[([^\[\]\n]*)\]\([^()\s]*\)")
_CELL_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class HtmlText:
    """What a page says."""

    title: str
    """The `<title>`, else the first `<h1>`, else empty."""
    text: str
    """Lines; a table stands between empty lines, one line for each row."""


def read_html(html: str | bytes, *, links: bool = False) -> HtmlText:
    """Returns the title and the visible text of a page; never raises on bad markup.

    Args:
        html: a page or a fragment. Bytes are decoded by what they declare, else as UTF-8,
            else by a guess.
        links: whether to keep links, as `[text](url)`; relative URLs stay as they are.
    """
    html = decode(html) if isinstance(html, bytes) else html
    root = parse(html.replace(BREAK, " ").replace(ROW, " "))
    if root is None:
        return HtmlText("", "")
    reader = _Reader(links)
    reader.walk(root, 0)
    title = _plain(root.find(".//title")) or _plain(root.find(".//h1"))
    return HtmlText(title, _lines("".join(reader.out)))


def check_part_chars(part_chars: int) -> None:
    """Raises ValueError when a part would be too short to hold a table row and its header."""
    if part_chars < 200:
        raise ValueError(f"`part_chars` must be at least 200, got {part_chars!r}")


def split_parts(text: str, max_chars: int) -> list[str]:
    """Cuts a text into parts of at most `max_chars` characters, at line ends where it can.

    A part that begins inside a table begins with the table's header row (its first row), unless
    that is longer than half a part, or header and row do not fit together. A line that is longer
    than a part is cut between words.

    Args:
        text: as `read_html` gives it.
        max_chars: at least 1.

    Returns:
        At least one part; an empty text is one empty part.
    """
    if max_chars < 1:
        raise ValueError(f"`max_chars` must be at least 1, got {max_chars!r}")
    if len(text) <= max_chars:
        return [text]
    parts: list[str] = []
    lines: list[str] = []
    size = 0  # of `lines` joined by line feeds
    header: str | None = None
    whole_lines = text.split("\n")
    for whole_line, next_line in zip_longest(whole_lines, whole_lines[1:], fillvalue=""):
        if not whole_line:
            header = None  # a table ends at an empty line
        in_table = CELL in whole_line or CELL in next_line  # the latter: a banner above a row
        for line in _cut(whole_line, max_chars):
            if lines and size + 1 + len(line) > max_chars:
                parts.append("\n".join(lines).strip("\n"))
                lines = []
                if in_table and header and 2 * len(header) <= max_chars:
                    lines = [header] if len(header) + 1 + len(line) <= max_chars else []
                size = len(lines[0]) if lines else -1
            lines.append(line)
            size = len(line) if len(lines) == 1 else size + 1 + len(line)
        if header is None and CELL in whole_line:
            header = whole_line
    parts.append("\n".join(lines).strip("\n"))
    return [part for part in parts if part] or [""]


def split_cells(line: str) -> list[str]:
    """Returns the cells of a table row as `read_html` writes it; the inverse of its escaping."""
    return [cell.replace("\\|", "|").strip() for cell in _CELL_BAR.split(line)]


def one_line(text: str) -> str:
    """Returns a text as one line: white space runs as one space, invisible characters left out."""
    line = " ".join(text.split())
    return line if line.isascii() else _INVISIBLE.sub("", line)


def without_links(text: str) -> str:
    """Returns text that was read with `links` as if it had been read without."""
    return _LINK_IN_TEXT.sub(r"\1", text) if "](" in text else text


def _cut(line: str, max_chars: int) -> list[str]:
    pieces, start = [], 0
    while len(line) - start > max_chars:
        end = line.rfind(" ", start + 1, start + max_chars + 1)
        end = start + max_chars if end < 0 else end
        pieces.append(line[start:end])
        start = end
        while line.startswith(" ", start):
            start += 1
    return [*pieces, line[start:]]


class _Reader:
    """Gathers the pieces of one page's text in `out`, with `BREAK` between lines."""

    def __init__(self, links: bool) -> None:
        self.links = links
        self.out: list[str] = []
        self.copies = Copies()
        self._elements_left = _MAX_ELEMENTS
        self._in_superscript = False
        self._inline = 0  # inside a cell or heading, where everything is one line

    def walk(self, element: etree._Element, depth: int) -> None:
        """Adds the text of an element, without its tail."""
        out = self.out
        self._elements_left -= len(element)
        if depth > _MAX_DEPTH or self._elements_left < 0:
            etree.strip_elements(element, "script", "style", with_tail=False)
            out.append(_plain(element))
            return
        if element.text:
            out.append(element.text)
        for child in element:
            kind = _KINDS.get(child.tag)
            if kind != _SKIPPED and not is_hidden(child):
                if kind is None:
                    self.walk(child, depth + 1)
                else:
                    self._walk_kind(kind, child, depth + 1)
            if child.tail:
                out.append(child.tail)

    def _walk_kind(self, kind: int, element: etree._Element, depth: int) -> None:
        out = self.out
        if kind == _LINK:
            self._link(element, depth)
        elif kind == _RAISED:
            self._superscript(element, depth)
        elif kind == _LOWERED:
            is_index = (element.text or "")[:1].isdigit() and out and out[-1][-1:].isdigit()
            out.append("_" if is_index else "")  # 10<sub>2</sub> is not 102
            self.walk(element, depth)
        elif kind == _LINE_BREAK:
            out.append(BREAK)
        elif kind == _TABLE:
            TableReader(self, depth).read(element)
        elif kind == _HEADING and not self._inline:
            text = self.one_line(element, depth)
            if text:
                out.append(f"{BLANK}{'#' * int(element.tag[1])} {text}{BREAK}")
        elif kind == _PRE:
            start = len(out)
            self.walk(element, depth)
            out[start:] = [BREAK, "".join(out[start:]).replace("\n", BREAK), BREAK]
        else:
            out.append(f"{BREAK}- " if kind == _ITEM and not self._inline else BREAK)
            self.walk(element, depth)
            out.append(BREAK)

    def _link(self, element: etree._Element, depth: int) -> None:
        url = element.get("href") if self.links else None
        if not url or url.startswith(("#", "javascript:")):
            self.walk(element, depth)
            return
        text = self.one_line(element, depth)
        if text:
            self.out.append(f"[{text}]({url.strip().translate(_IN_LINK)})")

    def _superscript(self, element: etree._Element, depth: int) -> None:
        if self._in_superscript:
            self.walk(element, depth)
            return
        self._in_superscript = True
        text = self.one_line(element, depth)
        self._in_superscript = False
        self.out.append(_raised(self.out[-1] if self.out else "", text, element.tail or ""))

    def one_line(self, element: etree._Element, depth: int) -> str:
        """Returns the text of an element as one line and leaves `out` as it was."""
        kept, self.out = self.out, []
        self._inline += 1
        self.walk(element, depth)
        self._inline -= 1
        text, self.out = "".join(self.out), kept
        return " ".join(text.split())


def _raised(before: str, text: str, follows: str) -> str:
    """Returns a superscript as it is written behind `before`, so that no number is made longer.

    An exponent gets a `^`, a note mark brackets; `m<sup>2</sup>` stays `m2`, and `1st` what it is.
    """
    base = _BASE.search(before[-_MAX_BASE_CHARS:])
    if base is None:
        return text
    number, word = base.groups()
    if number and _INTEGER.fullmatch(text):
        if follows[:1] in _SLASHES:
            return f" {text}"  # of a fraction: 5 1/2
        grouped_or_year = "," in number or len(number) > _MAX_BASE_DIGITS
        return f"[{text}]" if grouped_or_year else f"^{text}"
    if _NOTE_MARKS.fullmatch(text):
        return f"[{text}]"
    if _NOTE_LETTER.fullmatch(text) and (number or len(word) > 1):
        return f"[{text}]"
    if word and _NOTE_NUMBER.fullmatch(text) and not _UNIT.fullmatch(word):
        return f"[{text}]"
    return text


def _plain(element: etree._Element | None) -> str:
    """Returns all text under an element as one line, hidden or not."""
    if element is None:
        return ""
    return " ".join(" ".join(map(str, element.itertext())).split())


def _lines(text: str) -> str:
    """Returns gathered text as lines, without empty lines in a row or at the ends."""
    lines: list[str] = []
    prefix = ""
    for segment in text.split(BREAK):
        if segment.startswith(ROW):
            line = segment[1:]
            if line or (lines and lines[-1]):
                lines.append(line)
            continue
        line = " ".join(segment.split())
        if line == "-":  # the item's text begins in a block of its own
            prefix = "- "
        elif line:
            lines.append(prefix + line)
            prefix = ""
    text = "\n".join(lines).strip("\n")
    return text if text.isascii() else _INVISIBLE.sub("", text)
