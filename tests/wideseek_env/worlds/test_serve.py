"""A world over HTTP, in process."""

from __future__ import annotations

import re

from aiohttp.test_utils import TestClient, TestServer

from wideseek_env.worlds import World
from wideseek_env.worlds.serve import make_app


async def test_browser_can_walk_from_home_to_a_thing():
    world = World("easy")
    async with TestClient(TestServer(make_app(world.pages(), "easy world"))) as client:
        path = "/"
        for pattern in (r'href="(/\w+)"', r'href="(/\w+/\w+/1)"', r'<td><a href="([^"]+)"'):
            html = await (await client.get(path)).text()
            path = re.search(pattern, html)[1]
        thing = await client.get(path)
        assert thing.content_type == "text/html"
        assert "infobox" in await thing.text()
        assert (await client.get("/style.css")).content_type == "text/css"
        assert (await client.get("/nowhere")).status == 404
        name = path.rpartition("/")[2].replace("-", " ")
        assert f'href="{path}"' in await (await client.get("/search", params={"q": name})).text()


async def test_compact_world_has_its_lists_on_the_home_page():
    async with TestClient(TestServer(make_app(World("starter").pages(), "starter"))) as client:
        assert len(re.findall("List of", await (await client.get("/")).text())) == 10


async def test_retrieve_and_access_answer_as_retrieval_servers_do():
    world = World("starter")
    page = next(page for page in world.pages() if not page.title.startswith("List"))
    async with TestClient(TestServer(make_app(world.pages(), "starter"))) as client:
        asked = {"queries": [page.title, "museums"], "topk": 2, "return_scores": True}
        result = (await (await client.post("/retrieve", json=asked)).json())["result"]
        assert [len(documents) for documents in result] == [2, 2]
        assert result[0][0]["document"]["url"] == page.url
        assert page.title in result[0][0]["document"]["contents"]
        assert [hit["score"] for hit in result[0]] == [1.0, 0.5]
        plain = await (await client.post("/retrieve", json={"queries": [page.title]})).json()
        assert plain["result"][0][0]["id"] == page.url
        asked = {"urls": [page.url, "/nowhere"]}
        result = (await (await client.post("/access", json=asked)).json())["result"]
        assert result[0]["title"] == page.title
        assert result[1] is None


async def test_wrong_request_says_what_is_expected():
    async with TestClient(TestServer(make_app(World("starter").pages(), "starter"))) as client:
        for path, body in (
            ("/retrieve", "{"),
            ("/retrieve", '{"queries": [], "topk": 0}'),
            ("/access", '{"urls": 3}'),
        ):
            response = await client.post(path, data=body)
            assert response.status == 400
            assert "expected" in await response.text() or "must be" in await response.text()
