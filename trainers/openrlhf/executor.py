"""`AgentExecutor`: one call of OpenRLHF is one episode of ours, played by the LLM policy.

OpenRLHF loads this file by its path (`--train.agent_func_path`) inside every rollout worker and
wants a class of this name. Turns are sampled by the worker's own vLLM engine; the tokens that it
was shown and that it sampled are handed over as they are.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Coroutine, Sequence
from copy import deepcopy
from hashlib import blake2b
from typing import Any, TypeVar

import vllm
from openrlhf.utils.agent import AgentExecutorBase

from agents.episode_file import EpisodeFile
from agents.evaluate import limits_for
from agents.llm.engines import Completion, ContextOverflow, Request
from agents.llm.engines.vllm import completion_of, sampling_params
from agents.llm.policy import LLMPolicy
from agents.llm.tokenizers import HFTokenizer
from agents.rollout import Job, run_episode
from trainers.log import episode_metrics
from trainers.openrlhf.prompts import Label
from trainers.openrlhf.rows import TeamRow, team_rows
from trainers.openrlhf.settings import TeamSettings
from wideseek_env.errors import PolicyError
from wideseek_env.records import Episode
from wideseek_env.tasks.source import TaskSource

Answer = TypeVar("Answer")


class WorkerEngine:
    """An engine of ours over the vLLM engine of a rollout worker.

    Episodes run in a thread of their own, so that reading pages and scoring never hold up the
    worker's event loop, in which all of its requests are served.

    Args:
        worker: OpenRLHF's `RolloutRayActor`.
        loop: the worker's event loop.
        tokenizer: of the model.
        max_context_tokens: longest conversation.
        kept: what OpenRLHF asks of sampling, for what a request does not say.
    """

    name = "openrlhf"

    def __init__(
        self,
        worker: Any,
        loop: asyncio.AbstractEventLoop,
        tokenizer: HFTokenizer,
        max_context_tokens: int,
        kept: Any,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_context_tokens = max_context_tokens
        self._worker, self._loop, self._kept = worker, loop, kept

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns one completion for each request, in their order.

        Raises:
            ContextOverflow: a prompt leaves no room in the context.
            PolicyError: vLLM answers nothing.
        """
        return list(await asyncio.gather(*(self._complete(request) for request in requests)))

    async def close(self) -> None:
        """Does nothing; the engine is the worker's."""

    async def _complete(self, request: Request) -> Completion:
        if len(request.prompt_ids) >= self.max_context_tokens:
            raise ContextOverflow(
                f"{len(request.prompt_ids)} prompt tokens leave no room in a context of "
                f"{self.max_context_tokens}"
            )
        asked = sampling_params(vllm, request, self.tokenizer)
        asked.top_k, asked.min_tokens = self._kept.top_k, self._kept.min_tokens
        work = self._worker.generate(list(request.prompt_ids), asked)
        output = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        if output is None:
            raise PolicyError("vLLM ended a request without an answer")
        return completion_of(request, output, self.tokenizer)


class AgentExecutor(AgentExecutorBase):  # type: ignore[misc]  # OpenRLHF is untyped
    """Plays one episode for each call; made once in every rollout worker, without arguments."""

    def __init__(self) -> None:
        self._settings = TeamSettings.from_environment()
        self._sources: dict[str, TaskSource] = {}
        self._tokenizer: HFTokenizer | None = None
        self._numbers = itertools.count()
        self._file: EpisodeFile | None = None
        self._thread = _LoopThread()

    async def execute(
        self,
        *,
        prompt: str,
        label: str,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """Plays an episode and returns the lead's row as OpenRLHF wants it.

        The other rows are under `team`, in order; `figures` holds the episode's numbers. What goes
        wrong in an episode makes it one without a reward, and never ends the run.
        """
        self._tokenizer = self._tokenizer or HFTokenizer(hf_tokenizer)
        engine = WorkerEngine(
            llm_engine,
            asyncio.get_running_loop(),
            self._tokenizer,
            max_length,
            deepcopy(sampling_params),
        )
        config = self._settings.llm(max_length, sampling_params.temperature, sampling_params.top_p)
        number = next(self._numbers)
        play = self._play(Label.read(label), LLMPolicy(engine, config), number)
        episode = await self._thread.run(play)
        rows = team_rows(episode, episode_id=f"{os.getpid()}-{number}", group=label)
        *others, lead = (_response(row, prompt, label) for row in rows)
        return {**lead, "team": others, "figures": episode_metrics([episode])}

    async def _play(self, label: Label, policy: LLMPolicy, number: int) -> Episode:
        if label.split not in self._sources:
            self._sources[label.split] = self._settings.tasks(label.split)
        assigned = self._sources[label.split][label.index]
        job = Job(
            assigned.task,
            assigned.backend,
            label.n_subagents,
            self._settings.limits(limits_for(label.n_subagents, assigned.limits)),
            seed=_seed(self._settings.seed, label, number),
        )
        reward = self._settings.reward_config()
        episode = await run_episode(job, policy, reward=reward)
        if self._settings.save_episodes:
            self._keep(episode)
        return episode

    def _keep(self, episode: Episode) -> None:
        if self._file is None:
            folder = self._settings.folder("episodes")
            folder.mkdir(parents=True, exist_ok=True)
            self._file = EpisodeFile(folder / f"{os.uname().nodename}-{os.getpid()}.jsonl")
            self._file.__enter__()
        self._file.append(episode)


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="episodes", daemon=True).start()

    async def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Waits for work there, from any other loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


def _seed(seed: int, label: Label, number: int) -> int:
    """Returns another seed for every episode of this worker."""
    key = f"{seed}|{label.text}|{number}".encode()
    return int.from_bytes(blake2b(key, digest_size=4).digest(), "big")


def _response(row: TeamRow, prompt: str, label: str) -> dict[str, Any]:
    """Returns a row in the shape in which OpenRLHF takes a trajectory."""
    reward = float("nan") if row.reward is None else row.reward
    return {
        "row": row,
        "prompt": prompt,
        "label": label,
        "images": None,
        "mm_train_inputs": None,
        "reward": reward,
        "scores": reward,
        "observation_tokens": row.ids,
        "action_ranges": row.spans,
        "rollout_log_probs": row.logprobs,
    }
