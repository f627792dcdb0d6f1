"""A file of episodes on a disk that fills up."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from made_episodes import made_episode, made_task

from agents.episode_file import EpisodeFile, read_episodes


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
