"""OpenEnv's own client plays whole episodes against our server; skipped without OpenEnv."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from ports import free_port

pytest.importorskip("openenv", reason="needs OpenEnv, `pip install 'wideseek[openenv]'`")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # the libraries warn
]


@pytest.fixture(scope="module")
def url():
    import uvicorn

    from trainers.third_party.openenv_server import make_app

    port = free_port()
    app = make_app(n_subagents=2, preset="starter", interface="discrete")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(60)


async def play(url: str, seed: int) -> tuple[float, dict[str, float] | None, int]:
    from openenv.core import GenericEnvClient

    async with GenericEnvClient(base_url=url, message_timeout_s=300) as client:
        result = await client.reset(seed=seed)
        total, num = 0.0, 0
        while not result.done:
            seen = result.observation["observations"]
            moves = {agent: o["action_mask"].index(1) for agent, o in seen.items()}
            moves |= {a: len(seen[a]["action_mask"]) - 1 - seen[a]["action_mask"][::-1].index(1)
                      for a in result.observation["active"]}  # fmt: skip
            result = await client.step({"actions": moves})
            total, num = total + (result.reward or 0.0), num + 1
        state = await client.state()
        assert (state.get("step_count") if isinstance(state, dict) else state.step_count) == num
        return total, result.observation["score"], num


async def test_their_client_plays_what_the_environment_plays_sessions_apart(url: str) -> None:
    import wideseek_env

    over_the_wire = await asyncio.gather(*(play(url, seed) for seed in range(3)))
    env = wideseek_env.parallel_env(2, preset="starter", interface="discrete")
    for seed, (total, score, num) in enumerate(over_the_wire):
        seen, _ = env.reset(seed=seed)
        steps, here = 0, 0.0
        while env.agents:
            moves = {a: int(o["action_mask"].nonzero()[0][-1]) for a, o in seen.items()}
            seen, rewards, *_ = env.step(moves)
            steps, here = steps + 1, here + rewards["lead"]
        assert env.episode is not None
        assert env.episode.score is not None
        assert (total, num) == (here, steps)
        assert score == {"item_f1": env.episode.score.item_f1, "row_f1": env.episode.score.row_f1}


def test_schema_and_health_are_told(url: str) -> None:
    import json
    import urllib.request

    def get(path: str) -> dict:
        with urllib.request.urlopen(f"{url}{path}", timeout=60) as reply:  # loopback
            return json.load(reply)

    assert get("/health")["status"] == "healthy"
    assert "actions" in get("/schema")["action"]["properties"]
