"""`score --judge`: no reply of a server and no line of a file ends it with a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import (
    NO_COMPLETIONS,
    NO_CONTENTS,
    PASSING_FAULTS,
    Fault,
    FaultServer,
    completion,
    in_a_thread,
    json_of,
    num_sockets,
    reply,
)
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wideseek_env.cli.commands import main
from wideseek_env.scoring.judge.judge import Judge

EVALUATION = {
    "required": ["k", "v"],
    "unique_columns": ["k"],
    "eval_pipeline": {
        "k": {"preprocess": ["norm_str"], "metric": ["exact_match"]},
        "v": {"preprocess": ["norm_str"], "metric": ["llm_judge"], "criterion": "same colour"},
    },
}
ASKED = "| k | v |\n|---|---|\n| a | scarlet |"
SETTLED = "| k | v |\n|---|---|\n| a | red |"
YES = json_of(completion('{"verdicts": {"0": true}}'))


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with in_a_thread(FaultServer(YES)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The pauses alone are shortened; the attempts are those of the command.
    monkeypatch.setitem(Judge.__init__.__kwdefaults__ or {}, "backoff_s", 0.001)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_text("k,v\na,red\n")
    task = {"instance_id": "t", "query": "?", "evaluation": json.dumps(EVALUATION)}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    rows = [{"instance_id": "t", "response": text} for text in (ASKED, SETTLED)]
    rows = [row | {"trial_idx": number} for number, row in enumerate(rows)]
    (tmp_path / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def _score(folder: Path, url: str, *extra: str) -> int:
    return main([
        "score", "--tasks", str(folder / "tasks.jsonl"), "--tables", str(folder / "tables"),
        "--responses", str(folder / "responses.jsonl"), "--out", str(folder / "out.jsonl"),
        "--judge", url, "--judge-model", "m", *extra,
    ])  # fmt: skip


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


REPLIES: dict[str, Fault] = {
    **{name: fault for name, fault in PASSING_FAULTS.items() if "stall" not in name},
    **{f"content: {name}": json_of(completion(c)) for name, c in NO_CONTENTS.items()},
    **{f"answer: {name}": json_of(answer) for name, answer in NO_COMPLETIONS.items()},
    "loop of brackets": json_of(completion("[" * 60_000)),
    "contradiction": json_of(completion('{"verdicts": {"0": true, "0": false}}')),
    "too large": json_of(completion('{"verdicts": {"0": 1e999}}')),
    "key refused": reply(b"no such key", status=401),
    "usage beyond all": json_of(completion("no") | {"usage": {"prompt_tokens": float("inf")}}),
}


@pytest.mark.parametrize("name", REPLIES)
def test_reply_that_is_no_verdict_costs_one_score(
    folder: Path, server: FaultServer, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.otherwise = REPLIES[name]
    assert _score(folder, server.url) in (0, 1)
    asked, settled = _lines(folder)
    assert asked["official"] is asked["strict"] is None
    assert "judge m" in asked["error"]
    assert settled["strict"]["success"] == 1.0
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    assert re.search(r"1 responses? could not be scored", said)


@pytest.mark.parametrize(
    "content",
    ["<think>same colour</think>\n", "Sure!\n```json\n", "\ufeff"],
    ids=["thinking", "spoken fence", "byte order mark"],
)
def test_verdict_is_found_behind_what_models_say(
    folder: Path, server: FaultServer, content: str
) -> None:
    server.otherwise = json_of(completion(content + '{"verdicts": {"0": true}}'))
    assert _score(folder, server.url) == 0
    assert [line["strict"]["success"] for line in _lines(folder)] == [1.0, 1.0]


def test_verdict_behind_a_label_that_is_none(folder: Path, server: FaultServer) -> None:
    body = json.dumps(completion('{"verdicts": {"0": true}}')).encode()
    server.otherwise = reply(body, "application/json; charset=undefined")
    assert _score(folder, server.url) == 0
    assert [line["strict"]["success"] for line in _lines(folder)] == [1.0, 1.0]


def test_explanation_that_the_judge_fails_is_one_sentence(
    folder: Path, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.otherwise = REPLIES["brackets"]
    assert _score(folder, server.url, "--explain", "t", "--html", str(folder / "x.html")) != 0
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    assert "brackets are too deep" in re.sub(r"\s+", " ", said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
ANSWERS = JSON | st.builds(completion, JSON | st.text(max_size=20))
LINES = st.one_of(
    st.binary(max_size=30),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"instance_id": st.just("t") | JSON, "response": st.sampled_from([ASKED, SETTLED]) | JSON},
        optional={"trial_idx": JSON, "messages": JSON},
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"instance_id": st.just("t"), "evaluation": JSON | JSON.map(json.dumps)},
        optional={"query": JSON, "question": JSON, "language": JSON, "answer": JSON},
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"\xef\xbb\xbf{}", b"\0", b'"\\ud800"',
                     b'{"instance_id": "t", "response": "\\ud800| k |"}']),
    st.sampled_from(["brackets", "braces", "digits"]),
)  # fmt: skip
LARGE = {"brackets": b"[" * 50_000, "braces": b'{"a":' * 50_000, "digits": b"1" * 5_000}


def _joined(lines: list[bytes | str]) -> bytes:
    return b"\n".join(LARGE[line] if isinstance(line, str) else line for line in lines)


@pytest.mark.hypothesis
def test_no_reply_and_no_line_ends_the_command_with_a_traceback(
    folder: Path, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = (folder / "tasks.jsonl").read_bytes()
    responses = (folder / "responses.jsonl").read_bytes()
    before = num_sockets()

    @settings(
        max_examples=examples(60),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(ANSWERS, st.lists(LINES, max_size=3), st.lists(LINES, max_size=2))
    def fuzz(
        answer: object, more_responses: list[bytes | str], more_tasks: list[bytes | str]
    ) -> None:
        server.otherwise = json_of(answer)
        (folder / "tasks.jsonl").write_bytes(tasks + _joined(more_tasks))
        (folder / "responses.jsonl").write_bytes(responses + _joined(more_responses))
        assert _score(folder, server.url) in (0, 1, 2)
        assert "Traceback" not in "".join(capsys.readouterr())

    fuzz()
    assert num_sockets() <= before
