"""The wire: a small pretrained model behind vLLM's own server is asked in every stage.

It is far too small to read a program back; what counts is that each reply is kept, counted and
judged. `WIDESEEK_PRETRAINED` names a folder with a chat model, as `transformers` saves one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import free_port
from wording_model import RULES, made

from wideseek_env.tasks.synthesis.model.asking import Server
from wideseek_env.tasks.synthesis.model.run import ModelPlan
from wideseek_env.tasks.synthesis.model.stages import ModelRules
from wideseek_env.tasks.synthesis.stages import Synthesis

MODEL = os.environ.get("WIDESEEK_PRETRAINED", "")

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not MODEL, reason="set WIDESEEK_PRETRAINED to the folder of a small chat model"
    ),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", MODEL]
    command += ["--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "bfloat16", "--max-model-len", "4096", "--enforce-eager"]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", **os.environ}
    with (tmp_path / "vllm.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        end_s = time.monotonic() + 900
        while time.monotonic() < end_s:
            if process.poll() is not None:
                pytest.fail(f"vLLM ended: {(tmp_path / 'vllm.log').read_text()[-800:]}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                    break
            except OSError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
        process.terminate()
        process.wait(60)


def test_every_stage_reaches_a_real_server(corpus: Path, server: str, tmp_path: Path) -> None:
    out = tmp_path / "made"
    where = Server(server, "small", concurrency=4, max_reply_tokens=96, timeout_s=600)
    rules = ModelRules(attempts=1, keep_rules_wording=True, num_answers=1, min_agreement=0.0)
    plan = ModelPlan(where, rules)
    result = Synthesis(corpus, out, 4, RULES).run(plan)
    assert result.worded is not None
    assert result.worded.num_unanswered == 0
    stages = result.worded.stages
    for name in ("wording", "from memory", "answers"):
        assert stages[name].calls == 4
        assert stages[name].prompt_tokens > 400
        assert 4 <= stages[name].completion_tokens <= 4 * 96
    assert result.kept == len(made(out)) == 4  # with the rules' question where words failed
    before = {path.name: path.read_bytes() for path in out.glob("[4-8]_*.jsonl")}
    Synthesis(corpus, out, 4, RULES).run(plan)
    assert {path.name: path.read_bytes() for path in out.glob("[4-8]_*.jsonl")} == before
