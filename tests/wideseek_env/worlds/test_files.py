"""World files: whole or not there, and read only in the version that wrote them."""

from __future__ import annotations

import errno
import json
import os

import pytest

from wideseek_env.backends.corpus.folder import FolderBackend
from wideseek_env.errors import DataError
from wideseek_env.worlds import World
from wideseek_env.worlds.files import read_world, write_lines, write_world


def test_write_world_read_world_gives_the_same_pages(tmp_path):
    world = World("starter", seed=1)
    path = tmp_path / "world.jsonl"
    assert write_world(world, path) == world.num_pages
    assert list(read_world(path)) == list(world.pages())
    assert [p.name for p in tmp_path.iterdir()] == ["world.jsonl"]


async def test_world_file_is_a_corpus_for_folder_backend(tmp_path):
    world = World("starter", seed=1)
    write_world(world, tmp_path / "world.jsonl")
    page = next(world.pages())
    backend = FolderBackend(tmp_path, links=True)
    assert (await backend.open(page.url)).text == (await world.backend().open(page.url)).text


def test_read_world_other_version_raises(tmp_path):
    path = tmp_path / "world.jsonl"
    write_world(World("starter"), path)
    lines = path.read_text().splitlines(keepends=True)
    first = json.loads(lines[0])
    first["world"]["version"] = 999
    path.write_text(json.dumps(first) + "\n" + "".join(lines[1:]))
    with pytest.raises(DataError, match="expected a world of version 1, got 999"):
        list(read_world(path))


def test_read_world_cut_short_raises(tmp_path):
    path = tmp_path / "world.jsonl"
    write_world(World("starter"), path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))
    with pytest.raises(DataError, match="expected 109 pages, got 106"):
        list(read_world(path))


@pytest.mark.parametrize("text", ["", '{"url": "/a", "title": "A", "html": ""}\n', "nonsense\n"])
def test_read_world_other_file_raises(tmp_path, text):
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="expected a world file"):
        list(read_world(path))


def test_write_lines_that_fail_leave_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("old\n")

    def lines():
        yield b"new"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*out\.jsonl'"):
        write_lines(path, lines())
    assert path.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
    with pytest.raises(FileNotFoundError, match=r"make .* first"):
        write_lines(tmp_path / "no" / "out.jsonl", [b"x"])


def test_write_lines_puts_nothing_in_the_place_of_a_folder_or_device(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # as root, /dev/null and /dev/stdout could be replaced as well
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(FileExistsError, match="expected a file to write"):
            write_lines(path, [b"x"])
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_write_lines_to_a_link_writes_the_file_behind_it(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_lines(tmp_path / "link", [b"x"])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "x\n"
