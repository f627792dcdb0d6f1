"""What `pandas.read_csv` (2.3.0, default arguments) makes of a text, cell by cell, as text again.

WideSearch's scorer reads both tables with it and turns every cell back into text, so that what
pandas guesses about a column decides whether two cells are equal. Each function here is one such
habit: `split_rows` its tokenizer, `fit_rows` what it does with rows of odd length, `name_columns`
its headers, `print_column` its types. Tests hold them against recorded results of pandas itself.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

DType: TypeAlias = Literal["int64", "float64", "other"]


@dataclass(slots=True)
class Printed:
    """A column as `astype(str)` prints it, and the type that pandas had given it."""

    cells: list[str]
    dtype: DType


Frame: TypeAlias = dict[str, Printed]
"""Column name to column, in the order of the file."""


_IntegerType: TypeAlias = Literal["fit", "none", "large", "conflict"]


class ReadError(Exception):
    """pandas raises on this text; the message says what."""


def read_frame(text: str, separator: str) -> Frame:
    """Returns the columns of a text.

    Raises:
        ReadError: the text is empty, a quote is not closed, or a row is too long.
    """
    return read_rows(split_rows(text, separator))


_MAX_FILLED = 1_000_000
"""Cells; a header of 45,000 and as many short rows would be two thousand times as many."""


def read_rows(rows: Sequence[list[str]]) -> Frame:
    """Returns the columns of a text that is split already; raises as `read_frame`."""
    if not rows:
        raise ReadError("EmptyDataError: No columns to parse from file")
    header, body, num_index = fit_rows(rows)
    return {
        name: print_column([row[num_index + index] for row in body])
        for index, name in enumerate(name_columns(header))
    }


def split_rows(text: str, separator: str) -> list[list[str]]:
    """Returns the fields of each line; blank lines are skipped.

    A field that begins with a quote runs to the closing quote, over separators and line ends. A
    byte order mark at the front is none of the text, and a NUL ends its field.
    """
    text = text.removeprefix("\ufeff")
    if '"' in text or "\r" in text:
        rows = list(_Tokenizer(separator).rows(text))
    else:
        rows = [line.split(separator) for line in text.split("\n") if line.strip(" \t")]
    if "\0" in text:
        rows = [[field.partition("\0")[0] for field in row] for row in rows]
    return rows


def fit_rows(rows: Sequence[list[str]]) -> tuple[list[str], list[list[str]], int]:
    """Returns header, body and the number of leading fields that became the index.

    When the first row has more fields than the header, its first fields are taken for an index, so
    that all cells move to the left. A short row is filled up; a row that is longer than the one
    before it is an error, save for the first. So is a table that filling up makes too large, which
    no required columns could have.
    """
    header = rows[0]
    body: list[list[str]] = []
    width, num_filled = len(header), 0
    for number, row in enumerate(rows[1:], start=2):
        if number > 2 and len(row) > width:
            raise ReadError(
                "ParserError: Error tokenizing data. C error: "
                f"Expected {width} fields in line {number}, saw {len(row)}"
            )
        width = max(width, len(row))
        num_filled += width - len(row)
        if num_filled > _MAX_FILLED:
            raise ReadError(f"MemoryError: filling rows up to {width} fields")
        body.append(row + [""] * (width - len(row)))
    return header, body, width - len(header)


def name_columns(header: Sequence[str]) -> list[str]:
    """Returns headers with `Unnamed: 2` for a blank one and `x.1` for the second `x`."""
    names = [name or f"Unnamed: {index}" for index, name in enumerate(header)]
    named = [index for index, name in enumerate(header) if name]
    blank = [index for index, name in enumerate(header) if not name]
    counts: dict[str, int] = defaultdict(int)
    present = Counter(names)
    for index in named + blank:
        name = original = names[index]
        count = counts[name]
        while count:
            counts[original] = count + 1
            name = f"{original}.{count}"
            count = count + 1 if present[name] else counts[name]
        present[original] -= 1
        present[name] += 1
        names[index] = name
        counts[name] = count + 1
    return names


# --- types --------------------------------------------------------------------------------------

_MISSING = {"", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan"}
_MISSING |= {"null", "-NaN", "-nan", "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN"}
_BLANKS = " \t\n\v\f\r"
_LEADING_DIGITS = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"(?P<sign>[+-]?)"
    r"(?:(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?:[eE](?P<exponent>[+-]?[0-9]+))?"
    r"|(?P<infinite>inf|infinity))"
)
_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1
_BOOLEANS = {"true": "True", "false": "False"}


def print_column(cells: Sequence[str]) -> Printed:
    """Returns a column's cells as they print after pandas has guessed its type.

    All integers lose leading zeros; one blank or one fraction makes every integer of the column a
    float (`1990` prints `1990.0`); one word keeps all as they are. Missing values print `nan`.
    """
    first = next((cell.strip(_BLANKS) for cell in cells if cell not in _MISSING), None)
    if first is not None and _read_float(first) is None and first.lower() not in _BOOLEANS:
        return Printed(["nan" if cell in _MISSING else cell for cell in cells], "other")
    present = {cell: cell.strip(_BLANKS) for cell in cells if cell not in _MISSING}
    has_missing = any(cell in _MISSING for cell in cells)
    integers = _integer_type(present.values(), has_missing=has_missing)
    if integers == "conflict":
        return Printed(list(cells), "other")
    printed = {cell: cell for cell in present}
    dtype: DType = "other"
    if integers == "fit" and not has_missing:
        printed = {cell: str(int(text)) for cell, text in present.items()}
        dtype = "int64" if cells and max(map(int, printed.values())) <= _INT64_MAX else "other"
    elif integers == "fit":
        numbers = {cell: int(text) for cell, text in present.items()}
        # The least integer is what pandas marks missing cells with.
        printed = {cell: str(float(n)) for cell, n in numbers.items() if n != _INT64_MIN}
        dtype = "float64"
    elif integers == "none":
        floats = _as_floats(present)
        dtype = "other" if floats is None else "float64"
        printed = floats or _as_booleans(present) or printed
    return Printed([printed.get(cell, "nan") for cell in cells], dtype)


def _integer_type(texts: Iterable[str], *, has_missing: bool) -> _IntegerType:
    """Returns whether a column is one of integers.

    fit: of 64 bits; none: it is not; large: one needs more than 64 bits, so all stay text;
    conflict: one needs the 64th bit while another is negative or missing, so all stay text, the
    missing ones too. pandas goes by the first cell that does not fit, and by its leading digits.
    """
    texts = tuple(texts)
    for text in texts:
        digits = _LEADING_DIGITS.match(text)
        if digits is None:
            return "none"
        if not _INT64_MIN <= int(digits.group()) <= _INT64_MAX:
            break
        if digits.end() < len(text):
            return "none"
    else:
        return "fit"
    negative = beyond_signed = False
    for text in texts:
        if text.startswith("-"):  # the reader of unsigned integers looks no further
            negative = True
            continue
        digits = _LEADING_DIGITS.match(text)
        if digits is None:
            return "none"
        if int(digits.group()) > _UINT64_MAX:
            return "large"
        if digits.end() < len(text):
            return "none"
        beyond_signed = beyond_signed or int(digits.group()) > _INT64_MAX
    if not beyond_signed:
        return "large"
    return "conflict" if negative or has_missing else "fit"


def _as_booleans(present: Mapping[str, str]) -> dict[str, str] | None:
    printed = {cell: _BOOLEANS.get(cell.lower(), "") for cell in present}
    return printed if all(printed.values()) else None


def _as_floats(present: Mapping[str, str]) -> dict[str, str] | None:
    printed = {}
    for cell, text in present.items():
        value = _read_float(text)
        if value is None:
            return None
        printed[cell] = str(value)
    return printed


_MAX_DIGITS = 17
_MAX_EXPONENT = 308


def _read_float(text: str) -> float | None:
    """Returns the number as pandas' own reader rounds it, which is not always to the nearest."""
    found = _FLOAT.fullmatch(text.lower())
    if found is None:
        return None
    sign = -1.0 if found["sign"] == "-" else 1.0
    if found["infinite"]:
        return sign * float("inf")
    whole, part = found["whole"], found["part"] or ""
    if not whole + part:
        return None
    exponent = int(found["exponent"] or 0)
    digits = whole + part
    number = 0.0
    for digit in digits[:_MAX_DIGITS]:
        number = number * 10.0 + int(digit)
    exponent += len(whole) - min(len(digits), _MAX_DIGITS)
    value = _scale(number, exponent)
    return None if value == float("inf") else sign * value


def _scale(number: float, exponent: int) -> float:
    if exponent > _MAX_EXPONENT:
        return float("inf")
    if exponent > 0:
        return number * float(f"1e{exponent}")
    if exponent >= -_MAX_EXPONENT:
        return number / float(f"1e{-exponent}")
    return number / float(f"1e{min(-_MAX_EXPONENT - exponent, _MAX_EXPONENT)}") / 1e308


_LINE_END = re.compile(r"[\r\n]")


class _Tokenizer:
    """Reads fields character by character, for texts with quotes or carriage returns."""

    def __init__(self, separator: str) -> None:
        self._separator = separator
        self._rest_of_field = re.compile(f"[^{re.escape(separator)}\r\n]*")

    def rows(self, text: str) -> Iterator[list[str]]:
        """Yields the fields of each line.

        Raises:
            ReadError: the text ends inside a quoted field.
        """
        position, length = 0, len(text)
        while position < length:
            end = _end_of_line(text, position)
            if not text[position:end].strip(" \t"):
                position = _after_line_end(text, end)
                if text[end : end + 1] == "\r" and text[position : position + 1] == self._separator:
                    position += int(position == end + 1)  # it is swallowed after a blank line
                continue
            row: list[str] = []
            more = True
            while more:
                field, position = self._field(text, position)
                row.append(field)
                more = text[position : position + 1] == self._separator
                position += more
            yield row
            position = _after_line_end(text, position)

    def _field(self, text: str, position: int) -> tuple[str, int]:
        """Returns a field and where it ends: at a separator, a line end or the end of the text."""
        parts = []
        if text[position : position + 1] == '"':
            position += 1
            while True:
                close = text.find('"', position)
                if close < 0:
                    raise ReadError(
                        "ParserError: Error tokenizing data. C error: EOF inside string"
                    )
                parts.append(text[position:close])
                position = close + 1
                if text[position : position + 1] != '"':
                    break
                parts.append('"')
                position += 1
        rest = self._rest_of_field.match(text, position)
        if rest:
            parts.append(rest.group())
            position = rest.end()
        return "".join(parts), position


def _end_of_line(text: str, position: int) -> int:
    found = _LINE_END.search(text, position)
    return found.start() if found else len(text)


def _after_line_end(text: str, position: int) -> int:
    return position + (2 if text[position : position + 2] == "\r\n" else 1)
