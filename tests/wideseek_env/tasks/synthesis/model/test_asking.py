"""Nothing that was paid for is lost or asked for twice: faults, kills, caps, keys."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web
from fault_server import (
    NO_COMPLETIONS,
    NO_CONTENTS,
    PASSING_FAULTS,
    FaultServer,
    completion,
    json_of,
    reply,
)
from wording_model import NUM, RULES, WordingModel, made, plan

from wideseek_env.cli.commands import run_command
from wideseek_env.errors import DataError, WideSeekError
from wideseek_env.tasks.synthesis.model.asking import Asker, Question, ReplyFile, Server
from wideseek_env.tasks.synthesis.model.purse import CapReached, Prices, Purse
from wideseek_env.tasks.synthesis.model.run import ModelPlan
from wideseek_env.tasks.synthesis.stages import Synthesis

FILES = (
    "4_wording.jsonl",
    "5_read_back.jsonl",
    "6_paraphrase.jsonl",
    "7_from_memory.jsonl",
    "8_answers.jsonl",
)


def num_kept(out: Path) -> int:
    files = [out / name for name in FILES if (out / name).exists()]
    return sum(len(file.read_bytes().splitlines()) for file in files)


def test_faults_of_the_server_lose_no_task(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    faults = [fault for name, fault in PASSING_FAULTS.items() if "stall" not in name]
    server.script = [
        *faults,
        *(reply(status=429, Retry_After="0.02") for _ in range(10)),
        *(reply(status=status) for status in (500, 502, 503, 408)),
    ]
    result = Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server))
    assert result.kept == NUM
    assert max(model.seen.values()) == 1
    assert num_kept(tmp_path) == model.seen.total()


def test_what_is_no_answer_leaves_a_task_for_the_next_run(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    bad = [json_of(value) for value in NO_COMPLETIONS.values()]
    bad += [json_of(completion(value)) for value in NO_CONTENTS.values()]
    bad.append(reply(b"no", status=400))
    server.script = [fault for pair in zip(bad, [model] * len(bad), strict=True) for fault in pair]
    work = Synthesis(corpus, tmp_path, NUM, RULES)
    result = work.run(plan(server))
    assert result.worded is not None
    assert 0 < result.worded.num_unanswered <= len(bad)
    assert result.kept == NUM - result.worded.num_unanswered
    again = Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server))
    assert again.kept == NUM
    assert max(model.seen.values()) == 1
    assert num_kept(tmp_path) == model.seen.total()


def test_a_server_that_never_answers_ends_the_run_in_words(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    Synthesis(corpus, tmp_path, NUM, RULES).run()
    server.otherwise = PASSING_FAULTS["stall"]
    server.script = [model] * 10
    where = Server(server.url, "scripted", 8, timeout_s=2.0, max_tries=1)
    with pytest.raises(WideSeekError, match=r"no reply in time.*are kept in .*goes on"):
        Synthesis(corpus, tmp_path, NUM, RULES).run(ModelPlan(where))
    assert num_kept(tmp_path) == model.seen.total()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_all_is_not_asked_on(
    corpus: Path, server: FaultServer, tmp_path: Path, status: int
) -> None:
    server.otherwise = reply(b"no such thing", status=status)
    with pytest.raises(WideSeekError, match=f"HTTP {status}"):
        Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server))
    assert len(server.requests) <= 8


def test_replies_cut_off_are_paid_once_and_no_wording(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        answer = await model(request)
        assert isinstance(answer, web.Response)
        body = json.loads(answer.text or "")
        body["choices"][0]["finish_reason"] = "length"
        body["usage"]["completion_tokens"] = 4096
        return web.json_response(body)

    server.otherwise = cut
    for _ in range(2):
        result = Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server))
        assert result.kept == 0
    assert model.asked == {"wording": 2 * NUM}
    assert "| wording | reply cut off | 48 |" in (tmp_path / "card.md").read_text()


@pytest.mark.parametrize("at", [20, 90, 200])
def test_a_killed_process_loses_only_what_was_under_way(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path, at: int
) -> None:
    argv = [str(corpus), "--out", str(tmp_path), "--num-tasks", str(NUM), "--languages", "en,zh"]
    argv += ["--seed", "2", "--test-share", "0.3", "--model", "scripted", "--concurrency", "8"]
    argv += ["--base-url", server.url]
    command = [sys.executable, "-m", "wideseek_env", "synthesize", *argv]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        end = time.monotonic() + 120.0
        while model.seen.total() < at and time.monotonic() < end:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
    time.sleep(0.2)
    before, kept = model.seen.total(), num_kept(tmp_path)
    assert at <= before
    assert before - 8 <= kept <= before
    with (tmp_path / FILES[0]).open("ab") as file:
        file.write(b'{"key": "half of a li')  # as a loss of power leaves it
    assert run_command("synthesize", argv) == 0
    assert len(made(tmp_path)) == NUM
    assert model.seen.total() - len(model.seen) <= 8  # asked for twice: what nobody had read
    assert num_kept(tmp_path) == len(model.seen)


def test_a_cap_on_cost_stops_with_whole_tasks_and_goes_on(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    argv = [str(corpus), "--out", str(tmp_path), "--num-tasks", str(NUM), "--languages", "en,zh"]
    argv += ["--seed", "2", "--test-share", "0.3", "--model", "scripted", "--concurrency", "8"]
    argv += ["--base-url", server.url, "--prices", "1000,2000", "--max-reply-tokens", "100"]
    # A reply costs 5 tokens of 0.001 and 2 of 0.002; one is held to be its bytes and 100 tokens.
    assert run_command("synthesize", [*argv, "--max-cost", "6"]) == 1
    said = capsys.readouterr().out
    assert "the cap was reached with" in said
    paid = model.seen.total() * 0.009
    assert paid <= 6.0
    first = made(tmp_path)
    assert 2 < len(first) < NUM
    assert f"Cost of all replies in this folder: {paid:.4f}" in (tmp_path / "card.md").read_text()
    asked = model.seen.total()
    assert run_command("synthesize", [*argv, "--max-cost", "6"]) == 1
    assert model.seen.total() - asked <= 8  # what earlier runs spent counts
    assert run_command("synthesize", [*argv, "--max-cost", "100"]) == 0
    assert len(made(tmp_path)) == NUM
    assert max(model.seen.values()) == 1


def test_a_key_is_sent_and_stands_in_no_file(
    corpus: Path, server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server))
    assert {r.headers["Authorization"] for r in server.requests} == {"Bearer sk-very-secret-key"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(b"very-secret" in path.read_bytes() for path in files)


def test_a_dry_run_tells_the_price_and_asks_nothing(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    argv = [str(corpus), "--out", str(tmp_path), "--num-tasks", "60"]
    more = ["--model", "scripted", "--base-url", server.url, "--prices", "1,2", "--dry-run"]
    assert run_command("synthesize", [*argv, *more]) == 1
    assert "give the same command without --model" in capsys.readouterr().err
    assert run_command("synthesize", argv) == 0
    files = sorted(path.name for path in tmp_path.iterdir())
    capsys.readouterr()
    assert run_command("synthesize", [*argv, *more, "--num-answers", "3"]) == 0
    said = capsys.readouterr().out
    assert "answers from the pages must agree with the gold table; 180 calls" in said
    assert "read-back: " in said
    assert "120 calls" in said
    assert "Price about 0." in said
    assert not server.requests
    assert sorted(path.name for path in tmp_path.iterdir()) == files


def test_the_model_changes_no_file_of_the_rules_and_their_questions_come_back(
    corpus: Path, by_rules: Path, server: FaultServer, tmp_path: Path
) -> None:
    Synthesis(corpus, tmp_path, NUM, RULES).run(plan(server))
    names = ("1_relations.jsonl", "2_drafts.jsonl", "3_checked.jsonl")
    for name in names:
        assert (tmp_path / name).read_bytes() == (by_rules / name).read_bytes()
    assert "no model asked" not in (tmp_path / "card.md").read_text()
    Synthesis(corpus, tmp_path, NUM, RULES).run()
    for name in ("tasks.jsonl", "test.jsonl", "width_20k.jsonl"):
        assert (tmp_path / name).read_bytes() == (by_rules / name).read_bytes()
    assert "no model asked, cost 0" in (tmp_path / "card.md").read_text()


def test_two_processes_do_not_work_in_one_folder(
    corpus: Path, model: WordingModel, server: FaultServer, tmp_path: Path
) -> None:
    said: list[str] = []

    def second(**_: object) -> None:
        if not said:
            with pytest.raises(DataError) as error:
                Synthesis(corpus, tmp_path, NUM, RULES).run()
            said.append(str(error.value))

    Synthesis(corpus, tmp_path, NUM, RULES, second).run(plan(server))
    assert "another process works in" in said[0]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text("no reply\n")
    with pytest.raises(DataError, match=r"line 1.*delete that line"):
        ReplyFile(path)


async def test_requests_never_spend_more_than_the_purse_holds() -> None:
    purse = Purse(Prices(0.0, 1e6), max_cost=10.0)  # a token of a reply costs 1
    running, most = 0, 0

    async def ask() -> None:
        nonlocal running, most
        async with purse.held(5, 3):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1
            purse.spend(5, 1)

    ended = await asyncio.gather(*(ask() for _ in range(30)), return_exceptions=True)
    assert purse.cost == 8.0  # a ninth might have cost 3
    assert most == 3
    assert sum(isinstance(each, CapReached) for each in ended) == 22


async def test_token_caps_count_prompts_and_replies(tmp_path: Path) -> None:
    async with FaultServer(json_of(completion("fine"))) as server:
        purse = Purse(Prices(), max_tokens=150)
        where = Server(server.url, "m", max_reply_tokens=10)
        asker = Asker(where, {"wording": tmp_path / "w.jsonl"}, purse)
        for sample in range(9):
            question = Question([{"role": "user", "content": "x" * 50}], sample=sample)
            await asker.ask("wording", "t", question)
        with pytest.raises(CapReached):
            await asker.ask("wording", "t", Question([{"role": "user", "content": "y" * 50}]))
        assert purse.tokens == 63
        await asker.ask("wording", "t", question)  # it is there already
        await asker.close()
    assert len(server.requests) == 9


def test_writes_of_a_reply_are_on_the_disk_when_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), real(number)))
    file = ReplyFile(tmp_path / "r.jsonl")
    file.close()
    assert len(synced) == 1


def test_a_model_is_needed_for_its_options(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(corpus), "--out", str(tmp_path / "o")]
    for more, said in (
        (["--max-cost", "6"], "--max-cost: expected --prices as well"),
        (["--num-answers", "3"], "--num-answers: expected --model as well"),
        (["--model", "m", "--base-url", "ftp://x"], "`base_url` must begin with http"),
        (["--model", "m", "--min-agreement", "1.5"], "--min-agreement: expected at"),
    ):
        assert run_command("synthesize", [*argv, *more]) != 0
        assert said in capsys.readouterr().err
