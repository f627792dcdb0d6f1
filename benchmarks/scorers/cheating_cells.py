"""Cells on which scorers go wrong, each with what both modes give it; see `scoring_tables.py`."""

from __future__ import annotations

from dataclasses import dataclass

from wideseek_env.records import Column, Task


@dataclass(frozen=True, slots=True)
class CellCase:
    """One cell of an answer against one gold cell; the row's key is right."""

    name: str
    column: Column
    gold: str
    answer: str
    official: float | str
    """1.0 or 0.0; or the type of the exception that gives the whole table 0."""
    strict: float

    @property
    def task(self) -> Task:
        """The gold cell as a task of one row."""
        columns = (Column("k"), self.column)
        return Task(self.name, "", columns, ("k",), (("a", self.gold),))

    @property
    def text(self) -> str:
        """The answer's cell in a table."""
        return f"```markdown\n| k | v |\n|---|---|\n| a | {self.answer} |\n```"


_NUMBER = Column("v", "number_near", ("extract_number",), 0.05)
_EXACT_NUMBER = Column("v", "number_near", ("extract_number",), 0.0)
_RAW_NUMBER = Column("v", "number_near", (), 0.05)
_DATE = Column("v", "date_near", ("norm_date",))
_RAW_DATE = Column("v", "date_near", ())
_URL = Column("v", "url_match", ())
_PART = Column("v", "in_match", ())
_NORMED_PART = Column("v", "in_match", ("norm_str",))
_TEXT = Column("v")

CELL_CASES = (
    CellCase("B12", _NUMBER, "50%", "50%", 1.0, 1.0),
    CellCase("B12", _NUMBER, "50%", "0.5", 1.0, 1.0),
    CellCase("B12", _NUMBER, "50%", "50", 0.0, 0.0),
    CellCase("B12", _NUMBER, "12.5", "12.5%", 0.0, 0.0),
    CellCase("B13", _NUMBER, "unknown", "/", 1.0, 1.0),
    CellCase("B13", _NUMBER, "many", "few", 1.0, 0.0),
    CellCase("B14", _NUMBER, "10", "10-20", 1.0, 0.0),
    CellCase("B14", _NUMBER, "10-20", "10-20", 1.0, 1.0),
    CellCase("B14", _NUMBER, "5 km", "5 mm", 1.0, 0.0),
    CellCase("B14", _NUMBER, "5 km", "5 km", 1.0, 1.0),
    CellCase("B14", _NUMBER, "5 million", "5", 1.0, 0.0),
    CellCase("B14", _NUMBER, "5 million", "5,000,000", 0.0, 1.0),
    CellCase("B14", _NUMBER, "5", "−5", 1.0, 0.0),
    CellCase("B14", _NUMBER, "2020", "2020-05-01", 1.0, 0.0),
    CellCase("B14", _NUMBER, "1000", "1e3 units", 0.0, 1.0),
    CellCase("B14", _NUMBER, "10", "10 or 20 or 30", 1.0, 0.0),
    CellCase("B14", _NUMBER, "10", "10, 20", 1.0, 0.0),
    CellCase("B14", _NUMBER, "10", "~10", 1.0, 1.0),
    CellCase("B14", _NUMBER, "-10", "~10", 0.0, 0.0),
    CellCase("B14", _NUMBER, "11", "1½", 0.0, 0.0),
    CellCase("B14", _NUMBER, "5.97×10^24", "5.97×10^20", 1.0, 0.0),
    CellCase("B14", _NUMBER, "5,000,000", "5×10⁶", 0.0, 1.0),
    CellCase("B14", _NUMBER, "510", "5*10", 0.0, 0.0),
    CellCase("B14", _NUMBER, "5 km", "5 千米", 1.0, 1.0),
    CellCase("B14", _EXACT_NUMBER, "12345678", "12345679", 0.0, 0.0),
    CellCase("B14", _EXACT_NUMBER, "1,234", "1234", 1.0, 1.0),
    CellCase("B15", _NUMBER, "0", ".001", 0.0, 0.0),
    CellCase("B15", _RAW_NUMBER, "nan", "nan", 0.0, 1.0),
    CellCase("B15", _RAW_NUMBER, "inf", "inf", 0.0, 1.0),
    CellCase("B15", _RAW_NUMBER, "1_000", "1000", 1.0, 0.0),
    CellCase("B15", _NUMBER, "5", "-5", 0.0, 0.0),
    CellCase("B15", _NUMBER, "-5", "5", 0.0, 0.0),
    CellCase("B15", _NUMBER, "100", "104", 1.0, 1.0),
    CellCase("B15", _NUMBER, "100", "106", 0.0, 0.0),
    CellCase("B16", _DATE, "-", "banana", 1.0, 0.0),
    CellCase("B16", _DATE, "1994-1996", "banana", 1.0, 0.0),
    CellCase("B16", _DATE, "1994-1996", "1994–1996", 1.0, 1.0),
    CellCase("B17", _DATE, "", "/", 0.0, 1.0),
    CellCase("B17", _DATE, "", "N/A", 1.0, 1.0),
    CellCase("B17", _DATE, "", "a", 0.0, 0.0),
    CellCase("B18", _DATE, "1994", "Jan 1994", 0.0, 1.0),
    CellCase("B18", _DATE, "1994", "Nov 1994", 1.0, 1.0),
    CellCase("B18", _DATE, "1994", "1994-12-31", 0.0, 1.0),
    CellCase("B18", _DATE, "-, 1994", "Feb 01, 1994", 0.0, 1.0),
    CellCase("B18", _DATE, "1994-12-31", "1994", 0.0, 0.0),
    CellCase("B19", _DATE, "2020年", "2020年", 1.0, 1.0),
    CellCase("B19", _DATE, "2020年", "2020", 0.0, 1.0),
    CellCase("B19", _DATE, "2020年", "2021年", 1.0, 0.0),
    CellCase("B20", _DATE, "2020-01-01", "2020-02-01", 1.0, 1.0),
    CellCase("B20", _DATE, "2020-01-01", "2020-02-02", 0.0, 0.0),
    CellCase("B20", _RAW_DATE, "2020-01-01 00:00:01", "2020-02-02", 1.0, 0.0),
    CellCase("B20", _RAW_DATE, "2020-02-02", "2020-01-01 00:00:01", 0.0, 0.0),
    CellCase("B21", _DATE, "2020-05-06", "05/06/2020", 1.0, 0.0),
    CellCase("B21", _DATE, "2020-06-13", "13/06/2020", 1.0, 1.0),
    CellCase("B21", _DATE, "2020-01-13", "2020-13-01", 1.0, 0.0),
    CellCase("B21", _DATE, "2020-02-28", "Feb 30, 2020", 0.0, 0.0),
    CellCase("B22", _RAW_DATE, "2020-01-01", "2020-01-01T00:00:00Z", "TypeError", 1.0),
    CellCase("B22", _DATE, "2020-01-01", "2020-01-01T00:00:00Z", 1.0, 1.0),
    CellCase("B23", _DATE, "20200101", "2020-01-01", 0.0, 1.0),
    CellCase("B24", _URL, "https://x.org/a/b", "https://x.org/zzz", 1.0, 0.0),
    CellCase("B24", _URL, "https://x.org/a/b", "http://www.x.org/a/b/", 0.0, 1.0),
    CellCase("B24", _URL, "foo", "bar", 1.0, 0.0),
    CellCase("B24", _URL, "https://x.org/a", "[t](https://x.org/a)", 1.0, 1.0),
    CellCase("B24", _URL, "https://x.org", "[t](https://x.org)", 0.0, 1.0),
    CellCase("B24", _URL, "https://a.com", "a.com", 0.0, 1.0),
    CellCase("B24", _URL, "https://x.org/a", "https://X.org/a", 0.0, 1.0),
    CellCase("B25", _PART, "New York City", "York", 1.0, 0.0),
    CellCase("B25", _PART, "New York City", "New York", 1.0, 1.0),
    CellCase("B25", _PART, "York", "New York City", 0.0, 0.0),
    CellCase("B25", _PART, "abc", "a", 1.0, 0.0),
    CellCase("B25", _PART, "x-y", "-", 1.0, 0.0),
    CellCase("B25", _PART, "female", "male", 1.0, 0.0),
    CellCase("B25", _PART, "北京大学", "北京", 1.0, 1.0),
    CellCase("B25", _PART, "ABC", "abc", 0.0, 1.0),
    CellCase("B25", _NORMED_PART, "ABC", "abc", 1.0, 1.0),
    CellCase("B32", _TEXT, "x\ny", "x<br>y", 0.0, 1.0),
    CellCase("B32", _TEXT, "x\ny", "x y", 0.0, 1.0),
    CellCase("B32", _TEXT, "1,234", "1234", 0.0, 1.0),
    CellCase("B32", _TEXT, "ＡＢ１", "AB1", 0.0, 1.0),
    CellCase("B32", _TEXT, "a\u00a0b", "a b", 0.0, 1.0),
    CellCase("B32", _TEXT, "it’s", "it's", 0.0, 1.0),
    CellCase("B32", _TEXT, "2001—2003", "2001-2003", 0.0, 1.0),
    CellCase("B32", _TEXT, "A～B", "A~B", 0.0, 1.0),
    CellCase("B32", _TEXT, "106", "10⁶", 0.0, 0.0),
)
