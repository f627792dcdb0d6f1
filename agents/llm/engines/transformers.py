"""The transformers engine: batched sampling with a key-value cache, on CPU or GPU, in process.

Requests from any number of agents join a running batch; a thread of the engine's own samples, so
that the event loop stays free. It is the engine to read and to test with, and fast enough for small
models; for large ones take vLLM.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.llm.engines import Completion, ContextOverflow, Request
from agents.llm.precision import bfloat16_pays, halve
from agents.llm.tokenizers import HFTokenizer, Tokenizer
from wideseek_env.errors import PolicyError
from wideseek_env.plugins import require

torch: Any = require("torch", "llm")
transformers: Any = require("transformers", "llm")

from agents.llm.engines.batch import Batch, Prefix, Running  # noqa: E402 - needs the two above

_STEPS = 8
"""Steps between two looks at who joins and who leaves; each change copies the cache."""


@dataclass(slots=True, eq=False)
class _Job:
    row: Running
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Completion]


class TransformersEngine:
    """Samples from a causal language model of Hugging Face.

    The same requests with the same seeds give the same tokens, up to ties within the rounding of
    the logits, which depends on who else is in the batch.

    Args:
        model: folder, hub name, or a loaded model, which is used as it is: a trainer that changes
            its weights calls `forget_prefixes` after each change.
        tokenizer: by default the one beside the model.
        device: torch device; by default a GPU if there is one.
        dtype: of the weights; by default bfloat16 on a GPU, and on a CPU float32, of which the
            matrices are multiplied in bfloat16 where that pays (`agents.llm.precision`).
        max_batch: most sequences that are sampled together, at least 1; others wait.
        max_prefix_bytes: memory for keys and values of conversations that may go on, those used
            last; 0 reads every prompt from the start.

    Raises:
        ImportError: torch or transformers is not installed.
        ValueError: `max_batch` is less than 1.
    """

    def __init__(
        self,
        model: Any,
        *,
        tokenizer: Tokenizer | None = None,
        device: str | None = None,
        dtype: str | None = None,
        max_batch: int = 128,
        max_prefix_bytes: int = 2**30,
    ) -> None:
        if max_batch < 1:
            raise ValueError(f"`max_batch` must be at least 1, got {max_batch!r}")
        if isinstance(model, (str, Path)):
            tokenizer = tokenizer or HFTokenizer(model)
            device = device or ("cuda" if torch.cuda.is_available() else "cpu")
            chosen = dtype or ("bfloat16" if device.startswith("cuda") else "float32")
            loaded = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=chosen)
            model = loaded.to(device).eval()
            if dtype is None and device == "cpu" and bfloat16_pays(model, model.device):
                halve(model)
        if tokenizer is None:
            raise ValueError("a loaded model needs `tokenizer` as well")
        self.model = model
        self.tokenizer: Tokenizer = tokenizer
        self.name = f"transformers {Path(model.config.name_or_path or 'model').name}"
        self.max_context_tokens = int(model.config.max_position_embeddings)
        self._max_batch = max_batch
        self._max_prefix_bytes = max_prefix_bytes
        self._prefixes: OrderedDict[str, Prefix] = OrderedDict()
        self._prefix_bytes = 0
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ending = False
        """Whether the thread was told to end, once it has answered what it has in hand."""

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns one completion for each request, in their order.

        Raises:
            ContextOverflow: a prompt leaves no room in the model's context.
            PolicyError: sampling failed (out of memory, an id that the model does not have).
            ValueError: a prompt has fewer than 2 ids; a row begins with all but the last of them.
        """
        loop = asyncio.get_running_loop()
        for request in requests:
            if len(request.prompt_ids) < 2:
                raise ValueError(f"expected a prompt of 2 ids or more, got {request.prompt_ids!r}")
            if len(request.prompt_ids) + request.max_tokens > self.max_context_tokens:
                raise ContextOverflow(
                    f"{len(request.prompt_ids)} prompt tokens and {request.max_tokens} new ones do "
                    f"not fit into the model's {self.max_context_tokens}; lower "
                    "`max_context_tokens` of the policy to the model's"
                )
        jobs = [_Job(Running(request), loop, loop.create_future()) for request in requests]
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
            self._thread.start()
        for job in jobs:
            self._queue.put(job)
        return list(await asyncio.gather(*(job.future for job in jobs)))

    async def close(self) -> None:
        """Ends the thread, after the requests that it has; later requests start another."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    async def load_weights(self, folder: Path) -> None:
        """Plays with the weights of a folder from here on; nothing may be in flight."""
        weights = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=self.model.dtype)
        self.model.load_state_dict(weights.state_dict())
        self.forget_prefixes()

    def forget_prefixes(self) -> None:
        """Drops keys and values of all conversations; call it when the weights have changed."""
        self._prefixes.clear()
        self._prefix_bytes = 0

    # In the thread.

    def _work(self) -> None:
        """Samples until told to end; a failure is that of the requests in hand, and of no other."""
        self._ending = False
        jobs: list[_Job] = []
        while not self._ending:
            try:
                with torch.inference_mode():
                    self._sample(jobs)
            except Exception as error:  # noqa: BLE001 - nobody calls a thread: tell those who wait
                failure = PolicyError(f"{self.name}: {type(error).__name__}: {error}")
                for job in jobs:
                    _tell(job, failure)
                jobs.clear()

    def _sample(self, jobs: list[_Job]) -> None:
        """Samples until told to end; `jobs` are the requests in hand."""
        batch = Batch(self.model, self.tokenizer.stop_ids)
        while not self._ending or jobs:
            wait = not jobs and not self._ending
            joining, told = self._take(self._max_batch - len(jobs), wait=wait)
            self._ending = self._ending or told
            jobs += joining
            batch.join([self._with_prefix(job.row) for job in joining])
            for _ in range(_STEPS):
                if batch.num_unfinished:
                    batch.step()
            given_up = [job.row for job in jobs if job.future.cancelled()]
            left = {id(row): prefix for row, prefix in batch.leave(given_up)}
            for job in [job for job in jobs if id(job.row) in left]:
                jobs.remove(job)
                self._keep(job.row.request.conversation, left[id(job.row)])
                _tell(job, self._completion(job.row))

    def _take(self, room: int, wait: bool) -> tuple[list[_Job], bool]:
        """Returns new jobs, and whether the engine is to end."""
        jobs: list[_Job] = []
        while len(jobs) < room:
            try:
                job = self._queue.get(block=wait and not jobs)
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _with_prefix(self, row: Running) -> Running:
        """Gives a row the longest part of its prompt whose keys and values are still there."""
        prefix = self._prefixes.pop(row.request.conversation, None)
        if prefix is not None:
            self._prefix_bytes -= prefix.size_bytes
            length = len(prefix.ids)
            if length < len(row.request.prompt_ids) and (
                row.request.prompt_ids[:length] == prefix.ids
            ):
                row.prefix = prefix
        return row

    def _keep(self, conversation: str, prefix: Prefix) -> None:
        if prefix.size_bytes > self._max_prefix_bytes:
            return
        replaced = self._prefixes.pop(conversation, None)
        self._prefix_bytes += prefix.size_bytes - (replaced.size_bytes if replaced else 0)
        self._prefixes[conversation] = prefix
        while self._prefix_bytes > self._max_prefix_bytes:
            _, oldest = self._prefixes.popitem(last=False)
            self._prefix_bytes -= oldest.size_bytes

    def _completion(self, row: Running) -> Completion:
        stopped = row.ids[-1:] and row.ids[-1] in self.tokenizer.stop_ids
        return Completion(
            text=self.tokenizer.decode(row.ids[:-1] if stopped else row.ids),
            ids=tuple(row.ids),
            logprobs=tuple(row.logprobs),
            finish="stop" if stopped else "length",
            prompt_ids=row.request.prompt_ids,
            num_prompt_tokens=len(row.request.prompt_ids),
            num_new_tokens=len(row.ids),
            num_cached_tokens=row.num_cached,
        )


def _tell(job: _Job, outcome: Completion | Exception) -> None:
    def tell() -> None:
        if job.future.done():
            return
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)

    with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
        job.loop.call_soon_threadsafe(tell)
