import gzip
from pathlib import Path

import msgspec
import pytest

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines


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
