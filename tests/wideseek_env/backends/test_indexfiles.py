import os
import random
from pathlib import Path

import pytest

from wideseek_env.backends.index import PassageIndex
from wideseek_env.backends.indexfiles import answering, check_seal, hold, is_panic, seal
from wideseek_env.errors import BackendError


def test_seal_holds_for_all_files_but_hidden_and_later_ones(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "two words").write_bytes(b"\x00" * 3_000_000)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / ".lock").write_text("1")
    seal(tmp_path)
    (tmp_path / ".lock").write_text("2")
    (tmp_path / "later").write_text("x")
    check_seal(tmp_path)
    (tmp_path / "empty").write_bytes(b"1")
    with pytest.raises(ValueError, match="'empty' is damaged"):
        check_seal(tmp_path)
    (tmp_path / "empty").unlink()
    with pytest.raises(OSError, match="empty"):
        check_seal(tmp_path)


@pytest.mark.parametrize("text", ["", "\n", "0 00000000 a\n", "x"])
def test_damaged_seal_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "checksums").write_text(text)
    with pytest.raises(ValueError, match="'checksums' is damaged"):
        check_seal(tmp_path)


def test_whatever_tantivy_makes_of_a_damaged_index_is_one_error(tmp_path: Path) -> None:
    index = PassageIndex(tmp_path)
    with index.writing() as add:
        for number in range(200):
            add(number, f"title {number}", f"some words {number % 7} and more {number % 11}")
    rng = random.Random(2)
    files = [file for file in tmp_path.iterdir() if file.suffix in (".idx", ".term", ".fast")]
    num_panics = num_errors = 0
    for _ in range(150):
        file = rng.choice(files)
        whole = file.read_bytes()
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        try:
            with answering("the index"):
                PassageIndex(tmp_path).search("words title 3", 5)
        except BackendError as error:
            num_errors += 1
            num_panics += error.__cause__ is not None and is_panic(error.__cause__)
        file.write_bytes(whole)
    assert num_panics > 0
    assert num_errors > num_panics


def test_hold_keeps_others_out(tmp_path: Path) -> None:
    first = hold(tmp_path, alone=False)
    second = hold(tmp_path, alone=False, wait=False)
    assert first is not None
    assert second is not None
    with pytest.raises(BlockingIOError):
        hold(tmp_path, alone=True, wait=False)
    os.close(first)
    os.close(second)
    alone = hold(tmp_path, alone=True, wait=False)
    assert alone is not None
    with pytest.raises(BlockingIOError):
        hold(tmp_path, alone=False, wait=False)
    os.close(alone)
    assert hold(tmp_path / "none", alone=True) is None
