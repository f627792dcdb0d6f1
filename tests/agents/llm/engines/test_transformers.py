"""Sampling with a tiny model: exact tokens, exact log-probabilities, whoever shares the batch."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[llm]`")
transformers = pytest.importorskip(
    "transformers", reason="needs transformers, `pip install -e .[llm]`"
)

from agents.llm.engines import Completion, ContextOverflow, Request  # noqa: E402
from agents.llm.engines.batch import sample  # noqa: E402
from agents.llm.engines.transformers import TransformersEngine  # noqa: E402
from agents.llm.policy import LLMConfig, LLMPolicy  # noqa: E402
from agents.llm.tiny import make_tiny_model  # noqa: E402
from agents.llm.tokenizers import HFTokenizer  # noqa: E402
from agents.rollout import Job, run_episode  # noqa: E402
from wideseek_env.backends import Hit, Page  # noqa: E402
from wideseek_env.errors import PolicyError  # noqa: E402
from wideseek_env.records import (  # noqa: E402
    Column,
    Limits,
    Task,
)

TEXTS = ["Alden | Varnia | river | 1834", '{"name": "search", "arguments": {"query": "a"}}'] * 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    return make_tiny_model(path, TEXTS, vocab_size=300, num_layers=2, max_context_tokens=1024)


@pytest.fixture
def engine(folder: Path) -> Iterator[TransformersEngine]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    engine = TransformersEngine(folder, device="cpu", max_batch=16)
    yield engine
    asyncio.run(engine.close())
    torch.set_num_threads(threads)


def made(index: int, **settings: Any) -> Request:
    rng = random.Random(index)
    prompt = tuple(rng.randrange(3, 260) for _ in range(rng.randrange(2, 40)))
    settings = {"max_tokens": rng.randrange(1, 25), "seed": index, **settings}
    return Request(f"c{index}", prompt, **settings)


def model_logprobs(model: Any, prompt: Sequence[int], ids: Sequence[int]) -> list[float]:
    """Returns log-probabilities of `ids` from one float32 forward pass, without any cache."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *ids]]), use_cache=False).logits[0].double()
    rows = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return [float(row[token]) for row, token in zip(rows, ids, strict=True)]


def assert_logprobs_agree(model: Any, request: Request, completion: Completion) -> None:
    expected = model_logprobs(model, request.prompt_ids, completion.ids)
    assert completion.logprobs == pytest.approx(expected, abs=1e-4)


def test_generate_logprobs_are_those_of_a_forward_pass(engine: TransformersEngine) -> None:
    requests = [
        made(i, temperature=(0.0, 0.7, 1.0)[i % 3], top_p=(1.0, 0.8)[i % 2]) for i in range(40)
    ]
    completions = asyncio.run(engine.generate(requests))
    for request, completion in zip(requests, completions, strict=True):
        assert 1 <= len(completion.ids) <= request.max_tokens
        assert_logprobs_agree(engine.model, request, completion)


def test_generate_gives_the_same_tokens_alone_and_in_company(engine: TransformersEngine) -> None:
    requests = [made(i) for i in range(24)]

    async def alone() -> list[Completion]:
        return [(await engine.generate([request]))[0] for request in requests]

    together = asyncio.run(engine.generate(requests))
    engine.forget_prefixes()
    assert [c.ids for c in asyncio.run(alone())] == [c.ids for c in together]


def test_generate_requests_that_come_later_join(engine: TransformersEngine) -> None:
    async def late(index: int) -> Completion:
        await asyncio.sleep(0.005 * index)
        return (await engine.generate([made(index, max_tokens=60)]))[0]

    async def all_of_them() -> list[Completion]:
        return list(await asyncio.gather(*(late(index) for index in range(20))))

    for index, completion in enumerate(asyncio.run(all_of_them())):
        assert_logprobs_agree(engine.model, made(index), completion)


def test_generate_seed_decides(engine: TransformersEngine) -> None:
    one, same, other = asyncio.run(
        engine.generate([replace(made(1, max_tokens=20), seed=seed) for seed in (5, 5, 6)])
    )
    assert one.ids == same.ids != other.ids


def test_generate_greedy_takes_the_most_likely(engine: TransformersEngine) -> None:
    request = made(3, temperature=0.0, max_tokens=6)
    (completion,) = asyncio.run(engine.generate([request]))
    ids = list(request.prompt_ids)
    for token in completion.ids:
        with torch.no_grad():
            assert int(engine.model(torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_generate_goes_on_from_what_it_has_read(engine: TransformersEngine) -> None:
    first = made(1, max_tokens=9)
    (before,) = asyncio.run(engine.generate([first]))
    longer = replace(first, prompt_ids=(*first.prompt_ids, *before.ids, 7, 8, 9), max_tokens=20)
    (cached,) = asyncio.run(engine.generate([longer]))
    assert cached.num_cached_tokens == len(first.prompt_ids) + len(before.ids) - 1
    assert_logprobs_agree(engine.model, longer, cached)
    engine.forget_prefixes()
    (fresh,) = asyncio.run(engine.generate([longer]))
    assert fresh.num_cached_tokens == 0
    assert fresh.ids == cached.ids


def test_generate_row_that_ended_before_the_others_can_go_on(engine: TransformersEngine) -> None:
    short, long = made(1, max_tokens=3), made(2, max_tokens=30)
    before, _ = asyncio.run(engine.generate([short, long]))
    longer = replace(short, prompt_ids=(*short.prompt_ids, *before.ids, 7, 8), max_tokens=20)
    (after,) = asyncio.run(engine.generate([longer]))
    assert after.num_cached_tokens == len(short.prompt_ids) + len(before.ids) - 1
    assert_logprobs_agree(engine.model, longer, after)


def test_generate_another_prompt_of_the_same_conversation_is_read_anew(
    engine: TransformersEngine,
) -> None:
    first = made(1, max_tokens=9)
    asyncio.run(engine.generate([first]))
    other = replace(first, prompt_ids=(5, *first.prompt_ids[1:], 6, *range(3, 40)))
    (completion,) = asyncio.run(engine.generate([other]))
    assert completion.num_cached_tokens == 0
    assert_logprobs_agree(engine.model, other, completion)


def test_prefixes_are_kept_within_their_memory(folder: Path) -> None:
    engine = TransformersEngine(folder, device="cpu", max_prefix_bytes=300_000)
    asyncio.run(engine.generate([made(i) for i in range(30)]))
    kept = list(engine._prefixes.values())
    assert 0 < len(kept) < 30
    assert sum(prefix.size_bytes for prefix in kept) == engine._prefix_bytes <= 300_000
    asyncio.run(engine.close())


def test_weights_that_changed_count_after_forgetting(engine: TransformersEngine) -> None:
    first = made(1, max_tokens=9)
    (before,) = asyncio.run(engine.generate([first]))
    with torch.no_grad():
        engine.model.model.norm.weight.mul_(3.0)
    engine.forget_prefixes()
    longer = replace(first, prompt_ids=(*first.prompt_ids, *before.ids, 7, 8), max_tokens=20)
    (after,) = asyncio.run(engine.generate([longer]))
    assert_logprobs_agree(engine.model, longer, after)


def test_generate_stop_token_ends_a_turn_and_is_not_text(engine: TransformersEngine) -> None:
    request = made(2, max_tokens=12)
    (free,) = asyncio.run(engine.generate([request]))
    engine.forget_prefixes()
    asyncio.run(engine.close())
    stop = next(token for token in free.ids[3:] if token not in free.ids[:3])
    engine.tokenizer.stop_ids = frozenset({stop})
    (stopped,) = asyncio.run(engine.generate([request]))
    assert free.finish == "length"
    assert stopped.finish == "stop"
    assert stopped.ids == free.ids[: free.ids.index(stop) + 1]
    assert stopped.text == engine.tokenizer.decode(stopped.ids[:-1])


def test_generate_cancelled_requests_make_room(engine: TransformersEngine) -> None:
    async def run() -> Completion:
        long = [made(i, max_tokens=900) for i in range(16)]
        task = asyncio.create_task(engine.generate(long))
        await asyncio.sleep(0.05)
        task.cancel()
        return (await engine.generate([made(99)]))[0]

    assert_logprobs_agree(engine.model, made(99), asyncio.run(run()))


@pytest.mark.parametrize("length", [1000, 1025])
def test_generate_prompt_without_room_is_refused(engine: TransformersEngine, length: int) -> None:
    with pytest.raises(ContextOverflow, match="1024"):
        asyncio.run(engine.generate([Request("a", (5,) * length, max_tokens=25)]))


def test_generate_needs_two_ids(engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match="2 ids"):
        asyncio.run(engine.generate([Request("a", (5,))]))


@pytest.mark.parametrize("kind", [RuntimeError, IndexError])
def test_generate_failure_in_the_thread_reaches_every_caller(
    engine: TransformersEngine, kind: type[Exception]
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise kind("out of memory")

    engine.model.forward = explode
    with pytest.raises(PolicyError, match="out of memory"):
        asyncio.run(engine.generate([made(1), made(2)]))
    del engine.model.forward
    assert asyncio.run(engine.generate([made(1)]))  # the engine goes on


def test_generate_failure_leaves_those_who_wait_their_turn(engine: TransformersEngine) -> None:
    def explode_once(*_: object, **__: object) -> None:
        del engine.model.forward
        raise IndexError("index out of range in self")

    async def run() -> list[object]:
        calls = (engine.generate([made(number)]) for number in (1, 2))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    engine._max_batch = 1
    engine.model.forward = explode_once
    failed, written = asyncio.run(asyncio.wait_for(run(), 20))
    assert isinstance(failed, PolicyError)
    assert isinstance(written, list)
    asyncio.run(engine.close())


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sample_draws_as_often_as_likely(temperature: float) -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    n = 4000
    requests = [Request("a", temperature=temperature)] * n
    uniform = [(i + 0.5) / n for i in range(n)]
    ids, logprobs = sample(logits.expand(n, 4), requests, uniform)
    weights = [math.exp(x / temperature) for x in logits.tolist()]
    counts = Counter(ids)
    for token, weight in enumerate(weights):
        assert counts[token] == pytest.approx(n * weight / sum(weights), abs=1)
    total = math.log(sum(math.exp(x) for x in logits.tolist()))
    for token, logprob in zip(ids, logprobs, strict=True):
        assert logprob == pytest.approx(logits[token].item() - total, abs=1e-6)


def test_sample_top_p_leaves_the_tail_out() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).expand(1000, 4)
    uniform = [i / 1000 for i in range(1000)]
    for top_p, kept in (
        (0.4, {0}),
        (0.5, {0}),
        (0.7, {0, 1}),
        (0.9, {0, 1, 2}),
        (1.0, {0, 1, 2, 3}),
    ):
        ids, _ = sample(logits, [Request("a", top_p=top_p)] * 1000, uniform)
        assert set(ids) == kept, top_p


def test_sample_rows_have_their_own_settings() -> None:
    logits = torch.tensor([[0.0, 5.0, 0.0]]).expand(2, 3)
    ids, _ = sample(logits, [Request("a", temperature=0.0), Request("a")], [0.0, 0.9999])
    assert ids == [1, 2]


def test_bounds_are_checked(folder: Path) -> None:
    with pytest.raises(ValueError, match="max_batch"):
        TransformersEngine(folder, max_batch=0)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with pytest.raises(ValueError, match="tokenizer"):
        TransformersEngine(model)


class Backend:
    async def search(self, query: str, top_k: int) -> list[Hit]:
        return [Hit("/a", "A", "")]

    async def open(self, url: str, part: int = 1) -> Page:
        return Page(url, "A", "Alden | Varnia")

    async def close(self) -> None:
        """Frees nothing: there is nothing to free."""


async def test_policy_tokens_are_those_that_the_model_saw(folder: Path) -> None:
    """Whole conversations, read once without a cache, give the log-probabilities of the sampler."""
    engine = TransformersEngine(folder, device="cpu")
    config = LLMConfig(prompts="short", max_tokens=24, max_context_tokens=1000)
    task = Task("t", "Alden?", (Column("A"),), ("A",), (("x",),))
    limits = Limits(max_lead_turns=6)
    jobs = [Job(task, Backend(), 0, limits, seed) for seed in range(3)]
    episodes = await asyncio.gather(*(run_episode(j, LLMPolicy(engine, config)) for j in jobs))
    await engine.close()
    num_turns = 0
    for episode in episodes:
        assert episode.error is None
        seen: tuple[int, ...] = ()
        for turn in episode.trajectories[0].turns:
            span = turn.decision.tokens
            assert span is not None
            assert turn.decision.usage["drift"] == 0
            seen += span.prompt_ids
            expected = model_logprobs(engine.model, seen, span.ids)
            assert span.logprobs == pytest.approx(expected, abs=1e-3)
            seen += span.ids
            num_turns += 1
    assert num_turns > 6
    assert isinstance(engine.tokenizer, HFTokenizer)
