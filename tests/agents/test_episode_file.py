"""A file of episodes on a disk that fills up."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from made_episodes import made_episode, made_task

from agents.episode_file import EpisodeFile, read_episodes
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode
from wideseek_env.records import Episode


@contextmanager
def small_files() -> Iterator[None]:
    """Lets this process write no file beyond 20,000 bytes.

    For a few lines only, and no fixture: pytest reports between a test and the end of its
    fixtures, perhaps into a log that is longer than that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_append_that_fails_again_and_again_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    small = made_episode(made_task(0), found=1)
    large = made_episode(made_task(0), found=6, page_chars=6_000)
    with small_files(), EpisodeFile(path) as file:
        file.append(small)
        whole = path.read_bytes()
        for _ in range(3):
            with pytest.raises(OSError, match=r"bytes were written|too large"):
                file.append(large)
            assert path.read_bytes() == whole
        file.append(small)
    assert list(read_episodes(path)) == [small, small]


def keyed(key: str, *, invalid: bool = False, found: int = 4) -> Episode:
    return made_episode(made_task(0), found=found, invalid=invalid, key=key)


def write(path: Path, *lines: Episode | bytes) -> None:
    path.write_bytes(b"".join((x if isinstance(x, bytes) else encode(x)) + b"\n" for x in lines))


DAMAGED = encode(keyed("b")).replace(b'"lead"', b'"le\xffd"', 1)


def test_damaged_line_in_the_middle_is_told_and_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    write(path, keyed("a"), DAMAGED, keyed("c"))
    broken: list[DataError] = []
    read = list(read_episodes(path, broken=broken))
    assert [episode.metadata["key"] for episode in read] == ["a", "c"]
    assert [str(error).partition(": ")[0] for error in broken] == [f"{path}, line 2"]
    with pytest.raises(DataError, match="line 2"):
        list(read_episodes(path))


def test_reopened_file_keeps_the_good_lines_and_a_copy_of_the_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    write(path, keyed("a"), DAMAGED, keyed("c"), keyed("d", invalid=True))
    before = path.read_bytes()
    with pytest.warns(UserWarning, match=r"1 lines of .* The first: .*line 2"):
        file = EpisodeFile(path)
    with file:
        assert file.keys == {"a", "c"}
    assert [episode.metadata["key"] for episode in read_episodes(path)] == ["a", "c"]
    assert path.with_name("episodes.jsonl.broken").read_bytes() == before


def test_file_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    for text in (b'{"a": 1}\n', encode(replace(keyed("a"), version=1)) + b"\n"):
        path.write_bytes(text)
        with pytest.raises(DataError, match="line 1"):
            EpisodeFile(path)
        assert path.read_bytes() == text
        assert {each.name for each in tmp_path.iterdir()} == {path.name, f".{path.name}.lock"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_one_trial_written_twice_counts_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    path = tmp_path / "episodes.jsonl"
    trials = (keyed("a"), keyed("a", invalid=True), keyed("b"))
    write(path, *(trials[i] for i in order), *(trials[i] for i in order))
    read = list(read_episodes(path))
    assert sorted(e.metadata["key"] for e in read) == ["a", "b"]
    assert all(e.valid for e in read)


def test_of_equal_trials_the_first_counts_and_an_invalid_one_only_without_a_valid_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "episodes.jsonl"
    first, second = keyed("a", found=2), keyed("a", found=6)
    write(path, keyed("z", invalid=True), first, second, keyed("z", invalid=True))
    read = list(read_episodes(path))
    assert read == [first, keyed("z", invalid=True)]
