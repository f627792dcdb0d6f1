"""vLLM, in process and as a server: exact tokens, log-probabilities within bfloat16 rounding.

Loading takes a minute or more on a CPU, so these tests carry the marker `vllm`.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import random
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),  # vLLM's own imports warn
]
torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[llm]`")
pytest.importorskip("vllm", reason="needs vLLM, see docs/llm.md")

from agents.llm.engines import ContextOverflow, Request  # noqa: E402
from agents.llm.engines.openai import OpenAIEngine  # noqa: E402
from agents.llm.engines.vllm import VLLMEngine  # noqa: E402
from agents.llm.policy import LLMConfig, LLMPolicy  # noqa: E402
from agents.llm.tiny import make_tiny_model  # noqa: E402
from agents.llm.tokenizers import HFTokenizer  # noqa: E402
from agents.rollout import Job, run_episode  # noqa: E402
from wideseek_env.backends import Hit, Page  # noqa: E402
from wideseek_env.records import (  # noqa: E402
    Column,
    Episode,
    Limits,
    Task,
)

TEXTS = ["Alden | Varnia | river | 1834", '{"name": "search", "arguments": {"query": "a"}}'] * 9
CONTEXT = 1024
BFLOAT16 = 0.05
"""Largest difference of a log-probability that rounding to 8 bits brings in a model of 2 layers."""
SHORT = LLMConfig(prompts="short", max_tokens=24, max_context_tokens=1000)


class Backend:
    async def search(self, query: str, top_k: int) -> list[Hit]:
        return [Hit("/a", "A", "")]

    async def open(self, url: str, part: int = 1) -> Page:
        return Page(url, "A", "Alden | Varnia")

    async def close(self) -> None:
        """Frees nothing: there is nothing to free."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    return make_tiny_model(path, TEXTS, vocab_size=300, num_layers=2, max_context_tokens=CONTEXT)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[VLLMEngine]:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    engine = VLLMEngine(folder, dtype="bfloat16", enforce_eager=True)
    yield engine
    asyncio.run(engine.close())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()  # sockets that vLLM leaves open


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(folder), "--served-model-name", "tiny", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--dtype", "bfloat16", "--enforce-eager"]
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"]  # as in process
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", **os.environ}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    deadline_s = time.monotonic() + 300
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            pytest.fail(f"the vLLM server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                break
        except OSError:
            time.sleep(1)
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(60)


def made(index: int) -> Request:
    rng = random.Random(index)
    prompt = tuple(rng.randrange(3, 260) for _ in range(rng.randrange(2, 60)))
    return Request(f"c{index}", prompt, max_tokens=20, seed=index)


def model_logprobs(model: Any, prompt: Sequence[int], ids: Sequence[int]) -> list[float]:
    """Returns log-probabilities of `ids` from one float32 forward pass, without any cache."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *ids]]), use_cache=False).logits[0].double()
    rows = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return [float(row[token]) for row, token in zip(rows, ids, strict=True)]


def check_tokens(model: Any, episodes: Sequence[Episode]) -> int:
    """Checks every turn of the leads against the model; returns how many there were."""
    num_turns = 0
    for episode in episodes:
        assert episode.error is None
        seen: tuple[int, ...] = ()
        for turn in episode.trajectories[0].turns:
            span = turn.decision.tokens
            assert span is not None
            assert turn.decision.usage["drift"] == 0
            seen += span.prompt_ids
            expected = model_logprobs(model, seen, span.ids)
            assert span.logprobs == pytest.approx(expected, abs=BFLOAT16)
            seen += span.ids
            num_turns += 1
    return num_turns


async def play(policy: LLMPolicy) -> list[Episode]:
    task = Task("t", "Alden?", (Column("A"),), ("A",), (("x",),))
    jobs = [Job(task, Backend(), 0, Limits(max_lead_turns=5), seed) for seed in range(4)]
    return list(await asyncio.gather(*(run_episode(job, policy) for job in jobs)))


def test_vllm_plays_with_the_weights_of_a_folder(
    engine: VLLMEngine, reference: Any, folder: Path, tmp_path: Path
) -> None:
    """As a trainer hands them over; what was cached of the old ones is forgotten."""
    requests = [made(n) for n in range(4)]
    asyncio.run(engine.generate(requests))
    changed = copy.deepcopy(reference)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(1.5)
    changed.save_pretrained(tmp_path)
    for model, where in ((changed, tmp_path), (reference, folder)):
        asyncio.run(engine.load_weights(where))
        for request, completion in zip(
            requests, asyncio.run(engine.generate(requests)), strict=True
        ):
            expected = model_logprobs(model, request.prompt_ids, completion.ids)
            assert completion.logprobs == pytest.approx(expected, abs=2 * BFLOAT16)


def test_vllm_logprobs_are_those_of_the_model(engine: VLLMEngine, reference: Any) -> None:
    requests = [made(i) for i in range(32)]
    completions = asyncio.run(engine.generate(requests))
    for request, completion in zip(requests, completions, strict=True):
        expected = model_logprobs(reference, request.prompt_ids, completion.ids)
        assert completion.logprobs == pytest.approx(expected, abs=BFLOAT16)
        assert completion.prompt_ids == request.prompt_ids


def test_vllm_seed_decides_in_one_run_after_another(engine: VLLMEngine) -> None:
    first, second = (asyncio.run(engine.generate([made(1), made(2)])) for _ in range(2))
    assert [c.ids for c in first] == [c.ids for c in second]
    assert first[0].ids != first[1].ids


def test_vllm_prompt_without_room_is_refused(engine: VLLMEngine) -> None:
    assert engine.max_context_tokens == CONTEXT
    with pytest.raises(ContextOverflow, match="no room"):
        asyncio.run(engine.generate([Request("a", (5,) * CONTEXT)]))


def test_vllm_plays_with_exact_tokens(engine: VLLMEngine, reference: Any) -> None:
    episodes = asyncio.run(play(LLMPolicy(engine, SHORT)))
    assert check_tokens(reference, episodes) > 8
    cached = [t.decision.usage["cached_tokens"] for e in episodes for t in e.trajectories[0].turns]
    assert sum(cached) > 0  # prefix caching is on


def test_server_plays_with_exact_tokens(server: str, folder: Path, reference: Any) -> None:
    engine = OpenAIEngine("tiny", base_url=server, tokenizer=HFTokenizer(folder))
    assert check_tokens(reference, asyncio.run(play(LLMPolicy(engine, SHORT)))) > 8


def test_server_chat_tells_its_tokens(server: str) -> None:
    engine = OpenAIEngine("tiny", base_url=server, token_ids=True, logprobs=True)
    request = Request("a", messages=({"role": "user", "content": "Alden?"},), max_tokens=9)
    (completion,) = asyncio.run(engine.generate([request]))
    assert completion.prompt_ids
    assert len(completion.ids) == len(completion.logprobs) >= 1


def test_server_refuses_a_prompt_that_is_too_long(server: str) -> None:
    engine = OpenAIEngine("tiny", base_url=server)
    content = "Alden | " * CONTEXT
    request = Request("a", messages=({"role": "user", "content": content},), max_tokens=9)
    with pytest.raises(ContextOverflow):
        asyncio.run(engine.generate([request]))
