import gzip
import json
from pathlib import Path

import msgspec
import pytest

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import cut_tail, read_json_lines


class Line(msgspec.Struct):
    x: int


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_read_json_lines_gives_records_and_errors_by_line(tmp_path: Path, name: str) -> None:
    data = b'{"x": 1, "more": 2}\n\n{"x": "no"}\r\n \n{"x": 3}'
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    first, error, last = read_json_lines(path, Line)
    assert (first, last) == (Line(1), Line(3))
    assert isinstance(error, DataError)
    assert f"{name}, line 3: expected one JSON object" in str(error)


def test_read_json_lines_of_no_or_broken_file_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        list(read_json_lines(tmp_path / "none.jsonl", Line))
    broken = tmp_path / "x.jsonl.gz"
    broken.write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"x\.jsonl\.gz"):
        list(read_json_lines(broken, Line))


class Question(msgspec.Struct):
    question: str
    score: float | None = None


READ = {
    "byte order mark": (b'\xef\xbb\xbf{"question": "q"}', "q"),
    "byte order mark before blanks": (b'\xef\xbb\xbf  {"question": "q"}', "q"),
    "byte order mark in a string": ('{"question": "\ufeffq"}'.encode(), "\ufeffq"),
    "NaN elsewhere": (b'{"question": "q", "x": NaN}', "q"),
    "NaN in a list": (b'{"question": "q", "x": [1, NaN, {"y": -Infinity}]}', "q"),
    "infinity": (b'{"question": "q", "x": Infinity}', "q"),
    "NaN where null may stand": (b'{"question": "q", "score": NaN}', "q"),
    "NaN in a string": (b'{"question": "NaN", "x": NaN}', "NaN"),
    "half a pair": (b'{"question": "a\\ud83d"}', "a\ufffd"),
    "second half": (b'{"question": "\\ude00 a"}', "\ufffd a"),
    "halves in the wrong order": (b'{"question": "\\ude00\\ud83d"}', "\ufffd\ufffd"),
    "a whole pair": (b'{"question": "\\ud83d\\ude00"}', "\U0001f600"),
    "half a pair in a key": (b'{"question": "q", "\\ud83d": 1}', "q"),
    "line end of Windows": (b'{"question": "q"}\r', "q"),
    "line separators in a string": ('{"question": "a\u2028b\x85c"}'.encode(), "a\u2028b\x85c"),
    "a number of 5,000 digits elsewhere": (b'{"question": "q", "x": ' + b"9" * 5_000 + b"}", "q"),
    "a key twice that says the same": (b'{"question": "q", "question": "q"}', "q"),
    "a key again in another object": (b'{"question": "q", "x": {"question": "r"}}', "q"),
    "a key again in a string": (b'{"question": "\\"question\\":", "x": 1}', '"question":'),
}


@pytest.mark.parametrize("case", READ)
def test_read_json_lines_reads_what_other_tools_write(case: str, tmp_path: Path) -> None:
    line, question = READ[case]
    path = tmp_path / "a.jsonl"
    path.write_bytes(line + b"\n" + b'{"question": "next"}\n')
    first, second = read_json_lines(path, Question)
    assert first == Question(question)
    assert second == Question("next")


@pytest.mark.parametrize(
    "line",
    [
        b'{"question": NaN}',
        b'{"question": nan}',
        b'{"question": "q", "x": NAN}',
        b"{'question': 'q'}",
        b'{"question": "q"',
        b'{"question": "q"} {"question": "r"}',
        b'{"question": "\xff"}',
        b'{"question": "\xed\xa0\xbd"}',
        b'{"question": "a\tb", "x": NaN}',
        b'\xef\xbb\xbf\xef\xbb\xbf{"question": "q"}',
        b'{"question": NaN, "x": ' + b"[" * 100_000,
        b"NaN",
        b"\0\0\0",
        b'{"question": "\\ud8"}',
        b'{"question": "q", "question": "r"}',
        b'{"question": "q", "x": NaN, "question": "r"}',
        b'{"question": "q", "score": 1, "score": 2}',
        b'\xef\xbb\xbf{"question": "q", "question" : null}',
        '{"question": "q"}\u2028{"question": "r"}'.encode(),
        b'{"question": "q"}\r{"question": "r"}',
        b'{"question": "q", "score": 1e999}',
        b'{"question": "q"},',
    ],
)
def test_read_json_lines_refuses_other_lines_with_their_number(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"question": "q"}\n' + line + b'\n{"question": "next"}\n')
    first, error, last = read_json_lines(path, Question)
    assert (first, last) == (Question("q"), Question("next"))
    assert isinstance(error, DataError)
    assert "a.jsonl, line 2: expected one JSON object" in str(error)


@pytest.mark.parametrize("kind", [dict, Question])
def test_contradiction_in_a_line_is_told(kind: type, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"question": "q", "x": 1}\n{"question": "q", "question": "r"}\n')
    _, error = read_json_lines(path, kind)
    assert "the key 'question' stands twice with different values" in str(error)


def test_read_json_lines_utf16_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question": "q"}), encoding="utf-16")
    with pytest.raises(DataError, match="UTF-8"):
        list(read_json_lines(path, Question))


@pytest.mark.parametrize("size", [0, 1, 9, 70_000])
def test_cut_tail_cuts_a_line_without_an_end_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.jsonl"
    cut_tail(path)
    assert not path.exists()
    for whole in (b"", b"1\n", b"1\n" + b"2" * 70_000 + b"\n"):
        path.write_bytes(whole + b"3" * size)
        cut_tail(path)
        assert path.read_bytes() == whole
