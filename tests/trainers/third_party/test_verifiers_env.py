"""verifiers loads our environment by itself, and its eval command plays it; skipped without it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chat_server import ChatServer

pytest.importorskip("verifiers", reason="needs verifiers, `pip install 'wideseek[verifiers]'`")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # the library warns
]
ROOT = Path(__file__).parents[3]


def reply(prompt: str) -> str:
    """The lead hands the question to two, who report; then it answers."""
    if "`report`" in prompt or '"report"' in prompt:
        call = {"name": "report", "arguments": {"text": "nothing"}}
    elif "delegate" in prompt and "report from" not in prompt:
        call = {"name": "delegate", "arguments": {"subtasks": ["Look here.", "Look there."]}}
    else:
        call = {"name": "answer", "arguments": {"text": "| Name |\n|---|\n| Alden |"}}
    return f"<tool_call>{json.dumps(call)}</tool_call>"


def test_the_loader_finds_taskset_and_team() -> None:
    import verifiers.v1 as vf
    from verifiers.v1.utils.loaders import load_taskset

    from trainers.third_party.verifiers_env import WideSeekTasksetConfig

    config = WideSeekTasksetConfig(id="wideseek", source="starter", num_tasks=3)
    tasks = list(load_taskset(config))
    assert [task.data.number for task in tasks] == [0, 1, 2]
    assert all(isinstance(task, vf.Task) and "Columns" in task.data.prompt for task in tasks)
    assert "gold" not in tasks[0].data.model_dump_json()


async def evaluate(server: ChatServer, out: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "vf-eval"), "wideseek", "--env.taskset.source",
        "starter", "--env.taskset.num-tasks", "2", "--env.n-subagents", "2", "-n", "2", "-r",
        "1", "-m", "tiny", "--client.base-url", server.url, "--no-rich", "-o", str(out),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=out,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "x", "PRIME_API_KEY": "x"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert list(out.rglob("traces.jsonl")), told.decode()[-6000:]


async def test_its_eval_command_plays_a_team_against_a_server(tmp_path: Path) -> None:
    async with ChatServer(reply, ids=False) as server:
        await evaluate(server, tmp_path)
    (file,) = tmp_path.rglob("traces.jsonl")
    episodes = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(episodes) == 2
    for episode in episodes:
        assert episode["ok"], episode["errors"]
        assert sorted(t["agent"]["name"] for t in episode["traces"]) == [
            "lead", "subagent", "subagent",
        ]  # fmt: skip
        assert all(t["rewards"]["team"]["score"] == 0.0 for t in episode["traces"])
        (lead,) = (t for t in episode["traces"] if t["agent"]["name"] == "lead")
        assert lead["metrics"]["width"] == 2.0


async def test_a_server_that_fails_gives_an_error_and_no_reward(tmp_path: Path) -> None:
    async with ChatServer(reply, ids=False) as server:
        server.alive = False
        await evaluate(server, tmp_path)
    (file,) = tmp_path.rglob("traces.jsonl")
    for line in file.read_text().splitlines():
        episode = json.loads(line)
        assert not episode["ok"]
        assert not any("team" in trace["rewards"] for trace in episode["traces"])
