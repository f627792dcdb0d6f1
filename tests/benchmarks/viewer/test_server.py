"""The server: what it answers, to whom, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from aiohttp.test_utils import TestClient, TestServer
from made_episodes import made_episode, made_task
from ports import free_port

from benchmarks.viewer.index import open_runs
from benchmarks.viewer.server import make_app
from wideseek_env.cli.commands import main
from wideseek_env.jsonlines import encode

ATTACK = "</script><script>document.title='owned'</script>"


@pytest.fixture
async def client(tmp_path):
    (tmp_path / "run").mkdir()
    lines = [
        encode(made_episode(made_task(n), found=n, title=ATTACK, key=f"{n}")) for n in range(5)
    ]
    (tmp_path / "run" / "episodes.jsonl").write_bytes(b"\n".join([*lines, b"damaged", b""]))
    async with TestClient(
        TestServer(make_app(open_runs([tmp_path / "run"]), ["viewer.lan"]))
    ) as it:
        while not (await (await it.get("/api/runs")).json())["runs"][0]["whole"]:
            await asyncio.sleep(0.02)
        yield it


async def get(client, path, **headers):
    answer = await client.get(path, headers=headers)
    return answer.status, await answer.json()


async def test_server_lists_parts_with_counts(client):
    status, data = await get(client, "/api/episodes?start=1&count=2&choices=1&sort=item_f1&desc=1")
    assert (status, data["total"], data["matched"]) == (200, 6, 6)
    assert [row["task"] for row in data["rows"]] == ["default-3", "default-2"]
    assert data["choices"]["policy"] == {"fanout": 5}


async def test_server_gives_an_episode_whole_with_its_neighbours(client):
    _, data = await get(client, "/api/episodes?policy=fanout")
    ids = [row["id"] for row in data["rows"]]
    status, shown = await get(client, f"/api/episode?of=run&id={ids[1]}&policy=fanout")
    assert (status, shown["task_id"], shown["id"]) == (200, "default-1", ids[1])
    assert (shown["before"], shown["after"]) == (f"run/{ids[0]}", f"run/{ids[2]}")
    assert ATTACK in shown["trajectories"][1]["turns"][1]["calls"][0]["text"]
    _, last = await get(client, f"/api/episode?of=run&id={ids[4]}&policy=fanout")
    assert last["after"] is None


async def test_server_shows_a_damaged_line_as_such(client):
    _, data = await get(client, "/api/episodes?error=damaged")
    status, shown = await get(client, f"/api/episode?of=run&id={data['rows'][0]['id']}")
    assert status == 200
    assert shown["error"].startswith("line 6 is no episode")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/episode?of=run&id=nope", 404, "run has no episode 'nope'"),
        ("/api/episode?of=other&id=1", 404, "run: expected one of run, got 'other'"),
        ("/api/episodes?sort=colour", 400, "sort: expected"),
        ("/api/episodes?start=-1", 400, "start: expected a whole number"),
    ],
)
async def test_server_says_what_was_wrong(client, path, status, message):
    got, data = await get(client, path)
    assert got == status
    assert message in data["error"]


async def test_server_csv_is_the_whole_list(client):
    answer = await client.get("/api/episodes.csv?policy=fanout&count=1")
    assert len((await answer.text()).splitlines()) == 6
    assert "attachment" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["/", "/static/viewer.js", "/api/runs", "/static/nothing", "/x"])
async def test_server_lets_no_other_script_run(client, path):
    policy = (await client.get(path)).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("localhost.evil.example:8090", 421),
        ("localhost:8090", 200),
        ("127.0.0.1", 200),
        ("[::1]:8090", 200),
        ("viewer.lan", 200),
    ],
)
async def test_server_is_no_server_of_other_names(client, host, status):
    assert (await client.get("/api/episodes", headers={"Host": host})).status == status


async def test_server_finds_out_what_became_of_the_cells(client):
    while (await get(client, "/api/runs"))[1]["runs"][0]["num_untraced"]:
        await asyncio.sleep(0.1)
    _, data = await get(client, "/api/episodes?error=unread")
    assert [row["fates"] for row in data["rows"]][-1] == {"right": 12, "unread": 6}


def test_view_of_no_run_and_of_a_port_in_use_is_one_sentence(tmp_path, capsys):
    assert main(["view", str(tmp_path)]) == 1
    assert "expected a run, a folder with episodes.jsonl" in capsys.readouterr().err
    (tmp_path / "episodes.jsonl").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["view", str(tmp_path), "--port", str(port)]) == 1
    assert (
        capsys.readouterr().err
        == f"error: --port: {port} is in use; give another, as --port {port + 1}\n"
    )
    assert main(["view"]) == 2


def test_view_ends_at_ctrl_c_without_a_traceback(tmp_path):
    (tmp_path / "episodes.jsonl").write_bytes(encode(made_episode(made_task(0))) + b"\n")
    port = free_port()
    words = [sys.executable, "-m", "wideseek_env", "view", str(tmp_path), "--port", str(port)]
    viewer = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert f"http://127.0.0.1:{port}/" in viewer.stderr.readline()
    time.sleep(1.2)  # the process that traces cells is being started
    os.killpg(viewer.pid, signal.SIGINT)
    assert viewer.communicate(timeout=60)[1] == ""
    assert viewer.returncode == 0
