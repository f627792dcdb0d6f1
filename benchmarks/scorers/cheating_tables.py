"""Tables on which scorers go wrong, each with what both modes give it.

The numbers B1 to B37 name one defect of WideSearch's scorer each; `docs/scoring.md` explains them.
Expected official values were taken from the scorer's own calls over pandas 2.3.0 and dateparser
1.2.1, on 2026-11-23. The gauntlet prints these cases; the tests hold both modes to them.
The cases of single cells are in `scoring_cells.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from wideseek_env.records import Column, Task
from wideseek_env.scoring import write_table

NOW = datetime(2026, 11, 23, 0, 22)
"""The day on which the expected official values hold."""

Figures = tuple[float, float, float]
"""success, row F1, item F1."""


@dataclass(frozen=True, slots=True)
class TableCase:
    """An answer to a gold table."""

    name: str
    what: str
    """What the case shows, as a short sentence."""
    gold: Sequence[Sequence[str]]
    answer: Sequence[Sequence[str]] | str
    """Rows, first the header; or the answer's text."""
    official: Figures
    strict: Figures
    official_raises: str | None = None
    """Type of the exception that the official scorer turns into zeros."""
    columns: Sequence[Column] = (Column("k"), Column("v"))
    key_columns: Sequence[str] = ("k",)

    @property
    def task(self) -> Task:
        """The gold table as a task."""
        rows = tuple(tuple(row) for row in self.gold)
        return Task(self.name, self.what, tuple(self.columns), tuple(self.key_columns), rows)

    @property
    def text(self) -> str:
        """The answer as a model would write it."""
        if isinstance(self.answer, str):
            return self.answer
        header, *rows = self.answer
        return f"```markdown\n{write_table(header, rows)}\n```"


def _rows(text: str) -> tuple[tuple[str, ...], ...]:
    """Reads `a,1 / b,2` as two rows."""
    return tuple(tuple(cell.strip(" ") for cell in row.split(",")) for row in text.split(" / "))


TABLE_CASES = (
    TableCase(
        "B1",
        "Spellings of one row are all paid: keys are told apart before they are normalised.",
        _rows("a,1 / b,2 / c,3"),
        _rows("k,v / a,1 / A,1 / *a*,1"),
        (1.0, 1.0, 1.0),
        (0.0, 0.5, 0.5),
    ),
    TableCase(
        "B2",
        "The same, with recall above 1.",
        _rows("a,1 / b,2"),
        _rows("k,v / a,1 / A,1 / *A*,1 / *a*,1"),
        (0.0, 4 / 3, 4 / 3),
        (0.0, 2 / 3, 2 / 3),
    ),
    TableCase(
        "B3",
        "A perfect copy of a gold table whose keys differ in case.",
        _rows("A,1 / a,1"),
        _rows("k,v / A,1 / a,1"),
        (0.0, 2.0, 2.0),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B4",
        "Cross matches pay for two rows that were not found.",
        _rows("A,1 / a,1 / b,2 / c,3 / d,4"),
        _rows("k,v / A,1 / a,1 / b,2 / x,9 / y,9"),
        (1.0, 1.0, 1.0),
        (0.0, 0.5, 1 / 4),
    ),
    TableCase(
        "B5",
        "A blank makes the gold column print 1990.0.",
        _rows("a,1990 / b, / c,1992"),
        _rows("k,v / a,1990 / b,- / c,1992"),
        (0.0, 0.0, 0.5),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B5 key",
        "A blank key makes all keys print 1990.0.",
        _rows("1990,a / ,b / 1992,c"),
        _rows("k,v / 1990,a / -,b / 1992,c"),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="ValueError",
    ),
    TableCase(
        "B6",
        "5 and 5.0 in a text column: equal, as both columns turn into floats.",
        _rows("a,5 / b,6"),
        _rows("k,v / a,5.0 / b,6.0"),
        (1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B6 text",
        "5 and 5.0 where one other cell is a word.",
        _rows("a,5 / b,x"),
        _rows("k,v / a,5.0 / b,x"),
        (0.0, 0.5, 0.75),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B7",
        "Leading zeros are lost on both sides.",
        _rows("a,007 / b,010"),
        _rows("k,v / a,7 / b,10"),
        (1.0, 1.0, 1.0),
        (0.0, 0.0, 1 / 4),
    ),
    TableCase(
        "B7 text",
        "Leading zeros are lost on one side only, as the other has a word.",
        _rows("a,007 / b,010"),
        _rows("k,v / a,007 / b,x"),
        (0.0, 0.0, 0.5),
        (0.0, 0.5, 5 / 8),
    ),
    TableCase(
        "B8",
        "All spellings of a missing value are equal.",
        _rows("a,None / b,N/A / c,x"),
        _rows("k,v / a,NA / b,null / c,x"),
        (1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B9",
        "The first of rows with one key counts, the right one or not.",
        _rows("a,1 / b,2"),
        _rows("k,v / a,9 / a,1 / b,2"),
        (0.0, 0.5, 0.75),
        (0.0, 4 / 5, 3 / 5),
    ),
    TableCase(
        "B9 free",
        "Further guesses for a key are dropped free of charge.",
        _rows("a,1 / b,2"),
        _rows("k,v / a,1 / a,9 / a,8 / b,2"),
        (1.0, 1.0, 1.0),
        (0.0, 2 / 3, 1 / 3),
    ),
    TableCase(
        "B10",
        "number_near without a criterion raises on a perfect copy.",
        _rows("a,5"),
        _rows("k,v / a,5"),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="TypeError",
        columns=(Column("k"), Column("v", "number_near", ("extract_number",))),
    ),
    TableCase(
        "B11",
        "No row in common raises.",
        _rows("a,1"),
        _rows("k,v / z,1"),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        official_raises="ValueError",
    ),
    TableCase(
        "B26 extra",
        "A column too many zeroes the table.",
        _rows("a,1 / b,2"),
        _rows("k,v,z / a,1,0 / b,2,0"),
        (0.0, 0.0, 0.0),
        (0.0, 1.0, 4 / 5),
    ),
    TableCase(
        "B26 missing",
        "A column too few zeroes the table.",
        _rows("a,1 / b,2"),
        _rows("k / a / b"),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 1 / 2),
    ),
    TableCase(
        "B26 twice",
        "A column given twice zeroes the table.",
        _rows("a,1 / b,2"),
        _rows("k,v,v / a,1,1 / b,2,2"),
        (0.0, 0.0, 0.0),
        (0.0, 1.0, 4 / 5),
    ),
    TableCase(
        "B28",
        "An escaped pipe moves the row, and all others with it.",
        _rows("a,x|y / b,z"),
        "```markdown\n| k | v |\n|---|---|\n| a | x\\|y |\n| b | z |\n```",
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="ValueError",
    ),
    TableCase(
        "B28 wide",
        "One cell too many in every row.",
        _rows("a,1 / b,2"),
        "```markdown\n| k | v |\n|---|---|\n| a | 1 | x |\n| b | 2 | x |\n```",
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="ValueError",
    ),
    TableCase(
        "B29",
        "A cell that begins with a quote loses its quotes.",
        _rows('a,"hi" he said / b,2'),
        _rows('k,v / a,"hi" he said / b,2'),
        (0.0, 0.5, 0.75),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B29 open",
        "A quote that is not closed raises.",
        _rows('a,"1 / b,2'),
        _rows('k,v / a,"1 / b,2'),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="ParserError",
    ),
    TableCase(
        "B30",
        "A row of dashes is taken for a separator.",
        _rows("-,- / a,1"),
        _rows("k,v / -,- / a,1"),
        (0.0, 2 / 3, 2 / 3),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B31 echo",
        "The first markdown fence wins, an empty one too.",
        _rows("a,1"),
        "```markdown\n```\n```markdown\n| k | v |\n|---|---|\n| a | 1 |\n```",
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="EmptyDataError",
    ),
    TableCase(
        "B31 template",
        "The prompt's template, echoed in a fence.",
        _rows("a,1"),
        "```markdown{data}```\n```markdown\n| k | v |\n|---|---|\n| a | 1 |\n```",
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="EmptyDataError",
    ),
    TableCase(
        "B31 draft",
        "A draft in the first fence, the table in the last.",
        _rows("a,1 / b,2"),
        "```markdown\n| k | v |\n|---|---|\n| a | 1 |\n```\nNow all of them:\n"
        "```markdown\n| k | v |\n|---|---|\n| a | 1 |\n| b | 2 |\n```",
        (0.0, 2 / 3, 2 / 3),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B31 plain",
        "A plain fence.",
        _rows("a,1"),
        "```\n| k | v |\n|---|---|\n| a | 1 |\n```",
        (1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
    ),
    TableCase(
        "B34",
        "No key columns.",
        _rows("a,1"),
        _rows("k,v / a,1"),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        official_raises="ValueError",
        key_columns=(),
    ),
    TableCase(
        "B36",
        "A number as key: 100 and 101 differ whatever the tolerance.",
        _rows("100,x"),
        _rows("k,v / 101,x"),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        official_raises="ValueError",
        columns=(Column("k", "number_near", ("extract_number",), 0.05), Column("v")),
    ),
    TableCase(
        "B37",
        "A perfect copy in order, date keys: success by equality.",
        _rows("2020-01-01,x / 2020-01-02,y"),
        _rows("k,v / 2020-01-01,x / 2020-01-02,y"),
        (1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
        columns=(Column("k", "date_near", ("norm_date",)), Column("v")),
    ),
    TableCase(
        "empty",
        "A header without rows.",
        _rows("a,1"),
        "| k | v |\n|---|---|\n",
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        official_raises="ValueError",
    ),
    TableCase(
        "prose", "No table.", _rows("a,1"), "I could not find it.", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    ),
)
