import os
from pathlib import Path

import pytest

from wideseek_env.backends.corpus.index import PassageIndex
from wideseek_env.backends.corpus.indexfiles import answering, check_seal, hold, is_panic, seal
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


@pytest.mark.parametrize("suffix", [".idx", ".term", ".fast", ".pos", ".store"])
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_file_that_was_cut_off_is_an_error(tmp_path: Path, suffix: str, share: float) -> None:
    (file,) = made_index(tmp_path).glob(f"*{suffix}")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BackendError) as raised, answering("the index"):
        PassageIndex(tmp_path).search("words title 3", 5)
    assert not is_panic(raised.value.__cause__ or raised.value)


def test_panic_of_tantivy_is_an_error(tmp_path: Path) -> None:
    """Zeros in place of a posting list: tantivy asserts, which Python sees as a `BaseException`.

    Bits flipped at random would do, too, but some make tantivy ask for more memory than there is,
    which ends the process: that is why indexes are sealed.
    """
    (file,) = made_index(tmp_path).glob("*.idx")
    whole = file.read_bytes()
    file.write_bytes(bytes(len(whole) // 2) + whole[len(whole) // 2 :])
    with pytest.raises(BackendError) as raised, answering("the index"):
        PassageIndex(tmp_path).search("words title 3", 5)
    assert raised.value.__cause__ is not None
    assert is_panic(raised.value.__cause__)


def made_index(folder: Path) -> Path:
    with PassageIndex(folder).writing() as writer:
        for number in range(200):
            writer.add(number, f"title {number}", f"some words {number % 7} and more {number % 11}")
    return folder


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
