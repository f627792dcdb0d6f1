"""Against what pandas 2.3.0 gave: `read_csv(StringIO(text), sep="|")`, then `astype(str)`."""

from __future__ import annotations

import io

import pytest
from fuzzing import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wideseek_env.scoring.official.pandas_csv import (
    ReadError,
    name_columns,
    print_column,
    read_frame,
)

BIG = "9223372036854775808"  # 2 ** 63


@pytest.mark.parametrize(
    ("cells", "dtype", "printed"),
    [
        (["1", "2"], "int64", ["1", "2"]),
        (["007", "+5", "-0"], "int64", ["7", "5", "0"]),
        ([" 5", "6 "], "int64", ["5", "6"]),
        (["1", ""], "float64", ["1.0", "nan"]),
        (["1.5", "2"], "float64", ["1.5", "2.0"]),
        (["1", "a"], "other", ["1", "a"]),
        (["True", "false", "tRue"], "other", ["True", "False", "True"]),
        (["True", ""], "other", ["True", "nan"]),
        (["TRUE", "x"], "other", ["TRUE", "x"]),
        (["", ""], "float64", ["nan", "nan"]),
        (["NA", "NaN", "NAN"], "other", ["nan", "nan", "NAN"]),
        (["1e5", "1"], "float64", ["100000.0", "1.0"]),
        (["5.", ".5", "-0.0"], "float64", ["5.0", "0.5", "-0.0"]),
        (["inf", "-Infinity"], "float64", ["inf", "-inf"]),
        (["1e400", "1"], "other", ["1e400", "1"]),
        (["1e-400", "1"], "float64", ["0.0", "1.0"]),
        (["1_000", "2"], "other", ["1_000", "2"]),
        (["1e", "2"], "other", ["1e", "2"]),
        (["٣", "1"], "other", ["٣", "1"]),
        (["3.14159265358979312"], "float64", ["3.1415926535897927"]),
        (["0.30000000000000004"], "float64", ["0.3"]),
        (["0.000000000000000012345", "1.5"], "float64", ["0.0", "1.5"]),
        ([BIG, "1"], "other", [BIG, "1"]),
        ([BIG, "-1", "NA"], "other", [BIG, "-1", "NA"]),
        ([BIG, "1.5", ""], "float64", ["9.223372036854778e+18", "1.5", "nan"]),
        (["99999999999999999999", "", "1.5"], "other", ["99999999999999999999", "nan", "1.5"]),
        (["1.5", "99999999999999999999"], "float64", ["1.5", "1.0000000000000002e+20"]),
        (["-99999999999999999999", "1", ""], "other", ["-99999999999999999999", "1", "nan"]),
    ],
)
def test_print_column_as_pandas(cells: list[str], dtype: str, printed: list[str]) -> None:
    column = print_column(cells)
    assert (column.cells, column.dtype) == (printed, dtype)


def _cells(text: str) -> dict[str, list[str]]:
    return {name: column.cells for name, column in read_frame(text, "|").items()}


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("a|b\n1|2", {"a": ["1"], "b": ["2"]}),
        ("a|b\n1", {"a": ["1"], "b": ["nan"]}),
        ("a|b\n1|2|3\n4|5", {"a": ["2", "5"], "b": ["3.0", "nan"]}),
        ("a\n\n  \nx", {"a": ["x"]}),
        ('a|b\n"x|y"|2', {"a": ["x|y"], "b": ["2"]}),
        ('a|b\n"x\ny"|2', {"a": ["x\ny"], "b": ["2"]}),
        ('a|b\n"x""y"z|2', {"a": ['x"yz'], "b": ["2"]}),
        ('a|b\nx"y|2', {"a": ['x"y'], "b": ["2"]}),
        ("a|b\r\n1|2\r\n", {"a": ["1"], "b": ["2"]}),
        ("a|b\rx|y", {"a": ["x"], "b": ["y"]}),
        ("a", {"a": []}),
    ],
)
def test_read_frame_as_pandas(text: str, frame: dict[str, list[str]]) -> None:
    assert _cells(text) == frame


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "EmptyDataError"),
        ('a|b\n"x|2', "EOF inside string"),
        ("a|b\n1|2\n3|4|5", "Expected 2 fields in line 3, saw 3"),
    ],
)
def test_read_frame_raises_where_pandas_does(text: str, error: str) -> None:
    with pytest.raises(ReadError, match=error):
        read_frame(text, "|")


def test_name_columns_blank_and_repeated_headers() -> None:
    assert name_columns(["a", "", "a", "a.1", "a"]) == ["a", "Unnamed: 1", "a.2", "a.1", "a.3"]


_pieces = (
    *(
        "a",
        "1",
        "2.5",
        "-7",
        "",
        " ",
        "\r",
        "\r\n",
        "\n",
        "|",
        "|",
        '"',
        "\0",
        "\ufeff",
        "NA",
        "True",
    ),
    *("9223372036854775808", "-9223372036854775808", "1e400", "k", "v"),
)


@given(st.lists(st.sampled_from(_pieces), max_size=40).map("".join))
@settings(max_examples=examples(300), deadline=None)
def test_read_frame_agrees_with_pandas(text: str) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas 2.3.0 is compared with where it is there")
    if pandas.__version__ != "2.3.0":
        pytest.skip(f"expected pandas 2.3.0, got {pandas.__version__}")
    # A known difference (docs/scoring.md): pandas goes back over a carriage return to the last line
    # feed, and so reads cells twice, or without end.
    assume("\r " not in text)
    try:
        read = pandas.read_csv(io.StringIO("k|v\n" + text), sep="|")
        expected = {name: list(read[name].astype(str)) for name in read.columns}
    except ValueError:  # ParserError and EmptyDataError are of this kind
        with pytest.raises(ReadError):
            read_frame("k|v\n" + text, "|")
        return
    found = {name: column.cells for name, column in read_frame("k|v\n" + text, "|").items()}
    assert found == expected
