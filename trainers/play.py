"""Plays the episodes of a step: tasks of closed worlds, and the policies that trainers need.

`Stage.play(step)` depends on the step, the configuration and the weights alone, so a run that goes
on from a checkpoint plays what it would have played.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from agents.llm.engines.transformers import TransformersEngine
from agents.llm.policy import LLMConfig, LLMPolicy
from agents.llm.tiny import make_tiny_model
from agents.llm.tokenizers import ByteTokenizer, HFTokenizer, Tokenizer
from agents.policy import Policy
from agents.rollout import Job, rollout
from agents.scripted import POLICIES, MakePolicy
from trainers.batch import rows_of
from trainers.checkpoint import folders
from trainers.config import RunConfig
from trainers.model import Learner
from trainers.teacher import TeacherPolicy
from wideseek_env.backends import Backend
from wideseek_env.errors import DataError
from wideseek_env.game.reward import RewardConfig
from wideseek_env.records import Episode, Task
from wideseek_env.worlds import PRESETS, World


def load(name: str) -> tuple[Any, HFTokenizer]:
    """Returns a model in float32 and its tokenizer.

    Args:
        name: a Hugging Face name, a folder, or the folder of a run: then its last checkpoint.

    Raises:
        DataError: it is the folder of a run without a checkpoint.
    """
    source = Path(name)
    if source.is_dir() and not (source / "config.json").exists():
        checkpoints = folders(source / "checkpoints")
        if not checkpoints:
            raise DataError(f"expected a model or a run with checkpoints in {name}, found neither")
        name = str(checkpoints[-1])
    elif name.startswith("runs/") and not source.exists():
        raise DataError(
            f"{name} is not there; make it with `python -m trainers.sft --preset tiny --out {name}`"
        )
    disable_progress_bar()  # it would break the live view, at each checkpoint
    lm = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    return lm.eval(), HFTokenizer(name)


def llm_config(config: RunConfig, lm: Any) -> LLMConfig:
    """Returns how the model plays; the temperature is 1, as the objective assumes."""
    return LLMConfig(
        format=config.format,
        prompts=config.prompts,
        max_tokens=config.max_new_tokens,
        max_context_tokens=min(config.max_context_tokens, lm.config.max_position_embeddings),
    )


def sampling_policy(
    learner: Learner, tokenizer: HFTokenizer
) -> Callable[[Sequence[Task]], LLMPolicy]:
    """Returns what gives the policy of a step: the learner's model as its weights are now.

    In float32 it is the learner's model itself that samples; in bfloat16 a copy, brought up to date
    before each step, as sampling reads all weights for every token.
    """
    lm = copy.deepcopy(learner.lm).bfloat16() if learner.bf16 else learner.lm
    engine = TransformersEngine(lm, tokenizer=tokenizer)
    policy = LLMPolicy(engine, llm_config(learner.config, lm))

    def current(tasks: Sequence[Task]) -> LLMPolicy:
        if lm is not learner.lm:
            lm.load_state_dict(learner.lm.state_dict())
        engine.forget_prefixes()
        return policy

    return current


def scripted(teacher: str) -> MakePolicy:
    """Returns what makes the scripted policy of this name.

    Raises:
        ValueError: there is none.
    """
    if teacher not in POLICIES:
        raise ValueError(f"`teacher` must be one of {', '.join(POLICIES)}, got {teacher!r}")
    return POLICIES[teacher]


def teaching_policy(
    config: RunConfig, lm: Any, tokenizer: Tokenizer, teacher: str
) -> Callable[[Sequence[Task]], Policy]:
    """Returns what gives a scripted policy that plays in the model's conversation."""
    make, how = scripted(teacher), llm_config(config, lm)
    return lambda tasks: TeacherPolicy(make(tasks), tokenizer, how)


def make_tiny(config: RunConfig, teacher: str) -> Path:
    """Makes a tiny untrained model, its tokenizer trained on what the teacher reads and writes.

    Returns:
        Its folder, `start` in that of the run; a model that is there already is kept.
    """
    folder = Path(config.out) / "start"
    if not (folder / "config.json").exists():
        letters, make = ByteTokenizer(), scripted(teacher)
        how = LLMConfig(
            format=config.format,
            prompts=config.prompts,
            max_tokens=100_000,
            max_context_tokens=1_000_000,
        )
        stage = Stage(config, lambda tasks: TeacherPolicy(make(tasks), letters, how))
        texts = [
            letters.decode(ids[ids < 256].tolist())
            for step in range(16)
            for row in rows_of(stage.play(step))
            for ids in np.split(row.ids, np.flatnonzero(row.ids >= 256))
        ]
        # Two wide heads: attention is half of the time on a CPU, and four cost 1.5 times as much.
        make_tiny_model(folder, texts, vocab_size=768, num_heads=2, num_kv_heads=2)
    return folder


class Stage:
    """The worlds of a run, and who plays there.

    Args:
        config: settings.
        policy: called before each step with its tasks.
    """

    def __init__(self, config: RunConfig, policy: Callable[[Sequence[Task]], Policy]) -> None:
        self._config = config
        self._policy = policy
        self._worlds = [World(config.world, seed) for seed in range(config.num_worlds)]
        self._backends: dict[int, Backend] = {}
        self._limits = PRESETS[config.world].limits
        if config.max_lead_turns:
            self._limits = replace(self._limits, max_lead_turns=config.max_lead_turns)
        paper = config.reward == "paper"
        self._reward = RewardConfig.paper() if paper else RewardConfig()

    @cached_property
    def tasks(self) -> list[tuple[int, Task]]:
        """World and task, of all worlds."""
        return [
            (number, task)
            for number, world in enumerate(self._worlds)
            for task in world.tasks(self._config.num_tasks, kind=self._config.kind)
        ]

    def play(self, step: int) -> list[Episode]:
        """Returns the episodes of a step, G of each of its tasks, by task and member.

        Raises:
            ValueError: a step has more tasks than there are.
        """
        config = self._config
        steps_in_pass = len(self.tasks) // config.tasks_per_step
        if steps_in_pass == 0:
            raise ValueError(
                f"`tasks_per_step` must be at most the {len(self.tasks)} tasks of the run, got "
                f"{config.tasks_per_step}; raise `num_tasks` or `num_worlds`"
            )
        which_pass, place = divmod(step, steps_in_pass)
        order = np.random.default_rng((config.seed, which_pass)).permutation(len(self.tasks))
        chosen = order[place * config.tasks_per_step :][: config.tasks_per_step]
        widths = np.random.default_rng((config.seed, step, 1)).integers(
            min(config.n_subagents, 1), config.n_subagents + 1, len(chosen)
        )
        jobs: dict[int, list[Job]] = {}
        for index, width in zip(chosen, widths, strict=True):
            world, task = self.tasks[index]
            jobs.setdefault(world, []).extend(
                Job(
                    task,
                    int(width) if config.random_width else config.n_subagents,
                    self._limits,
                    seed=(config.seed * 1_000_003 + step) * config.group_size + member,
                )
                for member in range(config.group_size)
            )
        return asyncio.run(self._play(jobs))

    async def _play(self, jobs: dict[int, list[Job]]) -> list[Episode]:
        policy = self._policy([job.task for part in jobs.values() for job in part])

        async def in_world(world: int) -> list[Episode]:
            if world not in self._backends:
                self._backends[world] = self._worlds[world].backend()
            limit = max(self._config.max_concurrent // len(jobs), 1)
            played = rollout(
                jobs[world],
                policy,
                self._backends[world],
                max_concurrent=limit,
                reward=self._reward,
            )
            episodes = {str(e.metadata["key"]): e async for e in played}
            return [episodes[job.key] for job in jobs[world]]

        parts = await asyncio.gather(*(in_world(world) for world in jobs))
        return [episode for part in parts for episode in part]
