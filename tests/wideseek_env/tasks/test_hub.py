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
