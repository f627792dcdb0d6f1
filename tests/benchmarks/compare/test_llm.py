"""A language model in the benchmark, over a real server on loopback, and its record again."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from chat_server import ChatServer

import benchmarks.__main__ as cli
from agents.episode_file import read_episodes
from wideseek_env.jsonlines import encode
from wideseek_env.tasks.files import load_tasks
from wideseek_env.worlds import World

GRID = ["--policies", "llm", "--sources", "starter", "--widths", "0,2", "--num-tasks", "2",
        "--depths", "", "--num-trials", "2"]  # fmt: skip


pytestmark = pytest.mark.usefixtures("quick_figures")


def reply(prompt: str) -> str:
    """Returns a turn: the lead of a team delegates once, everyone else ends what it does."""
    if "delegate" in prompt and "report from" not in prompt:
        call = {"name": "delegate", "arguments": {"subtasks": ["Look for it."]}}
    elif "`report`" in prompt or '"report"' in prompt:
        call = {"name": "report", "arguments": {"text": "nothing"}}
    else:
        call = {"name": "answer", "arguments": {"text": "| Name |\n|---|\n| Alden |"}}
    return f"<tool_call>{json.dumps(call)}</tool_call>"


@contextmanager
def serving() -> Iterator[ChatServer]:
    """A server in a thread of its own, as the command line runs an event loop itself."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    chat = ChatServer(reply)
    asyncio.run_coroutine_threadsafe(chat.start(), loop).result(10)
    yield chat
    asyncio.run_coroutine_threadsafe(chat.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as chat:
        yield chat


def run(tmp_path, name, *arguments):
    return cli.main([*GRID, "--out", str(tmp_path), "--name", name, *arguments])


def test_model_plays_and_its_record_plays_again_without_an_engine(tmp_path, server, capsys):
    model = ["--model", "tiny", "--base-url", server.url, "--price-prompt", "1", "--price-new", "2"]
    assert run(tmp_path, "first", *model) == 0
    out = capsys.readouterr().out
    assert "Avg@2" in out
    assert "Tokens" in out
    first = {e.metadata["key"]: e for e in read_episodes(tmp_path / "first" / "episodes.jsonl")}
    assert len(first) == 8
    assert all(episode.valid for episode in first.values())
    assert any(episode.width == 1 for episode in first.values())
    asked = len(server.bodies)
    record = str(tmp_path / "first" / "episodes.jsonl")
    assert run(tmp_path, "again", "--replay", record) == 0
    assert len(server.bodies) == asked
    for again in read_episodes(tmp_path / "again" / "episodes.jsonl"):
        episode = first[again.metadata["key"]]
        turns = [[t.decision for t in trajectory.turns] for trajectory in again.trajectories]
        assert turns == [[t.decision for t in track.turns] for track in episode.trajectories]
        assert again.score == episode.score


def test_several_servers_share_the_episodes_of_a_model(tmp_path, server):
    with serving() as other:
        both = f"{server.url}, {other.url}"
        assert run(tmp_path, "both", "--model", "tiny", "--base-url", both) == 0
        assert len(server.bodies) > 2
        assert len(other.bodies) > 2
    assert all(episode.valid for episode in read_episodes(tmp_path / "both" / "episodes.jsonl"))


def test_servers_and_folders_are_policies_by_themselves(tmp_path, server, capsys):
    server.models = ["large", "small"]
    words = ["--policies", f"{server.url}#small,{server.url}/", "--temperature", "0"]
    assert run(tmp_path, "many", *words) == 1
    assert "expected one model at" in (said := capsys.readouterr()).err
    assert "large" in said.err
    server.models = ["large"]
    assert run(tmp_path, "two", *words) == 0
    assert {body["model"] for body in server.bodies} == {"large", "small"}
    assert {body["temperature"] for body in server.bodies} == {0}
    played = list(read_episodes(tmp_path / "two" / "episodes.jsonl"))
    assert len(played) == 16
    assert {e.metadata["policy"] for e in played} == {f"{server.url}#small", f"{server.url}/"}
    names = sorted(path.name for path in (tmp_path / "two" / "responses").iterdir())
    assert len(names) == 4
    assert all(name.startswith("http_127") for name in names)
    asked = len(server.bodies)
    assert run(tmp_path, "two", *words) == 0  # goes on: there is nothing left to play
    assert len(server.bodies) == asked


@pytest.mark.slow
def test_a_folder_of_hugging_face_plays(tmp_path):
    pytest.importorskip("transformers")
    from agents.learned.lm import MODELS

    words = ["--policies", f"hf:{MODELS / 'sft'}", "--widths", "2", "--num-tasks", "1"]
    words += ["--format", "json", "--prompts", "short", "--max-tokens", "384"]
    words += ["--max-context-tokens", "2048", "--temperature", "0"]
    assert run(tmp_path, "hf", *words) == 0
    (episode, *_) = read_episodes(tmp_path / "hf" / "episodes.jsonl")
    assert episode.valid
    assert episode.num_tool_calls > 0


def test_record_of_another_policy_is_refused(tmp_path, capsys):
    solo = ["--policies", "solo", "--sources", "starter", "--widths", "0", "--depths", ""]
    solo += ["--num-tasks", "1", "--num-workers", "1", "--out", str(tmp_path), "--name", "solo"]
    assert cli.main(solo) == 0
    assert run(tmp_path, "r", "--replay", str(tmp_path / "solo" / "episodes.jsonl")) == 1
    assert "expected episodes that the policy llm played in" in capsys.readouterr().err


def test_responses_file_is_what_the_scorer_reads(tmp_path, server):
    run(tmp_path, "first", "--model", "tiny", "--base-url", server.url)
    lines = (tmp_path / "first" / "responses" / "starter_width2.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert sorted(row["trial_idx"] for row in rows) == [0, 0, 1, 1]
    assert all(row["response"].startswith("| Name |") for row in rows)
    assert all(row["instance_id"] for row in rows)


def test_answers_to_widesearch_lie_where_its_own_script_looks_for_them(tmp_path, server):
    corpus, tables = tmp_path / "corpus", tmp_path / "tables"
    corpus.mkdir()
    (corpus / "pages.jsonl").write_text('{"url": "/a", "title": "A", "html": "<p>Alden</p>"}\n')
    tables.mkdir()
    (tables / "ws_zh_001.csv").write_text("Name\nAlden\n")
    rules = {"name": {"preprocess": ["norm_str"], "metric": ["exact_match"]}}
    evaluation = {"required": ["name"], "unique_columns": ["name"], "eval_pipeline": rules}
    task = {"instance_id": "ws_zh_001", "query": "谁？", "language": "zh", "evaluation": evaluation}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    arguments = ["--policies", "llm", "--widths", "2", "--depths", "", "--num-trials", "2"]
    tasks = tmp_path / "tasks.jsonl"
    arguments += ["--sources", f"file:{tasks}", "--backend", str(corpus)]
    arguments += ["--tables", str(tables), "--model", "tiny", "--base-url", server.url]
    assert cli.main([*arguments, "--out", str(tmp_path), "--name", "r"]) == 0
    (root,) = (tmp_path / "r" / "responses").glob("file_*tasks.jsonl_width2")
    for trial in range(2):
        (line,) = (root / f"llm_ws_zh_001_{trial}_response.jsonl").read_text().splitlines()
        row = json.loads(line)
        assert row.pop("response").startswith("| Name |")
        assert row == {"instance_id": "ws_zh_001", "trial_idx": trial}


def test_dead_server_makes_invalid_episodes_and_the_run_goes_on_later(tmp_path, server, capsys):
    server.alive = False
    model = ["--model", "tiny", "--base-url", server.url, "--widths", "0", "--num-tasks", "1"]
    assert run(tmp_path, "r", *model, "--max-retries", "0") == 1
    out = capsys.readouterr().out
    assert "2 episodes are invalid" in out
    assert "disconnected" in out  # the reason
    server.alive = True
    assert run(tmp_path, "r", *model, "--max-retries", "0") == 0
    assert "are invalid" not in capsys.readouterr().out


def test_file_of_tasks_is_played_on_a_corpus(tmp_path, server):
    world = World("starter", split="test")
    pages = tmp_path / "pages.jsonl"
    pages.write_text(
        "".join(
            json.dumps({"url": p.url, "title": p.title, "html": p.html}) + "\n"
            for p in world.pages()
        )
    )
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_bytes(b"".join(encode(task) + b"\n" for task in world.tasks(2)))
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    pages.rename(corpus / "pages.jsonl")
    arguments = ["--policies", "llm", "--widths", "2", "--depths", "", "--num-tasks", "2"]
    arguments += ["--sources", f"file:{tasks}", "--backend", str(corpus)]
    arguments += ["--model", "tiny", "--base-url", server.url]
    assert cli.main([*arguments, "--out", str(tmp_path), "--name", "r"]) == 0
    played = [e.task for e in read_episodes(tmp_path / "r" / "episodes.jsonl")]
    assert sorted(played, key=lambda t: t.id) == sorted(load_tasks(tasks), key=lambda t: t.id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the policy llm and its model go together"),
        (["--model", "m", "--engine", "gpt"], "engines: expected one of openai, "),
        (["--model", "m", "--replay", "f"], "give --model or --replay, one of them"),
        (["--model", "m", "--format", "xml"], "formats: expected one of hermes, "),
        (["--model", "m", "--engine", "vllm", "--base-url", "u"], "--base-url goes with"),
        (["--model", "m", "--base-url", "localhost:1/v1"], "--base-url: expected an address"),
        (["--model", "m", "--engine", "vllm", "--format", "openai"], "--format openai goes with"),
        (["--model", "m", "--temperature", "nan"], "`temperature` must be 0 (greedy) or more"),
        (["--model", "m", "--max-concurrent", "0"], "--max-concurrent: expected at least 1"),
        (["--model", "m", "--max-tokens", "0"], "`max_tokens` must be at least 1"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(tmp_path, capsys, arguments, message):
    assert run(tmp_path, "r", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r").exists()
