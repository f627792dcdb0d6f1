"""Who plays while a model trains: the model as its weights are now, or a scripted teacher."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from agents.llm.engines import FollowingEngine, make_engine
from agents.llm.engines.transformers import TransformersEngine
from agents.llm.policy import LLMConfig, LLMPolicy
from agents.llm.precision import halve
from agents.llm.tokenizers import HFTokenizer, Tokenizer
from agents.scripted import POLICIES, MakePolicy
from trainers.config import RunConfig
from trainers.model import Learner
from trainers.teacher import TeacherPolicy
from wideseek_env.records import Task


def llm_config(config: RunConfig, lm: Any) -> LLMConfig:
    """Returns how the model plays; the temperature is 1, as the objective assumes."""
    return LLMConfig(
        format=config.format,
        prompts=config.prompts,
        max_tokens=config.max_new_tokens,
        max_context_tokens=min(config.max_context_tokens, lm.config.max_position_embeddings),
    )


def sampling_policy(learner: Learner, tokenizer: HFTokenizer) -> MakePolicy:
    """Gives the policy of an iteration: the learner's model as its weights are then.

    In float32 it is the learner's model itself that samples; in bfloat16 a copy, brought up to date
    before each iteration, as sampling reads all weights for every token: it multiplies as the
    learner does, and the two differ by rounding alone. Any other engine reads the weights from a
    folder before each iteration.

    Raises:
        ValueError: the engine cannot take weights, or not these.
    """
    if learner.config.engine != "transformers":
        return _policy_of_folder(learner)
    lm = halve(copy.deepcopy(learner.lm)) if learner.bf16 else learner.lm
    engine = TransformersEngine(lm, tokenizer=tokenizer)
    policy = LLMPolicy(engine, llm_config(learner.config, lm))

    def current(tasks: Iterable[Task]) -> LLMPolicy:
        if lm is not learner.lm:
            lm.load_state_dict(learner.lm.state_dict())
        engine.forget_prefixes()
        return policy

    return current


def _policy_of_folder(learner: Learner) -> MakePolicy:
    """Gives the policy of an engine that reads the weights of each iteration from a folder."""
    config, folder = learner.config, Path(learner.config.out) / "sampler"
    if config.lora_rank:
        raise ValueError(
            f"the engine {config.engine} reads whole weights: set `lora_rank` to 0, or `engine` to "
            "transformers"
        )

    @cache
    def engine_of_start() -> FollowingEngine:
        engine = make_engine(config.engine, str(folder))
        if not isinstance(engine, FollowingEngine):
            raise ValueError(
                f"`engine`: expected one with `load_weights`, such as vllm, got {config.engine!r}, "
                "which cannot play with the weights of a model in training"
            )
        return engine

    def current(tasks: Iterable[Task]) -> LLMPolicy:
        learner.save(folder)
        engine = engine_of_start()
        asyncio.run(engine.load_weights(folder))
        return LLMPolicy(engine, llm_config(config, learner.lm))

    return current


def scripted(teacher: str) -> MakePolicy:
    """Finds the scripted policy of this name.

    Raises:
        ValueError: there is none.
    """
    if teacher not in POLICIES:
        raise ValueError(f"`teacher` must be one of {', '.join(POLICIES)}, got {teacher!r}")
    return POLICIES[teacher]


def teaching_policy(config: RunConfig, lm: Any, tokenizer: Tokenizer, teacher: str) -> MakePolicy:
    """Makes a scripted policy play in the model's conversation."""
    make, how = scripted(teacher), llm_config(config, lm)
    return lambda tasks: TeacherPolicy(make(tasks), tokenizer, how)
