"""The vLLM engine, in process: continuous batching and prefix caching by vLLM itself.

vLLM starts processes of its own, so the program that makes this engine needs the usual guard
`if __name__ == "__main__":`. Its asynchronous engine belongs to one event loop for good, and a run
has a loop of its own, so vLLM's loop runs in a thread here and outlives the runs.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.llm.engines import Completion, ContextOverflow, Request
from agents.llm.tokenizers import HFTokenizer, Tokenizer
from wideseek_env.errors import PolicyError
from wideseek_env.plugins import require


class VLLMEngine:
    """Samples with vLLM's asynchronous engine.

    Log-probabilities are those of the model itself (vLLM's `raw_logprobs`), rounded as its dtype
    rounds: with bfloat16 they differ from a float32 forward pass in the third digit.

    Args:
        model: folder or hub name.
        tokenizer: by default the one beside the model.
        max_context_tokens: longest sequence; by default the model's.
        **options: vLLM's own engine arguments, for example `dtype`, `tensor_parallel_size`,
            `gpu_memory_utilization`, `enforce_eager`, `max_num_seqs`.

    Raises:
        ImportError: vLLM is not installed.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        tokenizer: Tokenizer | None = None,
        max_context_tokens: int | None = None,
        **options: Any,
    ) -> None:
        self._vllm = require("vllm", "vllm")
        self.tokenizer: Tokenizer = tokenizer or HFTokenizer(model)
        self.name = f"vllm {Path(model).name}"
        if max_context_tokens is None:
            config = require("transformers", "vllm").AutoConfig.from_pretrained(model)
            max_context_tokens = int(config.max_position_embeddings)
        self.max_context_tokens = max_context_tokens
        defaults: dict[str, Any] = {"enable_prefix_caching": True}
        if require("vllm.platforms", "vllm").current_platform.is_cpu():
            # On a CPU vLLM 0.32 dies when a prompt with a seed is read in several chunks: it winds
            # the generator back, which torch has for GPUs alone.
            defaults |= {
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(max_context_tokens, 4096),
            }
        self._arguments = self._vllm.AsyncEngineArgs(
            model=str(model), max_model_len=max_context_tokens, **{**defaults, **options}
        )
        self._engine: Any = None
        self._dead = require("vllm.v1.engine.exceptions", "vllm").EngineDeadError
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._numbers = itertools.count()
        self.num_running = 0
        """Requests that vLLM has in hand, waiting ones included."""

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns one completion for each request, in their order; the first call loads the model.

        Raises:
            ContextOverflow: a prompt leaves no room in the context.
            PolicyError: vLLM's process has ended.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_run, args=(self._loop,), name="vllm", daemon=True
            )
            self._thread.start()
        work = asyncio.run_coroutine_threadsafe(self._generate(requests), self._loop)
        return await asyncio.wrap_future(work)

    async def load_weights(self, folder: Path) -> None:
        """Plays with the weights of a folder from here on; nothing may be in flight.

        vLLM's processes are started again: on a CPU its own reloading leaves the old weights in
        place, packed into the layers.
        """
        await self.close()
        self._arguments.model = str(folder)

    async def close(self) -> None:
        """Ends vLLM's processes; a later request starts them again."""
        engine, self._engine = self._engine, None
        loop, self._loop = self._loop, None
        if engine is not None:
            await asyncio.to_thread(engine.shutdown)
        if loop is not None and self._thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(self._thread.join)

    async def _generate(self, requests: Sequence[Request]) -> list[Completion]:
        if self._engine is None:
            engine_class = require("vllm.v1.engine.async_llm", "vllm").AsyncLLM
            self._engine = engine_class.from_engine_args(self._arguments)
        return list(await asyncio.gather(*(self._complete(request) for request in requests)))

    async def _complete(self, request: Request) -> Completion:
        if len(request.prompt_ids) >= self.max_context_tokens:
            raise ContextOverflow(
                f"{self.name}: {len(request.prompt_ids)} prompt tokens leave no room in a context "
                f"of {self.max_context_tokens}"
            )
        parameters = sampling_params(self._vllm, request, self.tokenizer)
        prompt = {"prompt_token_ids": list(request.prompt_ids)}
        stream = self._engine.generate(prompt, parameters, f"request-{next(self._numbers)}")
        self.num_running += 1
        try:
            async for output in stream:
                if output.finished:
                    return completion_of(request, output, self.tokenizer)
        except self._dead as error:
            raise PolicyError(f"{self.name}: its process has ended: {error}") from error
        finally:
            self.num_running -= 1
        raise PolicyError(f"{self.name}: a request ended without an answer")


def sampling_params(vllm: Any, request: Request, tokenizer: Tokenizer) -> Any:
    """Returns a request in vLLM's own words.

    Args:
        vllm: the module.
        request: one turn to be written.
        tokenizer: knows what ends a turn.
    """
    return vllm.SamplingParams(
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        stop_token_ids=sorted(tokenizer.stop_ids),
        logprobs=0,
        detokenize=False,  # decoded here, as for every engine
        output_kind=vllm.sampling_params.RequestOutputKind.FINAL_ONLY,
    )


def completion_of(request: Request, output: Any, tokenizer: Tokenizer) -> Completion:
    """Turns vLLM's answer to a request, a `RequestOutput`, into a completion."""
    (choice,) = output.outputs
    ids = tuple(choice.token_ids)
    stopped = choice.finish_reason == "stop"
    text_ids = ids[:-1] if stopped and ids[-1:] and ids[-1] in tokenizer.stop_ids else ids
    return Completion(
        text=tokenizer.decode(text_ids),
        ids=ids,
        logprobs=tuple(
            step[token].logprob for token, step in zip(ids, choice.logprobs, strict=True)
        ),
        finish="stop" if stopped else "length",
        prompt_ids=tuple(output.prompt_token_ids),
        num_prompt_tokens=len(request.prompt_ids),
        num_new_tokens=len(ids),
        num_cached_tokens=output.num_cached_tokens or 0,
    )


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Runs a loop until it is stopped, and closes it with nothing pending."""

    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}  # vLLM's shutdown leaves some behind
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        loop.run_forever()
        loop.run_until_complete(end())
    finally:
        loop.close()
