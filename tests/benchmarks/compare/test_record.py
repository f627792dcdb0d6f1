"""A live run with a model, a search server and a judge; then the same again, offline."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from chat_server import ChatServer
from fault_server import in_a_thread
from judge_server import JudgeServer

from agents.episode_file import read_episodes
from benchmarks.report import charts
from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.backends.retrieval.server import RetrievalServer
from wideseek_env.cli.commands import main

TASK = {
    "instance_id": "t",
    "query": "Which rivers are in Varnia, and how are they?",
    "evaluation": {
        "required": ["river", "mood"],
        "unique_columns": ["river"],
        "eval_pipeline": {
            "river": {"preprocess": ["norm_str"], "metric": ["exact_match"]},
            "mood": {"preprocess": ["norm_str"], "metric": ["llm_judge"], "criterion": "a mood"},
        },
    },
}


class SearchServer:
    """Our own retrieval server over two pages, which counts what it is asked."""

    def __init__(self) -> None:
        self.num_requests = 0
        self.num_connections = 0
        pages = [
            RawPage("/alden", "Alden", "<p>Alden is a merry river in Varnia.</p>"),
            RawPage("/brook", "Brook", "<p>Brook is a wild river in Varnia.</p>"),
        ]
        app = RetrievalServer(PagesBackend(pages)).app()
        app.middlewares.append(self._count)
        self._running = TestServer(app)
        self.open: set[Any] = set()

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.num_requests += 1
        self.open.add(request.transport)
        return await handler(request)

    @property
    def num_open(self) -> int:
        return sum(not transport.is_closing() for transport in self.open)

    @property
    def url(self) -> str:
        return str(self._running.make_url("/"))

    async def __aenter__(self) -> SearchServer:
        await self._running.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.close()


def reply(prompt: str) -> str:
    """Searches, opens the two pages, and answers what it has read there."""
    moods = {name: mood for name in ("Alden", "Brook") for mood in ("merry", "wild")
             if f"{name} is a {mood} river" in prompt}  # fmt: skip
    if "/alden" not in prompt:
        call: dict[str, Any] = {"name": "search", "arguments": {"query": "river in Varnia"}}
        return f"<tool_call>{json.dumps(call)}</tool_call>"
    if "part 1" not in prompt and prompt.count("<tool_call>") < 4:
        calls = [{"name": "open", "arguments": {"url": url}} for url in ("/alden", "/brook")]
        return "".join(f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls)
    rows = "\n".join(f"| {name} | {mood} |" for name, mood in moods.items())
    call = {"name": "answer", "arguments": {"text": f"| river | mood |\n|---|---|\n{rows}"}}
    return f"<tool_call>{json.dumps(call)}</tool_call>"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(charts, "save_png", lambda figure, path: path.write_bytes(b"png"))
    monkeypatch.setattr(charts, "svg_of", lambda figure, prefix: "<svg></svg>")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_text("river,mood\nAlden,mild\nBrook,happy\n")
    (tmp_path / "tasks.jsonl").write_text(json.dumps(TASK) + "\n")
    return tmp_path


@pytest.fixture
def search() -> Iterator[SearchServer]:
    with in_a_thread(SearchServer()) as running:
        yield running


@pytest.fixture
def judge() -> Iterator[JudgeServer]:
    with in_a_thread(JudgeServer()) as running:
        yield running


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with in_a_thread(ChatServer(reply)) as running:
        yield running


def _play(folder: Path, name: str, *more: str) -> int:
    return main([
        "benchmark", "--policies", "llm", "--widths", "0", "--depths", "", "--num-trials", "2",
        "--max-concurrent", "1", "--sources", f"file:{folder / 'tasks.jsonl'}",
        "--tables", str(folder / "tables"), "--out", str(folder), "--name", name, *more,
    ])  # fmt: skip


def _score(folder: Path, name: str, *more: str) -> int:
    (responses,) = (folder / name / "responses").glob("*.jsonl")
    return main([
        "score", "--tasks", str(folder / "tasks.jsonl"), "--tables", str(folder / "tables"),
        "--responses", str(responses), "--out", str(folder / f"{name}.jsonl"),
        "--judge-model", "m", "--now", "2026-11-23T00:22", *more,
    ])  # fmt: skip


def _told(folder: Path, name: str) -> list[tuple[Any, ...]]:
    episodes = read_episodes(folder / name / "episodes.jsonl")
    return sorted(
        (
            episode.metadata["trial"],
            episode.answer,
            episode.score,
            [r.text for t in episode.trajectories for turn in t.turns for r in turn.results],
        )
        for episode in episodes
    )


def test_live_run_with_a_judge_is_played_and_scored_again_without_asking_anybody(
    folder: Path,
    search: SearchServer,
    judge: JudgeServer,
    chat: ChatServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = str(folder / "calls.sqlite")
    model = ["--model", "tiny", "--base-url", chat.url]
    assert _play(folder, "live", *model, "--backend", search.url, "--record", calls) == 0
    assert f"Tools: 3 calls asked and 3 answered from {calls}" in capsys.readouterr().out
    assert search.num_requests == 3
    assert search.num_open == 0
    assert _score(folder, "live", "--judge", judge.url, "--record", calls) == 0
    asked = len(judge.bodies), len(chat.bodies)
    assert asked[0] > 0
    assert _told(folder, "live")[0][1].endswith("| Alden | merry |\n| Brook | wild |")

    episodes = str(folder / "live" / "episodes.jsonl")
    assert _play(folder, "again", "--replay", episodes, "--replay-tools", calls) == 0
    assert _score(folder, "again", "--replay-tools", calls) == 0
    assert search.num_requests == 3
    assert (len(judge.bodies), len(chat.bodies)) == asked
    assert _told(folder, "again") == _told(folder, "live")
    assert (folder / "again.jsonl").read_bytes() == (folder / "live.jsonl").read_bytes()
    scores = [json.loads(line) for line in (folder / "live.jsonl").read_text().splitlines()]
    assert [line["strict"]["item_f1"] for line in scores] == [(2 * 3 - 1) / 8] * 2


def test_what_was_not_recorded_is_no_score(
    folder: Path, search: SearchServer, judge: JudgeServer, chat: ChatServer
) -> None:
    calls = str(folder / "calls.sqlite")
    model = ["--model", "tiny", "--base-url", chat.url]
    assert _play(folder, "live", *model, "--backend", search.url, "--record", calls) == 0
    assert _score(folder, "live", "--replay-tools", calls) == 1  # no verdict was asked for
    (line, *_) = (folder / "live.jsonl").read_text().splitlines()
    assert "lack 2 of 2 that are needed" in json.loads(line)["error"]
    with sqlite3.connect(calls) as connection:
        connection.execute("DELETE FROM calls WHERE request LIKE '%brook%'")
    connection.close()
    assert _play(folder, "again", *model, "--replay-tools", calls) == 1
    assert all(not e.valid for e in read_episodes(folder / "again" / "episodes.jsonl"))
    assert search.num_requests == 3
    assert judge.bodies == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--record", "f"], "--record goes with --backend"),
        (["--replay-tools", "FILE", "--backend", "x"], "leave out --backend"),
        (["--replay-tools", "FILE", "--record", "f"], "give one of them"),
        (["--replay-tools", "missing"], "--replay-tools: expected a file"),
    ],
)
def test_mistakes_are_told_before_anything_is_played(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    arguments = [str(folder / "tasks.jsonl") if a == "FILE" else a for a in arguments]
    assert _play(folder, "r", "--model", "m", *arguments) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (folder / "r").exists()


CLOSING = """
import os
from pathlib import Path
from wideseek_env.backends.corpus.pages import PagesBackend, RawPage

class Closing(PagesBackend):
    async def close(self):
        (Path(__file__).parent / f"closed-{os.getpid()}").touch()
        await super().close()

def make():
    return Closing([RawPage("/a", "A", "<p>Alden</p>")])
"""


@pytest.mark.parametrize(("num_workers", "num_processes"), [(1, 1), (2, 3)])
def test_backend_that_was_named_is_closed_in_every_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, num_workers: int, num_processes: int
) -> None:
    """Workers' own, and that of the process that looks whether the policies read the questions."""
    name = f"closing_{num_workers}"
    (folder / f"{name}.py").write_text(CLOSING)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    arguments = [
        "benchmark", "--policies", "solo", "--widths", "0", "--depths", "", "--num-trials", "12",
        "--sources", f"file:{folder / 'tasks.jsonl'}", "--tables", str(folder / "tables"),
        "--out", str(folder), "--backend", f"{name}:make", "--num-workers", str(num_workers),
    ]  # fmt: skip
    assert main(arguments) == 0
    assert len(list(folder.glob("closed-*"))) == num_processes
