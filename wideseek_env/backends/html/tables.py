"""HTML tables as lines, for `text.py`: spans expanded, header rows merged, banners as one cell.

Cells find their columns as the HTML standard says ("forming a table"): spans end with their row
group, and of two cells on one place the later one is read. What spans add to a page is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from lxml import etree

CELL = " | "
"""Between the cells of a table row; a `|` inside a cell is written `\\|`."""

# While text is gathered, line feeds of the source mean no more than a space, so line breaks and
# table rows have marks of their own; `str.split` takes both for white space, which drops them from
# one-liners.
BREAK = "\x1e"
ROW = "\x1d"
BLANK = f"{BREAK}{ROW}{BREAK}"

_MAX_COLSPAN, _MAX_ROWSPAN = 1000, 65_534  # the standard's
_MAX_COPIES, _MAX_COPIED_CHARS = 100_000, 1_000_000
_GROUPS = ("thead", "tbody", "tfoot")

_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
# What MediaWiki, the largest source of tables on the web, puts into text for readers of the screen.
_CHROME = frozenset(("mw-editsection", "editsection", "sortkey"))
# On <sup>: marks that stand at a value but are no part of it, such as [1] and [citation needed].
_FOOTNOTE = frozenset(("reference", "noprint"))
_FILE_NAME = re.compile(r"\.(?:jpe?g|png|svg|gif|webp)$", re.IGNORECASE)
_DIGITS = re.compile(r"\s*\+?([0-9]{1,6})")


class Reader(Protocol):
    """Who reads the page that a table stands on."""

    out: list[str]
    copies: Copies

    def walk(self, element: etree._Element, depth: int) -> None:
        """Adds the text of an element to `out`."""
        ...

    def one_line(self, element: etree._Element, depth: int) -> str:
        """Returns the text of an element as one line."""
        ...


class Copies:
    """How many more cells, and characters in them, spans may add to one page.

    A few bytes of markup ask for billions; once all is spent, a span is one cell.
    """

    def __init__(self) -> None:
        self._cells, self._chars = _MAX_COPIES, _MAX_COPIED_CHARS

    def spend(self, num_cells: int, num_chars: int) -> bool:
        """Returns whether so much more may be added, and takes it off if so."""
        if num_cells > self._cells or num_chars > self._chars:
            return False
        self._cells -= num_cells
        self._chars -= num_chars
        return True


class TableReader:
    """Writes one table as lines.

    Args:
        reader: gets the lines, and reads the cells.
        depth: of the table in the page.
    """

    def __init__(self, reader: Reader, depth: int) -> None:
        self._reader = reader
        self._depth = depth + 1  # of the rows
        self._carried: dict[int, tuple[int, str]] = {}  # column -> rows left, text
        self._header: list[str] = []  # header rows merged so far, while more may follow
        self._header_spans = False
        self._in_body = False

    def read(self, table: etree._Element) -> None:
        """Adds the lines of a table to the reader's `out`."""
        out = self._reader.out
        out.append(BLANK)
        has_tables = next(table.iterdescendants("table"), None) is not None
        for rows in _row_groups(table):
            self._carried.clear()
            for row in rows:
                self._row_or_other(row, has_tables)
        self._flush_header()
        out.append(BLANK)

    def _row_or_other(self, row: etree._Element, has_tables: bool) -> None:
        out = self._reader.out
        if row.tag != "tr":
            self._flush_header()
            out.append(BREAK)
            self._reader.walk(row, self._depth)
            out.append(BREAK)
        elif has_tables and next(row.iterdescendants("table"), None) is not None:
            self._flush_header()
            self._reader.walk(row, self._depth)  # layout, not data: its cells are blocks
        else:
            self._row(row)

    def _row(self, row: etree._Element) -> None:
        cells = self._take_carried()
        column, num_own, own_width, is_header, has_spans = 0, 0, 0, True, False
        for cell in row:
            if cell.tag not in ("td", "th") or is_hidden(cell):
                continue
            text = self._cell(cell)
            width, height = _span(cell, "colspan"), _span(cell, "rowspan")
            if width > 1 and not self._reader.copies.spend(width - 1, (width - 1) * len(text)):
                width = 1
            while column < len(cells) and cells[column] is not None:
                column += 1
            end = column + width
            if len(cells) < end:
                cells += [None] * (end - len(cells))
            cells[column:end] = [text] * width
            if height > 1:
                self._carried |= dict.fromkeys(range(column, end), (height - 1, text))
            column = end
            num_own += 1
            own_width += width
            is_header = is_header and cell.tag == "th"
            has_spans = has_spans or width > 1 or height > 1
        self._add([cell or "" for cell in cells], num_own, own_width, is_header, has_spans)

    def _add(
        self, cells: list[str], num_own: int, own_width: int, is_header: bool, has_spans: bool
    ) -> None:
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

    def _take_carried(self) -> list[str | None]:
        """Returns the columns of a row with the cells that rows above reach down to here."""
        if not self._carried:
            return []
        num_columns = max(self._carried) + 1
        num_chars = sum(len(text) for _, text in self._carried.values())
        if not self._reader.copies.spend(num_columns, num_chars):
            self._carried.clear()
            return []
        cells: list[str | None] = [None] * num_columns
        for column, (rows_left, text) in list(self._carried.items()):
            cells[column] = text
            if rows_left > 1:
                self._carried[column] = (rows_left - 1, text)
            else:
                del self._carried[column]
        return cells

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
        self._reader.out.append(f"{BREAK}{ROW}{CELL.join(cells)}{BREAK}")


def is_hidden(element: etree._Element) -> bool:
    """Returns whether an element is not shown, or stands at a value without being part of it."""
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


def _row_groups(table: etree._Element) -> Iterator[list[etree._Element]]:
    """Yields the rows of each row group, and with them what is no row, such as a caption.

    Rows outside of any group that follow one another are a group; feet come last.
    """
    loose: list[etree._Element] = []
    feet: list[list[etree._Element]] = []
    for child in table:
        if is_hidden(child):
            continue
        if child.tag not in _GROUPS:
            if child.tag not in ("colgroup", "col", "script", "style"):
                loose.append(child)
            continue
        if loose:
            yield loose
            loose = []
        rows = [row for row in child if not is_hidden(row)]
        if child.tag == "tfoot":
            feet.append(rows)
        else:
            yield rows
    yield loose
    yield from feet


def _span(cell: etree._Element, name: str) -> int:
    value = cell.get(name)
    if value is None:
        return 1
    digits = _DIGITS.match(value)
    number = int(digits[1]) if digits else 1
    if name == "colspan":
        return min(max(number, 1), _MAX_COLSPAN)
    return min(number or _MAX_ROWSPAN, _MAX_ROWSPAN)  # 0: down to the end of the row group
