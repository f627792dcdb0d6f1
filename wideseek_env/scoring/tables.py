"""Markdown tables: from an answer's text to a `Table`, and back without loss.

`read_table` finds the table that an answer hands in; `write_table` escapes, so that reading what it
wrote gives the same cells whatever they hold. Nothing here knows of tasks or scores.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from wideseek_env.scoring.text import bare_text
from wideseek_env.thinking import said


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of cells, as text; every row has one cell for each header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_INVISIBLE = "".join(
    map(chr, (*range(9), *range(14, 28), 127, 0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010)))
) + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)))
_PIPES = "｜│┃￨║∣❘¦ǀ︱"
_OTHER_PIPES = str.maketrans(dict.fromkeys(_PIPES, "|"))
_OTHER_LINE_ENDS = re.compile("\r|[\u2028\u2029\x85\x0b\x0c]")
_AROUND_DASHES = _INVISIBLE + "\\`"
_LONG_DASHES = re.compile(r"--|[—─━═=]")
_MOST_ABOVE = 20
"""Lines with pipes above a header that are looked through for it."""
_QUOTED = re.compile(r"^(?:[ \t]*>)+[ \t]?(?=[^>\n]*\|)")
_ODD = re.compile(f"[\r{_PIPES}{_INVISIBLE}]")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*\w*[ \t]*")
_CLOSING_FENCE = re.compile(r"```[ \t]*$")
_CELL_END = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_DASHES = "-‐‑‒–—―−﹣－﹘⸺⸻─━═┄┅┈┉╌╍⎯⁃ー=_+"
_SEPARATOR_CELL = re.compile(rf"(?=.)[:：]?(?:[{_DASHES}]*|[~*.·•…#一]{{3,}}|…)[:：]?")
_RULER = re.compile(
    rf"[+├╠╞┣┌╔┏└╚┗╟][{_DASHES}┼╬╪╫╋┬╦┳┴╩┻+:]+[+┤╣╡┫┐╗┓┘╝┛╢]?|[{_DASHES}]+\+[{_DASHES}]+"
)
"""A line between the rows of a table that is drawn: `+---+---+`, `├───┼───┤`, `-----+-----`."""
_ESCAPED = re.compile(r"\\([\\|< \t\r-])")
_TO_ESCAPE = re.compile(
    r"[\\|]|<(?=br\s*/?>|/?think(?:ing)?>)|^[ \t\r]|[ \t\r]$|^-(?=-+$)", re.IGNORECASE
)


def read_table(text: str, wanted: Collection[str] = ()) -> Table | None:
    r"""Returns the table that a text hands in, or None when it holds none.

    What stands in thinking is none. A table with a separator line and rows wins over lines that
    only hold pipes; then one with more of the wanted headers; then one inside a code fence over one
    outside; then the last. Outside a fence a table needs a separator line or a leading pipe on
    every line. Blank lines and drawn lines inside a table are skipped, cells missing at the end of
    a row are empty, cells beyond the header are dropped. `\|`, `\\` and `<br>` stand for a pipe, a
    backslash and a line feed.

    Args:
        text: an answer.
        wanted: headers that were asked for.
    """
    found: list[tuple[tuple[bool, bool], Table]] = []
    for fenced, lines in _runs_of_table_lines(said(text)):
        begin = _begin(lines)
        separated = len(lines) > begin + 1 and _is_separator(lines[begin + 1])
        table = _read_lines(lines[begin:], separated=separated, fenced=fenced)
        if table is not None:
            found.append(((separated and bool(table.rows), fenced), table))
    if len(found) < 2:
        return found[0][1] if found else None
    names = {bare_text(name) for name in wanted}
    best, chosen = (False, -1, False), None
    for (has_rows, fenced), table in found:
        num_wanted = len(names & set(map(bare_text, table.header))) if names and has_rows else 0
        if (has_rows, num_wanted, fenced) >= best:
            best, chosen = (has_rows, num_wanted, fenced), table
    return chosen


def write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table; `read_table` gives the same cells back, whatever they hold."""
    lines = [_write_line(header), "|" + " --- |" * len(header)]
    lines.extend(_write_line(row) for row in rows)
    return "\n".join(lines)


def norm_column(header: str) -> str:
    """Returns a header as WideSearch names it in `required`: lower case, without spaces."""
    return header.strip().lower().replace(" ", "")


def _runs_of_table_lines(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Yields (inside a fence, lines of one table), where all lines hold a pipe."""
    fenced = False
    run: list[str] = []
    blank_before = False
    if "\n" not in text:
        text = _OTHER_LINE_ENDS.sub("\n", text)
    lines = text.split("\n")
    odd = _ODD.search(text) is not None or "\n>" in text or text.startswith(">")
    for number, full_line in enumerate(lines):
        line = _plain_line(full_line) if odd else full_line
        opening = _FENCE.match(line)
        if opening:
            yield fenced, run
            run, fenced = [], not fenced
            line = line[opening.end() :]
        closes = fenced and _CLOSING_FENCE.search(line)
        if closes:
            line = line[: closes.start()]
        if _CELL_END.search(line) or (run and not blank_before and _is_ruler(line)):
            following = lines[number + 1] if number + 1 < len(lines) else ""
            if (
                run
                and blank_before
                and (_is_separator(_plain_line(following)) or not _is_alike(line, run[0]))
            ):
                yield fenced, run
                run = []
            run.append(line)
            blank_before = False
        elif line.strip():
            yield fenced, run
            run = []
        else:
            blank_before = bool(run)
        if closes:
            yield fenced, run
            run, fenced = [], False
    yield fenced, run


def _plain_line(line: str) -> str:
    """Returns a line with pipes that are pipes, without marks that nobody sees before and after."""
    line = line.strip("\r").strip(_INVISIBLE)
    if not line.isascii():
        line = line.strip(f"{_INVISIBLE} \t")
        if line[:1] in ("｜", "│", "┃", "￨") or "|" not in line:
            line = line.translate(_OTHER_PIPES)
    return _QUOTED.sub("", line) if ">" in line else line


def _is_ruler(line: str) -> bool:
    """Returns whether a line without pipes parts a header from rows: `-----+-----`."""
    return len(line) > 2 and _RULER.fullmatch(line.strip()) is not None


def _is_alike(line: str, first: str) -> bool:
    """Returns whether a line behind a blank one goes on with a table that begins with `first`."""
    return line.lstrip().startswith("|") or not first.lstrip().startswith("|")


def _begin(lines: Sequence[str]) -> int:
    """Returns where a table begins in lines with pipes: above its separator, if it has one.

    In front of a header may stand other lines with pipes, such as code in a sentence.
    """
    if len(lines) > 2 and not _is_separator(lines[1]):
        for number in range(2, min(len(lines), _MOST_ABOVE)):
            if _LONG_DASHES.search(lines[number]) and _is_separator(lines[number]):
                return number - 1
    return 0


def _read_lines(lines: Sequence[str], *, separated: bool, fenced: bool) -> Table | None:
    if not lines:
        return None
    if not (separated or fenced or all(line.lstrip().startswith("|") for line in lines)):
        return None
    header = _split_line(lines[0])
    if separated and len(header) == len(_split_line(lines[1])) + 1 and lines[1].lstrip()[:1] == "|":
        before = lines[0].partition("|")[0].strip()
        header = header[1:] if before else header  # - | k | v |, <answer>| k | v |
    if not any(header):
        return None
    rows = []
    # Rows that lack cells are filled up, which a few characters must not make millions of cells.
    most_rows = (2 * sum(map(len, lines)) + 1_000) // len(header)
    ruler = lines[1].strip() if separated else None
    for line in lines[2 if separated else 1 :][:most_rows]:
        if line.strip() == ruler or ("|" not in line and _is_ruler(line)):
            continue
        cells = _split_line(line)[: len(header)]
        rows.append(tuple(cells + [""] * (len(header) - len(cells))))
    return Table(tuple(header), tuple(rows))


def _is_separator(line: str) -> bool:
    if "|" not in line:
        return _is_ruler(line)
    cells = ["".join(cell.split()).strip(_AROUND_DASHES) for cell in _split_line(line)]
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    return (
        any(map(len, cells))
        and all(map(_SEPARATOR_CELL.fullmatch, cells))
        and not set("".join(cells)) <= {":", "："}
    )


def _split_line(line: str) -> list[str]:
    escaped = "\\" in line
    parts = _CELL_END.sub("\\1\n", line).split("\n") if escaped else line.split("|")
    if parts and not parts[0].strip():
        parts = parts[1:]
    if parts and not parts[-1].strip():
        parts = parts[:-1]
    if not escaped and "<" not in line:
        return [part.strip(" \t") for part in parts]
    return [_unescape(part) for part in parts]


def _unescape(cell: str) -> str:
    trimmed = cell.lstrip(" \t")
    shorter = trimmed.rstrip(" \t")
    # An escaped blank at the end is part of the cell: give it back what the trimming took.
    num_backslashes = len(shorter) - len(shorter.rstrip("\\"))
    if num_backslashes % 2:
        shorter += trimmed[len(shorter) : len(shorter) + 1]
    return _ESCAPED_OR_BREAK.sub(_unescape_one, shorter)


_ESCAPED_OR_BREAK = re.compile(_ESCAPED.pattern + r"|<br\s*/?>", re.IGNORECASE)


def _unescape_one(found: re.Match[str]) -> str:
    escaped: str | None = found.group(1)
    return "\n" if escaped is None else escaped


def _write_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _escape(cell: str) -> str:
    return _TO_ESCAPE.sub(lambda found: "\\" + found.group(), cell).replace("\n", "<br>")
