from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from wideseek_env.errors import DataError
from wideseek_env.tasks.hub import fetch_widesearch
from wideseek_env.tasks.widesearch import load_widesearch

EVALUATION = {"required": ["k"], "unique_columns": ["k"], "eval_pipeline": {}}
ROOT = "/datasets/ByteDance-Seed/WideSearch/resolve/main"


async def test_fetch_widesearch_fetches_each_file_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == f"{ROOT}/widesearch.jsonl":
            rows = [{"instance_id": n, "query": "?", "evaluation": EVALUATION} for n in ("a", "b")]
            return web.Response(text="\n".join(map(json.dumps, rows)))
        if request.path == f"{ROOT}/widesearch_gold/a.csv" or (tmp_path / "b is up").exists():
            return web.Response(text="k\nx\n")
        return web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestServer(app) as server:
        endpoint = str(server.make_url("/"))
        with pytest.raises(DataError, match=r"b\.csv"):
            await fetch_widesearch(tmp_path / "data", endpoint=endpoint)
        (tmp_path / "b is up").touch()
        tasks, tables = await fetch_widesearch(tmp_path / "data", endpoint=endpoint)
    assert [task.gold for task in load_widesearch(tasks, tables)] == [(("x",),)] * 2
    assert asked.count(f"{ROOT}/widesearch.jsonl") == 1
    assert asked.count(f"{ROOT}/widesearch_gold/a.csv") == 1
    assert not list((tmp_path / "data").rglob("*.partial"))


async def _serve(tmp_path: Path, answers: list[web.Response], rows: list[str]) -> None:
    """Fetches from a hub that begins with these answers; a row is an instance's id."""

    async def handle(request: web.Request) -> web.Response:
        if answers:
            return answers.pop(0)
        if request.path.endswith(".jsonl"):
            lines = [json.dumps({"instance_id": row, "query": "?"}) for row in rows]
            return web.Response(text="\n".join(lines))
        return web.Response(text="k\nx\n")

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestServer(app) as server:
        await fetch_widesearch(tmp_path, endpoint=str(server.make_url("/")))


async def test_fetch_widesearch_goes_where_the_hub_points_and_asks_a_busy_one_again(
    tmp_path: Path,
) -> None:
    moved = [
        web.Response(status=302, headers={"Location": "/elsewhere/widesearch.jsonl"}),
        web.Response(status=429, headers={"Retry-After": "0.1"}),
    ]
    await _serve(tmp_path, moved, ["a"])
    assert (tmp_path / "widesearch_gold" / "a.csv").read_text() == "k\nx\n"


async def test_fetch_widesearch_redirected_without_end_is_an_error(tmp_path: Path) -> None:
    moved = [web.Response(status=302, headers={"Location": "/x.jsonl"}) for _ in range(6)]
    with pytest.raises(DataError, match=r"cannot fetch .*widesearch\.jsonl.*points to /x\.jsonl"):
        await _serve(tmp_path, moved, ["a"])
    assert moved == []


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/b", "a\0", "..\n", "x/../../y"])
async def test_fetch_widesearch_writes_nothing_outside_its_folder(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match="expected ids that can name a file"):
        await _serve(tmp_path / "data", [], ["good", name])
    assert {path.name for path in tmp_path.rglob("*")} == {
        "data",
        "widesearch.jsonl",
        "widesearch_gold",
    }
