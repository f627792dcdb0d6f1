"""HTML to the text that agents read: one line for a table row, `- ` for list items, `## ` headings.

Tables are what wide questions are answered from, so row and column spans are expanded, hidden sort
keys dropped and header rows that belong together merged: every data row is one line that can be
read by itself. `split_parts` cuts long text into parts that `open` can page through. Backends call
both; nothing here knows of URLs or indexes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from lxml import etree

from wideseek_env.backends.htmlsource import decode, parse

CELL = " | "
"""Between the cells of a table row; a `|` inside a cell is written `\\|`."""

# While text is gathered, line feeds of the source mean no more than a space, so line breaks and
# table rows have marks of their own; `str.split` takes both for white space, which drops them from
# one-liners.
_BREAK = "\x1e"
_ROW = "\x1d"
_BLANK = f"{_BREAK}{_ROW}{_BREAK}"
_MAX_DEPTH = 100  # deeper markup is broken; its text is kept without layout
_MAX_COLSPAN = 64

_SKIPPED, _BLOCK, _LINE_BREAK, _HEADING, _ITEM, _TABLE, _PRE, _LINK = range(8)
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
}
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
# What MediaWiki, the largest source of tables on the web, puts into text for readers of the screen.
_CHROME = frozenset(("mw-editsection", "editsection", "sortkey"))
# On <sup>: marks that stand at a value but are no part of it, such as [1] and [citation needed].
_FOOTNOTE = frozenset(("reference", "noprint"))
# Zero-width and soft-hyphen characters: invisible, yet they make equal words unequal.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_FILE_NAME = re.compile(r"\.(?:jpe?g|png|svg|gif|webp)$", re.IGNORECASE)
_DIGITS = re.compile(r"\s*(\d{1,6})")
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
    root = parse(html.replace(_BREAK, " ").replace(_ROW, " "))
    if root is None:
        return HtmlText("", "")
    reader = _Reader(links)
    reader.walk(root, 0)
    title = _plain(root.find(".//title")) or _plain(root.find(".//h1"))
    return HtmlText(title, _lines("".join(reader.out)))


def split_parts(text: str, max_chars: int) -> list[str]:
    """Cuts a text into parts of at most `max_chars` characters, at line ends where it can.

    A part that begins inside a table begins with the table's header row (its first row), unless
    header and row do not fit together. A line that is longer than a part is cut between words.

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
                repeat = in_table and header and len(header) + 1 + len(line) <= max_chars
                lines = [header] if header and repeat else []
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
    pieces = []
    while len(line) > max_chars:
        end = line.rfind(" ", 1, max_chars + 1)
        end = max_chars if end < 0 else end
        pieces.append(line[:end])
        line = line[end:].lstrip(" ")
    return [*pieces, line]


class _Reader:
    """Gathers the pieces of one page's text in `out`, with `_BREAK` between lines."""

    def __init__(self, links: bool) -> None:
        self.links = links
        self.out: list[str] = []
        self._inline = 0  # inside a cell or heading, where everything is one line

    def walk(self, element: etree._Element, depth: int) -> None:
        """Adds the text of an element, without its tail."""
        out = self.out
        if depth > _MAX_DEPTH:
            etree.strip_elements(element, "script", "style", with_tail=False)
            out.append(_plain(element))
            return
        if element.text:
            out.append(element.text)
        for child in element:
            kind = _KINDS.get(child.tag)
            if kind != _SKIPPED and not _is_hidden(child):
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
        elif kind == _LINE_BREAK:
            out.append(_BREAK)
        elif kind == _TABLE:
            _TableReader(self, depth).read(element)
        elif kind == _HEADING and not self._inline:
            text = self.one_line(element, depth)
            if text:
                out.append(f"{_BLANK}{'#' * int(element.tag[1])} {text}{_BREAK}")
        elif kind == _PRE:
            start = len(out)
            self.walk(element, depth)
            out[start:] = [_BREAK, "".join(out[start:]).replace("\n", _BREAK), _BREAK]
        else:
            out.append(f"{_BREAK}- " if kind == _ITEM and not self._inline else _BREAK)
            self.walk(element, depth)
            out.append(_BREAK)

    def _link(self, element: etree._Element, depth: int) -> None:
        url = element.get("href") if self.links else None
        if not url or url.startswith(("#", "javascript:")):
            self.walk(element, depth)
            return
        text = self.one_line(element, depth)
        if text:
            self.out.append(f"[{text}]({url.strip().translate(_IN_LINK)})")

    def one_line(self, element: etree._Element, depth: int) -> str:
        """Returns the text of an element as one line and leaves `out` as it was."""
        kept, self.out = self.out, []
        self._inline += 1
        self.walk(element, depth)
        self._inline -= 1
        text, self.out = "".join(self.out), kept
        return " ".join(text.split())


class _TableReader:
    """Writes one table as lines: spans expanded, header rows merged, banner rows as one cell."""

    def __init__(self, reader: _Reader, depth: int) -> None:
        self._reader = reader
        self._depth = depth + 1  # of the rows
        self._carried: dict[int, tuple[int, str]] = {}  # column -> rows left, text
        self._header: list[str] = []  # header rows merged so far, while more may follow
        self._header_spans = False
        self._in_body = False

    def read(self, table: etree._Element) -> None:
        """Adds the lines of a table to the reader's `out`."""
        out = self._reader.out
        out.append(_BLANK)
        has_tables = next(table.iterdescendants("table"), None) is not None
        for row in _rows(table):
            if row.tag != "tr":
                self._flush_header()
                out.append(_BREAK)
                self._reader.walk(row, self._depth)
                out.append(_BREAK)
            elif has_tables and next(row.iterdescendants("table"), None) is not None:
                self._flush_header()
                self._reader.walk(row, self._depth)  # layout, not data: its cells are blocks
            else:
                self._row(row)
        self._flush_header()
        out.append(_BLANK)

    def _row(self, row: etree._Element) -> None:
        cells: list[str] = []
        num_own, own_width, is_header, has_spans = 0, 0, True, False
        for cell in row:
            if cell.tag not in ("td", "th") or _is_hidden(cell):
                continue
            self._take_carried(cells)
            text = self._cell(cell)
            width, height = _span(cell, "colspan", _MAX_COLSPAN), _span(cell, "rowspan", 65_534)
            if height > 1:
                self._carried |= {len(cells) + i: (height - 1, text) for i in range(width)}
            cells += [text] * width
            num_own += 1
            own_width += width
            is_header = is_header and cell.tag == "th"
            has_spans = has_spans or width > 1 or height > 1
        self._take_carried(cells, to_end=True)
        if not any(cells):
            return
        if num_own == 1 and own_width == len(cells):  # a banner over the whole width
            self._flush_header()
            self._write(cells[:1])
        elif is_header and not self._in_body:
            self._add_header(cells, has_spans)
        else:
            self._flush_header()
            self._in_body = True
            self._write(cells)

    def _take_carried(self, cells: list[str], to_end: bool = False) -> None:
        """Adds the cells that rows above reach down to here; past gaps too when `to_end`."""
        while self._carried:
            column = len(cells)
            if column not in self._carried:
                if not to_end or column > max(self._carried):
                    return
                cells.append("")
                continue
            rows_left, text = self._carried.pop(column)
            cells.append(text)
            if rows_left > 1:
                self._carried[column] = (rows_left - 1, text)

    def _cell(self, cell: etree._Element) -> str:
        text = self._reader.one_line(cell, self._depth + 1)
        if not text:  # a check mark or a flag may be all that the cell says
            alts = [image.get("alt", "") for image in cell.iter("img")]
            text = " ".join(" ".join(a for a in alts if not _FILE_NAME.search(a)).split())
        return text.replace("|", "\\|") if "|" in text else text

    def _add_header(self, cells: list[str], has_spans: bool) -> None:
        """Keeps a header row back, merged into the one above when that one has spans."""
        above = self._header
        if self._header_spans and len(above) == len(cells):
            cells = [
                top if top == below or top.endswith(f" {below}") else f"{top} {below}".strip()
                for top, below in zip(above, cells, strict=True)
            ]
        else:
            self._flush_header()
        self._header, self._header_spans = cells, has_spans

    def _flush_header(self) -> None:
        if self._header:
            self._write(self._header)
        self._header, self._header_spans = [], False

    def _write(self, cells: list[str]) -> None:
        self._reader.out.append(f"{_BREAK}{_ROW}{CELL.join(cells)}{_BREAK}")


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    """Yields the rows of a table, and what stands in it that is no row, such as its caption."""
    for child in table:
        if _is_hidden(child):
            continue
        if child.tag in ("thead", "tbody", "tfoot"):
            yield from (row for row in child if not _is_hidden(row))
        elif child.tag not in ("colgroup", "col", "script", "style"):
            yield child


def _span(cell: etree._Element, name: str, most: int) -> int:
    value = cell.get(name)
    if value is None:
        return 1
    digits = _DIGITS.match(value)
    number = int(digits[1]) if digits else 1
    if name == "rowspan" and number == 0:
        return most  # down to the end of the table
    return min(max(number, 1), most)


def _is_hidden(element: etree._Element) -> bool:
    style = element.get("style")
    if style is not None and _HIDDEN_STYLE.search(style):
        return True
    classes = element.get("class")
    if classes is not None:
        names = set(classes.split())
        if not names.isdisjoint(_CHROME):
            return True
        if element.tag == "sup" and not names.isdisjoint(_FOOTNOTE):
            return True
    return element.get("hidden") is not None


def _plain(element: etree._Element | None) -> str:
    """Returns all text under an element as one line, hidden or not."""
    if element is None:
        return ""
    return " ".join(" ".join(str(text) for text in element.itertext()).split())


def _lines(text: str) -> str:
    """Returns gathered text as lines, without empty lines in a row or at the ends."""
    lines: list[str] = []
    prefix = ""
    for segment in text.split(_BREAK):
        if segment.startswith(_ROW):
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
